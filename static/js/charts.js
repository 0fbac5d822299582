/*
 * Draws the charts: `<div data-chart="URL">` with a canvas inside becomes a Chart.js chart of what the URL answers.
 * The server shapes the data (dashboards/charts.py); nothing is computed or filled in here.
 */
"use strict";

(() => {
  const CDN_PATIENCE = 3_000; // ms until the CDN counts as out of reach
  const CDN_FAILED = "charts-cdn-failed"; // remembered for the session: one failed request is enough
  const charts = new Map(); // element with data-chart -> { chart, data }

  // --- The libraries: from the CDN with an integrity hash, else from our own copy. ---
  const script = (src, attributes = {}, patience = 0) =>
    new Promise((resolve, reject) => {
      const tag = Object.assign(document.createElement("script"), { src, ...attributes });
      const timer = patience && setTimeout(() => tag.onerror(), patience);
      tag.onload = () => {
        clearTimeout(timer);
        resolve();
      };
      tag.onerror = () => {
        clearTimeout(timer);
        tag.remove();
        reject(new Error(`${src} could not be loaded`));
      };
      document.head.append(tag);
    });

  const cdnFailed = () => {
    try {
      return sessionStorage.getItem(CDN_FAILED) !== null;
    } catch {
      return false; // storage is blocked: the CDN is tried on each page
    }
  };
  const rememberFailure = () => {
    try {
      sessionStorage.setItem(CDN_FAILED, "1");
    } catch {
      // Storage is blocked: see above.
    }
  };

  const load = async () => {
    const plan = JSON.parse(document.getElementById("chart-libraries").textContent);
    let fromCdn = plan.cdn && !cdnFailed();
    for (const library of plan.libraries) {
      if (fromCdn) {
        try {
          await script(library.cdn, { integrity: library.integrity, crossOrigin: "anonymous" }, CDN_PATIENCE);
          continue;
        } catch {
          fromCdn = false;
          rememberFailure();
        }
      }
      await script(library.local);
    }
    // Held on to: a CDN answer that comes too late must not replace the library in use.
    return window.Chart;
  };
  let loading = null;
  const libraries = () =>
    (loading ??= load().catch((error) => {
      loading = null; // the next chart tries again
      throw error;
    }));

  // --- Look: the stylesheet's tokens. ---
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const bandColour = (name) => colour(`vis-${name}-band`) || `${colour(`vis-${name}`)}38`;

  const gapShading = {
    id: "gapShading",
    beforeDatasetsDraw(chart, _args, options) {
      const { ctx, chartArea, scales } = chart;
      ctx.save();
      ctx.fillStyle = options.colour;
      for (const [from, to] of options.gaps) {
        const left = Math.max(scales.x.getPixelForValue(from), chartArea.left);
        const right = Math.min(scales.x.getPixelForValue(to), chartArea.right);
        if (right - left >= 1) ctx.fillRect(left, chartArea.top, right - left, chartArea.height);
      }
      ctx.restore();
    },
  };
  const cursor = {
    id: "cursor",
    afterDatasetsDraw(chart, _args, options) {
      const [active] = chart.getActiveElements();
      if (!active) return;
      const { ctx, chartArea } = chart;
      ctx.save();
      ctx.strokeStyle = options.colour;
      ctx.setLineDash([3, 3]);
      ctx.beginPath();
      ctx.moveTo(active.element.x, chartArea.top);
      ctx.lineTo(active.element.x, chartArea.bottom);
      ctx.stroke();
      ctx.restore();
    },
  };

  const points = (data, column) => {
    // A bucket's value is drawn at its middle.
    const middle = data.meta.width_seconds * 500;
    return data.t.map((t, i) => ({ x: t + middle, y: data[column][i] }));
  };

  const line = (data, column, style) => ({ type: "line", label: column, data: points(data, column), ...style });

  const datasets = ({ meta, ...data }) => {
    const all = { meta, ...data };
    const ink = colour(`vis-${meta.colour}`);
    if (meta.chart === "bars") {
      const bars = points(all, "total");
      // An empty neighbour tells Chart.js how wide a bucket is even when only one has data.
      const lastBar = bars.at(-1);
      if (lastBar) bars.push({ x: lastBar.x + meta.step_seconds * 1000, y: null });
      return [{ type: "bar", label: "total", data: bars, backgroundColor: ink, barPercentage: 0.8, categoryPercentage: 1 }];
    }
    const few = data.t.length < 400;
    const mean = line(all, "mean", {
      borderColor: ink,
      backgroundColor: ink,
      pointBackgroundColor: ink,
      pointRadius: meta.chart === "points" ? 2.5 : (context) => (few && isAlone(data.mean, context.dataIndex) ? 2 : 0),
    });
    if (meta.chart === "points" || meta.width_seconds === 0) return [mean];
    const edge = { borderWidth: 0, pointRadius: 0, pointHoverRadius: 0, backgroundColor: bandColour(meta.colour) };
    return [mean, line(all, "low", edge), line(all, "high", { ...edge, fill: "-1" })];
  };
  // A value between two gaps has no line to show it.
  const isAlone = (values, i) => (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;

  const number = (value, decimals) =>
    value.toLocaleString("en-GB", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });

  const tooltipTitle = (data) => ([item]) => {
    const { width_seconds: width } = data.meta;
    const from = local(data.t[item.dataIndex], data.meta);
    if (width >= 86_400) return from.toFormat("ccc d LLL yyyy");
    if (!width) return from.toFormat("ccc d LLL, HH:mm:ss");
    return `${from.toFormat("ccc d LLL, HH:mm")}–${from.plus({ seconds: width }).toFormat("HH:mm")}`;
  };
  const tooltipLabel = (data) => (item) => {
    const { meta } = data;
    const at = (column) => number(data[column][item.dataIndex], meta.decimals);
    if (meta.chart === "bars") return `${at("total")} ${meta.unit}`;
    if (meta.chart === "points" || !meta.width_seconds) return `${at("mean")} ${meta.unit}`;
    return `mean ${at("mean")} · ${at("low")}–${at("high")} ${meta.unit}`;
  };

  const local = (t, { zone }) => window.luxon.DateTime.fromMillis(t, { zone, locale: "en-GB" });
  const isMidnight = (at) => at.hour === 0 && at.minute === 0;

  const options = (data) => {
    const { meta } = data;
    const days = (meta.end - meta.start) / 86_400_000;
    const grid = { color: colour("vis-grid"), drawTicks: false };
    return {
      animation: false,
      maintainAspectRatio: false,
      normalized: true,
      color: colour("vis-axis"),
      font: { family: colour("font"), size: 11 },
      interaction: { mode: "index", axis: "x", intersect: false },
      elements: { point: { radius: 0, hoverRadius: 4, hitRadius: 8 }, line: { borderWidth: 1.5, tension: 0 }, bar: { borderRadius: 1 } },
      scales: {
        x: {
          type: "time",
          min: meta.start,
          max: meta.end,
          offset: false,
          adapters: { date: { zone: meta.zone, locale: "en-GB" } },
          grid: { ...grid, offset: false }, // Chart.js would put bars' lines between the ticks
          border: { display: false },
          ticks: {
            color: colour("vis-axis"),
            maxRotation: 0,
            autoSkipPadding: 24,
            major: { enabled: true },
            font: (context) => ({ size: 11, weight: context.tick && days <= 10 && isMidnight(local(context.tick.value, meta)) ? 600 : 400 }),
            callback: (value) => {
              const at = local(value, meta);
              if (days > 400) return at.toFormat("LLL yyyy");
              if (days > 10) return at.toFormat("d LLL");
              return at.toFormat(isMidnight(at) ? "ccc d LLL" : days < 0.05 ? "HH:mm:ss" : "HH:mm");
            },
          },
        },
        y: {
          afterFit: (scale) => {
            scale.width = 44;
          },
          beginAtZero: meta.chart === "bars",
          grid,
          border: { display: false },
          ticks: { color: colour("vis-axis"), maxTicksLimit: 7, padding: 8, font: { size: 11 } },
        },
      },
      plugins: {
        legend: { display: false },
        gapShading: { gaps: data.gaps, colour: colour("vis-gap") },
        cursor: { colour: colour("vis-cursor") },
        tooltip: {
          filter: (item) => item.datasetIndex === 0 && item.raw.y !== null,
          displayColors: false,
          backgroundColor: colour("raised"),
          titleColor: colour("ink"),
          bodyColor: colour("ink-2"),
          borderColor: colour("line-strong"),
          borderWidth: 1,
          padding: 10,
          callbacks: { title: tooltipTitle(data), label: tooltipLabel(data) },
        },
      },
    };
  };

  // --- Drawing. ---
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

  const paint = (element, Chart, data) => {
    charts.get(element)?.chart.destroy();
    const chart = new Chart(element.querySelector("canvas"), {
      data: { datasets: datasets(data) },
      options: options(data),
      plugins: [gapShading, cursor],
    });
    charts.set(element, { chart, data, Chart });
  };

  const answer = async (url) => {
    const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (response.redirected) throw new Error("You are signed out. Reload the page to sign in again.");
    const body = response.headers.get("Content-Type")?.startsWith("application/json") ? await response.json() : {};
    if (!response.ok) throw new Error(body.error?.message ?? `The server answered ${response.status}.`);
    return body;
  };

  const draw = async (element) => {
    element.hidden = false;
    say(element, "Loading…");
    try {
      const [Chart, data] = await Promise.all([libraries(), answer(element.dataset.chart)]);
      if (!element.isConnected) return; // swapped away meanwhile
      describe(element, data);
      paint(element, Chart, data);
      say(element, data.t.length ? "" : "No data on these days.");
      element.dataset.drawn = "true";
    } catch (error) {
      say(element, `The chart cannot be drawn: ${error.message} The table below has the data.`);
    }
  };

  const drawAll = () => {
    for (const [element, { chart }] of charts) {
      if (element.isConnected) continue;
      chart.destroy();
      charts.delete(element);
    }
    document.querySelectorAll("[data-chart]:not([data-drawn])").forEach((element) => {
      element.dataset.drawn = "";
      draw(element);
    });
  };

  document.addEventListener("DOMContentLoaded", drawAll);
  document.addEventListener("htmx:afterSettle", drawAll);
  document.addEventListener("themechange", () => charts.forEach(({ Chart, data }, element) => paint(element, Chart, data)));
  addEventListener("beforeprint", () => charts.forEach(({ chart }) => chart.resize()));
  addEventListener("afterprint", () => charts.forEach(({ chart }) => chart.resize()));
})();
