"""Invented courses of participants through a trial: each day's status, wear and night, and how it stands at the end.

Pure functions of a random generator. What they say is consistent in itself: the counts follow from the days, the days
from the newest sample. They stand in for the evaluation where only its results matter: measuring and looking at pages.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from metrics.models import Access, Cause, DayStatus, Exclusion
from metrics.monitoring import day_codes

MINUTES = 1440
TARGET = 0.7
LOST_AFTER = dt.timedelta(hours=168)
# Kind of course -> how many of 1,000 follow it.
KINDS = {
    "well": 716,
    "low_wear": 75,
    "out_of_reach": 20,
    "low_sleep": 40,
    "silent": 42,
    "critical": 17,
    "flat": 12,
    "unconnected": 18,
    "dead": 10,
    "partial": 6,
    "waiting": 20,
    "paused": 12,
    "withdrawn": 7,
    "completed": 5,
}
# Hours since the newest sample, from and below.
LAGS = {
    "silent": (50, 118),
    "flat": (50, 160),
    "critical": (122, 260),
    "dead": (40, 110),
    "waiting": (26, 60),
    "withdrawn": (300, 900),
    "completed": (200, 700),
}
QUALITY = {"low_wear": (0.5, 0.66), "out_of_reach": (0.2, 0.4)}


@dataclass(slots=True)
class Course:
    """One person's days, `first` to `today` in that person's zone, one entry each, and where the days have led."""

    kind: str
    first: dt.date
    today: dt.date
    ends_on: dt.date | None
    last_sample_at: dt.datetime | None
    status: NDArray[Any]  # letters of DayStatus
    reason: NDArray[Any]  # values of Exclusion, or ""
    worn: NDArray[np.int64]
    nights: NDArray[Any]  # letters of metrics.monitoring.day_codes
    facts: dict[str, Any]  # evidence for what is missing now
    cause: str = ""
    cause_since: dt.datetime | None = None

    @property
    def day_codes(self) -> str:
        zipped = zip(self.status, self.reason, self.worn, strict=True)
        return "".join(day_codes.day_code(str(s), str(r), int(w)) for s, r, w in zipped)

    def count(self, *statuses: DayStatus) -> int:
        return int(np.isin(self.status, [status.value for status in statuses]).sum())


def course(
    rng: np.random.Generator, kind: str, *, days: int, now: dt.datetime, zone: ZoneInfo, ends_in: int | None
) -> Course:
    """A person of this kind who is monitored for up to `days` days until now; `ends_in`: days to come."""
    today = now.astimezone(zone).date()
    short = int(rng.integers(4, 14)) if kind == "unconnected" else days - int(rng.integers(0, max(days // 2, 1)))
    n = max(min(short, days), 1)
    first = today - dt.timedelta(days=n - 1)
    last = _last_sample(rng, kind, now, first, zone)
    worn = _worn(rng, kind, n)
    status = np.where(worn >= 600, DayStatus.VALID.value, DayStatus.INVALID.value).astype("<U1")
    reason = np.full(n, "", dtype="<U12")
    _sprinkle(rng, kind, status, reason, worn)
    _cut(status, worn, first, last, now, zone)
    ends_on = today + dt.timedelta(days=ends_in) if ends_in is not None else None
    if kind in ("paused", "withdrawn", "completed"):
        excused = min(int(rng.integers(3, 12)), n - 1)
        why = {"paused": Exclusion.PAUSED, "withdrawn": Exclusion.WITHDRAWN, "completed": Exclusion.AFTER_END}[kind]
        status[n - excused :], reason[n - excused :] = DayStatus.EXCLUDED.value, why.value
        ends_on = today - dt.timedelta(days=excused) if kind == "completed" else ends_on
    made = Course(kind, first, today, ends_on, last, status, reason, worn, _nights(rng, kind, worn, status), {})
    _explain(rng, made, now)
    return made


def _last_sample(
    rng: np.random.Generator, kind: str, now: dt.datetime, first: dt.date, zone: ZoneInfo
) -> dt.datetime | None:
    if kind == "unconnected":
        return None
    low, high = LAGS.get(kind, (0, 0))
    minutes = rng.integers(low * 60, high * 60) if high else int(rng.gamma(1.4, 110)) % (30 * 60) + 3
    began = dt.datetime.combine(first, dt.time(9), zone)
    return max(now - dt.timedelta(minutes=int(minutes)), min(began, now - dt.timedelta(minutes=3)))


def _worn(rng: np.random.Generator, kind: str, n: int) -> NDArray[np.int64]:
    """Worn minutes of each day, good and bad days coming in runs."""
    quality = rng.uniform(*QUALITY[kind]) if kind in QUALITY else rng.beta(14, 1.7)
    quality = max(quality, 0.78) if kind not in QUALITY else quality
    drift = np.convolve(rng.normal(0, 1, n + 4), np.ones(5) / 5**0.5, "valid")
    good = drift < np.quantile(drift, quality) if n > 3 else rng.random(n) < quality
    usual = rng.uniform(780, 1330)
    return np.where(good, rng.normal(usual, 110, n).clip(600, MINUTES), rng.normal(300, 160, n).clip(0, 599)).astype(
        np.int64
    )


def _sprinkle(rng: np.random.Generator, kind: str, status: Any, reason: Any, worn: Any) -> None:
    """Lost days, a past pause, a day that a fault of the platform took."""
    n = len(status)
    lost = rng.random(n) < 0.008
    status[lost], worn[lost] = DayStatus.LOST.value, 0
    if n > 40 and rng.random() < 0.08:
        begin, length = int(rng.integers(5, n - 30)), int(rng.integers(4, 21))
        status[begin : begin + length] = DayStatus.EXCLUDED.value
        reason[begin : begin + length] = Exclusion.PAUSED.value
        worn[begin : begin + length] = 0
    if n > 10 and (kind == "waiting" or rng.random() < 0.06):
        day = n - int(rng.integers(2, 9))
        status[day], reason[day], worn[day] = DayStatus.EXCLUDED.value, Exclusion.PLATFORM.value, 300


def _cut(status: Any, worn: Any, first: dt.date, last: dt.datetime | None, now: dt.datetime, zone: ZoneInfo) -> None:
    """Nothing is known after the newest sample: days are pending, and lost once the device has overwritten them."""
    n = len(status)
    known = (last.astimezone(zone).date() - first).days if last else -1
    if last and 0 <= known < n:
        into = last.astimezone(zone)
        worn[known] = min(worn[known], int((into.hour * 60 + into.minute) * 0.86))
        if status[known] != DayStatus.EXCLUDED.value:
            status[known] = DayStatus.VALID.value if worn[known] >= 600 else DayStatus.PENDING.value
    for day in range(max(known, 0), n):
        if day > known:
            worn[day] = 0
        if day > known or status[day] == DayStatus.PENDING.value:
            over = dt.datetime.combine(first + dt.timedelta(days=day + 1), dt.time(), zone)
            status[day] = DayStatus.LOST.value if now - over >= LOST_AFTER else DayStatus.PENDING.value


def _nights(rng: np.random.Generator, kind: str, worn: Any, status: Any) -> Any:
    """A night for most days with wear; few of late for who sleeps without the device."""
    n = len(worn)
    chance = np.full(n, 0.94)
    if kind == "low_sleep":
        chance[-9:] = 0.35
    elif kind in QUALITY:
        chance[:] = 0.8
    nights = np.where((worn > 240) & (rng.random(n) < chance), day_codes.NIGHT, day_codes.NO_NIGHT).astype("<U1")
    if kind == "low_sleep":
        nights[-7:-4] = day_codes.NO_NIGHT
    nights[(status == DayStatus.PENDING.value) & (worn == 0)] = day_codes.NIGHT_PENDING
    nights[-1] = day_codes.NIGHT if worn[-1] > 240 else day_codes.NIGHT_PENDING
    return nights


def _explain(rng: np.random.Generator, made: Course, now: dt.datetime) -> None:
    """Why data are missing now, and what shows it."""
    last = made.last_sample_at
    stamp = last.isoformat() if last else None
    battery = int(rng.integers(18, 95))
    explained: dict[str, tuple[Cause, dict[str, Any]]] = {
        "silent": (Cause.NOT_SYNCED, {"last_sync_at": stamp, "battery_percent": battery, "battery_at": stamp}),
        "critical": (Cause.NOT_SYNCED, {"last_sync_at": stamp, "battery_percent": battery, "battery_at": stamp}),
        "flat": (
            Cause.BATTERY_FLAT,
            {"battery_percent": int(rng.integers(1, 8)), "battery_at": stamp, "falling_per_day": 9},
        ),
        "dead": (Cause.TOKEN_DEAD, {"code": "expired_grant", "since": stamp}),
        "partial": (Cause.CONSENT_PARTIAL, {"missing": ["spo2_24h", "hrv_rmssd_24h"], "since": stamp}),
        "unconnected": (Cause.NEVER_CONNECTED, {"invited_at": f"{made.first}T09:00:00+00:00"}),
        "waiting": (
            Cause.PLATFORM,
            {"code": "http_503", "since": stamp, "next_at": (now + dt.timedelta(minutes=20)).isoformat()},
        ),
        "low_wear": (Cause.OFF_WRIST, {"synced_at": stamp, "zero_step_minutes": 300, "battery_percent": battery}),
        "out_of_reach": (Cause.OFF_WRIST, {"synced_at": stamp, "zero_step_minutes": 500, "battery_percent": battery}),
        "paused": (Cause.PAUSED, {"reason": "Hospital stay", "from": str(made.first)}),
        "withdrawn": (Cause.WITHDRAWN, {"on": str(made.today)}),
    }
    if made.kind in explained:
        cause, made.facts = explained[made.kind]
        made.cause = cause.value
        began = dt.datetime.combine(made.first, dt.time(9), dt.UTC)
        made.cause_since = (last - dt.timedelta(hours=5) if made.kind in QUALITY else last) if last else began


def access(kind: str) -> Access:
    return {"unconnected": Access.NEVER, "dead": Access.DEAD, "partial": Access.PARTIAL}.get(kind, Access.OK)
