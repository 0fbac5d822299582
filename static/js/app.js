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
