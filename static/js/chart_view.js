/*
 * Which interval of time the charts show: drag to zoom, shift-drag to pan, wheel with ctrl, arrows, plus, minus and 0.
 * Members with linked axes move together, and one crosshair runs through all; the timeline of wear follows them.
 */
"use strict";

(() => {
  const LEAST = 300_000; // ms: nobody needs to see less than five minutes
  const DRAGGED = 6; // pixels from which a press is a drag
  const members = new Map(); // element -> { show(span), point(t), chart() }
  const spans = new Map(); // element -> [from, to] while axes are not linked
  let range = [0, 0];
  let common = null; // the span of all while axes are linked; null: the whole range
  let linked = true;

  const spanOf = (element) => (linked ? common : spans.get(element)) ?? range;
  const isWhole = ([from, to]) => from <= range[0] && to >= range[1];

  const clamp = ([from, to]) => {
    const length = Math.min(Math.max(to - from, LEAST), range[1] - range[0]);
    const start = Math.min(Math.max(from, range[0]), range[1] - length);
    return [Math.round(start), Math.round(start + length)];
  };

  const moveTimeline = (span) => {
    const drawing = document.querySelector("[data-zoomed]");
    if (!drawing) return;
    const share = (range[1] - range[0]) / (span[1] - span[0]);
    drawing.setAttribute("x", `${(((range[0] - span[0]) / (span[1] - span[0])) * 100).toFixed(4)}%`);
    drawing.setAttribute("width", `${(share * 100).toFixed(4)}%`);
  };

  const settle = () => {
    const reset = document.querySelector("[data-zoom-reset]");
    if (reset) reset.hidden = ![...members.keys()].some((element) => !isWhole(spanOf(element)));
  };

  const set = (element, wanted) => {
    const span = clamp(wanted);
    if (linked) {
      common = span;
      members.forEach((member) => member.show(span, isWhole(span)));
      moveTimeline(span);
    } else {
      spans.set(element, span);
      members.get(element).show(span, isWhole(span));
    }
    settle();
  };
  const reset = () => {
    spans.clear();
    common = null;
    members.forEach((member) => member.show(range, true));
    moveTimeline(range);
    settle();
  };
  const scale = (element, factor, around = 0.5) => {
    const [from, to] = spanOf(element);
    const middle = from + (to - from) * around;
    set(element, [middle - (middle - from) * factor, middle + (to - middle) * factor]);
  };
  const pan = (element, share) => {
    const [from, to] = spanOf(element);
    set(element, [from + (to - from) * share, to + (to - from) * share]);
  };

  // --- The crosshair. ---
  const point = (t) => {
    members.forEach((member) => member.point(t));
    const line = document.querySelector("[data-cursor]");
    if (!line) return;
    const [from, to] = (linked && common) || range;
    line.setAttribute("visibility", t === null ? "hidden" : "visible");
    if (t === null) return;
    for (const end of ["x1", "x2"]) line.setAttribute(end, `${(((t - from) / (to - from)) * 100).toFixed(3)}%`);
  };

  // --- Pointer and keys on a chart. ---
  const listen = (element, canvas) => {
    let pressed = null; // { x, span, panning }
    const chart = () => members.get(element)?.chart();
    const place = (event) => event.clientX - canvas.getBoundingClientRect().left;
    const timeAt = (x) => chart()?.scales.x.getValueForPixel(x);
    const box = (value) => {
      const drawn = chart();
      if (!drawn) return;
      drawn.$.box = value;
      drawn.draw();
    };

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !chart()) return;
      pressed = { x: place(event), span: spanOf(element), panning: event.shiftKey };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const area = chart()?.chartArea;
      if (!area) return;
      const x = place(event);
      point(x >= area.left && x <= area.right ? timeAt(x) : null);
      if (!pressed) return;
      if (!pressed.panning) {
        box([pressed.x, x].map((at) => Math.min(Math.max(at, area.left), area.right)));
        return;
      }
      const [from, to] = pressed.span;
      const moved = ((pressed.x - x) / area.width) * (to - from);
      set(element, [from + moved, to + moved]);
    });
    const release = (event) => {
      if (!pressed) return;
      const { x, panning } = pressed;
      const until = place(event);
      pressed = null;
      if (panning) return;
      box(null);
      if (event.type === "pointerup" && Math.abs(until - x) >= DRAGGED) set(element, [x, until].map(timeAt).sort((a, b) => a - b));
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => point(null));
    canvas.addEventListener("dblclick", reset);
    canvas.addEventListener(
      "wheel",
      (event) => {
        const area = chart()?.chartArea;
        if (!event.ctrlKey || !area) return;
        event.preventDefault();
        scale(element, event.deltaY < 0 ? 0.8 : 1.25, (place(event) - area.left) / area.width);
      },
      { passive: false },
    );
    element.addEventListener("keydown", (event) => {
      const act = {
        ArrowLeft: () => pan(element, -0.25),
        ArrowRight: () => pan(element, 0.25),
        "+": () => scale(element, 0.5),
        "=": () => scale(element, 0.5),
        "-": () => scale(element, 2),
        0: reset,
        Escape: reset,
      }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
  };

  /** A chart joins and learns what span to show. */
  const join = (element, member) => {
    members.set(element, member);
    listen(element, element.querySelector("canvas"));
    settle();
    return spanOf(element);
  };

  /** The page shows other days, or the same ones anew: then a zoom stays. */
  const start = () => {
    const data = document.querySelector("[data-window]");
    if (!data) return;
    const [from, to] = data.dataset.window.split(" ").map(Number);
    if (from !== range[0] || to !== range[1]) common = null;
    for (const element of members.keys()) {
      if (element.isConnected) continue;
      members.delete(element);
      spans.delete(element);
    }
    range = [from, to];
    moveTimeline((linked && common) || range);
    const box = document.querySelector("[data-link-axes]");
    if (box) box.checked = linked;
    settle();
  };

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-zoom-reset]")) reset();
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-link-axes]")) return;
    if (event.target.checked) common = [...spans.values()].at(-1) ?? null;
    else members.forEach((_, element) => spans.set(element, spanOf(element)));
    linked = event.target.checked;
    if (linked) common ? set(null, common) : reset();
  });
  document.addEventListener("pointermove", (event) => {
    const plot = event.target.closest?.(".timeline");
    if (!plot) return;
    const { left, width } = plot.getBoundingClientRect();
    const [from, to] = (linked && common) || range;
    point(from + ((event.clientX - left) / width) * (to - from));
  });

  Object.assign(window.trialCharts, { view: { join, start, isWhole, range: () => range } });
})();
