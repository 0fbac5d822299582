"""Participants' calendars, read from the database: the one place that joins their zone and their device's clock."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from metrics.batch import microseconds
from metrics.local_time import LocalCalendar
from metrics.models import OffsetPeriod
from participants.compiled_sql import compiled
from participants.conditions_sql import IDS, AnyOf
from participants.models import Participant


@compiled(participants=IDS)
def stated_offsets(participants: Any) -> Any:
    """What participants' devices stated of their clocks, ascending by instant."""
    stated = OffsetPeriod.objects.filter(AnyOf("participant_id", participants)).order_by("starts_at")
    return stated.values_list("participant_id", "starts_at", "utc_offset")


def calendars_of(participants: Iterable[Participant], using: str = "default") -> dict[int, LocalCalendar]:
    """Local days as they are known now, by participant id. One statement."""
    people = list(participants)
    periods: dict[int, list[tuple[int, int | None]]] = defaultdict(list)
    for participant_id, starts_at, utc_offset in stated_offsets.rows(using=using, participants=[p.pk for p in people]):
        periods[participant_id].append((microseconds(starts_at), utc_offset))
    return {
        participant.pk: LocalCalendar(zoneinfo.ZoneInfo(participant.time_zone), periods[participant.pk])
        for participant in people
    }


def calendar_of(participant: Participant) -> LocalCalendar:
    """Calendar of one participant."""
    return calendars_of([participant])[participant.pk]
