"""Adherence as it was known at a time, from the history of verdicts; and now by other definitions of a valid day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from metrics import sql_verdicts as sql
from metrics.registry import BY_CODE, STEPS
from participants.models import Participant


@dataclass(frozen=True, slots=True)
class Adherence:
    """Days by verdict. `counted`: neither excluded nor pending; `adherence`: None where no day counts."""

    participant_id: int
    valid: int
    counted: int
    pending: int = 0
    excluded: int = 0

    @property
    def adherence(self) -> float | None:
        return self.valid / self.counted if self.counted else None


def adherence_as_of(participants: QuerySet[Participant], at: dt.datetime) -> dict[int, Adherence]:
    """By participant id, how her days stood as far as was known at an instant. The same answer whenever it is asked.

    Participants of whom nothing was known by then are missing. One statement, whatever their number.
    """
    parameters: dict[str, Any] = {"people": _ids(participants), "at": at}
    with connection.cursor() as cursor:
        cursor.execute(sql.ADHERENCE_AS_OF, parameters)
        return {row[0]: Adherence(*row) for row in cursor.fetchall()}


def adherence_by_minutes(
    participants: QuerySet[Participant], variants: Sequence[int]
) -> dict[int, dict[int, Adherence]]:
    """By worn minutes of another definition and participant id, adherence over the days that count now."""
    found: dict[int, dict[int, Adherence]] = {minutes: {} for minutes in variants}
    with connection.cursor() as cursor:
        cursor.execute(sql.ADHERENCE_VARIANTS, {"people": _ids(participants), "variants": list(variants)})
        for participant, minutes, valid, counted in cursor.fetchall():
            found[minutes][participant] = Adherence(participant, valid, counted)
    return found


def adherence_by_steps(participants: QuerySet[Participant], steps: int) -> dict[int, Adherence]:
    """By participant id, adherence over the days that count now if so many steps made a day valid."""
    metrics = [STEPS.id, BY_CODE["steps_24h"].id]
    with connection.cursor() as cursor:
        cursor.execute(sql.ADHERENCE_BY_STEPS, {"people": _ids(participants), "steps": steps, "metrics": metrics})
        return {row[0]: Adherence(*row) for row in cursor.fetchall()}


def _ids(participants: QuerySet[Participant]) -> list[int]:
    return list(participants.order_by().values_list("pk", flat=True))
