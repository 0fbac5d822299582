"""Writing exercise, and deciding to which local day it belongs. Part of the writer; called inside its transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from metrics.batch import CLOCK_SKEW, Counts, ExerciseRecord, Refusal, Sessions, SourceKey, microseconds
from metrics.local_time import LocalCalendar
from metrics.models import ExerciseSession
from metrics.writing.row_changes import SessionTrace, Trace
from participants.models import Participant

_FIELDS = (
    "starts_at",
    "ends_at",
    "date",
    "activity",
    "name",
    "active_seconds",
    "distance_m",
    "energy_kcal",
    "steps",
    "mean_heart_rate",
)
DAY = dt.timedelta(days=1)


def stored_fields(row: ExerciseSession) -> dict[str, Any]:
    """Values of a row of exercise: its columns without key and date, which follows from the participant's clock."""
    return {name: getattr(row, name) for name in _FIELDS if name != "date"}


def store_exercise(
    participant: Participant,
    records: Sequence[ExerciseRecord],
    sources: Mapping[SourceKey, int],
    calendar: LocalCalendar,
    now: dt.datetime,
    trace: Trace | None = None,
) -> Counts:
    """Write exercise by (participant, source, external id)."""
    counts = Counts()
    latest = {(sources[r.source], r.external_id): r for r in records}
    counts.repeated = len(records) - len(latest)
    if not latest:
        return counts
    stored = ExerciseSession.objects.filter(participant=participant, external_id__in=[key[1] for key in latest])
    known = {(row.source_id, row.external_id): row for row in stored}
    write: list[ExerciseSession] = []
    for key, record in latest.items():
        if reason := _refusal(record, now):
            counts.rejected[reason] = counts.rejected.get(reason, 0) + 1
            continue
        row = _session(participant, record, sources[record.source], calendar.date(record.starts_at))
        old = known.get(key)
        if trace is not None:
            trace.sessions.append(
                SessionTrace(Sessions.EXERCISE, *key, stored_fields(row), stored_fields(old) if old else None)
            )
        if old and all(getattr(old, name) == getattr(row, name) for name in _FIELDS):
            counts.exercise_unchanged += 1
            continue
        counts.exercise_changed += old is not None
        counts.exercise_new += old is None
        write.append(row)
    ExerciseSession.objects.bulk_create(
        write,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["participant", "source", "external_id"],
        update_fields=_FIELDS,
    )
    return counts


def _refusal(record: ExerciseRecord, now: dt.datetime) -> str:
    """Why an exercise cannot be stored, or ""."""
    if microseconds(record.ends_at) > microseconds(now) + CLOCK_SKEW:
        return Refusal.FUTURE.text
    return "exercise ends before it starts" if record.ends_at <= record.starts_at else ""


def _session(participant: Participant, record: ExerciseRecord, source: int, date: dt.date) -> ExerciseSession:
    return ExerciseSession(
        participant=participant,
        source_id=source,
        external_id=record.external_id,
        starts_at=record.starts_at,
        ends_at=record.ends_at,
        date=date,
        activity=record.activity,
        name=record.name,
        active_seconds=record.active_seconds,
        distance_m=record.distance_m,
        energy_kcal=record.energy_kcal,
        steps=record.steps,
        mean_heart_rate=record.mean_heart_rate,
    )


def remove_absent_exercise(
    participant: Participant, provider: str, kept: set[str], start: dt.datetime, end: dt.datetime
) -> int:
    """Take away a provider's exercise that starts in [start, end) and is not among the kept external ids."""
    gone = ExerciseSession.objects.filter(
        participant=participant, source__provider=provider, starts_at__gte=start, starts_at__lt=end
    ).exclude(external_id__in=kept)
    return gone.delete()[0]


def date_exercise(participant: Participant, start: dt.datetime, end: dt.datetime, calendar: LocalCalendar) -> None:
    """Move exercise that starts about [start, end] to the local date that the calendar now gives."""
    sessions = list(
        ExerciseSession.objects.filter(participant=participant, starts_at__gte=start - DAY, starts_at__lte=end + DAY)
    )
    for session in sessions:
        session.date = calendar.date(session.starts_at)
    ExerciseSession.objects.bulk_update(sessions, ["date"], batch_size=500)
