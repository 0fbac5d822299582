"""Wall clocks of a day as instants: the library knows no time zones, its stamps are as the participant's clock."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from ingestion.providers.missing_values import present
from metrics.batch import MICROSECOND, SampleBatch, Seconds, SourceKey, Times, Values, instant
from metrics.local_time import DAY, local_to_utc

UNREADABLE = "record that cannot be read"
T = TypeVar("T")
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone


@dataclass(frozen=True, slots=True)
class Day:
    """Day to be mapped: its date, the participant's zone, and the source.

    `skipped` counts what is left out: markers of "no value", and records that cannot be read, by reason.
    """

    on: dt.date
    zone: zoneinfo.ZoneInfo
    source: SourceKey
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def midnight(self) -> int:
        """First moment of the day on the wall clock, microseconds since 1970-01-01 00:00."""
        return (self.on - EPOCH.date()).days * DAY

    def at(self, wall: dt.datetime) -> dt.datetime:
        """Instant of a wall-clock time; in the hour that spring skips, an hour later."""
        return instant(int(local_to_utc(np.array([wall_us(wall)]), self.zone)[0][0]))

    def samples(
        self, metric: str, wall: Times, values: Iterable[float | None], seconds: int | None = None, *, decimals: int = 3
    ) -> list[SampleBatch]:
        """Batch of samples at wall-clock times (int64 microseconds), as a list; empty where there are none.

        Values may be NumPy scalars, None where there is none. Samples in an hour that the clock skipped are left out,
        since no clock ever showed it; an hour that the clock repeated was measured in its first pass only.
        """
        numbers = (np.nan if v is None else float(v) for v in values)
        value: Values = np.fromiter(numbers, dtype=np.float64, count=len(wall)).round(decimals)
        there = present(metric, value, self.skipped)
        time, _, missing = local_to_utc(np.asarray(wall, dtype=np.int64)[there], self.zone)
        value = value[there]
        if missing.all():
            return []
        time, value = time[~missing], value[~missing]
        lengths: Seconds | None = None if seconds is None else np.full(len(time), seconds, dtype=np.int32)
        return [SampleBatch(metric, self.source, time, value, lengths)]

    def each(self, rows: Iterable[Any], read: Callable[[Any], T]) -> list[T]:
        """Results of `read` for each row. One that it cannot read is skipped and counted, and spoils no other."""
        pairs = []
        for row in rows:
            try:
                pairs.append(read(row))
            except (KeyError, IndexError, TypeError, ValueError):
                self.skipped[UNREADABLE] += 1
        return pairs

    def daily(self, metric: str, value: float | None) -> list[SampleBatch]:
        """Value of the whole day, at the day's first instant."""
        return self.samples(metric, np.array([self.midnight]), [value])


def wall_us(wall: dt.datetime) -> int:
    """Microseconds since 1970-01-01 00:00 of a naive datetime, on the same clock."""
    return (wall - EPOCH) // dt.timedelta(microseconds=1)


def stamp(text: str) -> int:
    """Wall-clock microseconds of an ISO stamp; an offset it names is passed over, fractions of a second too.

    Raises ValueError.
    """
    return wall_us(dt.datetime.fromisoformat(text[:19]))


def number(value: Any) -> float | None:
    """Number, None where there is none. Raises TypeError, ValueError."""
    return None if value is None else float(value)


def clock(text: str) -> str:
    """Time of day such as "13:05:12", as it is. Raises ValueError where it is none."""
    if not re.fullmatch(r"[0-2]\d:[0-5]\d:[0-5]\d", text):
        raise ValueError("no time of day")
    return text


def clock_times(midnight: int, texts: Sequence[str]) -> Times:
    """Wall-clock microseconds of `HH:MM:SS` of one day, shape (n,). Fast: a day has 86,400 of them."""
    if not texts:
        return np.zeros(0, dtype=np.int64)
    digits = np.array(texts, dtype="S8").view(np.uint8).reshape(-1, 8).astype(np.int64) - ord("0")
    seconds: Times = digits[:, [0, 1, 3, 4, 6, 7]] @ np.array([36_000, 3600, 600, 60, 10, 1])
    return midnight + seconds * MICROSECOND


def unwrapped(wall: Times) -> Times:
    """Stamps that should ascend but keep their first date past midnight: a day is added at each step back in time."""
    return wall + np.concatenate([[0], np.cumsum(np.diff(wall) < 0)]).astype(np.int64) * DAY if len(wall) else wall
