/* The trial's page: its table follows the data by itself, rows are selected for an action. Links and forms work without it. */
"use strict";

(() => {
  const table = () => document.querySelector("[data-live]");
  const rows = () => [...document.querySelectorAll("#people [data-row]")];

  // --- Live: asked for while somebody looks. The server answers 204 where nothing has changed. ---
  const EVERY = 15_000;
  const FRESH = 2_000;
  let before = null;
  let focused = null;

  const refresh = () => {
    const live = table();
    if (!live || !window.htmx || document.visibilityState !== "visible") return;
    if (live.classList.contains("htmx-request")) return;
    before = new Map(rows().map((row) => [row.dataset.row, row.dataset.last]));
    window.htmx.trigger(live, "refresh");
  };

  // A row that somebody is in, or has selected, stays as it is: htmx keeps what the answer marks so.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "people") return;
    const polled = event.detail.requestConfig?.triggeringEvent?.type === "refresh";
    if (!polled) {
      before = null;
      return;
    }
    focused = document.activeElement?.closest("[data-row]") ? document.activeElement : null;
    for (const row of rows()) {
      if (row !== focused?.closest("[data-row]") && !row.querySelector("[name=to]:checked")) continue;
      const id = `id="${CSS.escape(row.id).replace(/\\/g, "")}"`;
      event.detail.serverResponse = event.detail.serverResponse.replace(id, `${id} hx-preserve="true"`);
    }
  });

  const announce = () => {
    if (!before) return;
    const fresh = rows().filter((row) => before.has(row.dataset.row) && before.get(row.dataset.row) !== row.dataset.last);
    before = null;
    if (!fresh.length) return;
    const region = document.querySelector("[data-announce]");
    if (region) region.textContent = `${fresh.length} ${fresh.length === 1 ? "participant has" : "participants have"} new data`;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    fresh.forEach((row) => row.classList.add("is-fresh"));
    setTimeout(() => fresh.forEach((row) => row.classList.remove("is-fresh")), FRESH);
  };

  // --- Selection: kept over pages and refreshes of one view, dropped with another filter. ---
  const chosen = new Set();
  let everybody = false;
  let filter = table()?.dataset.filter;

  const hidden = (name, value) => {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    return input;
  };

  const paint = () => {
    const bar = document.querySelector("[data-bulk]");
    if (!bar) return;
    const found = Number(table().dataset.found);
    const boxes = [...document.querySelectorAll("#people [name=to]")];
    for (const box of boxes) {
      box.checked = everybody || chosen.has(box.value);
      box.disabled = everybody;
      box.closest("[data-row]").setAttribute("aria-selected", String(box.checked));
    }
    const page = document.querySelector("#select-page");
    if (page) {
      const on = boxes.filter((box) => box.checked).length;
      page.checked = on > 0 && on === boxes.length;
      page.indeterminate = on > 0 && on < boxes.length;
      page.disabled = everybody;
    }
    const count = everybody ? found : chosen.size;
    bar.hidden = count === 0;
    bar.querySelector("[data-bulk-count]").textContent = everybody
      ? `All ${found.toLocaleString("en")} selected`
      : `${count.toLocaleString("en")} selected`;
    const all = bar.querySelector("[data-bulk-all]");
    all.hidden = everybody || count >= found;
    all.textContent = `Select all ${found.toLocaleString("en")}`;
    // What the action is told beyond the boxes of this page: the filter, or those of other pages.
    const shown = new Set(boxes.map((box) => box.value));
    const told = everybody
      ? [["all", "1"], ...new URLSearchParams(filter)]
      : [...chosen].filter((id) => !shown.has(id)).map((id) => ["to", id]);
    bar.querySelector("[data-bulk-more]").replaceChildren(...told.map(([name, value]) => hidden(name, value)));
  };

  const clear = () => {
    chosen.clear();
    everybody = false;
    paint();
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches("#people [name=to]")) {
      chosen[event.target.checked ? "add" : "delete"](event.target.value);
      paint();
    } else if (event.target.id === "select-page") {
      const act = event.target.checked ? "add" : "delete";
      document.querySelectorAll("#people [name=to]").forEach((box) => chosen[act](box.value));
      paint();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-bulk-all]")) {
      everybody = true;
      paint();
      document.querySelector("[data-bulk-clear]").focus();
    } else if (event.target.closest("[data-bulk-clear]")) {
      clear();
    }
    const copy = event.target.closest("[data-copy-address]");
    if (!copy) return;
    // Browsers keep the clipboard from sites without HTTPS: the address stands in the browser's own bar.
    const said = (words) => (document.querySelector("[data-announce]").textContent = words);
    const done = () => {
      copy.lastChild.textContent = "Copied";
      said("Link copied");
    };
    const failed = () => said("The browser does not allow copying: take the address from its bar.");
    if (navigator.clipboard) navigator.clipboard.writeText(location.href).then(done, failed);
    else failed();
  });

  document.addEventListener("htmx:afterSettle", () => {
    const live = table();
    if (!live) return;
    if (live.dataset.filter !== filter) {
      filter = live.dataset.filter;
      chosen.clear();
      everybody = false;
    }
    if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
    focused = null;
    paint();
    announce();
  });

  // A browser restores boxes when somebody comes back: what is checked then is selected.
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("#people [name=to]:checked").forEach((box) => chosen.add(box.value));
    paint();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, EVERY);
})();
