"""Adherence as it was known at a time, from the history of day status; and now by other definitions of a valid day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from metrics.monitoring import sql
from metrics.registry import BY_CODE, STEPS
from metrics.selection.readable_series import ALL_DATES, readable_on
from participants.models import Participant


@dataclass(frozen=True, slots=True)
class Adherence:
    """Days by status. `counted`: neither excluded nor pending; `adherence`: None where no day counts."""

    participant_id: int
    valid: int
    counted: int
    pending: int = 0
    excluded: int = 0

    @property
    def adherence(self) -> float | None:
        return self.valid / self.counted if self.counted else None


def adherence_as_of(participants: QuerySet[Participant], at: dt.datetime) -> dict[int, Adherence]:
    """By participant id, how the days stood as far as was known at an instant. The same answer whenever it is asked.

    Participants of whom nothing was known by then are missing. One statement, whatever their number.
    """
    parameters: dict[str, Any] = {"people": _ids(participants), "at": at}
    with connection.cursor() as cursor:
        cursor.execute(sql.ADHERENCE_AS_OF, parameters)
        return {row[0]: Adherence(*row) for row in cursor.fetchall()}


def adherence_now(participants: QuerySet[Participant]) -> list[tuple[str, Adherence]]:
    """Study ids with how the days stand now, from the status summaries. One statement.

    Participants of whom no day is known are missing. Days that are none any more are not among the excluded ones.
    """
    names = ("valid_days", "counted_days", "pending_days", "excluded_days")
    summaries = participants.order_by().filter(status_summary__isnull=False)
    rows = summaries.values_list("study_id", "pk", *(f"status_summary__{name}" for name in names))
    return [(row[0], Adherence(*row[1:])) for row in rows if any(row[2:])]


def adherence_by_minutes(
    participants: QuerySet[Participant], variants: Sequence[int]
) -> dict[int, dict[int, Adherence]]:
    """By worn minutes of another definition and participant id, adherence over the days that count now."""
    by_minutes: dict[int, dict[int, Adherence]] = {minutes: {} for minutes in variants}
    with connection.cursor() as cursor:
        cursor.execute(sql.ADHERENCE_VARIANTS, {"people": _ids(participants), "variants": list(variants)})
        for participant, minutes, valid, counted in cursor.fetchall():
            by_minutes[minutes][participant] = Adherence(participant, valid, counted)
    return by_minutes


def adherence_by_steps(participants: QuerySet[Participant], steps: int) -> dict[int, Adherence]:
    """By participant id, adherence over the days that count now if so many steps made a day valid.

    Of several sources of steps that of the day counts, as everywhere.
    """
    people = list(participants.order_by().only("time_zone", "trial_id"))
    readable = readable_on(people, [STEPS, BY_CODE["steps_24h"]], *ALL_DATES)
    runs = [
        (pid, metric, run.source.pk, run.first, run.last)
        for (pid, metric), series in readable.items()
        for run in series.runs
    ]
    names = ("participants", "metrics", "sources", "firsts", "lasts")
    columns = zip(*runs, strict=True) if runs else ((),) * len(names)
    parameters = {name: list(column) for name, column in zip(names, columns, strict=True)}
    with connection.cursor() as cursor:
        cursor.execute(
            sql.ADHERENCE_BY_STEPS, {**parameters, "people": [person.pk for person in people], "steps": steps}
        )
        return {row[0]: Adherence(*row) for row in cursor.fetchall()}


def _ids(participants: QuerySet[Participant]) -> list[int]:
    return list(participants.order_by().values_list("pk", flat=True))
