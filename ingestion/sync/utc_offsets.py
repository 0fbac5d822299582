"""UTC offsets of the device's clock, as departures from what the participant's calendar already says."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, field

from metrics.batch import OffsetChange, instant, microseconds
from metrics.local_time import LocalCalendar, zone_offset
from participants.models import Participant

Observed = list[tuple[int, int]]  # microseconds UTC, seconds east of UTC


@dataclass(slots=True)
class _ReadInterval:
    """Interval, in microseconds, that was read without a gap."""

    start: int
    end: int
    observed: Observed = field(default_factory=list)


def changes(
    participant: Participant,
    calendar: LocalCalendar,
    reads: Iterable[tuple[dt.datetime, dt.datetime, Observed]],
    *,
    newest: dt.datetime | None,
) -> list[OffsetChange]:
    """Changes to be stored for what was observed in the intervals that were read, ascending.

    An offset that is the participant's own zone's is stored as "back in their zone", so that later changes of clocks
    there apply. What was seen in an interval says nothing of the time after it: where data are known beyond (`newest`),
    the calendar goes on there as it was, so that history may be read from its end to its beginning.
    """
    zone = zoneinfo.ZoneInfo(participant.time_zone)
    known_until = microseconds(newest) if newest else 0
    departures: list[OffsetChange] = []

    def change(at: int, offset: int) -> None:
        departures.append(OffsetChange(instant(at), None if offset == zone_offset(zone, at) else offset))

    for interval in _merged(reads):
        current: int | None = None
        for at, offset in sorted(interval.observed):
            if offset != (current if current is not None else calendar.offset(at)):
                change(at, offset)
                current = offset
        if current is not None and interval.end <= known_until and current != (after := calendar.offset(interval.end)):
            change(interval.end, after)
    return departures


def _merged(reads: Iterable[tuple[dt.datetime, dt.datetime, Observed]]) -> list[_ReadInterval]:
    """Reads of all data types as intervals without gaps, in order."""
    merged: list[_ReadInterval] = []
    for start, end, observed in sorted(reads, key=lambda read: read[0]):
        low, high = microseconds(start), microseconds(end)
        if not merged or low > merged[-1].end:
            merged.append(_ReadInterval(low, high))
        merged[-1].end = max(merged[-1].end, high)
        merged[-1].observed += observed
    return merged
