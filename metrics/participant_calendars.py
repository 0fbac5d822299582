"""Participants' calendars, read from the database: the one place that joins their zone and their device's clock."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Iterable

from metrics.batch import microseconds
from metrics.local_time import LocalCalendar
from metrics.models import OffsetPeriod
from participants.models import Participant


def calendars_of(participants: Iterable[Participant], using: str = "default") -> dict[int, LocalCalendar]:
    """Local days as they are known now, by participant id. One statement."""
    people = list(participants)
    periods: dict[int, list[tuple[int, int | None]]] = defaultdict(list)
    stated = OffsetPeriod.objects.using(using).filter(participant__in=[participant.pk for participant in people])
    for period in stated.order_by("starts_at"):
        periods[period.participant_id].append((microseconds(period.starts_at), period.utc_offset))
    return {
        participant.pk: LocalCalendar(zoneinfo.ZoneInfo(participant.time_zone), periods[participant.pk])
        for participant in people
    }


def calendar_of(participant: Participant) -> LocalCalendar:
    """Calendar of one participant."""
    return calendars_of([participant])[participant.pk]
