"""Manager for locust: look at a trial, at one participant after the other, and think.

Run by benchmarks.load in an environment of its own; imports nothing of ours. WHO names a JSON file with the site, the
trial, the managers' sessions and tokens and the participants; what came of every request is appended to TOLD, a
line each: when it began (seconds since 1970), what it was, milliseconds, status, bytes, and what was wrong.

A page that is open asks for news by itself as its script does: the trial's page every 15 s, a participant's every 5 s.
Styles and scripts are not asked for: their names change with their content, and browsers keep them for good.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import gevent
from locust import FastHttpUser, events, task

WHO: dict[str, Any] = json.loads(Path(os.environ["WHO"]).read_text())
TOLD = Path(os.environ["TOLD"]).open("a", buffering=1)  # noqa: SIM115  open as long as the process lives
THINKS = (float(os.environ["THINKS_FROM"]), float(os.environ["THINKS_TO"]))
TRIAL = f"/trials/{WHO['trial']}/"
FILTERS = ("show=silent", "show=low-wear", "sort=adherence", "sort=battery", "sort=upload", "q=charge", "page=2")
SEEN = re.compile(r"seen=([^\"&]+)\"")
CHART = re.compile(r'data-chart="([^"]+)"')
TABLE, HEAD = 'id="people"', 'id="live"'  # what a page must contain to be the page
PART = {"HX_Request": "true"}  # as htmx asks for a part of a page
SOMETIMES = 0.3
TABLE_EVERY, PULSE_EVERY = 15.0, 5.0  # as in static/js/roster.js and app.js
WAITING = iter(WHO["managers"])


@events.request.add_listener
def told(
    name: str, start_time: float, response_time: float, response_length: int, exception: Any, response: Any, **_: Any
) -> None:
    status = getattr(response, "status_code", 0) or 0
    wrong = "" if exception is None else str(exception).replace("\t", " ").splitlines()[0][:160]
    TOLD.write(f"{start_time:.3f}\t{name}\t{response_time:.1f}\t{status}\t{response_length}\t{wrong}\n")


class Manager(FastHttpUser):
    """One person. Their visits follow each other for as long as the load lasts."""

    host = WHO["site"]
    network_timeout = connection_timeout = 30.0
    wait_time = staticmethod(lambda: 0.0)  # managers think between actions, not between visits
    chance: ClassVar[random.Random] = random.Random(1)

    def on_start(self) -> None:
        self.me = next(WAITING)
        # Each starts at a moment of their own: otherwise all would click at the same one.
        gevent.sleep(self.chance.uniform(0, THINKS[1]))

    @task
    def visit(self) -> None:
        """Some dozen actions: the table, filtered and sorted; a few participants; now and then another page."""
        self.opened("trial page", TRIAL, TABLE, TABLE_EVERY)
        for _ in range(self.chance.randint(1, 3)):
            query = self.chance.choice(FILTERS)
            self.opened("trial page: filter, sort, search", f"{TRIAL}?{query}", TABLE, TABLE_EVERY, **PART)
        for _ in range(self.chance.randint(1, 3)):
            study_id = self.chance.choice(WHO["people"][self.me["site"]])
            self.opened("participant page", f"{TRIAL}participants/{study_id}/", HEAD, PULSE_EVERY)
        if self.chance.random() < SOMETIMES:
            self.get("heat map", f"{TRIAL}heatmap/", 'id="heat"')
            self.think()
        if self.chance.random() < SOMETIMES:
            self.opened("alerts", f"{TRIAL}alerts/", 'id="alerts"', PULSE_EVERY)
        if self.chance.random() < SOMETIMES:
            self.program()

    def opened(self, name: str, path: str, marks: str, every: float, **headers: Any) -> None:
        """Open a page, or a part of one, with its charts, and read it; it asks for news of itself meanwhile."""
        text = self.get(name, path, marks, **headers)
        for address in CHART.findall(text):
            self.get(f"{name}: chart", address.replace("&amp;", "&"), '"meta"')
        seen = found(SEEN, text)
        asks = f"{path}pulse/" if name == "participant page" else path

        def live() -> None:
            nonlocal seen
            news = f"{asks}{'&' if '?' in asks else '?'}seen={seen}"
            text = self.get(f"{name.partition(':')[0]}: live", news, marks, (200, 204), **PART, X_Unattended="1")
            seen = found(SEEN, text) or seen

        self.think(every, live)

    def think(self, every: float = 0.0, ask: Callable[[], None] | None = None) -> None:
        """The manager reads. What is open asks for news every so many seconds meanwhile."""
        until = time.monotonic() + self.chance.uniform(*THINKS)
        while ask is not None and time.monotonic() + every < until:
            gevent.sleep(every)
            ask()
        gevent.sleep(max(until - time.monotonic(), 0.0))

    def get(self, name: str, path: str, marks: str, expected: tuple[int, ...] = (200,), **headers: str) -> str:
        """Ask, and look whether it is the page: a login form answers 200 too."""
        sent = {"Cookie": f"sessionid={self.me['session']}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        with self.client.get(path, name=name, headers=sent, allow_redirects=False, catch_response=True) as answer:
            text: str = answer.text or ""
            if answer.status_code not in expected:
                answer.failure(f"status {answer.status_code}")
            elif answer.status_code == 200 and marks not in text:
                answer.failure(f"not the page: {marks} is missing")
            else:
                answer.success()
        return text

    def program(self) -> None:
        """A script of the manager's, by token: who there is, and a month of somebody's heart rate."""
        participant = self.chance.choice(WHO["people"][self.me["site"]])
        self.get_json("API: participants", f"/api/v1/trials/{WHO['trial']}/participants")
        month = f"trial={WHO['trial']}&participants={participant}&metrics=heart_rate&{WHO['month']}"
        self.get_json("API: series, 30 days", f"/api/v1/series?{month}")

    def get_json(self, name: str, path: str) -> None:
        headers = {"Authorization": f"Bearer {self.me['token']}"}
        with self.client.get(path, name=name, headers=headers, allow_redirects=False, catch_response=True) as answer:
            if answer.status_code == 200:
                answer.success()
            else:
                answer.failure(f"status {answer.status_code}")


def found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""
