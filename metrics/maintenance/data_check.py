"""Check of the stored data: what must hold of every participant-day, whatever wrote it. Finds; mends nothing.

Three invariants: nothing lies outside the collection interval; a day's value is what the samples beneath it say, so
that it is the same from whichever table and over whatever span it is read; and status, adherence, history and summary
say the same of a day. The last two are recomputed by the code that keeps them, in a transaction that is rolled back:
whatever that would change is a violation. The participant is locked meanwhile, as by a writer.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from metrics.local_time import LocalCalendar
from metrics.models import (
    DataCheck,
    DayRollup,
    DayStatusHistory,
    ExerciseSession,
    ImplausibleCount,
    Measurement,
    ParticipantDay,
    ParticipantStatusSummary,
    PendingEvaluation,
    SleepSession,
)
from metrics.monitoring import evaluation, pending
from metrics.participant_calendars import calendar_of
from metrics.selection.collection_window import Collected, collected_of
from metrics.storage.stored_days import kept_days
from metrics.writing import rollups
from metrics.writing import sql as writing_sql
from metrics.writing.retention_filter import takes_from
from participants.models import Participant

log = logging.getLogger(__name__)

Invariant = DataCheck.Invariant
# A night's check looks so far back: days older than this are settled, and changed only by what is written to them.
RECENT = dt.timedelta(days=10)
# Sums of the same values in another order differ in their last digits.
TOLERANCE = 1e-9
OTHER_VALUES = "a daily value is not what its samples say"
# After an upgrade, of days from before: nothing changes them unless it is asked for.
OTHER_RANGES = "values are counted that do not count, or the reverse: other plausible ranges? See reevaluate_ranges"
SUMMARY = (
    "day_codes_from",
    "day_codes_until",
    "day_codes",
    "valid_days",
    "counted_days",
    "pending_days",
    "lost_days",
    "excluded_days",
    "adherence",
    "best_adherence",
    "worn_share",
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that does not hold. `date`: the participant's local date, None where it is about all of them."""

    invariant: DataCheck.Invariant
    participant_id: int
    study_id: str
    date: dt.date | None
    what: str


def check(people: Iterable[Participant], *, since: dt.date | None = None) -> Iterator[Violation]:
    """Violations of these participants, one after the other. `since`: only days from this local date on.

    Collection is checked over the whole time in any case. Nothing of somebody erased is looked at: there is nothing.
    """
    for person in people:
        if person.status != Participant.Status.ERASED:
            pending.settle([person.pk])
            yield from _collection(person)
            yield from _recomputed(person, since)


def run(*, since: dt.date | None, people: Iterable[Participant] | None = None) -> DataCheck:
    """Check and keep the result, which /metrics/state tells; each violation is logged by number and date."""
    began, counts, checked = timezone.now(), dict.fromkeys(Invariant.values, 0), 0
    examples: list[list[Any]] = []
    rows = Participant.objects.exclude(status=Participant.Status.ERASED).order_by("pk") if people is None else people
    for person in rows:
        checked += 1
        for violation in check([person], since=since):
            counts[violation.invariant] += 1
            log.error("data check: %s of participant %s on %s", violation.invariant, person.pk, violation.date)
            if len(examples) < DataCheck.EXAMPLES:
                on = violation.date.isoformat() if violation.date else None
                examples.append([violation.invariant, person.pk, on, violation.what])
    return DataCheck.objects.create(
        started_at=began, finished_at=timezone.now(), participants=checked, since=since, found=counts, examples=examples
    )


# --- what is outside the collection interval ------------------------------------------------------------------------


def _collection(person: Participant) -> Iterator[Violation]:
    within = collected_of(person)
    dates = {
        "measurements": kept_days("date", participant_id=person.pk),
        "nights": set(SleepSession.objects.filter(participant=person).values_list("date", flat=True)),
        "exercise": set(ExerciseSession.objects.filter(participant=person).values_list("date", flat=True)),
    }
    for kind, stored in dates.items():
        for date in sorted(date for date in stored if date not in within):
            yield _violation(person, Invariant.COLLECTION, date, f"{kind} outside the collection interval")
    for date in _after_the_end(person, within):
        yield _violation(person, Invariant.COLLECTION, date, "measurements after collection ended")


def _after_the_end(person: Participant, within: Collected) -> Iterator[dt.date]:
    """The date on which collection ended in the middle, where samples from later on that date are stored."""
    ended = within.ends_at
    day = within.days.last
    if within.days.until is None or ended is None or day is None:
        return
    for metric, source in DayRollup.objects.filter(participant=person, date=day).values_list("metric", "source"):
        late = Measurement.objects.filter(participant=person, metric=metric, source=source, time__gte=ended)
        if late.filter(time__lt=ended + dt.timedelta(days=1)).exists():
            yield day
            return


# --- what recomputing would change ----------------------------------------------------------------------------------


