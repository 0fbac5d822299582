/* The pages' behaviour beyond links and forms: theme, "/" to search, live table. Everything works without it. */
"use strict";

(() => {
  const root = document.documentElement;

  // --- Light and dark: the system's choice until the person makes one, which this browser remembers. ---
  const THEME = "theme";
  const remembered = (() => {
    try {
      return localStorage.getItem(THEME);
    } catch {
      return null; // storage is blocked: the choice lasts for the page
    }
  })();
  if (remembered === "light" || remembered === "dark") root.dataset.theme = remembered;

  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  const toggleTheme = () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem(THEME, root.dataset.theme);
    } catch {
      // Storage is blocked: see above.
    }
    document.dispatchEvent(new CustomEvent("themechange"));
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    document.dispatchEvent(new CustomEvent("themechange")),
  );

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-toggle]")) toggleTheme();
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      document.querySelectorAll("details.menu[open]").forEach((menu) => {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
    }
    const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
    const search = document.querySelector("[data-search]");
    if (event.key !== "/" || typing || !search || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  // --- Live table: fetched anew while somebody looks and no row of it has focus (htmx keeps that of headings). ---
  const EVERY = 15_000;
  const FRESH = 2_000;
  let before = null;

  const lastByRow = (table) =>
    new Map([...table.querySelectorAll("[data-row]")].map((row) => [row.dataset.row, row.dataset.last]));

  const refresh = () => {
    const table = document.querySelector("[data-live]");
    if (!table || !window.htmx || document.visibilityState !== "visible") return;
    if (document.activeElement?.closest("[data-row]")) return;
    before = lastByRow(table);
    window.htmx.trigger(table, "refresh");
  };

  const announce = (table) => {
    if (!before) return;
    const rows = [...table.querySelectorAll("[data-row]")];
    const fresh = rows.filter((row) => before.has(row.dataset.row) && before.get(row.dataset.row) !== row.dataset.last);
    before = null;
    if (!fresh.length) return;
    const region = document.querySelector("[data-announce]");
    if (region) region.textContent = `${fresh.length} ${fresh.length === 1 ? "participant has" : "participants have"} new data`;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    fresh.forEach((row) => row.classList.add("is-fresh"));
    setTimeout(() => fresh.forEach((row) => row.classList.remove("is-fresh")), FRESH);
  };

  document.addEventListener("htmx:afterSettle", () => {
    const table = document.querySelector("[data-live]");
    if (table) announce(table);
  });
  setInterval(refresh, EVERY);

  // --- A participant's figures and connections: asked for while somebody looks and is not busy in them. ---
  const PULSE = 5_000;
  const busyIn = (element) => element.contains(document.activeElement) || element.querySelector("details[open]");

  setInterval(() => {
    const live = document.querySelector("[data-pulse]");
    if (!live || !window.htmx || document.visibilityState !== "visible" || busyIn(live)) return;
    window.htmx.trigger(live, "refresh");
  }, PULSE);

  // The server says that the pulse brought new data: the chart and its table follow, unless they are in use.
  document.addEventListener("newdata", () => {
    const data = document.querySelector("#data");
    if (!data || busyIn(data)) return;
    window.htmx.ajax("GET", location.pathname + location.search, { target: data, swap: "outerHTML" });
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) print();
    const copy = event.target.closest("[data-copy]");
    if (!copy) return;
    const field = document.querySelector(copy.dataset.copy);
    field.select();
    const done = () => (copy.textContent = "Copied");
    // Browsers keep the clipboard from sites without HTTPS: the text is selected then, to be copied by hand.
    navigator.clipboard?.writeText(field.value).then(done, () => field.focus());
  });
  document.addEventListener("visibilitychange", refresh);
})();
