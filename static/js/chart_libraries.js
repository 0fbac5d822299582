/* Loads Chart.js and what it needs: from the CDN with an integrity hash, else from our own copies. */
"use strict";

window.trialCharts = {};

(() => {
  const CDN_PATIENCE = 3_000; // ms until the CDN counts as out of reach
  const CDN_FAILED = "charts-cdn-failed"; // remembered for the session: one failed request is enough

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
  window.trialCharts.libraries = () =>
    (loading ??= load().catch((error) => {
      loading = null; // the next chart tries again
      throw error;
    }));
})();
