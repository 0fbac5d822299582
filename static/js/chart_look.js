/*
 * How a chart looks: the stylesheet's colours, axes in the participant's clock, gaps shaded and named, one crosshair.
 * The server shapes the data (dashboards/participant_detail/charts/series.py); nothing is computed or filled in here.
 */
"use strict";

(() => {
  const GUTTER = 44; // --chart-gutter: the same on every chart so that time axes line up
  const DAY = 86_400_000;
  const TICK_ROOM = 64; // pixels that a label of the time axis takes
  const MINUTE_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720];
  const DAY_LABELS = [1.5, 14]; // days in view between which labels stand at midday, under their day

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const bandColour = (name) => colour(`vis-${name}-band`) || `${colour(`vis-${name}`)}38`;
  const local = (t, zone) => window.luxon.DateTime.fromMillis(t, { zone, locale: "en-GB" });
  const isMidnight = (at) => at.hour === 0 && at.minute === 0;
  const number = (value, decimals) =>
    value.toLocaleString("en-GB", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });

  // What is compared is drawn in another colour than the first, whichever that is.
  const compareColour = ({ meta }) => colour(["steps", "compare"].includes(meta.colour) ? "vis-heart" : "vis-compare");

  // --- Behind and over the data. `chart.$` holds what charts.js knows: data, gap causes, the crosshair's instant. ---
  const vertical = (chart, t, style, dash = []) => {
    const { ctx, chartArea, scales } = chart;
    const x = scales.x.getPixelForValue(t);
    if (x < chartArea.left - 1 || x > chartArea.right + 1) return;
    ctx.save();
    ctx.strokeStyle = style;
    ctx.setLineDash(dash);
    ctx.beginPath();
    ctx.moveTo(Math.round(x) + 0.5, chartArea.top);
    ctx.lineTo(Math.round(x) + 0.5, chartArea.bottom);
    ctx.stroke();
    ctx.restore();
  };

  const midnights = (from, to, zone) => {
    const found = [];
    for (let day = local(from, zone).startOf("day"); day.toMillis() <= to; day = day.plus({ days: 1 })) found.push(day.toMillis());
    return found;
  };

  const backdrop = {
    id: "backdrop",
    beforeDatasetsDraw(chart) {
      const { ctx, chartArea, scales, $: own } = chart;
      const { meta, gaps } = own.data;
      ctx.save();
      ctx.beginPath();
      ctx.rect(chartArea.left, chartArea.top, chartArea.width, chartArea.height);
      ctx.clip();
      const pixels = ([from, to]) => [
        Math.max(scales.x.getPixelForValue(from), chartArea.left),
        Math.min(scales.x.getPixelForValue(to), chartArea.right),
      ];
      ctx.fillStyle = colour("vis-gap");
      for (const gap of gaps) {
        const [left, right] = pixels(gap);
        if (right - left >= 1) ctx.fillRect(left, chartArea.top, right - left, chartArea.height);
      }
      ctx.fillStyle = colour("ink-2");
      ctx.textAlign = "center";
      ctx.font = `11px ${colour("font")}`;
      for (const cause of meta.metric === "heart_rate" ? own.causes : []) {
        const [left, right] = pixels(cause);
        if (right - left > ctx.measureText(cause[2]).width + 8) ctx.fillText(cause[2], (left + right) / 2, chartArea.bottom - 6);
      }
      ctx.restore();
      const { min, max } = scales.x;
      const lines = max - min <= DAY_LABELS[1] * DAY ? midnights(min, max, meta.zone) : scales.x.ticks.map((tick) => tick.value);
      for (const t of lines) vertical(chart, t, colour("vis-grid"));
    },
    afterDatasetsDraw(chart) {
      const own = chart.$;
      if (own.now) vertical(chart, own.now, colour("ink-3"));
      if (own.cursor !== null) vertical(chart, own.cursor, colour("vis-cursor"), [3, 3]);
      if (!own.box) return;
      const { ctx, chartArea } = chart;
      const [left, right] = [...own.box].sort((a, b) => a - b);
      ctx.save();
      ctx.fillStyle = `${colour("vis-compare")}33`;
      ctx.fillRect(left, chartArea.top, right - left, chartArea.height);
      ctx.restore();
    },
  };

  // --- The data as Chart.js takes them. ---
  const points = ({ meta, t, ...columns }, column) => {
    const middle = meta.width_seconds * 500; // a bucket's value is drawn at its middle
    return t.map((at, i) => ({ x: at + middle, y: columns[column][i] }));
  };
  // A value between two gaps has no line to show it.
  const isAlone = (values, i) => (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;

  const bars = (data, style) => {
    const found = points(data, "total");
    // An empty neighbour tells Chart.js how wide a bucket is even when only one has data.
    if (found.length) found.push({ x: found.at(-1).x + data.meta.step_seconds * 1000, y: null });
    // A true zero is a line of one pixel; where nothing is known there is no bar at all.
    return { type: "bar", label: "total", data: found, barPercentage: 0.8, categoryPercentage: 1, minBarLength: 1, ...style };
  };
  const line = (data, column, style) => ({ type: "line", label: column, data: points(data, column), ...style });
  const meanLine = (data, style) => {
    const few = data.t.length < 400;
    const radius = data.meta.chart === "points" ? 2.5 : (context) => (few && isAlone(data.mean, context.dataIndex) ? 2 : 0);
    return line(data, "mean", { pointRadius: radius, ...style });
  };

  const datasets = (data) => {
    const { meta } = data;
    const ink = colour(`vis-${meta.colour}`);
    const style = { borderColor: ink, backgroundColor: ink, pointBackgroundColor: ink };
    let found;
    if (meta.chart === "bars") found = [bars(data, { backgroundColor: ink })];
    else if (meta.chart === "points" || meta.width_seconds === 0) found = [meanLine(data, style)];
    else {
      const edge = { borderWidth: 0, pointRadius: 0, pointHoverRadius: 0, backgroundColor: bandColour(meta.colour) };
      found = [meanLine(data, style), line(data, "low", edge), line(data, "high", { ...edge, fill: "-1" })];
    }
    if (data.compare) {
      const second = compareColour(data);
      const dashed = { borderColor: second, backgroundColor: second, pointBackgroundColor: second, borderDash: [5, 3], yAxisID: "y2" };
      const sums = data.compare.meta.chart === "bars";
      found.push(sums ? line(data.compare, "total", { pointRadius: 0, ...dashed }) : meanLine(data.compare, dashed));
    }
    return found;
  };

  // --- Words of the tooltip. ---
  const valueWords = (data, i) => {
    const { meta } = data;
    const at = (column) => number(data[column][i], meta.decimals);
    if (meta.chart === "bars") return `${at("total")} ${meta.unit}`;
    if (meta.chart === "points" || !meta.width_seconds) return `${at("mean")} ${meta.unit}`;
    return `mean ${at("mean")} · ${at("low")}–${at("high")} ${meta.unit}`;
  };
  /** What a series says of an instant: the words of the bucket that holds it; empty where nothing is known. */
  const wordsAt = (data, t) => {
    const width = Math.max(data.meta.step_seconds, 1) * 1000;
    let i = data.t.findLastIndex((start) => start <= t);
    if (i > 0 && data.mean[i] === null) i -= 1;
    return i >= 0 && t < data.t[i] + width && data.n[i] ? valueWords(data, i) : "";
  };
  const tooltipTitle = (data) => ([item]) => {
    if (!item) return "";
    const { width_seconds: width, zone } = data.meta;
    const from = local(data.t[item.dataIndex], zone);
    if (width >= 86_400) return from.toFormat("ccc d LLL yyyy");
    if (!width) return from.toFormat("ccc d LLL, HH:mm:ss");
    return `${from.toFormat("ccc d LLL, HH:mm")}–${from.plus({ seconds: width }).toFormat("HH:mm")}`;
  };
  const tooltip = (own) => ({
    filter: (item) => item.datasetIndex === 0 && item.raw.y !== null,
    displayColors: false,
    backgroundColor: colour("raised"),
    titleColor: colour("ink"),
    bodyColor: colour("ink-2"),
    borderColor: colour("line-strong"),
    borderWidth: 1,
    padding: 10,
    callbacks: {
      title: (items) => tooltipTitle(own.data)(items),
      label: (item) => valueWords(own.data, item.dataIndex),
      afterBody: ([item]) => {
        if (!item) return [];
        const beside = own.data.compare ? [wordsAt(own.data.compare, item.raw.x)] : [];
        return [...beside, ...own.others().map((data) => wordsAt(data, item.raw.x))].filter(Boolean);
      },
    },
  });

  // --- Axes. ---
  /** Round clock times in the participant's zone, as many as there is room for. */
  const roundTimes = ({ min, max, width }, zone) => {
    const most = Math.max(2, width / TICK_ROOM);
    const step = (MINUTE_STEPS.find((minutes) => (max - min) / 60_000 / minutes <= most) ?? 720) * 60_000;
    const found = [];
    for (const day of midnights(min, max, zone)) {
      const next = local(day, zone).plus({ days: 1 }).toMillis();
      for (let t = day; t < next; t += step) if (t >= min && t <= max) found.push({ value: t });
    }
    return found;
  };
  const timeAxis = (own) => {
    const { meta } = own.data;
    const [least, most] = DAY_LABELS;
    const days = (scale) => (scale.max - scale.min) / DAY;
    const underDays = (scale) => days(scale) > least && days(scale) <= most;
    return {
      type: "time",
      min: own.span[0],
      max: own.span[1],
      offset: false,
      adapters: { date: { zone: meta.zone, locale: "en-GB" } },
      grid: { display: false }, // the backdrop draws lines at midnight
      border: { display: false },
      afterBuildTicks: (scale) => {
        if (days(scale) > most) return;
        if (!underDays(scale)) {
          scale.ticks = roundTimes(scale, meta.zone);
          return;
        }
        const noons = midnights(scale.min, scale.max, meta.zone).map((t) => local(t, meta.zone).set({ hour: 12 }).toMillis());
        scale.ticks = noons.filter((t) => t >= scale.min && t <= scale.max).map((value) => ({ value }));
      },
      ticks: {
        color: colour("vis-axis"),
        maxRotation: 0,
        autoSkipPadding: 24,
        font: { size: 11 },
        callback(value) {
          const at = local(value, meta.zone);
          if (underDays(this)) return at.toFormat("ccc d");
          if (days(this) > 400) return at.toFormat("LLL yyyy");
          if (days(this) > most) return at.toFormat("d LLL");
          return at.toFormat(isMidnight(at) ? "ccc d" : "HH:mm");
        },
      },
    };
  };
  const valueAxis = (data, side, ink) => ({
    position: side,
    afterFit: (scale) => {
      scale.width = GUTTER;
    },
    beginAtZero: data.meta.chart === "bars",
    grid: { color: colour("vis-grid"), drawTicks: false, display: side === "left" },
    border: { display: false },
    ticks: { color: ink, maxTicksLimit: 5, padding: 8, font: { size: 11 } },
  });

  const options = (own, besideCompare) => ({
    animation: false,
    maintainAspectRatio: false,
    normalized: true,
    color: colour("vis-axis"),
    font: { family: colour("font"), size: 11 },
    layout: { autoPadding: false, padding: { right: besideCompare && !own.data.compare ? GUTTER : 0, top: 6 } },
    interaction: { mode: "index", axis: "x", intersect: false },
    elements: { point: { radius: 0, hoverRadius: 4, hitRadius: 8 }, line: { borderWidth: 1.5, tension: 0 }, bar: { borderRadius: 1 } },
    scales: {
      x: timeAxis(own),
      y: valueAxis(own.data, "left", colour("vis-axis")),
      ...(own.data.compare ? { y2: valueAxis(own.data.compare, "right", compareColour(own.data)) } : {}),
    },
    plugins: { legend: { display: false }, tooltip: tooltip(own) },
  });

  Object.assign(window.trialCharts, { look: { options, datasets, backdrop } });
})();
