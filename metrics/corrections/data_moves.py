"""Moving what was measured from one participant to another of the same trial: two records of one person, or a mix-up.

Week by week, each in a transaction that stores at the one by the writer and deletes at the other, so that a killed
worker's successor goes on and nothing is there twice or nowhere. Where both have a value of one source at one instant,
that of the participant who receives stays. The writer's rules hold: what lies outside the receiver's collection
interval cannot be receiver_series and stays where it is.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.utils import timezone

from metrics.batch import Payload, SampleBatch, Sessions, instant, microseconds
from metrics.models import (
    DataMove,
    DayRollup,
    ExerciseSession,
    HourRollup,
    ImplausibleCount,
    Measurement,
    MinuteRollup,
    OffsetPeriod,
    Revision,
    SleepSession,
    Source,
)
from metrics.monitoring import evaluation
from metrics.participant_calendars import calendar_of
from metrics.reading.raw import Key, ReadInterval, pieces
from metrics.registry import BY_ID
from metrics.selection.collection_window import collected_of
from metrics.storage.stored_days import kept_days
from metrics.time_buckets import Span
from metrics.writing import rollups, writer
from metrics.writing.rollups import SeriesKey
from metrics.writing.row_followers import followers
from participants.after_commit import after_commit
from participants.audit import record
from participants.locks import lock_participant
from participants.models import Participant, User
from participants.task_queue import enqueue

WEEK = dt.timedelta(days=7)
LEFT = (Participant.Status.WITHDRAWN, Participant.Status.ERASED)


class MoveRefused(ValueError):
    """The data cannot be moved; the message says why and is fit to show."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Preview of a move: samples by metric, nights, exercise, from when to when.

    `shared`: how many dates both have data of. `outside`: how many stay, outside the receiver's collection interval.
    """

    samples: dict[str, int]
    nights: int
    exercise: int
    first: dt.date | None
    last: dt.date | None
    shared: int
    outside: int


def preview(giver: Participant, receiver: Participant) -> Preview:
    """Preview of `move_start`."""
    within = collected_of(receiver)
    dates = kept_days("date", participant_id=giver.pk)
    samples: Counter[str] = Counter()
    for model in (DayRollup, ImplausibleCount):
        rows = model._default_manager.filter(participant=giver)
        for metric, date, n in rows.values_list("metric_id", "date", "n"):
            samples[BY_ID[metric].name] += n if date in within else 0
    return Preview(
        samples=dict(+samples),
        nights=SleepSession.objects.filter(participant=giver).count(),
        exercise=ExerciseSession.objects.filter(participant=giver).count(),
        first=min(dates, default=None),
        last=max(dates, default=None),
        shared=len(dates & kept_days("date", participant_id=receiver.pk)),
        outside=sum(date not in within for date in dates),
    )


@transaction.atomic
def move_start(giver: Participant, receiver: Participant, *, by: User, reason: str) -> DataMove:
    """Have all measured data of one participant become another's. Begins once this transaction is over.

    Raises MoveRefused.
    """
    for participant in sorted((giver, receiver), key=lambda record: record.pk):
        lock_participant(participant)
    check(giver, receiver)
    if DataMove.objects.filter(giver=giver, finished_at=None).exists():
        raise MoveRefused("Their data are being moved already.")
    row = DataMove.objects.create(giver=giver, receiver=receiver, by=by, reason=reason, asked_at=timezone.now())
    new = {"from": giver.study_id, "to": receiver.study_id}
    for participant in (giver, receiver):
        record("data.move", participant=participant, thing=f"move:{row.pk}", new=new, reason=reason)
    after_commit(enqueue, "metrics.move_data", row.pk)
    return row


def check(giver: Participant, receiver: Participant) -> None:
    if giver.pk == receiver.pk:
        raise MoveRefused("Name another participant.")
    if giver.trial_id != receiver.trial_id:
        raise MoveRefused("They are in different trials.")
    for participant in (giver, receiver):
        if participant.status in LEFT:
            raise MoveRefused(
                f"{participant.study_id} is {participant.get_status_display()}: their record does not change."
            )
    if giver.trial.raw_removed_before and kept_days("date", participant_id=giver.pk):
        raise MoveRefused("Samples of this trial were deleted: days that were made of them cannot be moved.")


def move_run(pk: int) -> None:
    """Go on with a move where it stands, to its end. Safe to be called again at any point, and by two at once."""
    while move_step(pk):
        pass


@transaction.atomic
def move_step(pk: int) -> bool:
    """The next week. False where it is finished, or another worker is at it."""
    row = (
        DataMove.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("giver__trial", "receiver__trial")
        .filter(pk=pk, finished_at=None)
        .first()
    )
    if row is None:
        return False
    for participant in sorted((row.giver, row.receiver), key=lambda record: record.pk):
        lock_participant(participant)
    if row.giver.status in LEFT or row.receiver.status in LEFT:
        row.finished_at, row.error = timezone.now(), "One of them left the trial meanwhile: what had not moved stayed."
        row.save(update_fields=["finished_at", "error"])
        return False
    if row.moved_before is None:
        _clock(row)
    start = _next_week(row)
    if start is None:
        _sessions(row)
        row.finished_at = timezone.now()
        row.save()
        return False
    _week(row, start)
    row.moved_before = start + WEEK
    row.save()
    return True


def _next_week(row: DataMove) -> dt.datetime | None:
    """The first instant of the next week with something of the giver's, on whole hours of UTC."""
    rows = Measurement.objects.filter(participant=row.giver)
    if row.moved_before:
        rows = rows.filter(time__gte=row.moved_before)
    first = rows.order_by("time").values_list("time", flat=True).first()
    return first.replace(minute=0, second=0, microsecond=0) if first else None


