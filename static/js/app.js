/* The pages' behaviour beyond links and forms: theme, "/" to search, live figures. Everything works without it. */
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

  // --- What stands above and beside a participant's charts: asked for while somebody looks and is not busy in them. ---
  const PULSE = 5_000;
  const busyIn = (element) =>
    element.contains(document.activeElement) || element.querySelector("details[open], .check:checked");

  setInterval(() => {
    const live = document.querySelector("[data-pulse]");
    if (!live || !window.htmx || document.visibilityState !== "visible" || busyIn(live)) return;
    window.htmx.trigger(live, "refresh");
  }, PULSE);

  // The rail comes along with the figures; it stays as it is while somebody is busy in it.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target } = event.detail;
    if (target?.id === "rail" && busyIn(target)) event.detail.shouldSwap = false;
  });

  // The server says that the pulse brought new data: charts and tables follow, unless they are in use.
  document.addEventListener("newdata", () => {
    const data = document.querySelector("#data");
    if (!data || busyIn(data)) return;
    window.htmx.ajax("GET", location.pathname + location.search, { target: data, swap: "outerHTML" });
  });

  // --- The server, or one that it needs, does not answer: what stands on the page stays, and a notice says so. ---
  const troubled = new Map(); // by what asked: the words about it
  const say = () => {
    let box = document.querySelector("#trouble");
    const words = [...troubled.values()].pop();
    if (!words) return box?.remove();
    if (!box) {
      box = document.createElement("div");
      box.id = "trouble";
      box.className = "notice s-warn trouble";
      box.setAttribute("role", "status");
      box.append(document.createElement("p"));
      box.firstChild.className = "notice-text";
      document.body.append(box);
    }
    if (box.firstChild.textContent !== words) box.firstChild.textContent = words;
  };
  const trouble = ({ detail }) => {
    const status = detail.xhr?.status ?? 0;
    if (status !== 0 && status < 500) return;
    const sent = detail.requestConfig?.verb !== "get";
    const why = status === 503 ? "A server that this page needs does not answer." : "This site does not answer.";
    // One that was sent once is not sent again by itself; the words stay until something answers.
    troubled.set(
      sent ? "sent" : detail.elt,
      sent ? `Nothing was saved. ${why} Try again in a moment.` : `${why} What you see may be old; it goes on by itself.`,
    );
    say();
  };
  document.addEventListener("htmx:responseError", trouble);
  document.addEventListener("htmx:sendError", trouble);
  document.addEventListener("htmx:timeout", trouble);
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.successful || !troubled.size) return;
    troubled.clear();
    say();
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
})();
