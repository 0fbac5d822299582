"""Changes of a payload to the store, row by row: what is stored now and what was there before.

Asked for by whoever must be able to take a payload back (ingestion.file_imports.undo). The writer fills it; to others
it costs nothing. Absent rows are NaN, absent lengths -1, so that columns stay plain arrays.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.batch import Seconds, Sessions, Times, Values
from metrics.writing.rollups import SeriesKey

NO_SECONDS = np.int32(-1)


@dataclass(frozen=True, slots=True)
class SampleTrace:
    """Samples of one series that a payload held and the store took or had already.

    `time`: int64, microseconds UTC, ascending. `value`, `before`: float64, NaN where there was no row. `seconds`,
    `seconds_before`: int32, -1 for samples without a length. All of one length n.
    """

    series: SeriesKey
    time: Times
    value: Values
    seconds: Seconds
    before: Values
    seconds_before: Seconds

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class SessionTrace:
    """A night or an exercise. `own`: the row as the record alone says it; `before`: the row that was there, or None.

    `finest_stays`: of two records of the same night the one with more detail stays, whichever comes first.
    """

    kind: Sessions
    source: int
    external_id: str
    own: dict[str, Any]
    before: dict[str, Any] | None
    finest_stays: bool = False


@dataclass(frozen=True, slots=True)
class OffsetTrace:
    """A change of the device's clock. `known`: whether one was known at this instant; `before`: what it said."""

    starts_at: dt.datetime
    utc_offset: int | None
    known: bool
    before: int | None


@dataclass(slots=True)
class Trace:
    samples: list[SampleTrace] = field(default_factory=list)
    sessions: list[SessionTrace] = field(default_factory=list)
    offsets: list[OffsetTrace] = field(default_factory=list)


def lengths(seconds: Seconds | None, n: int) -> Seconds:
    """Lengths as a trace keeps them."""
    return np.full(n, NO_SECONDS, dtype=np.int32) if seconds is None else seconds.astype(np.int32)


def chosen(rows: SampleTrace, mask: NDArray[np.bool_]) -> SampleTrace:
    """The samples of a trace under a mask."""
    return replace(
        rows,
        time=rows.time[mask],
        value=rows.value[mask],
        seconds=rows.seconds[mask],
        before=rows.before[mask],
        seconds_before=rows.seconds_before[mask],
    )
