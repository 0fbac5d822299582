"""What the device said of its clock, as departures from what the participant's calendar already says."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable

from metrics.batch import OffsetChange, instant
from metrics.days import LocalCalendar, zone_offset
from participants.models import Participant


def changes(
    participant: Participant, calendar: LocalCalendar, observed: Iterable[tuple[int, int]]
) -> list[OffsetChange]:
    """The changes to be stored for observations (microseconds UTC, seconds east of UTC), ascending.

    An offset that is her own zone's is stored as "back in her zone", so that later changes of clocks there apply.
    """
    zone = zoneinfo.ZoneInfo(participant.time_zone)
    found: list[OffsetChange] = []
    current: int | None = None
    for at, offset in observed:
        if offset == (current if current is not None else calendar.offset(at)):
            continue
        found.append(OffsetChange(instant(at), None if offset == zone_offset(zone, at) else offset))
        current = offset
    return found
