"""Responses of Google Health to rollUp: the vendor's own figures by window. Pure functions."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from ingestion.providers.base.live import Fingerprint
from ingestion.providers.google_health.decode import NAN, Origin, Page
from ingestion.providers.google_health.google_type import GoogleType, RollupMembers
from ingestion.providers.google_health.listing import ListDecoder
from ingestion.providers.google_health.times import NO_OFFSET, lengths, readable
from metrics.batch import Seconds, Times, Values, instant


@dataclass(slots=True)
class RollupPage:
    """Page of windows that have data: first instants (microseconds UTC), lengths, and figures by member, NaN where
    absent.

    `unreadable`: windows that are not among them, by reason.
    """

    token: str
    time: Times
    seconds: Seconds
    figures: dict[str, Values]
    unreadable: Counter[str]

    @property
    def count(self) -> int:
        return len(self.time)


@cache
def _decoder(data_type: GoogleType) -> ListDecoder[Any]:
    figures = msgspec.defstruct("Figures", [(name, float, NAN) for name in _members(data_type).names()], gc=False)
    window = msgspec.defstruct("Window", [("startTime", str), ("endTime", str), (data_type.payload, figures)], gc=False)
    return ListDecoder("rollupDataPoints", window)


def _members(data_type: GoogleType) -> RollupMembers:
    if data_type.rollup is None:
        raise ValueError(f"{data_type.code} has no rollUp")
    return data_type.rollup


def rollup_page(data_type: GoogleType, body: bytes) -> RollupPage:
    """Page of a response to `rollUp`. Raises BrokenResponse, ValueError for a type that has no rollUp."""
    listed = _decoder(data_type).read(body)
    windows = listed.records
    time, seconds, faults = lengths([window.startTime for window in windows], [window.endTime for window in windows])
    good = readable(len(windows), [*faults, ("interval_of_no_length", seconds == 0)], listed.unreadable)
    payloads = list(map(attrgetter(data_type.payload), windows))
    figures = {
        name: np.fromiter(map(attrgetter(name), payloads), dtype=np.float64, count=len(payloads))[good]
        for name in _members(data_type).names()
    }
    return RollupPage(listed.token, time[good], seconds[good], figures, listed.unreadable)


def fingerprints(data_type: GoogleType, pages: Sequence[RollupPage]) -> dict[dt.datetime, Fingerprint]:
    """Fingerprints of hourly windows, in Google's units: they are compared with one another and nothing else."""
    members = _members(data_type)
    by_hour: dict[dt.datetime, Fingerprint] = {}
    for page in pages:
        # proto3 leaves zeros out; a window without data is not there at all.
        figures = {name: np.nan_to_num(column, nan=0.0) for name, column in page.figures.items()}
        total = sum((figures[name] for name in members.totals), np.zeros(page.count))
        for index, us in enumerate(page.time):
            by_hour[instant(us)] = Fingerprint(
                mean=float(figures[members.mean][index]) if members.mean else None,
                low=float(figures[members.low][index]) if members.low else None,
                high=float(figures[members.high][index]) if members.high else None,
                total=float(total[index]) if members.totals else None,
            )
    return by_hour


def as_points(data_type: GoogleType, page: RollupPage, origin: Origin) -> Page:
    """Points of a type that cannot be listed, from its windows. Sums of all sources: theirs is a source without a
    device."""
    values = [np.nan_to_num(page.figures[member.name], nan=0.0) for member in data_type.members]
    codes = np.zeros(page.count, dtype=np.int32)
    unknown = np.full(page.count, NO_OFFSET, dtype=np.int32)
    return Page(page.token, page.time, page.seconds, values, codes, [origin.source(b"")], unknown, page.unreadable)
