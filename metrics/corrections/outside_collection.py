"""Data of participants stored outside their collection intervals: found, and deleted slice by slice.

Nothing inside an interval is touched: it is asked for anew, under the participant's lock, before each slice. What the
device said of its clock stays, for days inside are cut by it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from metrics.batch import Sessions, instant
from metrics.corrections import sql as corrections_sql
from metrics.exports.deletion import exports_withdraw
from metrics.models import DayRollup, ExerciseSession, ImplausibleCount, SleepSession
from metrics.monitoring import evaluation
from metrics.participant_calendars import calendar_of
from metrics.registry import BY_ID
from metrics.selection.collection_window import Collected, collected_by
from metrics.storage.stored_days import kept_days
from metrics.writing import rollups
from metrics.writing import sql as writing_sql
from metrics.writing.rollups import SeriesKey
from metrics.writing.row_followers import followers
from metrics.writing.sleep import choose_main_sleep
from participants.models import Participant, Trial

Bounds = dict[str, dt.datetime]
WHY_NO_FILES = "Its files are deleted: they held data that the trial may not have."


@dataclass(slots=True)
class Beyond:
    """Data of one participant stored outside. `dates`: local dates of which there is anything, ascending.

    `samples`: by the metric's code. `old_values`: what samples were before they changed.
    """

    participant: Participant
    dates: list[dt.date]
    samples: Counter[str] = field(default_factory=Counter)
    nights: int = 0
    exercise: int = 0
    old_values: int = 0

    def __bool__(self) -> bool:
        return bool(self.dates or self.samples or self.nights or self.exercise or self.old_values)


def find(trial: Trial) -> Iterator[Beyond]:
    """Participants of whom anything is stored outside, by study id. Reads; changes nothing."""
    people = trial.participants.exclude(status=Participant.Status.ERASED).order_by("study_id")
    return (beyond for beyond in map(beyond_of, people) if beyond)


def beyond_of(participant: Participant) -> Beyond:
    """Find the data of one participant stored outside, as things stand."""
    calendar = calendar_of(participant)
    collected = collected_by(participant, calendar)
    beyond = Beyond(participant, [])
    nights, exercise = _sessions(participant, collected)
    beyond.nights, beyond.exercise = len(nights), len(exercise)
    dates = set(nights.values()) | set(exercise.values()) | _dates(participant, collected)
    with connection.cursor() as cursor:
        for series in _series(participant, collected):
            for bounds in _outside(collected):
                cursor.execute(corrections_sql.COUNT, {**series.parameters, **bounds})
                count, first, last = cursor.fetchone()
                if count:
                    beyond.samples[series.metric.code] += count
                    dates |= {calendar.date(first), calendar.date(last)}
        for bounds in _outside(collected):
            cursor.execute(corrections_sql.OLD_VALUES, {"participant": participant.pk, **bounds})
            beyond.old_values += cursor.fetchone()[0]
    beyond.dates = sorted(dates)
    return beyond


def total(outside: Iterable[Beyond]) -> dict[str, Any]:
    """Totals over participants, as metrics.models.Removal keeps them; {} where there is nothing."""
    rows = list(outside)
    if not rows:
        return {}
    samples = sum((row.samples for row in rows), Counter[str]())
    return {
        "participants": len(rows),
        "days": sum(len(row.dates) for row in rows),
        "samples": dict(samples),
        "nights": sum(row.nights for row in rows),
        "exercise": sum(row.exercise for row in rows),
        "old values": sum(row.old_values for row in rows),
    }


# --- deleting ------------------------------------------------------------------------------------------------------


def remove_slice(participant: Participant) -> tuple[Beyond, bool]:
    """Delete the next slice of what is stored outside; returns what that was, and whether more may be left.

    In the caller's transaction. Safe to be called again at any point.
    """
    with connection.cursor() as cursor:
        cursor.execute(writing_sql.LOCK, [participant.pk])
    participant.refresh_from_db(fields=["time_zone"])
    calendar = calendar_of(participant)
    collected = collected_by(participant, calendar)
    for series in _series(participant, collected):
        for bounds in _outside(collected):
            if times := _delete(series, bounds):
                touched = np.sort(np.array(times, dtype=np.int64))
                dates = rollups.refresh(series, touched, calendar, implausible=True)
                for follower in followers:
                    follower.gone(series, touched, may_come_again=True)
                exports_withdraw(participant, WHY_NO_FILES)
                evaluation.refresh(participant, dates, now=timezone.now())
                return Beyond(participant, sorted(dates), Counter({series.metric.code: len(times)})), True
    return _rest(participant, collected), False


def _rest(participant: Participant, collected: Collected) -> Beyond:
    """Nights, exercise, old values, and what was left of samples that the trial has deleted."""
    nights, exercise = _sessions(participant, collected)
    dates = set(nights.values()) | set(exercise.values()) | _dates(participant, collected)
    beyond = Beyond(participant, sorted(dates), nights=len(nights), exercise=len(exercise))
    _delete_sessions(participant, Sessions.SLEEP, SleepSession.objects.filter(pk__in=nights))
    _delete_sessions(participant, Sessions.EXERCISE, ExerciseSession.objects.filter(pk__in=exercise))
    choose_main_sleep(participant.pk, nights.values())
    whole = {date for date in dates if date not in collected}
    for model in (DayRollup, ImplausibleCount):
        model._default_manager.filter(participant=participant, date__in=whole).delete()
    with connection.cursor() as cursor:
        for bounds in _outside(collected):
            parameters: dict[str, Any] = {"participant": participant.pk, **bounds}
            for statement in (corrections_sql.DELETE_MINUTES, corrections_sql.DELETE_HOURS):
                cursor.execute(statement, parameters)
            cursor.execute(corrections_sql.DELETE_OLD_VALUES, parameters)
            beyond.old_values += cursor.rowcount
    if beyond:
        exports_withdraw(participant, WHY_NO_FILES)
        evaluation.refresh(participant, dates, now=timezone.now())
    return beyond


def _delete_sessions(participant: Participant, kind: Sessions, rows: QuerySet[Any]) -> None:
    names: dict[int, set[str]] = defaultdict(set)
    for source, name in rows.values_list("source_id", "external_id"):
        names[source].add(name)
    rows.delete()
    for source, gone in names.items():
        for follower in followers:
            follower.sessions_gone(kind, participant.pk, source, gone, may_come_again=True)


def _delete(series: SeriesKey, bounds: Bounds) -> list[int]:
    """Delete the oldest days of a series in an interval; returns their instants in microseconds UTC, in any order."""
    parameters = {**series.parameters, **bounds, "days": corrections_sql.DAYS}
    with connection.cursor() as cursor:
        cursor.execute(corrections_sql.OLDEST, parameters)
        parameters["oldest"] = cursor.fetchone()[0]
        if parameters["oldest"] is None:
            return []
        cursor.execute(corrections_sql.DELETE, parameters)
        return [row[0] for row in cursor.fetchall()]


# --- where ---------------------------------------------------------------------------------------------------------


def _outside(collected: Collected) -> list[Bounds]:
    return [{"low": instant(span.start), "high": instant(span.end)} for span in collected.outside()]


def _dates(participant: Participant, collected: Collected) -> set[dt.date]:
    """Local dates outside of which there are values, or were: days stay where a trial keeps no samples."""
    return {date for date in kept_days("date", participant_id=participant.pk) if date not in collected}


def _series(participant: Participant, collected: Collected) -> list[SeriesKey]:
    """Series with values on dates outside, or on that in whose middle collection ended."""
    ended_on = collected.days.last if collected.days.until else None
    kept = kept_days("metric_id", "source_id", "date", participant_id=participant.pk)
    pairs = {(metric, source) for metric, source, date in kept if date not in collected or date == ended_on}
    return [SeriesKey(participant.pk, BY_ID[metric], source) for metric, source in sorted(pairs)]


def _sessions(participant: Participant, collected: Collected) -> tuple[dict[int, dt.date], dict[int, dt.date]]:
    """Nights and exercise outside: the row's id and its local date."""
    nights = SleepSession.objects.filter(participant=participant).values_list("pk", "ends_at", "date")
    exercise = ExerciseSession.objects.filter(participant=participant).values_list("pk", "starts_at", "date")
    return (
        {pk: date for pk, at, date in nights if not collected.covers(at)},
        {pk: date for pk, at, date in exercise if not collected.covers(at)},
    )
