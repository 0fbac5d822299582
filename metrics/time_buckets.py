"""Buckets of a span and where they begin: on round instants, on full hours, or on local midnights of 23 to 25 hours."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from metrics.batch import MICROSECOND, Times
from metrics.local_time import DAY, local_to_utc, zone_offset

HOUR_SECONDS, DAY_SECONDS = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end) in microseconds UTC."""

    start: int
    end: int


def aligned(span: Span, width: int) -> Span:
    """The buckets of `width` seconds that a span touches, whole. Every sample (0) and days (86400 and more): as it is.

    Buckets up to an hour lie on round instants of UTC; wider ones begin with the full hour in which the span begins.
    """
    if width == 0 or width >= DAY_SECONDS:
        return span
    step, bucket = min(width, HOUR_SECONDS) * MICROSECOND, width * MICROSECOND
    start = span.start // step * step
    return Span(start, start - (start - span.end) // bucket * bucket)


def touched(span: Span, widths: Iterable[int]) -> Span:
    """The span with all buckets of these widths that it touches, up to a day's, whole."""
    grids = [aligned(span, width) for width in widths]
    return Span(min([span.start, *(grid.start for grid in grids)]), max([span.end, *(grid.end for grid in grids)]))


def day_numbers(span: Span, zone: zoneinfo.ZoneInfo) -> tuple[int, int]:
    """The first and the last local day that a span touches, as days since 1970-01-01."""
    first, last = ((us + zone_offset(zone, us) * MICROSECOND) // DAY for us in (span.start, span.end - 1))
    return first, last


@lru_cache(maxsize=64)
def midnights(first: int, last: int, zone: zoneinfo.ZoneInfo) -> Times:
    """First instants of the local days from `first` to `last` (days since 1970-01-01), read-only."""
    starts = local_to_utc(np.arange(first, last + 1, dtype=np.int64) * DAY, zone)[0]
    starts.flags.writeable = False
    return starts


def buckets(span: Span, width: int, zone: zoneinfo.ZoneInfo) -> Times:
    """The first instants of all buckets of `width` seconds (1 or more) that a span touches, with data or without."""
    if width < DAY_SECONDS:
        whole = aligned(span, width)
        return np.arange(whole.start, whole.end, width * MICROSECOND, dtype=np.int64)
    first, last = day_numbers(span, zone)
    return midnights(first, last, zone)[:: width // DAY_SECONDS]
