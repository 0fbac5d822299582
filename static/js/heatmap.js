/* The heat map's cell: chosen by pointer or arrow keys, its day shown beside. Rows, pages and the table need no script. */
"use strict";

(() => {
  const TOP = 88;
  const ROW = 18;
  const WAIT = 150; // moving through cells asks for the one somebody stays on
  let at = null;
  let timer = 0;

  const map = () => document.querySelector("[data-map]");
  const ids = () => [...document.querySelectorAll(".map-ids [data-id]")];

  const dateOf = (svg, column) => {
    const day = new Date(`${svg.dataset.first}T00:00:00Z`);
    day.setUTCDate(day.getUTCDate() + column);
    return day.toISOString().slice(0, 10);
  };

  const place = (svg, x, y) => {
    const column = Number(svg.dataset.column);
    svg.querySelectorAll("[data-map-x]").forEach((mark) => mark.setAttribute("x", x * column));
    svg.querySelectorAll("[data-map-y]").forEach((mark) => mark.setAttribute("y", TOP + y * ROW));
    svg.querySelectorAll("[data-map-x], [data-map-y]").forEach((mark) => mark.setAttribute("visibility", "visible"));
    ids().forEach((row, index) => (index === y ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current")));
  };

  const reveal = (svg, x) => {
    const scroller = svg.closest("[data-map-scroll]");
    const column = Number(svg.dataset.column);
    const left = svg.offsetLeft ?? svg.getBoundingClientRect().left - scroller.getBoundingClientRect().left + scroller.scrollLeft;
    const beside = document.querySelector(".map-ids").offsetWidth;
    const from = left + x * column;
    if (from - beside < scroller.scrollLeft) scroller.scrollLeft = from - beside - 8;
    else if (from + column + 64 > scroller.scrollLeft + scroller.clientWidth)
      scroller.scrollLeft = from + column + 64 - scroller.clientWidth;
  };

  const show = (svg) => {
    const id = ids()[at.y]?.dataset.id;
    if (!id || !window.htmx) return;
    const address = `${svg.dataset.dayUrl}${encodeURIComponent(id)}/${dateOf(svg, at.x)}/`;
    window.htmx.ajax("GET", address, { target: "#heat-day", swap: "innerHTML" });
  };

  const choose = (svg, x, y, wait) => {
    const days = Number(svg.dataset.days);
    at = { x: Math.min(Math.max(x, 0), days - 1), y: Math.min(Math.max(y, 0), ids().length - 1) };
    place(svg, at.x, at.y);
    clearTimeout(timer);
    timer = setTimeout(() => show(svg), wait);
  };

  const cellUnder = (svg, event) => {
    const box = svg.querySelector("[data-map-hit]").getBoundingClientRect();
    return [Math.floor((event.clientX - box.left) / Number(svg.dataset.column)), Math.floor((event.clientY - box.top) / ROW)];
  };

  const goToPage = (overview, number) => {
    const last = Number(overview.getAttribute("aria-valuemax"));
    const page = Math.min(Math.max(number, 1), last);
    if (page === Number(overview.getAttribute("aria-valuenow")) || !window.htmx) return;
    const url = new URL(overview.dataset.url, location.href);
    url.searchParams.set("page", page);
    window.htmx.ajax("GET", url.pathname + url.search, { target: "#heat", swap: "outerHTML" });
  };

  document.addEventListener("pointermove", (event) => {
    const svg = event.target.closest?.("[data-map-hit]")?.closest("[data-map]");
    if (!svg || event.pointerType !== "mouse" || svg.dataset.kept) return;
    const [x, y] = cellUnder(svg, event);
    if (at && at.x === x && at.y === y) return;
    choose(svg, x, y, WAIT);
  });

  // A click keeps the cell, so that the pointer can go to the panel; another click lets go.
  document.addEventListener("click", (event) => {
    const svg = event.target.closest?.("[data-map-hit]")?.closest("[data-map]");
    if (svg) {
      const [x, y] = cellUnder(svg, event);
      const same = svg.dataset.kept && at && at.x === x && at.y === y;
      if (same) delete svg.dataset.kept;
      else svg.dataset.kept = "true";
      choose(svg, x, y, 0);
      return;
    }
    const overview = event.target.closest?.("[data-overview]");
    if (!overview) return;
    const box = overview.getBoundingClientRect();
    const line = ((event.clientY - box.top) / box.height) * Number(overview.dataset.lines);
    goToPage(overview, Math.floor((line * Number(overview.dataset.people)) / Number(overview.dataset.pageSize)) + 1);
  });

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  const keyInMap = (svg, event) => {
    const days = Number(svg.dataset.days);
    if (STEPS[event.key]) {
      const [dx, dy] = STEPS[event.key];
      if (at) choose(svg, at.x + dx, at.y + dy, WAIT);
      else choose(svg, days - 1, 0, WAIT);
    } else if (event.key === "Home" || event.key === "End") {
      choose(svg, event.key === "Home" ? 0 : days - 1, at ? at.y : 0, WAIT);
    } else if (event.key === "Enter" && at) {
      const link = document.querySelector("#heat-day [data-open-day]");
      if (link?.href.includes(dateOf(svg, at.x)) && link.href.includes(encodeURIComponent(ids()[at.y].dataset.id))) link.click();
      else choose(svg, at.x, at.y, 0);
    } else {
      return;
    }
    event.preventDefault();
    svg.dataset.kept = "true";
    reveal(svg, at.x);
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const svg = event.target.closest?.("[data-map]");
    if (svg) keyInMap(svg, event);
    const overview = event.target.closest?.("[data-overview]");
    if (!overview) return;
    const now = Number(overview.getAttribute("aria-valuenow"));
    const last = Number(overview.getAttribute("aria-valuemax"));
    const to = { ArrowUp: now - 1, ArrowLeft: now - 1, ArrowDown: now + 1, ArrowRight: now + 1, PageUp: now - 5, PageDown: now + 5, Home: 1, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    goToPage(overview, to);
  });

  // The newest days are what somebody looks for: a map that scrolls sideways begins at its end.
  const toTheEnd = () => {
    const scroller = document.querySelector("[data-map-scroll]");
    if (scroller) scroller.scrollLeft = scroller.scrollWidth;
  };
  document.addEventListener("DOMContentLoaded", toTheEnd);
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "heat") return;
    at = null;
    toTheEnd();
  });
})();
