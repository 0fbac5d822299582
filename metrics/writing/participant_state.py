"""State of a participant as the writer meets it under its locks: one statement for all that decides what of a payload
is taken: their clock and collection interval, the trial's status and retention, and the rows of the payload's sources.
"""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection

from metrics.batch import SourceKey
from metrics.local_time import LocalCalendar
from metrics.models import Source
from metrics.selection.collection_window import Collected, collected_within
from metrics.storage.array_text import with_array_texts
from metrics.writing import sql
from participants.collection_interval import days_of_row
from participants.models import Participant


@dataclass(frozen=True, slots=True)
class ParticipantState:
    """Participant and trial as the database has them. `sources`: ids of those that the payload names."""

    calendar: LocalCalendar
    interval: Collected
    trial_code: str
    trial_status: str
    raw_removed_before: dt.datetime | None
    sources: dict[SourceKey, int]


def hold(participant: Participant) -> None:
    """Take a participant's lock and share their trial's, to the end of the transaction: nobody withdraws, and no trial
    is closed, meanwhile (participants.locks)."""
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK_BOTH, [participant.pk, participant.trial_id])


def read(participant: Participant, sources: Collection[SourceKey]) -> ParticipantState:
    """What stands of a participant, whose lock is held. Sources that are new get their row. Their zone on the object
    becomes what the database has.

    Raises Participant.DoesNotExist.
    """
    keys = list(sources)
    with connection.cursor() as cursor:
        cursor.execute(
            sql.STATE,
            with_array_texts(
                {
                    "participant": participant.pk,
                    "providers": [key.provider for key in keys],
                    "platforms": [key.platform for key in keys],
                    "models": [key.device_model for key in keys],
                    "synthetic": [key.synthetic for key in keys],
                }
            ),
        )
        row = cursor.fetchone()
    if row is None:
        raise Participant.DoesNotExist(f"There is no participant {participant.pk}.")
    zone, trial_code, removed_before, offsets, known = row[-5:]
    participant.time_zone = zone
    calendar = LocalCalendar(zoneinfo.ZoneInfo(zone), [(at, offset) for at, offset in _array(offsets)])
    ids = {keys[place - 1]: pk for place, pk in _array(known)}
    return ParticipantState(
        calendar=calendar,
        interval=collected_within(days_of_row(row), calendar),
        trial_code=trial_code,
        trial_status=row[7],
        raw_removed_before=removed_before,
        sources={key: ids.get(key) or source_for(key).pk for key in keys},
    )


def source_for(key: SourceKey) -> Source:
    """The row of a source, made at its first use."""
    return Source.objects.get_or_create(
        provider=key.provider,
        platform=key.platform,
        device_model=key.device_model,
        synthetic=key.synthetic,
    )[0]


def _array(value: str | list[list[int]] | None) -> list[list[int]]:
    return list(json.loads(value) if isinstance(value, str) else value or [])
