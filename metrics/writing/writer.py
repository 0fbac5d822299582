"""The only writer of measurements, nights, exercise and what is derived from them.

One transaction a payload, under one advisory lock a participant. What is stored of its series around a payload is read
back and compared in memory, so that only rows that are new or differ are touched, and the old value of each that
differs is kept as a Revision. Then the touched minutes, hours and local days are made anew, and the days are marked
to be evaluated: `store` does so at once, who stores many payloads calls `write` and has many evaluated together.
Storing the same thing twice therefore changes nothing, and two writers on one participant take turns.

Its parts: participant_state.py says what is taken; samples.py, sleep.py and exercise.py write; stored_rows.py reads
back and compares; binary_copy.py speaks COPY; fresh_rollups.py and rollups.py make the buckets.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from django.db import connection, transaction
from django.utils import timezone

from metrics import prometheus
from metrics.batch import Counts, OffsetChange, Payload, Sessions, SourceKey
from metrics.local_time import LocalCalendar
from metrics.models import OffsetPeriod, SleepSession
from metrics.monitoring import evaluation, pending
from metrics.participant_calendars import calendar_of
from metrics.registry import BY_CODE, HEART_RATE
from metrics.writing import collection_filter, participant_state, retention_filter, rollups, sql
from metrics.writing.absent_samples import remove_absent_samples
from metrics.writing.exercise import date_exercise, remove_absent_exercise, store_exercise
from metrics.writing.participant_state import ParticipantState, source_for
from metrics.writing.rollups import SeriesKey
from metrics.writing.row_changes import OffsetTrace, Trace
from metrics.writing.samples import store_samples
from metrics.writing.sleep import choose_main_sleep, remove_absent_sleep, store_sleep
from participants.models import Participant, Trial

__all__ = ["Counts", "Frozen", "SyntheticRefused", "recompute", "source_for", "store", "write"]


class Frozen(Exception):
    """The participant has withdrawn or was erased, or the trial is closed: the record does not change any more."""


class SyntheticRefused(Exception):
    """Synthetic data was offered to a trial that is not a demo."""


def store(
    participant: Participant, payload: Payload, *, now: dt.datetime | None = None, trace: Trace | None = None
) -> Counts:
    """Store a payload as `write` does, and evaluate the participant's days right after."""
    counts = write(participant, payload, now=now, trace=trace)
    pending.settle([participant.pk], now=now)
    return counts


def write(
    participant: Participant, payload: Payload, *, now: dt.datetime | None = None, trace: Trace | None = None
) -> Counts:
    """Store all that came for one participant, or nothing, and mark their days: the caller has them evaluated
    (metrics.monitoring.pending). `trace` is filled with what is stored and what was before.

    What lies outside the collection interval is rejected (metrics.writing.collection_filter), as it stands under the
    locks that are held here: nobody withdraws, and no trial is closed, while their data are stored.

    Raises Frozen where nothing of them is taken any more, SyntheticRefused where a source is synthetic and the trial is
    no demo, and database errors as they are.
    """
    now = now or timezone.now()
    keys = {part.source for parts in (payload.samples, payload.sleep, payload.exercise) for part in parts}
    if any(key.synthetic for key in keys) and not participant.trial.is_demo:
        raise SyntheticRefused(f"{participant.trial.code} is not a demo trial: synthetic data is refused.")
    with transaction.atomic():
        participant_state.hold(participant)
        state = participant_state.read(participant, keys)
        if not state.interval.days.open:
            raise Frozen(_why_frozen(participant, state))
        if changes := [change for change in payload.offsets if state.interval.covers(change.starts_at)]:
            _store_offsets(participant, changes, now, trace)
            state = participant_state.read(participant, keys)
        payload, counts = collection_filter.inside(payload, state.interval)
        payload, not_kept = retention_filter.taken(payload, state.raw_removed_before)
        counts += not_kept
        counts.skipped = dict(payload.skipped)
        sources, calendar = state.sources, state.calendar
        batches = [
            (SeriesKey(participant.pk, BY_CODE[batch.metric], sources[batch.source]), batch)
            for batch in payload.samples
        ]
        written = store_samples(batches, calendar, now, trace)
        for batch, stored in zip(payload.samples, written.counts, strict=True):
            counts += stored
            prometheus.count(batch.source.provider, stored)
        nights, stored = store_sleep(participant, payload.sleep, sources, calendar, now, trace)
        counts += stored
        counts += store_exercise(participant, payload.exercise, sources, calendar, now, trace)
        gone, removed = _remove_absent(participant, payload, sources, calendar)
        counts += removed
        read_dates = _fully_read_dates(payload, calendar, now)
        pending.mark(participant, written.dates | nights | gone, evidence_dates=read_dates, now=now)
    return counts


