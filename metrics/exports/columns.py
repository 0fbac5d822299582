"""The rows of an export as columns, and how they come out of the database: no Python object a row."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connections
from numpy.typing import NDArray
from psycopg import sql as composed

from metrics.batch import Seconds, Times, Values, instant
from metrics.exports import sql
from metrics.registry import Metric
from metrics.storage.binary_copy import PG_EPOCH
from metrics.writing.binary_copy import COPY_HEADER

NO_LENGTH = -1  # where a sample is of an instant
FIELDS = 5
# An array as PostgreSQL sends it: dimensions, whether it has nulls, the elements' type; length and lower bound.
ARRAY_HEAD = 20


@dataclass(frozen=True, slots=True)
class SourceInterval:
    """Interval of one participant's samples from one source in [starts_at, ends_at), microseconds UTC."""

    participant: int
    source: int
    starts_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of an interval, ascending: shape (n,) each. `seconds` is -1 where the sample has no length."""

    interval: SourceInterval
    time: Times
    value: Values
    seconds: Seconds

    def __len__(self) -> int:
        return len(self.time)


def read(alias: str, metric: Metric, intervals: Sequence[SourceInterval]) -> Iterator[Samples]:
    """Samples of one metric, interval by interval in the order given; those without any are left out.

    `alias`: the database connection, in whose snapshot it is read. Holds one interval at a time in memory.
    """
    if not intervals:
        return
    statement = composed.SQL(sql.COPY_INTERVALS).format(
        metric=composed.Literal(metric.id),
        participants=composed.Literal([interval.participant for interval in intervals]),
        sources=composed.Literal([interval.source for interval in intervals]),
        starts=composed.Literal([instant(interval.starts_at) for interval in intervals]),
        ends=composed.Literal([instant(interval.ends_at) for interval in intervals]),
        low=composed.Literal(instant(min(interval.starts_at for interval in intervals))),
        high=composed.Literal(instant(max(interval.ends_at for interval in intervals))),
    )
    with connections[alias].cursor() as cursor, cursor.copy(statement) as copy:
        for row in copy:
            at = len(COPY_HEADER) if bytes(row[:8]) == COPY_HEADER[:8] else 0
            # The last message is the trailer, a number of fields of -1; the header may stand before any row.
            if len(row) - at >= 2 and struct.unpack_from(">h", row, at)[0] == FIELDS:
                yield _samples(row, at + 2, intervals)


def _samples(row: Any, at: int, intervals: Sequence[SourceInterval]) -> Samples:
    number = struct.unpack_from(">i", row, at + 4)[0]
    at += 8
    times, at = _array(row, at, ">i8")
    values, at = _array(row, at, ">f8")
    lengths, at = _array(row, at, ">i4")
    of_times, _ = _array(row, at, ">i8")
    time = times.astype(np.int64) + PG_EPOCH
    seconds = np.full(len(time), NO_LENGTH, dtype=np.int32)
    seconds[np.searchsorted(time, of_times + PG_EPOCH)] = lengths
    return Samples(intervals[number - 1], time, values.astype(np.float64), seconds)


def _array(row: Any, at: int, kind: str) -> tuple[NDArray[Any], int]:
    """A field that is a one-dimensional array without nulls (or null: nothing), and where the next field begins."""
    size = struct.unpack_from(">i", row, at)[0]
    at += 4
    if size < 0:
        return np.zeros(0, dtype=kind), at
    dimensions, nulls, _, n, _ = struct.unpack_from(">iiIii", row, at)
    if dimensions != 1 or nulls:
        raise ValueError("the database sent another kind of array than was asked for")
    elements = np.frombuffer(row, dtype=[("length", ">i4"), ("value", kind)], count=n, offset=at + ARRAY_HEAD)
    return elements["value"], at + size
