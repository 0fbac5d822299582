"""Descriptions of Google Health data types: their names, how their records are dated, their numbers, their pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ingestion.providers.base.live import DataType

MAX_PAGE = 10_000
# Google clamps these pages whatever is asked for.
MAX_SESSIONS_PAGE = 25
# The shorter of the two limits on the range of a rollUp.
MAX_ROLLUP = dt.timedelta(days=14)


class Kind(Enum):
    """Dating of a type's records; decides the filter's member and where the time stands in a point."""

    SAMPLE = "sample_time.physical_time"
    INTERVAL = "interval.start_time"
    DAILY = "date"
    SESSION = "interval.civil_start_time"  # any other time is refused
    SLEEP = "interval.end_time"  # the start is refused
    ROLLUP = ""  # cannot be listed, only rolled up


@dataclass(frozen=True, slots=True)
class Member:
    """Number in a point, and the metric it becomes: (number - `minus`) / `divisor`.

    `unit` is the vendor's. `absent` is what a missing number means: proto3 leaves zeros out, so 0 for counts, and
    None where a zero would mean that nothing was computed (then what lies below zero is skipped too, unless it is a
    difference). `required`: a point without it is no answer.
    """

    name: str
    metric: str
    unit: str
    divisor: float = 1.0
    absent: float | None = None
    minus: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class RollupMembers:
    """Members of a type's rolled-up value. Several totals are added up."""

    mean: str = ""
    low: str = ""
    high: str = ""
    totals: tuple[str, ...] = ()

    def names(self) -> Iterator[str]:
        yield from (name for name in (self.mean, self.low, self.high, *self.totals) if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleType(DataType):
    """Data type in Google's terms.

    `seconds`: length of what a sample stands for, None for an instant (intervals bring their own). `summed`: points
    of one source at one time are parts of a whole. `takes_family`: whether a list may be narrowed to a family of
    sources. `announced`: whether webhooks tell of it.
    """

    snake: str
    payload: str
    kind: Kind
    members: tuple[Member, ...] = ()
    rollup: RollupMembers | None = None
    page_size: int = MAX_PAGE
    seconds: int | None = None
    summed: bool = False
    takes_family: bool = True
    announced: bool = True

    @property
    def filter_member(self) -> str:
        return f"{self.snake}.{self.kind.value}"
