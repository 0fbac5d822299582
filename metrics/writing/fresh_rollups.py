"""Rollups of rows that are new where nothing of their series was: from the columns in memory where a bucket was empty,
else made anew of what is beneath it. One statement for all series of a payload.

Rows that were changed or removed may empty a bucket: these go the way of rollups.refresh.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.batch import Times, Values, instant
from metrics.local_time import EPOCH, LocalCalendar
from metrics.storage.array_text import array_text
from metrics.writing import rollups_sql
from metrics.writing.rollups import HOUR, MINUTE, SeriesKey
from metrics.writing.stored_rows import Stored


@dataclass(frozen=True, slots=True)
class Buckets:
    """Aggregates by ascending keys, all of shape (m,): `minutes` with a sample, `n`, `total`, `low`, `high`."""

    key: NDArray[np.int64]
    minutes: NDArray[np.int64]
    n: NDArray[np.int64]
    total: Values
    low: Values
    high: Values

    def where(self, mask: NDArray[np.bool_]) -> Buckets:
        """The buckets under a mask."""
        return Buckets(*(column[mask] for column in self.columns))

    def by(self, key: NDArray[np.int64]) -> Buckets:
        """These buckets in larger ones: `key` of each, shape (m,), in any order."""
        if not len(key):
            return self
        columns = self.columns[1:]
        if bool((key[1:] < key[:-1]).any()):
            order = np.argsort(key, kind="stable")
            key, columns = key[order], tuple(column[order] for column in columns)
        firsts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
        minutes, n, total, low, high = columns
        return Buckets(
            key[firsts],
            np.add.reduceat(minutes, firsts),
            np.add.reduceat(n, firsts),
            np.add.reduceat(total, firsts),
            np.minimum.reduceat(low, firsts),
            np.maximum.reduceat(high, firsts),
        )

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        return self.key, self.minutes, self.n, self.total, self.low, self.high


def minutes_of(time: Times, value: Values) -> Buckets:
    """Minute buckets, by their first instants, of ascending samples (microseconds UTC) that count."""
    ones = np.ones(len(time), dtype=np.int64)
    minutes = Buckets(time, ones, ones, value, value, value).by(time // MINUTE * MINUTE)
    minutes.minutes[:] = 1
    return minutes


def samples_of(time: Times, value: Values, calendar: LocalCalendar) -> Buckets:
    """Ascending samples (microseconds UTC) that count, each as a bucket of its own."""
    ones, minute, date = np.ones(len(time), dtype=np.int64), time // MINUTE, calendar.dates(time)
    minutes = ones.copy()
    minutes[1:] = (minute[1:] != minute[:-1]) | (date[1:] != date[:-1])
    return Buckets(time, minutes, ones, value, value, value)


@dataclass(frozen=True, slots=True)
class Grown:
    """A series that has new rows. `time`: theirs, ascending; `dates` of each, days since 1970-01-01. `parts`: what
    counts in its spans, old and new: minute buckets, or samples where the metric has no minutes. `stored`: what there
    was."""

    series: SeriesKey
    time: Times
    dates: NDArray[np.int64]
    parts: Buckets
    stored: Stored


def write(cursor: Any, grown: Sequence[Grown], calendar: LocalCalendar) -> None:
    """Bring hours and days of these series of one participant up to date. One statement, or none."""
    parameters: dict[str, list[float]] = defaultdict(list)
    bounds: list[int] = []
    for part in grown:
        _add_hours(parameters, bounds, part)
        _add_days(parameters, bounds, part, calendar)
    parts = [rollups_sql.NEW_HOURS] if parameters["hour_n"] else []
    parts += [rollups_sql.NEW_DAYS] if parameters["day_n"] else []
    parts += [statement for name, statement in rollups_sql.GROWN.items() if parameters[f"{name}_metrics"]]
    if parts:
        written: dict[str, Any] = {name: array_text(numbers) for name, numbers in parameters.items()}
        written["participant"] = grown[0].series.participant
        if bounds:
            written |= {"low": instant(min(bounds)), "high": instant(max(bounds))}
        cursor.execute(rollups_sql.together(parts), written)


def _add_hours(parameters: dict[str, list[float]], bounds: list[int], part: Grown) -> None:
    hours = np.unique(part.time // HOUR)
    known = _among(hours, part.stored.hours)
    hour_of = part.parts.key // HOUR
    fresh = _of(part.parts, hour_of, hours[~known])
    _add_values(parameters, "hour", part.series, fresh)
    parameters["hour_buckets"] += fresh.key.tolist()
    name = "minute_hours" if part.series.metric.subminute else "sample_hours"
    for low, high in _runs(hours[known]):
        _add_key(parameters, name, part.series)
        parameters[f"{name}_lows"].append(low * HOUR)
        parameters[f"{name}_highs"].append(high * HOUR)
        bounds += (low * HOUR, high * HOUR)


def _add_days(parameters: dict[str, list[float]], bounds: list[int], part: Grown, calendar: LocalCalendar) -> None:
    days = np.unique(part.dates)
    known = _among(days, part.stored.days)
    date_of = calendar.dates(part.parts.key)
    fresh = _of(part.parts, date_of, days[~known])
    _add_values(parameters, "day", part.series, fresh)
    parameters["day_dates"] += fresh.key.tolist()
    parameters["day_minutes"] += fresh.minutes.tolist()
    name = "minute_days" if part.series.metric.subminute else "sample_days"
    for span in calendar.spans(_date(day) for day in days[known]):
        _add_key(parameters, name, part.series)
        parameters[f"{name}_dates"].append((span.date - EPOCH).days)
        parameters[f"{name}_lows"].append(span.starts_at)
        parameters[f"{name}_highs"].append(span.ends_at)
        bounds += (span.starts_at, span.ends_at)


def _of(parts: Buckets, key: NDArray[np.int64], keys: NDArray[np.int64]) -> Buckets:
    """The larger buckets with these keys; `key`: that of each part."""
    chosen = np.isin(key, keys)
    return (parts if chosen.all() else parts.where(chosen)).by(key if chosen.all() else key[chosen])


def _add_values(parameters: dict[str, list[float]], name: str, series: SeriesKey, buckets: Buckets) -> None:
    parameters[f"{name}_metrics"] += [series.metric.id] * len(buckets.key)
    parameters[f"{name}_sources"] += [series.source] * len(buckets.key)
    parameters[f"{name}_n"] += buckets.n.tolist()
    parameters[f"{name}_totals"] += buckets.total.tolist()
    parameters[f"{name}_lows"] += buckets.low.tolist()
    parameters[f"{name}_highs"] += buckets.high.tolist()


def _add_key(parameters: dict[str, list[float]], name: str, series: SeriesKey) -> None:
    parameters[f"{name}_metrics"].append(series.metric.id)
    parameters[f"{name}_sources"].append(series.source)


def _among(numbers: NDArray[np.int64], some: frozenset[int]) -> NDArray[np.bool_]:
    """Mask of the numbers that are among some."""
    return np.fromiter((number in some for number in numbers.tolist()), dtype=bool, count=len(numbers))


def _runs(numbers: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ascending numbers as intervals [first, last + 1)."""
    if not len(numbers):
        return []
    cuts = np.flatnonzero(np.diff(numbers) > 1)
    firsts, lasts = numbers[np.append(0, cuts + 1)], numbers[np.append(cuts, len(numbers) - 1)]
    return list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))


def _date(day: int) -> dt.date:
    return EPOCH + dt.timedelta(days=int(day))