def _why_frozen(participant: Participant, state: ParticipantState) -> str:
    if state.trial_status == Trial.Status.CLOSED:
        return f"Trial {state.trial_code} {collection_filter.CLOSED}."
    return f"{participant.study_id} has withdrawn: their record does not change any more."


def _fully_read_dates(payload: Payload, calendar: LocalCalendar, now: dt.datetime) -> set[dt.date]:
    """The local dates of which the payload says that these are all heart rates there are: also none is an answer."""
    dates: set[dt.date] = set()
    for replaced in payload.replaces:
        if replaced.what == HEART_RATE.code and replaced.starts_at < min(replaced.ends_at, now):
            last = min(replaced.ends_at, now) - dt.timedelta(microseconds=1)
            first = calendar.date(replaced.starts_at)
            dates |= {first + dt.timedelta(days=n) for n in range((calendar.date(last) - first).days + 1)}
    return dates


def _remove_absent(
    participant: Participant, payload: Payload, sources: Mapping[SourceKey, int], calendar: LocalCalendar
) -> tuple[set[dt.date], Counts]:
    """Remove what the payload replaces and no longer holds; returns the local dates concerned and the counts."""
    counts, dates = Counts(), set[dt.date]()
    for replaced in payload.replaces:
        if replaced.what is Sessions.EXERCISE:
            names = {record.external_id for record in payload.exercise if record.source.provider == replaced.provider}
            counts.exercise_removed += remove_absent_exercise(
                participant, replaced.provider, names, replaced.starts_at, replaced.ends_at
            )
        if replaced.what is Sessions.SLEEP:
            kept = {record.external_id for record in payload.sleep if record.source.provider == replaced.provider}
            gone = remove_absent_sleep(participant, replaced.provider, kept, replaced.starts_at, replaced.ends_at)
            counts.sleep_removed += len(gone)
            dates |= gone
    removed_dates, counts.removed = remove_absent_samples(participant.pk, payload, sources, calendar)
    return dates | removed_dates, counts


def _store_offsets(
    participant: Participant, changes: Sequence[OffsetChange], now: dt.datetime, trace: Trace | None
) -> None:
    """Keep what the device said of its clock; where that moves day borders, the days are recomputed."""
    known = dict(OffsetPeriod.objects.filter(participant=participant).values_list("starts_at", "utc_offset"))
    if trace is not None:
        offsets = {change.starts_at: change.utc_offset for change in changes}
        trace.offsets += [OffsetTrace(at, offset, at in known, known.get(at)) for at, offset in offsets.items()]
    news = {
        c.starts_at: c.utc_offset for c in changes if c.starts_at not in known or known[c.starts_at] != c.utc_offset
    }
    if not news:
        return
    OffsetPeriod.objects.bulk_create(
        [OffsetPeriod(participant=participant, starts_at=at, utc_offset=offset) for at, offset in news.items()],
        update_conflicts=True,
        unique_fields=["participant", "starts_at"],
        update_fields=["utc_offset"],
    )
    later = [at for at in {**known, **news} if at > max(news)]
    recompute(participant, min(news), min(later, default=now), now=now)


def recompute(
    participant: Participant, start: dt.datetime, end: dt.datetime, *, now: dt.datetime | None = None
) -> None:
    """Rebuild the local days between two instants, after the participant's zone or clock was corrected.

    Minutes and hours are UTC and stay. Nights move to the local date on which they now end, exercise to that of its
    start. Days of which the trial has deleted the samples stay as they are, where they are not made of minutes.
    """
    now = now or timezone.now()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql.LOCK, [participant.pk])
        calendar = calendar_of(participant)
        # A day more at both ends: an instant may have belonged to a neighbouring date before.
        first, last = calendar.date(start) - dt.timedelta(days=1), calendar.date(end) + dt.timedelta(days=1)
        sessions = list(
            SleepSession.objects.filter(
                participant=participant,
                ends_at__gte=start - dt.timedelta(days=1),
                ends_at__lte=end + dt.timedelta(days=1),
            )
        )
        moved = {session.date for session in sessions}
        for session in sessions:
            session.date = calendar.date(session.ends_at)
        SleepSession.objects.bulk_update(sessions, ["date"], batch_size=500)
        choose_main_sleep(participant.pk, moved | {session.date for session in sessions})
        date_exercise(participant, start, end, calendar)
        cutoff = retention_filter.takes_from(Trial.objects.get(pk=participant.trial_id).raw_removed_before)
        dates = rollups.rebuild_days(participant.pk, first, last, calendar, samples_from=cutoff and cutoff.date())
        evaluation.refresh(participant, dates, now=now)