def _recomputed(person: Participant, since: dt.date | None) -> Iterator[Violation]:
    violations: list[Violation] = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(writing_sql.LOCK, [person.pk])
        calendar = calendar_of(person)
        violations += _values(person, calendar, since)
        violations += _history(person, since)
        violations += _statuses(person, since)
        transaction.set_rollback(True)
    yield from violations


def _values(person: Participant, calendar: LocalCalendar, since: dt.date | None) -> list[Violation]:
    """Days whose rollups are not what the rows beneath them say.

    The rows beneath are minutes where there are any; in a check of all days it is the samples, too.
    """
    rows, marks = (_since(model, person, since) for model in (DayRollup, ImplausibleCount))
    before, marked = _by_key(rows), _marked(marks)
    if not before and not marked:
        return []
    dates = sorted({date for _, _, date in before.keys() | marked.keys()})
    removed = takes_from(person.trial.raw_removed_before)
    rollups.rebuild_days(person.pk, dates[0], dates[-1], calendar, samples_from=removed and removed.date())
    after, remarked = _by_key(rows), _marked(marks)
    wrong = {key for key in before.keys() | after.keys() if not _same(before.get(key), after.get(key))}
    if since is None and removed is None:
        rollups.rebuild_from_samples(person.pk, set(dates), calendar)
        after = _by_key(rows)
        wrong |= {key for key in before.keys() | after.keys() if not _same(before.get(key), after.get(key))}
    otherwise = {key for key in marked.keys() | remarked.keys() if marked.get(key) != remarked.get(key)}
    ranges = {date for _, _, date in otherwise}
    return [
        _violation(person, Invariant.VALUES, date, OTHER_RANGES if date in ranges else OTHER_VALUES)
        for date in sorted({date for _, _, date in wrong | otherwise})
    ]


def _since(model: type[DayRollup | ImplausibleCount], person: Participant, since: dt.date | None) -> QuerySet[Any]:
    rows = model._default_manager.filter(participant=person)
    return rows.filter(date__gte=since) if since else rows


def _marked(rows: QuerySet[Any]) -> dict[tuple[int, int, dt.date], int]:
    """Numbers of samples that do not count, by metric, source and date."""
    counts = rows.values_list("metric", "source", "date", "n")
    return {(metric, source, date): n for metric, source, date, n in counts}


def _by_key(rows: Any) -> dict[tuple[int, int, dt.date], tuple[float, ...]]:
    columns = ("metric", "source", "date", "n", "minutes", "total", "low", "high")
    return {(metric, source, date): tuple(rest) for metric, source, date, *rest in rows.values_list(*columns)}


def _same(value: Sequence[float] | None, other: Sequence[float] | None) -> bool:
    if value is None or other is None:
        return value is other
    return all(math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) for a, b in zip(value, other, strict=True))


def _history(person: Participant, since: dt.date | None) -> list[Violation]:
    """Days whose status is not the last one of their history."""
    last = DayStatusHistory.objects.filter(participant=person).values("date").annotate(at=Max("known_at"))
    newest = {row["date"]: row["at"] for row in last}
    statuses = {
        row.date: (row.status, row.reason)
        for row in DayStatusHistory.objects.filter(participant=person)
        if newest[row.date] == row.known_at
    }
    days = ParticipantDay.objects.filter(participant=person)
    if since:
        days = days.filter(date__gte=since)
    return [
        _violation(person, Invariant.STATUS, date, "the day's history ends with another status")
        for date, status, reason in days.values_list("date", "status", "reason").order_by("date")
        if statuses.get(date, (status, reason)) != (status, reason)
    ]


def _statuses(person: Participant, since: dt.date | None) -> list[Violation]:
    """Days and the summary as they would be evaluated at the instant at which they were."""
    summary = ParticipantStatusSummary.objects.filter(participant=person).values(*SUMMARY, "updated_at").first()
    if summary is None or PendingEvaluation.objects.filter(participant=person).exists():
        return []  # new data are about to be evaluated
    at = summary.pop("updated_at")
    dates = ParticipantDay.objects.filter(participant=person).order_by("date").values_list("date", flat=True)
    first = since or dates.first()
    changes = evaluation.refresh_many([person], now=at, since=first)
    violations = [
        _violation(person, Invariant.STATUS, change.date, f"status {change.before or 'none'}, evaluated {change.after}")
        for change in changes
    ]
    again = ParticipantStatusSummary.objects.filter(participant=person).values(*SUMMARY).get()
    different = [name for name in SUMMARY if again[name] != summary[name]]
    if different and not violations:
        violations.append(_violation(person, Invariant.STATUS, None, f"the summary differs: {', '.join(different)}"))
    return violations


def _violation(person: Participant, invariant: DataCheck.Invariant, date: dt.date | None, what: str) -> Violation:
    return Violation(invariant, person.pk, person.study_id, date, what)


def recent(now: dt.datetime) -> dt.date:
    """From which date on a night's check looks."""
    return (now - RECENT).date()
