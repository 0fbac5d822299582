"""Puts rows back to what they were before a payload: removed where they were not there, else with their old value.

Part of the writer's side of the store: under the participant's lock, with rollups, days and statuses brought up to
date. Whose payload it was and what came after it is the caller's knowledge (ingestion.file_imports.undo). A row that
is not as the payload left it was written by somebody else since, and stays.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from metrics.batch import Seconds, Sessions, Times, instant
from metrics.corrections import sql as corrections_sql
from metrics.local_time import LocalCalendar
from metrics.models import ExerciseSession, OffsetPeriod, SleepSession
from metrics.monitoring import evaluation
from metrics.participant_calendars import calendar_of
from metrics.writing import exercise, rollups, stored_rows
from metrics.writing import sleep as writing_sleep
from metrics.writing import sql as writing_sql
from metrics.writing.binary_copy import stage
from metrics.writing.row_changes import OffsetTrace, SampleTrace, chosen
from metrics.writing.writer import recompute
from participants.models import Participant


@dataclass(slots=True)
class Restored:
    """Rows that went, that have their old value again, and that stay because somebody else has written them since."""

    removed: int = 0
    restored: int = 0
    left: int = 0

    def __add__(self, other: Restored) -> Restored:
        return Restored(self.removed + other.removed, self.restored + other.restored, self.left + other.left)


@dataclass(frozen=True, slots=True)
class Session:
    """A night or an exercise to be put back: `stored`, as it must stand now, becomes `target`; None: it goes."""

    kind: Sessions
    source: int
    external_id: str
    stored: dict[str, Any]
    target: dict[str, Any] | None


def hold_data(participant: int) -> None:
    """Take a participant's lock, as every writer does, to the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(writing_sql.LOCK, [participant])


@transaction.atomic
def restore(
    participant: Participant,
    *,
    samples: Sequence[SampleTrace] = (),
    replaced: Sequence[SampleTrace] = (),
    sessions: Sequence[Session] = (),
    offsets: Sequence[OffsetTrace] = (),
    since: dt.datetime,
    now: dt.datetime | None = None,
) -> Restored:
    """Put these rows of one participant back, and re-evaluate their days; all or nothing.

    `since`: when the payload was stored. `replaced`: samples whose value something later has replaced; they stay, and
    so does nothing of the payload's own values: what revisions keep of these goes.
    """
    now = now or timezone.now()
    hold_data(participant.pk)
    done, dates = Restored(), set[dt.date]()
    if offsets:
        done += _offsets(participant, offsets, now)
    calendar = calendar_of(participant)
    for part in samples:
        counts, touched, again = _samples(part, since)
        done += counts
        dates |= rollups.refresh(part.series, touched, calendar, implausible=again)
    for part in replaced:
        with connection.cursor() as cursor:
            _forget(cursor, part, since)
    for kind in Sessions:
        counts, changed = _sessions(participant, [session for session in sessions if session.kind is kind], calendar)
        done += counts
        dates |= changed
    evaluation.refresh(participant, dates, now=now)
    return done


def _samples(part: SampleTrace, since: dt.datetime) -> tuple[Restored, Times, bool]:
    """Returns the counts, the times at which something changed, and whether values came back."""
    if not len(part):
        return Restored(), part.time, False
    bounds = _bounds(part)
    parameters = {**part.series.parameters, **bounds, "since": since}
    with connection.cursor() as cursor:
        rows = stored_rows.rows_at(cursor, part.series, part.time)
        compared = stored_rows.compare(rows, part.time, part.value, _lengths(part.seconds))
        ours = ~(compared.fresh | compared.changed)
        gone = ours & np.isnan(part.before)
        back = ours & ~gone & ((part.before != part.value) | (part.seconds_before != part.seconds))
        if gone.any():
            stage(cursor, part.time[gone], part.value[gone], None)
            cursor.execute(corrections_sql.REMOVE_STAGED, parameters)
            cursor.execute(corrections_sql.FORGET_ALL, parameters)
        for some in (back & (part.seconds_before < 0), back & (part.seconds_before >= 0)):
            if some.any():
                stage(cursor, part.time[some], part.before[some], _lengths(part.seconds_before[some]))
                cursor.execute(writing_sql.CHANGE_VALUES, parameters)
                cursor.execute(corrections_sql.FORGET_LAST, parameters)
        if compared.changed.any():
            _forget(cursor, chosen(part, compared.changed), since)
    counts = Restored(*(int(np.count_nonzero(mask)) for mask in (gone, back, compared.changed)))
    return counts, part.time[gone | back], bool(back.any())


def _forget(cursor: Any, part: SampleTrace, since: dt.datetime) -> None:
    """Forget what revisions keep of these values, and of changes that are none without them."""
    if len(part):
        stage(cursor, part.time, part.value, None)
        parameters = {**part.series.parameters, **_bounds(part), "since": since}
        cursor.execute(corrections_sql.FORGET_FIRST, parameters)
        cursor.execute(corrections_sql.FORGET_UNCHANGED, parameters)


def _bounds(part: SampleTrace) -> dict[str, dt.datetime]:
    return {"low": instant(part.time[0]), "high": instant(int(part.time[-1]) + 1)}


def _lengths(seconds: Seconds) -> Seconds | None:
    """Lengths as they are staged: of one payload all samples of a series have one, or none has."""
    return None if (seconds < 0).all() else seconds


def _sessions(
    participant: Participant, sessions: Iterable[Session], calendar: LocalCalendar
) -> tuple[Restored, set[dt.date]]:
    """Returns the counts and the local dates concerned; of exercise none, for no day's status depends on it."""
    counts, dates = Restored(), set[dt.date]()
    for session in sessions:
        sleeps = session.kind is Sessions.SLEEP
        model: Any = SleepSession if sleeps else ExerciseSession
        key = {"participant": participant, "source_id": session.source, "external_id": session.external_id}
        row = model.objects.filter(**key).first()
        if row is None:
            continue
        if (writing_sleep.stored_fields(row) if sleeps else exercise.stored_fields(row)) != session.stored:
            counts.left += 1
            continue
        if sleeps:
            dates.add(row.date)
        if session.target is None:
            row.delete()
            counts.removed += 1
        elif session.target != session.stored:
            for name, value in session.target.items():
                setattr(row, name, value)
            row.date = calendar.date(row.ends_at if sleeps else row.starts_at)
            row.save()
            counts.restored += 1
            if sleeps:
                dates.add(row.date)
    if dates:
        writing_sleep.choose_main_sleep(participant.pk, dates)
    return counts, dates


def _offsets(participant: Participant, offsets: Sequence[OffsetTrace], now: dt.datetime) -> Restored:
    counts, moved = Restored(), list[dt.datetime]()
    for offset in offsets:
        row = OffsetPeriod.objects.filter(participant=participant, starts_at=offset.starts_at).first()
        if row is None:
            continue
        if row.utc_offset != offset.utc_offset:
            counts.left += 1
        elif not offset.known:
            row.delete()
            counts.removed += 1
            moved.append(offset.starts_at)
        elif offset.before != offset.utc_offset:
            row.utc_offset = offset.before
            row.save(update_fields=["utc_offset"])
            counts.restored += 1
            moved.append(offset.starts_at)
    if moved:
        later = OffsetPeriod.objects.filter(participant=participant, starts_at__gt=max(moved)).order_by("starts_at")
        recompute(participant, min(moved), getattr(later.first(), "starts_at", now), now=now)
    return counts
