"""Columns of a participant-day: what the generator made, as the vendor would hold it, by data type.

Times are int64 microseconds UTC, ascending. The vendor's own oddities are added here, all drawn from the times
themselves, so that a day is always the same: now and then a fraction of a second in a heart rate, a phone that
counts steps beside the tracker, a chest strap that shares its seconds with the watch, true zeros of steps only
after a walk.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.google_health.simulator.accounts import PHONE, STRAP, TRACKER, Account
from ingestion.providers.synthetic import calendar, days
from ingestion.providers.synthetic.nights import Night, night
from ingestion.providers.synthetic.profiles import generator
from metrics.batch import MICROSECOND, Payload

MINUTE = 60 * MICROSECOND
ZONES = ("", "FAT_BURN", "CARDIO", "PEAK")


@dataclass(slots=True)
class Columns:
    """Points of one data type. `source` indexes Account.sources, `offset` is seconds east of UTC.

    `seconds` is the length of each interval, 0 for samples. `values` by the vendor's field name, in its unit;
    `zone` (active zone minutes only) indexes ZONES.
    """

    time: NDArray[np.int64]
    source: NDArray[np.int8]
    offset: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    seconds: int = 0
    zone: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.time)

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Columns:
        """Points chosen by a mask, indices or a slice."""
        return Columns(
            self.time[which],
            self.source[which],
            self.offset[which],
            {name: value[which] for name, value in self.values.items()},
            self.seconds,
            None if self.zone is None else self.zone[which],
        )


def joined(parts: list[Columns]) -> Columns:
    """Columns of one data type, of parts in the order given; at least one."""
    if len(parts) == 1:
        return parts[0]
    zones = [part.zone for part in parts if part.zone is not None]
    return Columns(
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.source for part in parts]),
        np.concatenate([part.offset for part in parts]),
        {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values},
        parts[0].seconds,
        np.concatenate(zones) if zones else None,
    )


def scattered(time: NDArray[np.int64], salt: int) -> NDArray[np.uint64]:
    """Number for each time that looks random and always is the same; shape (n,), 0 to 65,535."""
    mixed = (time.astype(np.uint64) // np.uint64(MICROSECOND) + np.uint64(salt * 7919)) * np.uint64(0x9E3779B97F4A7C15)
    return mixed >> np.uint64(48)


@dataclass(slots=True)
class _Series:
    """Points of one source, before they are sorted."""

    time: NDArray[np.int64]
    source: int
    values: dict[str, NDArray[np.float64]]
    zone: NDArray[np.int8] | None = None


@dataclass
class DayColumns:
    """Columns of one local day of one account. Everything is made when first needed and then kept."""

    account: Account
    on: dt.date
    _made: dict[str, Columns] = field(default_factory=dict)

    @cached_property
    def start(self) -> int:
        return self.account.day_starts(self.on)

    @cached_property
    def end(self) -> int:
        return self.account.day_starts(self.on + dt.timedelta(days=1))

    @cached_property
    def payload(self) -> Payload:
        if not self.account.linked:
            return Payload()
        return days.day(self.account.profile, self.on)

    @cached_property
    def span(self) -> calendar.LocalDay:
        return calendar.local_day(self.account.profile, self.on)

    @cached_property
    def night(self) -> Night:
        """Night that ended on this day, from its evening on, whether or not the device saw it."""
        profile = self.account.profile
        return night(profile, self.on, generator(profile.seed, profile.number, self.on.toordinal()))

    def offsets(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        """Offsets in seconds east of UTC at times of this day."""
        midnight = (self.on - dt.date(1970, 1, 1)).days * 86_400
        minute = np.clip((time - self.start) // MINUTE, 0, self.span.minutes - 1)
        begins = self.start // MICROSECOND + minute * 60
        return np.rint(self.span.clock[minute] * 3600).astype(np.int64) - (begins - midnight)

    def metric(self, code: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Samples (time, value) of one of the generator's metrics, ascending."""
        parts = [batch for batch in self.payload.samples if batch.metric == code]
        if not parts:
            return np.empty(0, np.int64), np.empty(0)
        time, value = (np.concatenate([getattr(part, name) for part in parts]) for name in ("time", "value"))
        order = np.argsort(time, kind="stable")
        return time[order], value[order]

    def columns(self, type_id: str) -> Columns:
        """Points of a data type of BUILDERS, by time and then by source."""
        points = self._made.get(type_id)
        if points is None:
            points = self._made[type_id] = self._built(type_id)
        return points

    def _built(self, type_id: str) -> Columns:
        seconds, build = BUILDERS[type_id]
        parts = []
        for series in build(self):
            source = np.full(len(series.time), series.source, dtype=np.int8)
            parts.append(
                Columns(
                    series.time, source, self.offsets(series.time), series.values, seconds=seconds, zone=series.zone
                )
            )
        whole = joined(parts)
        return whole if len(parts) == 1 else whole.take(np.lexsort((whole.source, whole.time)))


