/* The session's end: what the page asks for by itself is marked, so that it keeps nobody signed in; and two minutes
   before the end there is a warning with a way to stay. */
"use strict";

(() => {
  const place = document.querySelector("meta[name=session]");
  const WARN = 120; // seconds
  const LONGEST = 86_400; // what a timer takes
  let timer;

  // Only what a person did (a click, a key) carries a trusted event; clocks and scripts have none.
  document.addEventListener("htmx:configRequest", (event) => {
    const cause = event.detail.triggeringEvent;
    if (cause?.isTrusted) look(Number(place?.dataset.idle));
    else event.detail.headers["X-Unattended"] = "1";
  });
  if (!place) return;

  const look = (seconds) => {
    clearTimeout(timer);
    timer = setTimeout(ask, Math.min(LONGEST, Math.max(1, seconds - WARN)) * 1000);
  };

  // Another window may have been in use: the server knows.
  const ask = async () => {
    let left;
    try {
      const answer = await fetch(place.content, { headers: { Accept: "application/json", "X-Unattended": "1" } });
      if (answer.status >= 500) return look(WARN + 30); // nobody can say at the moment
      if (!answer.ok || answer.redirected) return location.reload(); // the login answered
      left = (await answer.json()).seconds_left;
    } catch {
      return look(WARN + 30); // the network is away: ask again
    }
    const box = document.querySelector("#session-end");
    if (left <= 0) return location.reload();
    if (left > WARN + 1) {
      box.close();
      return look(left);
    }
    const at = new Date(Date.now() + left * 1000);
    box.querySelector("[data-at]").textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    if (!box.open) box.show();
    timer = setTimeout(ask, Math.min(left + 1, 20) * 1000);
  };

  document.addEventListener("click", async (event) => {
    if (!event.target.closest("[data-stay]")) return;
    const form = event.target.closest("form");
    event.preventDefault();
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
    if (!answer.ok || answer.redirected) return location.reload(); // the login answered
    document.querySelector("#session-end").close();
    look((await answer.json()).seconds_left);
  });

  look(Number(place.dataset.left));
})();
