"""Counting a participant's days anew by the plausible ranges in force: after the ranges changed, never by itself.

What was counted before a version of the ranges stays as it is until a trial is counted anew: its results would change
otherwise without anybody's decision. Only local days with values that do not count, or did not, are touched, from their
samples: days of which the trial has deleted the samples stay as they are.

Days become otherwise with the ranges' version as the reason in their history. That adherence is lower now is no news of
the participant: a summary so marked (`recounted`) raises no alert until adherence falls further.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from metrics.batch import EARLIEST, instant
from metrics.local_time import EPOCH, LocalCalendar
from metrics.models import DayRollup, ImplausibleCount, ParticipantStatusSummary
from metrics.monitoring import evaluation
from metrics.monitoring import sql as monitoring_sql
from metrics.monitoring.day_store import Change
from metrics.participant_calendars import calendar_of
from metrics.registry import BY_ID, METRICS, RANGES_VERSION
from metrics.selection.plausible_range import per_minute
from metrics.writing import rollups, rollups_sql
from metrics.writing.retention_filter import takes_from
from metrics.writing.rollups import HOUR, SeriesKey
from participants.models import Participant

# As it stands in the history of days.
REASON = f"ranges v{RANGES_VERSION}"
Series = tuple[int, int]  # metric, source


@dataclass(slots=True)
class Reevaluated:
    """Result of counting a participant's days anew.

    `dates`: local dates whose values change, ascending; `changes`: those of them whose status does. `kept`: how many
    dates would change of which the samples are deleted.
    """

    participant: Participant
    dates: list[dt.date]
    changes: list[Change]
    adherence_before: float | None
    adherence_after: float | None
    kept: int = 0

    @property
    def any(self) -> bool:
        return bool(self.dates or self.changes)


def preview(participant: Participant, *, now: dt.datetime | None = None) -> Reevaluated:
    """Preview of counting anew: it is done, looked at and rolled back. The participant is locked meanwhile."""
    with transaction.atomic():
        (reevaluated,) = reevaluate([participant], now=now or timezone.now())
        transaction.set_rollback(True)
    return reevaluated


@transaction.atomic
def reevaluate(people: Sequence[Participant], *, now: dt.datetime) -> list[Reevaluated]:
    """Count these participants' days anew, evaluate them, and write their history. Doing it twice changes nothing."""
    ids = sorted(person.pk for person in people)
    with connection.cursor() as cursor:
        cursor.execute(monitoring_sql.LOCK_ALL, {"people": ids})
    # What the clock has changed in the meantime is not the ranges' doing.
    evaluation.refresh_many(people, now=now, dates=dict.fromkeys(ids, ()))
    before = _shares(ids)
    dates = {person.pk: _recount(person) for person in people}
    changes: dict[int, list[Change]] = defaultdict(list)
    for change in evaluation.refresh_many(people, now=now, dates=dates, why=REASON):
        if change.before and change.before != change.after:
            changes[change.participant_id].append(change)
    after = _shares(ids)
    lowered = [pk for pk in ids if _lower(after.get(pk, NONE), before.get(pk, NONE))]
    ParticipantStatusSummary.objects.filter(participant__in=lowered).update(recounted=True)
    return [
        Reevaluated(
            participant=person,
            dates=sorted(dates[person.pk]),
            changes=sorted(changes[person.pk], key=lambda change: change.date),
            adherence_before=before.get(person.pk, NONE)[0],
            adherence_after=after.get(person.pk, NONE)[0],
            kept=_kept(person),
        )
        for person in people
    ]


Shares = tuple[float | None, float | None]
NONE: Shares = (None, None)


def _shares(ids: Sequence[int]) -> dict[int, Shares]:
    """Adherence as it is and at its best, by participant id."""
    rows = ParticipantStatusSummary.objects.filter(participant__in=ids).values_list(
        "participant", "adherence", "best_adherence"
    )
    return {pk: (adherence, best) for pk, adherence, best in rows}


def _lower(after: Shares, before: Shares) -> bool:
    pairs = zip(after, before, strict=True)
    return any(new is not None and old is not None and new < old for new, old in pairs)


def _recount(person: Participant) -> set[dt.date]:
    """Recompute minutes, hours and days that hold or held values that do not count; returns the dates that changed."""
    calendar, cutoff = calendar_of(person), _cutoff(person)
    changed: set[dt.date] = set()
    for (metric, source), dates in _candidates(person, calendar, cutoff).items():
        series = SeriesKey(person.pk, BY_ID[metric], source)
        before = _values(series, dates)
        rollups.recount(series, dates, calendar)
        after = _values(series, dates)
        changed |= {date for date in before.keys() | after.keys() if before.get(date) != after.get(date)}
    return changed


def _cutoff(person: Participant) -> dt.datetime | None:
    """Instant from which all samples are there, as it stands under the participant's lock."""
    removed = Participant.objects.values_list("trial__raw_removed_before", flat=True).get(pk=person.pk)
    return takes_from(removed)


def _candidates(person: Participant, calendar: LocalCalendar, cutoff: dt.datetime | None) -> dict[Series, set[dt.date]]:
    """Local dates by series, of which the samples are there and hold values that do not count, or did so before."""
    candidates: dict[Series, set[dt.date]] = defaultdict(set)
    low = cutoff or instant(EARLIEST)
    with connection.cursor() as cursor:
        cursor.execute(rollups_sql.IMPLAUSIBLE_HOURS, {"participant": person.pk, "low": low})
        for metric, source, hours in cursor.fetchall():
            first = np.array(hours, dtype=np.int64)
            days = np.unique(calendar.dates(np.concatenate([first, first + HOUR - 1])))
            candidates[metric, source] |= {EPOCH + dt.timedelta(days=day) for day in days.tolist()}
    marked = ImplausibleCount.objects.filter(participant=person)
    for metric, source, date in marked.values_list("metric_id", "source_id", "date"):
        candidates[metric, source].add(date)
    whole = None if cutoff is None else cutoff.date()
    kept = {key: {date for date in dates if whole is None or date >= whole} for key, dates in candidates.items()}
    return {key: dates for key, dates in sorted(kept.items()) if dates}


def _values(series: SeriesKey, dates: Iterable[dt.date]) -> dict[dt.date, tuple[Any, ...]]:
    """Daily values by date. Sums are left out: they change with these alone, and their last digits by themselves."""
    participant, metric, source = series.ids
    rows = DayRollup.objects.filter(
        participant_id=participant, metric_id=metric, source_id=source, date__in=list(dates)
    )
    return {date: tuple(rest) for date, *rest in rows.values_list("date", "n", "minutes", "low", "high")}


def _kept(person: Participant) -> int:
    """Dates whose daily values hold some that do not count, and of which the samples are deleted."""
    cutoff = _cutoff(person)
    if cutoff is None:
        return 0
    outside = Q(pk__in=[])
    for metric in METRICS:
        low, high = metric.plausible
        beyond = Q(low__lt=low) if per_minute(metric) else Q(low__lt=low) | Q(high__gt=high)
        outside |= Q(metric_id=metric.id) & beyond
    rows = DayRollup.objects.filter(outside, participant=person, date__lt=cutoff.date())
    return rows.values("date").distinct().count()