def _week(row: DataMove, start: dt.datetime) -> None:
    span = Span(microseconds(start), microseconds(start + WEEK))
    within = collected_of(row.receiver)
    calendar = calendar_of(row.giver)
    series = sorted(kept_days("metric_id", "source_id", participant_id=row.giver_id))
    sources = Source.objects.in_bulk({source for _, source in series})
    dates = set[dt.date]()
    for metric, source in series:
        key = Key(row.giver_id, metric, source)
        for piece in pieces([ReadInterval(key, span.start, span.end)]):
            held = within.holds(piece.time)
            time, value, seconds = piece.time[held], piece.value[held], piece.seconds[held]
            new = ~np.isin(time, _times(row.receiver, metric, source, span))
            lengths = None if (seconds < 0).all() else seconds[new]
            if new.any():
                batch = SampleBatch(BY_ID[metric].code, sources[source].key, time[new], value[new], lengths)
                writer.store(row.receiver, Payload(samples=[batch]))
            giver_series, receiver_series = (
                SeriesKey(participant, BY_ID[metric], source) for participant in (row.giver_id, row.receiver_id)
            )
            for follower in followers:
                follower.moved(giver_series, time[new], receiver_series, time[new])
                follower.gone(giver_series, time[~new], may_come_again=False)
            row.samples += len(time)
            dates |= {calendar.date(instant(at)) for at in time.tolist()[:1] + time.tolist()[-1:]}
    for model, column in ((Measurement, "time"), (MinuteRollup, "bucket"), (HourRollup, "bucket"), (Revision, "time")):
        rows = model._default_manager.filter(participant=row.giver)
        for part in within.within(span):
            rows.filter(**{f"{column}__gte": instant(part.start), f"{column}__lt": instant(part.end)}).delete()
    first, last = calendar.date(start), calendar.date(start + WEEK)
    touched = rollups.rebuild_days(row.giver_id, first, last, calendar)
    evaluation.refresh(row.giver, touched | dates, now=timezone.now())


def _clock(row: DataMove) -> None:
    """Copy what the giver's device said of its clock, where the receiver's has not said anything of that instant."""
    known = set(OffsetPeriod.objects.filter(participant=row.receiver).values_list("starts_at", flat=True))
    stated = OffsetPeriod.objects.filter(participant=row.giver).exclude(starts_at__in=known)
    OffsetPeriod.objects.bulk_create(
        OffsetPeriod(participant=row.receiver, starts_at=period.starts_at, utc_offset=period.utc_offset)
        for period in stated
    )


def _times(participant: Participant, metric: int, source: int, span: Span) -> np.ndarray:
    rows = Measurement.objects.filter(
        participant=participant, metric=metric, source=source, time__gte=instant(span.start), time__lt=instant(span.end)
    )
    return np.array([microseconds(at) for at in rows.values_list("time", flat=True)], dtype=np.int64)


def _sessions(row: DataMove) -> None:
    """Nights and exercise, which are few: those that the receiver has not, inside their collection interval."""
    within = collected_of(row.receiver)
    for kind, model, count in (
        (Sessions.SLEEP, SleepSession, "nights"),
        (Sessions.EXERCISE, ExerciseSession, "exercise"),
    ):
        known = set(model._default_manager.filter(participant=row.receiver).values_list("source_id", "external_id"))
        for session in model._default_manager.filter(participant=row.giver):
            if session.date not in within:
                continue
            if (session.source_id, session.external_id) in known:
                session.delete()
                for follower in followers:
                    follower.sessions_gone(
                        kind, row.giver_id, session.source_id, {session.external_id}, may_come_again=False
                    )
                continue
            for follower in followers:
                follower.sessions_moved(kind, row.giver_id, session.source_id, {session.external_id}, row.receiver_id)
            session.participant = row.receiver
            session.save(update_fields=["participant"])
            setattr(row, count, getattr(row, count) + 1)
    span = _whole(row.receiver)
    if span:
        writer.recompute(row.receiver, *span)
    dates = set(row.giver.days.values_list("date", flat=True))
    evaluation.refresh(row.giver, dates, now=timezone.now())


def _whole(participant: Participant) -> tuple[dt.datetime, dt.datetime] | None:
    dates = kept_days("date", participant_id=participant.pk)
    dates |= set(SleepSession.objects.filter(participant=participant).values_list("date", flat=True))
    if not dates:
        return None
    calendar = calendar_of(participant)
    return calendar.midnight(min(dates)), calendar.midnight(max(dates) + dt.timedelta(days=1))
