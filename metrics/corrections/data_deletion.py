"""Deleting what one source brought of a participant: all of it, a metric, a kind of session, some dates.

For what is wrong and cannot be put right otherwise: somebody else's device, a file of which it is not known what it
stored. Slice by slice, each in a transaction that also counts it: a killed worker's successor goes on where it stopped.
What revisions keep of it goes too. What the device said of its clock stays, for it is of no source.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.utils import timezone

from metrics.batch import MICROSECOND, Sessions, microseconds
from metrics.corrections import sql
from metrics.corrections.row_restore import hold_data
from metrics.models import DayRollup, ExerciseSession, ImplausibleCount, SleepSession, Source, SourceDeletion
from metrics.monitoring import evaluation
from metrics.participant_calendars import calendar_of
from metrics.registry import BY_CODE, BY_ID
from metrics.storage.stored_days import kept_days
from metrics.time_buckets import Span
from metrics.writing import rollups
from metrics.writing.rollups import SeriesKey
from metrics.writing.row_followers import followers
from metrics.writing.sleep import choose_main_sleep
from participants.audit import record
from participants.locks import lock_participant
from participants.models import Participant, User

SLICE = dt.timedelta(days=90)
ONE_DAY = dt.timedelta(days=1)
HALF_HOUR = 1800 * MICROSECOND
SESSIONS: dict[str, Any] = {Sessions.SLEEP.value: SleepSession, Sessions.EXERCISE.value: ExerciseSession}


class DeletionRefused(ValueError):
    """Refusal of a deletion: nothing is deleted; the message says why and is fit to show."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Selection of what is to be deleted. `what`: a metric's code, "sleep", "exercise", or "" for all; dates are local,
    included."""

    participant: Participant
    source: Source
    what: str = ""
    first: dt.date | None = None
    last: dt.date | None = None

    @property
    def dates(self) -> Q:
        bounds = {"date__gte": self.first, "date__lte": self.last}
        return Q(**{name: date for name, date in bounds.items() if date})


@dataclass(frozen=True, slots=True)
class Going:
    """Rows that would go, of one metric or kind of session, and their first and last local date."""

    what: str
    name: str
    rows: int
    first: dt.date
    last: dt.date


def sources_of(participant: Participant) -> list[Source]:
    """The sources of which something of a participant is stored."""
    source_ids = kept_days("source_id", participant_id=participant.pk)
    for model in SESSIONS.values():
        source_ids |= set(model.objects.filter(participant=participant).values_list("source_id", flat=True))
    return list(Source.objects.filter(pk__in=source_ids))


def going(selection: Selection) -> list[Going]:
    """Preview of a deletion: what it would take away now. Changes nothing. Raises DeletionRefused as `check` does."""
    check(selection)
    rows: dict[str, list[tuple[int, dt.date, dt.date]]] = {}
    for model in (DayRollup, ImplausibleCount):
        counted = _days(model, selection).values("metric").annotate(Sum("n"), Min("date"), Max("date")).order_by()
        for row in counted:
            code = BY_ID[row["metric"]].code
            rows.setdefault(code, []).append((row["n__sum"], row["date__min"], row["date__max"]))
    for what in _kinds(selection):
        totals = _sessions(selection, what).aggregate(Count("pk"), Min("date"), Max("date"))
        if totals["pk__count"]:
            rows[what] = [(totals["pk__count"], totals["date__min"], totals["date__max"])]
    return [
        Going(
            what,
            BY_CODE[what].name if what in BY_CODE else {"sleep": "nights", "exercise": "exercise"}[what],
            sum(count for count, _, _ in counts),
            min(first for _, first, _ in counts),
            max(last for _, _, last in counts),
        )
        for what, counts in sorted(rows.items())
    ]


def check(selection: Selection) -> None:
    """Raises DeletionRefused where it makes no sense."""
    if selection.what and selection.what not in BY_CODE and selection.what not in SESSIONS:
        raise DeletionRefused(f"There is no metric {selection.what!r}. Also: {', '.join(SESSIONS)}.")
    if selection.first and selection.last and selection.last < selection.first:
        raise DeletionRefused("The last date comes before the first.")
    if selection.participant.status == Participant.Status.ERASED:
        raise DeletionRefused("They were erased: there is nothing of them.")


@transaction.atomic
def deletion_start(selection: Selection, *, by: User | None, reason: str) -> SourceDeletion:
    """Write down that it is to be deleted; deletion_run does it. Raises DeletionRefused, django's ValidationError."""
    lock_participant(selection.participant)
    removals = going(selection)
    if not removals:
        raise DeletionRefused(f"Nothing is stored of {selection.participant.study_id} from this source.")
    row = SourceDeletion(
        participant=selection.participant,
        source=selection.source,
        what=selection.what,
        first=selection.first,
        last=selection.last,
        by=by,
        reason=reason.strip(),
    )
    row.full_clean(exclude=["removed", "by", "finished_at"])
    row.save()
    bounds = {"first": selection.first, "last": selection.last}
    filters = {"source": str(selection.source), "what": selection.what or "all", **bounds}
    rows = {removal.what: removal.rows for removal in removals}
    record(
        "data.delete", participant=row.participant, thing=f"deletion:{row.pk}", new=filters | rows, reason=row.reason
    )
    return row