def _heart_rate(day: DayColumns) -> list[_Series]:
    time, beats = day.metric("heart_rate")
    drawn = scattered(time, day.account.number)
    tracker = _Series(time + np.where(drawn < 400, 250_000, 0) + np.where(drawn > 65_200, 123_456, 0), TRACKER,
                     {"beatsPerMinute": beats})  # fmt: skip
    if not day.account.has_strap or len(time) < 100:
        return [tracker]
    # Half an hour with a chest strap, once a second, in the afternoon, while the watch is worn.
    begins = day.start + 17 * 3600 * MICROSECOND
    seconds = begins + np.arange(1800, dtype=np.int64) * MICROSECOND
    near = np.clip(np.searchsorted(time, seconds), 1, len(time) - 1)
    worn = (time[near] - time[near - 1] < 30 * MICROSECOND) & (seconds < time[-1])
    strapped = np.rint(np.interp(seconds, time, beats)) + (scattered(seconds, 5) % np.uint64(3)).astype(np.float64) - 1
    return [tracker, _Series(seconds[worn], STRAP, {"beatsPerMinute": strapped[worn]})]


def _steps(day: DayColumns) -> list[_Series]:
    time, count = day.metric("steps")
    walked = count > 0
    after = np.concatenate([[False], walked[:-1]])
    kept = walked | (after & ~walked & (scattered(time, 3) % np.uint64(8) == 0))
    tracker = _Series(time[kept], TRACKER, {"count": count[kept]})
    if not day.account.has_phone:
        return [tracker]
    carried = (count > 20) & (scattered(time, 11) % np.uint64(4) != 0)
    return [tracker, _Series(time[carried], PHONE, {"count": np.rint(count[carried] * 0.93)})]


def _distance(day: DayColumns) -> list[_Series]:
    time, metres = day.metric("distance")
    return [_Series(time, TRACKER, {"millimeters": np.rint(metres * 1000)})]


def _energy(day: DayColumns) -> list[_Series]:
    time, kcal = day.metric("energy")
    return [_Series(time, TRACKER, {"kcal": kcal})]


def _zone_minutes(day: DayColumns) -> list[_Series]:
    time, minutes = day.metric("active_zone_minutes")
    peak = (minutes > 1) & (scattered(time, 17) % np.uint64(5) == 0)
    zone = (minutes + peak).astype(np.int8)
    return [_Series(time, TRACKER, {"activeZoneMinutes": minutes}, zone)]


def _oxygen(day: DayColumns) -> list[_Series]:
    time, percent = day.metric("spo2")
    return [_Series(time, TRACKER, {"percentage": percent})]


def _variability(day: DayColumns) -> list[_Series]:
    time, rmssd = day.metric("hrv_rmssd")
    values = {
        "rootMeanSquareOfSuccessiveDifferencesMilliseconds": rmssd,
        "standardDeviationMilliseconds": np.round(rmssd * 1.21 + 2, 3),
    }
    return [_Series(time, TRACKER, values)]


# Seconds of an interval (0: sample) and who makes it. total-calories can be asked for as a rollup only.
BUILDERS: dict[str, tuple[int, Callable[[DayColumns], list[_Series]]]] = {
    "heart-rate": (0, _heart_rate),
    "steps": (60, _steps),
    "distance": (60, _distance),
    "total-calories": (60, _energy),
    "active-zone-minutes": (60, _zone_minutes),
    "oxygen-saturation": (0, _oxygen),
    "heart-rate-variability": (0, _variability),
}
