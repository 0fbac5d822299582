"""Watcher of the installation from outside, all the time: its health, a page, the API, and what alerts fire."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

EVERY = 0.25  # seconds
# What a page that is not there must say instead, in one of these content.
EXPLAINED = ("does not answer", "Nothing can be stored", "is too slow")


@dataclass(slots=True)
class Seen:
    """Observations since an outage began. Times are seconds since then."""

    began: float = field(default_factory=time.monotonic)
    parts: dict[str, float] = field(default_factory=dict)  # by part: when it was first said to be away
    alerts: dict[str, float] = field(default_factory=dict)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)  # what was asked, what came
    unexplained: list[str] = field(default_factory=list)

    @property
    def age(self) -> float:
        return time.monotonic() - self.began


class Watcher:
    """Three threads. `seen` is the current outage's; `status`, `away` and `firing` are as of now."""

    def __init__(self, addresses: tuple[str, ...], cookie: str, token: str, prometheus: str) -> None:
        self.addresses, self.prometheus = addresses, prometheus
        self.seen = Seen()
        self.status = ""
        self.away: set[str] = set()
        self.firing: set[str] = set()
        self._stop = threading.Event()
        self._page = {"Cookie": f"sessionid={cookie}"}
        self._api = {"Authorization": f"Bearer {token}"}
        checks = [self._check_health, self._check_pages] + ([self._check_alerts] if prometheus else [])
        self._threads = [threading.Thread(target=self._run, args=(check,), daemon=True) for check in checks]

    def __enter__(self) -> Watcher:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def _run(self, check: Any) -> None:
        with httpx.Client(timeout=6) as http:
            while not self._stop.is_set():
                check(http)
                self._stop.wait(EVERY)

    def _check_health(self, http: httpx.Client) -> None:
        seen = self.seen
        try:
            health = http.get(f"{self.addresses[0]}/health/ready").json()
        except httpx.HTTPError:
            self.status, self.away = "no answer", {"no answer"}
        else:
            self.status = health["status"]
            self.away = {name for name, part in health["parts"].items() if not part["ok"]}
        for name in self.away:
            seen.parts.setdefault(name, seen.age)

    def _check_pages(self, http: httpx.Client) -> None:
        for what, path, headers in (
            ("page", "/trials/CHAOS/", self._page),
            ("API", "/api/v1/trials/CHAOS/participants", self._api),
        ):
            self._note(what, self._get(http, path, headers))

    def _get(self, http: httpx.Client, path: str, headers: dict[str, str]) -> httpx.Response | None:
        """By whichever web server takes it, as the proxy before them would."""
        for address in self.addresses:
            try:
                return http.get(f"{address}{path}", headers=headers)
            except httpx.ConnectError:
                continue
            except httpx.HTTPError:
                return None
        return None

    def _note(self, what: str, answer: httpx.Response | None) -> None:
        if answer is None:
            self.seen.answers[(what, "broken off")] += 1
            return
        self.seen.answers[(what, str(answer.status_code))] += 1
        if answer.status_code < 400:
            return
        program = answer.headers.get("Content-Type", "").startswith("application/problem+json")
        content = answer.json().get("title", "") if program else answer.text
        good = answer.status_code == 503 and "Retry-After" in answer.headers and program == (what == "API")
        if not good or not any(text in content for text in EXPLAINED) or "Traceback" in answer.text:
            self.seen.unexplained.append(f"{what}: {answer.status_code} {content[:200]!r}")

    def _check_alerts(self, http: httpx.Client) -> None:
        try:
            alerts = http.get(f"{self.prometheus}/api/v1/alerts").json()["data"]["alerts"]
        except (httpx.HTTPError, KeyError):
            return
        self.firing = {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}
        for name in self.firing:
            self.seen.alerts.setdefault(name, self.seen.age)
