"""Stored rows of the series that a payload brings, read back in one statement and compared in memory.

Reading a day of heart rates back costs a twentieth of copying it, so that nothing is staged to be compared, and what is
stored already is not touched: compressed chunks stay compressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.batch import Seconds, Times, Values, instant
from metrics.storage.array_text import array_text
from metrics.storage.binary_copy import PG_EPOCH
from metrics.writing import sql
from metrics.writing.rollups import HOUR, MINUTE, SeriesKey, bucket_intervals
from metrics.writing.row_changes import lengths

# A sample of sql.STORED, as it goes over the wire.
_ROW = np.dtype([("time", ">i8"), ("value", ">f8"), ("seconds", ">i4")])


@dataclass(frozen=True, slots=True)
class Rows:
    """Samples: `time` int64, microseconds UTC, ascending; `value` float64; `seconds` int32, -1 without a length."""

    time: Times
    value: Values
    seconds: Seconds


NO_ROWS = Rows(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int32))


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a series where a batch falls.

    `rows`: of its spans. `hours`, `days`: the buckets with a rollup, as numbers since 1970-01-01; `implausible`: days
    with values that do not count.
    """

    rows: Rows = NO_ROWS
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    implausible: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Differences:
    """Differences of columns, shape (n,), from stored rows: masks of rows that the store lacks and of rows that it has
    otherwise. `there`: places in the stored rows of those that it has, for the others any."""

    fresh: NDArray[np.bool_]
    changed: NDArray[np.bool_]
    there: NDArray[np.int64]


def spans_of(time: Times) -> list[tuple[int, int]]:
    """Intervals [start, end) of whole minutes that hold ascending times; cut where there is nothing for some hours.

    Whole minutes, so that minute buckets follow from what is read back and what is brought.
    """
    return bucket_intervals(time, MINUTE)


def read(cursor: Any, series: Sequence[tuple[SeriesKey, Times, NDArray[np.int64]]]) -> list[Stored]:
    """What is stored of each (series, times, their local dates as days since 1970-01-01), all of one participant.

    Times ascend, one at least. One statement, whatever the number of series.
    """
    spans = [(n, start, end) for n, (_, time, _) in enumerate(series) for start, end in spans_of(time)]
    hours = [(int(time[0]) // HOUR, int(time[-1]) // HOUR + 1) for _, time, _ in series]
    parameters = {
        "participant": series[0][0].participant,
        "span_n": array_text(n for n, _, _ in spans),
        "span_lows": array_text(start for _, start, _ in spans),
        "span_highs": array_text(end for _, _, end in spans),
        "n": array_text(range(len(series))),
        "metrics": array_text(key.metric.id for key, _, _ in series),
        "sources": array_text(key.source for key, _, _ in series),
        "lows": array_text(low for low, _ in hours),
        "highs": array_text(high for _, high in hours),
        "firsts": array_text(int(dates.min()) for _, _, dates in series),
        "lasts": array_text(int(dates.max()) for _, _, dates in series),
        "low": instant(min(start for _, start, _ in spans)),
        "high": instant(max(end for _, _, end in spans)),
        "low_hour": instant(min(low for low, _ in hours) * HOUR),
        "high_hour": instant(max(high for _, high in hours) * HOUR),
    }
    cursor.execute(sql.STORED, parameters)
    stored = [Stored()] * len(series)
    for n, rows, hours, days, implausible in cursor.fetchall():
        stored[n] = Stored(
            _rows(rows) if rows else NO_ROWS,
            frozenset(hours or ()),
            frozenset(days or ()),
            frozenset(implausible or ()),
        )
    return stored


def rows_at(cursor: Any, series: SeriesKey, time: Times) -> Rows:
    """Stored rows of a series around these ascending times, one at least."""
    return read(cursor, [(series, time, np.zeros(len(time), dtype=np.int64))])[0].rows


def _rows(content: bytes) -> Rows:
    rows = np.frombuffer(content, dtype=_ROW)
    time = rows["time"].astype(np.int64) + PG_EPOCH
    value, seconds = rows["value"].astype(np.float64), rows["seconds"].astype(np.int32)
    if len(time) > 1 and not bool((time[1:] > time[:-1]).all()):
        order = np.argsort(time, kind="stable")
        time, value, seconds = time[order], value[order], seconds[order]
    return Rows(time, value, seconds)


def compare(rows: Rows, time: Times, value: Values, seconds: Seconds | None) -> Differences:
    """Columns, ascending in time, beside the stored rows of their spans."""
    if not len(rows.time):
        none = np.zeros(len(time), dtype=bool)
        return Differences(~none, none, np.zeros(len(time), dtype=np.int64))
    there = np.minimum(np.searchsorted(rows.time, time), len(rows.time) - 1)
    known = rows.time[there] == time
    same = known & (rows.value[there] == value) & (rows.seconds[there] == lengths(seconds, len(time)))
    return Differences(~known, known & ~same, there)
