"""A vendor that does as it is told: what it holds is a plain list, what it answers next is a script."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

import numpy as np

from ingestion.providers.base.errors import AccessGone, TokenExpired
from ingestion.providers.base.live import (
    AccountSettings,
    DataType,
    DeviceKind,
    DeviceState,
    Fingerprint,
    Grant,
    Identity,
    NoticeOrigin,
    Notification,
    Pulled,
)
from metrics.batch import Payload, SampleBatch, SourceKey, microseconds
from metrics.local_time import LocalCalendar

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
TYPES = {
    "pulse": DataType(code="pulse", metrics=("heart_rate",), scope="heart", window=HOUR, fingerprinted=True, answer=1),
    "walk": DataType(code="walk", metrics=("steps",), scope="move", window=DAY),
    "rest": DataType(code="rest", metrics=("resting_heart_rate",), scope="heart", window=DAY, by_day=True),
}
SOURCE = SourceKey("fake", "", "Band 1")


class FakeVendor:
    """A LiveProvider. `points`: by data type, instant -> value. `asked`: every data request, in order.

    `held`: what was measured from then on has not been uploaded. `synced`: when its device says that it synced last.
    `unreadable`: records of its next answers that cannot be read, by reason.

    `script`: errors that the next data requests raise, one each; None lets one pass. `before`: called at each request.
    """

    slug: ClassVar[str] = "fake"
    name: ClassVar[str] = "Fake Vendor"

    def __init__(self) -> None:
        self.points: dict[str, dict[dt.datetime, float]] = {code: {} for code in TYPES}
        self.offsets: list[tuple[dt.datetime, int]] = []
        self.held: dt.datetime | None = None
        self.synced: dt.datetime | None = None
        self.unreadable: Counter[str] = Counter()
        self.requested: list[tuple[str, str, dt.datetime, dt.datetime]] = []
        self.script: deque[Exception | None] = deque()
        self.before: Callable[[], None] = lambda: None
        self.token = "access-0"
        self.refreshes = 0
        self.refresh_error: Exception | None = None
        self.revoked: list[str] = []
        self.revoke_error: Exception | None = None
        self.notices: list[Notification] = []
        self._lock = threading.Lock()

    @property
    def source_provider(self) -> str:
        return "fake"

    @property
    def synthetic(self) -> bool:
        return False

    @property
    def data_types(self) -> Mapping[str, DataType]:
        return TYPES

    @property
    def scopes(self) -> tuple[str, ...]:
        return ("heart", "move")

    def authorize_url(
        self, state: str, code_challenge: str, redirect_uri: str, scopes: Iterable[str], login_hint: str | None = None
    ) -> str:
        return f"https://vendor.test/consent?state={state}"

    def exchange(self, code: str, code_verifier: str, redirect_uri: str) -> Grant:
        raise AccessGone(AccessGone.CODE_REFUSED)

    def refresh(self, refresh_token: str) -> Grant:
        with self._lock:
            self.refreshes += 1
            number = self.refreshes
        if self.refresh_error:
            raise self.refresh_error
        self.token = f"access-{number}"
        return Grant(self.token, None, dt.datetime.now(dt.UTC) + HOUR, None)

    def revoke(self, token: str) -> None:
        self.revoked.append(token)
        if self.revoke_error:
            raise self.revoke_error

    def identity(self, access_token: str) -> Identity:
        return Identity("user-1", None)

    def devices(self, access_token: str) -> list[DeviceState]:
        return [DeviceState("d1", "Band 1", DeviceKind.TRACKER, 80, "High", self.synced)]

    def settings(self, access_token: str) -> AccountSettings:
        return AccountSettings("Europe/Amsterdam", 3600)

    def pull(
        self, access_token: str, data_type: str, start: dt.datetime, end: dt.datetime, calendar: LocalCalendar
    ) -> Pulled:
        self._request("pull", access_token, data_type, start, end)
        there = self._uploaded(data_type)
        if TYPES[data_type].by_day:
            first, last = calendar.date(start), calendar.date(end - dt.timedelta(microseconds=1))
            days = [first + n * DAY for n in range((last - first).days + 1)]
            noons = {calendar.date(at): value for at, value in there.items()}
            found = [(calendar.midnight(on), noons[on]) for on in days if on in noons]
        else:
            found = sorted((at, value) for at, value in there.items() if start <= at < end)
        payload = Payload()
        if found:
            time = np.array([microseconds(at) for at, _ in found])
            value = np.array([value for _, value in found])
            payload.samples.append(SampleBatch(TYPES[data_type].metrics[0], SOURCE, time, value))
        told = [(microseconds(at), offset) for at, offset in self.offsets if start <= at < end]
        return Pulled(
            payload,
            told if data_type == "pulse" else [],
            unreadable=Counter(self.unreadable),
            points=len(found),
            requests=1,
            bytes=100,
        )

    def fingerprints(
        self, access_token: str, data_type: str, start: dt.datetime, end: dt.datetime
    ) -> dict[dt.datetime, Fingerprint]:
        self._request("look", access_token, data_type, start, end)
        hours: dict[dt.datetime, list[float]] = {}
        for at, value in self._uploaded(data_type).items():
            if start <= at < end:
                hours.setdefault(at.replace(minute=0, second=0, microsecond=0), []).append(value)
        return {hour: Fingerprint(sum(v) / len(v), min(v), max(v)) for hour, v in hours.items()}

    def _uploaded(self, data_type: str) -> dict[dt.datetime, float]:
        return {at: value for at, value in self.points[data_type].items() if self.held is None or at < self.held}

    def _request(self, kind: str, token: str, data_type: str, start: dt.datetime, end: dt.datetime) -> None:
        self.requested.append((kind, data_type, start, end))
        self.before()
        if self.script and (error := self.script.popleft()):
            raise error
        if token != self.token:
            raise TokenExpired("expired")

    def notice_origin(self, headers: Mapping[str, str], body: bytes) -> NoticeOrigin:
        return NoticeOrigin.GENUINE

    def notifications(self, body: bytes) -> list[Notification]:
        return list(self.notices)
