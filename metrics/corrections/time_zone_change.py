"""Correction of a participant's time zone: their local days are cut anew, and daily values stay on their dates."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from zoneinfo import ZoneInfo

import numpy as np
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from metrics.batch import microseconds
from metrics.local_time import LocalCalendar
from metrics.models import ExerciseSession, Measurement, SleepSession
from metrics.participant_calendars import calendar_of
from metrics.registry import BY_ID, METRICS, Kind
from metrics.storage.stored_days import kept_days
from metrics.writing import rollups, writer
from metrics.writing.rollups import SeriesKey
from metrics.writing.row_followers import followers
from participants import audit
from participants.locks import lock_participant
from participants.models import Participant

DAILY = [metric.id for metric in METRICS if metric.kind is Kind.DAILY]
ONE_DAY = dt.timedelta(days=1)


@transaction.atomic
def time_zone_correct(participant: Participant, zone: str, *, reason: str, now: dt.datetime | None = None) -> None:
    """Give a participant the zone that they have lived in, and cut all of their days anew by it.

    Samples keep their instants. Daily values belong to a date and are stored at its first instant: they move with it.
    Raises django's ValidationError for a bad zone, ValueError for somebody whose record does not change any more, and
    where samples were deleted (their days cannot be made anew).
    """
    now = now or timezone.now()
    lock_participant(participant)
    if participant.status in (Participant.Status.WITHDRAWN, Participant.Status.ERASED):
        raise ValueError(f"{participant.study_id} is {participant.get_status_display()}: nothing changes any more.")
    if participant.trial.raw_removed_before and kept_days("date", participant_id=participant.pk):
        raise ValueError("Samples of this trial were deleted: their days cannot be divided again.")
    before, old = calendar_of(participant), participant.time_zone
    if zone == old:
        raise ValidationError({"time_zone": "This is their zone already."})
    participant.time_zone = zone
    participant.full_clean()
    participant.save(update_fields=["time_zone"])
    after = calendar_of(participant)
    _move_daily_values(participant, before, after)
    audit.record(
        "participant.time_zone", participant=participant, old={"time_zone": old}, new={"time_zone": zone}, reason=reason
    )
    if span := _span(participant, after, ZoneInfo(old)):
        writer.recompute(participant, *span, now=now)


def _span(participant: Participant, calendar: LocalCalendar, old: ZoneInfo) -> tuple[dt.datetime, dt.datetime] | None:
    """From the first to the last day with data, some days more at both ends: dates were others before."""
    dates = kept_days("date", participant_id=participant.pk)
    for model in (SleepSession, ExerciseSession):
        dates |= set(model._default_manager.filter(participant=participant).values_list("date", flat=True))
    if not dates:
        return None
    return calendar.midnight(min(dates) - 2 * ONE_DAY), calendar.midnight(max(dates) + 2 * ONE_DAY)


def _move_daily_values(participant: Participant, before: LocalCalendar, after: LocalCalendar) -> None:
    """Each stays on its date, at the first instant that this has now. A chunk's rows cannot move by an update."""
    moved: dict[tuple[int, int], list[int]] = defaultdict(list)
    rows = []
    for row in Measurement.objects.filter(participant=participant, metric__in=DAILY):
        date = before.date(row.time)
        starts, ends = after.midnight(date), after.midnight(date + ONE_DAY)
        if starts == row.time:
            continue
        seconds = None if row.seconds is None else int((ends - starts).total_seconds())
        moved[row.metric_id, row.source_id] += [
            microseconds(row.time),
            microseconds(starts),
            -1 if seconds is None else seconds,
        ]
        rows.append((row.pk, Measurement(participant=participant, metric_id=row.metric_id, source_id=row.source_id,
                                         time=starts, value=row.value, seconds=seconds)))  # fmt: skip
    if not rows:
        return
    first, last = min(key[3] for key, _ in rows), max(key[3] for key, _ in rows)
    touched = Measurement.objects.filter(participant=participant, metric__in=DAILY, time__range=(first, last))
    touched.filter(time__in=[key[3] for key, _ in rows]).delete()
    Measurement.objects.bulk_create([row for _, row in rows], batch_size=1000)
    for (metric, source), changes in moved.items():
        series = SeriesKey(participant.pk, BY_ID[metric], source)
        old, new, lengths = np.array(changes, dtype=np.int64).reshape(-1, 3).T
        rollups.refresh(series, np.unique(np.concatenate([old, new])), after, minutes_done=False)
        for follower in followers:
            follower.moved(series, old, series, new, seconds=lengths.astype(np.int32))
