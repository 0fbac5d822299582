/*
 * Draws the charts: `<div data-chart="URL">` with a canvas inside becomes a Chart.js chart of what the URL answers.
 * When it is zoomed, the interval in view is asked for anew, in finer steps.
 */
"use strict";

(() => {
  const { libraries, look, view } = window.trialCharts;
  const PATIENCE = 200; // ms without a further zoom until finer data are asked for
  const PAPER = 760; // width of a chart on the printed record, in pixels
  const charts = new Map(); // element with data-chart -> { chart, own, whole, Chart, timer }

  const say = (element, text) => {
    const state = element.querySelector("[data-chart-state]");
    state.textContent = text;
    state.hidden = !text;
  };

  const describe = (element, { meta }) => {
    const card = element.closest("[data-chart-card]");
    const set = (name, text) => {
      const target = card.querySelector(`[data-chart-${name}]`);
      if (target) target.textContent = text;
    };
    set("resolution", meta.resolution);
    const others = meta.others.length ? `; also available: ${meta.others.join(", ")}` : "";
    set("source", meta.source ? `Source: ${meta.source}${meta.synthetic ? " (synthetic)" : ""}${others}` : "");
  };

  const causes = () => JSON.parse(document.getElementById("gap-causes")?.textContent ?? "[]");
  const nowOf = (element) => Number(element.closest("[data-window]").dataset.window.split(" ")[2]);

  const paint = (element) => {
    const drawn = charts.get(element);
    const { Chart, own } = drawn;
    const besideCompare = document.querySelector("[data-chart*='compare=']") !== null;
    drawn.chart?.destroy();
    const chart = new Chart(element.querySelector("canvas"), {
      data: { datasets: [] },
      options: look.options(own, besideCompare),
      plugins: [{ id: "own", beforeInit: (made) => (made.$ = own) }, look.backdrop],
    });
    drawn.chart = chart;
    chart.data.datasets = look.datasets(own.data);
    chart.update("none");
  };

  const refresh = (element, data) => {
    const drawn = charts.get(element);
    drawn.own.data = data;
    drawn.chart.data.datasets = look.datasets(data);
    drawn.chart.update("none");
    describe(element, data);
  };

  const answer = async (url) => {
    const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (response.redirected) throw new Error("You are signed out. Reload the page to sign in again.");
    const body = response.headers.get("Content-Type")?.startsWith("application/json") ? await response.json() : {};
    if (!response.ok) throw new Error(body.error?.message ?? `The server answered ${response.status}.`);
    return body;
  };

  /** The address of the series of an interval, with half of it more on either side, so that a short pan finds data. */
  const seriesAddress = (element, [from, to]) => {
    const url = new URL(element.dataset.chart, location.href);
    const [first, last] = view.range();
    const more = (to - from) / 2;
    url.searchParams.set("start", new Date(Math.max(first, from - more)).toISOString());
    url.searchParams.set("end", new Date(Math.min(last, to + more)).toISOString());
    return url;
  };

  const show = (element, span, whole) => {
    const drawn = charts.get(element);
    drawn.own.span = span;
    Object.assign(drawn.chart.options.scales.x, { min: span[0], max: span[1] });
    drawn.chart.update("none");
    clearTimeout(drawn.timer);
    drawn.requested = null;
    if (whole) {
      if (drawn.own.data !== drawn.whole) refresh(element, drawn.whole);
      return;
    }
    drawn.timer = setTimeout(async () => {
      const requested = (drawn.requested = seriesAddress(element, span));
      try {
        const data = await answer(requested);
        if (drawn.requested === requested && element.isConnected) refresh(element, data);
      } catch (error) {
        say(element, `Finer data could not be fetched: ${error.message}`);
      }
    }, PATIENCE);
  };

  const point = (element, t) => {
    const { own, chart } = charts.get(element);
    if (own.cursor === t) return;
    own.cursor = t;
    chart.draw();
  };

  const others = (element) => () =>
    [...charts].filter(([other, { own }]) => other !== element && own).map(([, { own }]) => own.data);

  const draw = async (element) => {
    element.hidden = false;
    say(element, "Loading…");
    try {
      const [Chart, data] = await Promise.all([libraries(), answer(element.dataset.chart)]);
      if (!element.isConnected) return; // swapped away meanwhile
      describe(element, data);
      const own = { data, span: view.range(), causes: causes(), now: nowOf(element), cursor: null, box: null, others: others(element) };
      charts.set(element, { Chart, own, whole: data });
      paint(element);
      const member = {
        show: (span, whole) => show(element, span, whole),
        point: (t) => point(element, t),
        chart: () => charts.get(element)?.chart,
      };
      const span = view.join(element, member);
      if (!view.isWhole(span)) member.show(span, false);
      say(element, data.t.length ? "" : "No data on these days.");
      element.dataset.drawn = "true";
    } catch (error) {
      say(element, `The chart cannot be drawn: ${error.message} The table below has the data.`);
    }
  };

  const drawAll = () => {
    for (const [element, { chart }] of charts) {
      if (element.isConnected) continue;
      chart?.destroy();
      charts.delete(element);
    }
    view.start();
    document.querySelectorAll("[data-chart]:not([data-drawn])").forEach((element) => {
      element.dataset.drawn = "";
      draw(element);
    });
  };
  const repaint = () => charts.forEach((_, element) => paint(element));

  document.addEventListener("DOMContentLoaded", drawAll);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "data") drawAll();
  });
  document.addEventListener("themechange", repaint);

  // --- The printed record is light, whatever the screen is, and as wide as the paper. ---
  const root = document.documentElement;
  let theme;
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    repaint();
    charts.forEach(({ chart }) => chart.resize(PAPER, chart.height));
  });
  addEventListener("afterprint", () => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    repaint();
    charts.forEach(({ chart }) => chart.resize());
  });
})();