def deletion_run(pk: int, progress: Callable[[int], object] = lambda rows: None) -> None:
    """Go on with a deletion where it stands, to its end. Safe to be called again at any point, and by two at once.

    `progress` is called with the number of rows that were deleted since its last call.
    """
    while (rows := deletion_step(pk)) is not None:
        progress(rows)


@transaction.atomic
def deletion_step(pk: int) -> int | None:
    """Delete the next slice and return how many rows that were; None where it is finished, or another is at it."""
    rows = SourceDeletion.objects.select_for_update(skip_locked=True, of=("self",))
    row = rows.select_related("participant__trial", "source").filter(pk=pk, finished_at=None).first()
    if row is None:
        return None
    hold_data(row.participant_id)
    lock_participant(row.participant)
    selection = Selection(row.participant, row.source, row.what, row.first, row.last)
    removed = _next_slice(selection)
    if removed is None:
        row.finished_at = timezone.now()
        row.save(update_fields=["finished_at"])
        record("data.deleted", participant=row.participant, thing=f"deletion:{row.pk}", new={"removed": row.removed})
        return None
    row.removed = dict(Counter(row.removed) + removed)
    row.save(update_fields=["removed"])
    return sum(removed.values())


def _next_slice(selection: Selection) -> Counter[str] | None:
    """Delete the next slice; rows that went, by metric or kind of session; None where nothing is left."""
    days = [day for model in (DayRollup, ImplausibleCount) for day in _first_days(model, selection)]
    if days:
        metric, first = min(days)
        last = min(first + SLICE, selection.last or dt.date.max)
        return Counter({BY_ID[metric].code: _delete_samples(selection, metric, first, last)})
    removed, dates = Counter[str](), set[dt.date]()
    for what in _kinds(selection):
        sessions = _sessions(selection, what)
        dates |= set(sessions.values_list("date", flat=True))
        names = set(sessions.values_list("external_id", flat=True))
        removed[what], _ = sessions.delete()
        for follower in followers:
            follower.sessions_deleted(Sessions(what), selection.participant.pk, selection.source.pk, names)
    if not dates:
        return None
    if removed[Sessions.SLEEP.value]:
        choose_main_sleep(selection.participant.pk, dates)
    evaluation.refresh(selection.participant, dates, now=timezone.now())
    return removed


def _delete_samples(selection: Selection, metric: int, first: dt.date, last: dt.date) -> int:
    """Delete one metric's samples of local dates, both included, and bring what was made of them up to date."""
    calendar = calendar_of(selection.participant)
    series = SeriesKey(selection.participant.pk, BY_ID[metric], selection.source.pk)
    low, high = calendar.midnight(first), calendar.midnight(last + ONE_DAY)
    parameters = {**series.parameters, "low": low, "high": high}
    with connection.cursor() as cursor:
        cursor.execute(sql.SAMPLES, parameters)
        removed = int(cursor.rowcount)
        cursor.execute(sql.REVISIONS, parameters)
    for follower in followers:
        follower.deleted(series, Span(microseconds(low), microseconds(high)))
    for model in (DayRollup, ImplausibleCount):
        kept = Selection(selection.participant, selection.source, series.metric.code, first, last)
        _days(model, kept).delete()
    # All buckets of the interval, not only those of its samples: a trial may have deleted these before.
    touched = np.append(np.arange(microseconds(low), microseconds(high), HALF_HOUR), microseconds(high) - 1)
    dates = rollups.refresh(series, touched, calendar, implausible=True)
    evaluation.refresh(selection.participant, dates & _with_something(selection.participant, dates), now=timezone.now())
    return removed


def _with_something(participant: Participant, dates: set[dt.date]) -> set[dt.date]:
    """Those dates that have been evaluated, or have other data: no others come into being by a deletion."""
    evaluated = participant.days.filter(date__in=dates).values_list("date", flat=True)
    return set(evaluated) | kept_days("date", participant_id=participant.pk, date__in=dates)


def _first_days(model: Any, selection: Selection) -> list[tuple[int, dt.date]]:
    first_dates = _days(model, selection).values("metric").annotate(Min("date")).order_by()
    return [(row["metric"], row["date__min"]) for row in first_dates]


def _days(model: Any, selection: Selection) -> QuerySet[Any]:
    """Days with values of a selection."""
    rows: QuerySet[Any] = model.objects.filter(
        selection.dates, participant=selection.participant, source=selection.source
    )
    if selection.what in SESSIONS:
        return rows.none()
    return rows.filter(metric=BY_CODE[selection.what].id) if selection.what else rows


def _kinds(selection: Selection) -> Sequence[str]:
    return [what for what in SESSIONS if selection.what in ("", what)]


def _sessions(selection: Selection, what: str) -> QuerySet[Any]:
    rows: QuerySet[Any] = SESSIONS[what].objects.filter(
        selection.dates, participant=selection.participant, source=selection.source
    )
    return rows
