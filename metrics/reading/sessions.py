"""Nights, naps and exercise of a participant, as they count and are collected."""

from __future__ import annotations

import datetime as dt
from typing import Any

from metrics.models import ExerciseSession, SleepSession
from metrics.selection.collection_window import Collected
from metrics.selection.night_source_choice import other_nights
from metrics.selection.readable_series import collected_on
from participants.compiled_sql import compiled
from participants.conditions_sql import DATE, ID


def sleep_sessions(
    participant_id: int, start_on: dt.date, end_on: dt.date, held: Collected | None = None
) -> list[SleepSession]:
    """Nights and naps by local date of waking, both ends included, ascending: of each date those of the source that
    counts, one of them at most a main sleep. What is collected alone."""
    days = held or collected_on(participant_id)
    stored = stored_nights.rows(participant=participant_id, first=start_on, last=end_on)
    sessions = [session for session in stored if session.date in days]
    others = other_nights([participant_id], start_on, end_on)
    return [session for session in sessions if session.pk not in others]


def exercise_sessions(
    participant_id: int, start_on: dt.date, end_on: dt.date, held: Collected | None = None
) -> list[ExerciseSession]:
    """Exercise by local date of its start, both ends included, ascending, of every source: nothing is summed up. What
    is collected alone."""
    days = held or collected_on(participant_id)
    stored = stored_exercise.rows(participant=participant_id, first=start_on, last=end_on)
    return [session for session in stored if session.date in days]


@compiled(participant=ID, first=DATE, last=DATE)
def stored_nights(participant: Any, first: Any, last: Any) -> Any:
    return _of_dates(SleepSession.objects, participant, first, last)


@compiled(participant=ID, first=DATE, last=DATE)
def stored_exercise(participant: Any, first: Any, last: Any) -> Any:
    return _of_dates(ExerciseSession.objects, participant, first, last)


def _of_dates(sessions: Any, participant: Any, first: Any, last: Any) -> Any:
    rows = sessions.filter(participant_id=participant, date__gte=first, date__lte=last)
    return rows.select_related("source").order_by("starts_at")
