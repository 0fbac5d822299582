"""Summaries of a participant's data: metrics and sources with data, days, nights, exercise."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import BooleanField, Count, Max, Min, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL

from metrics.models import DayRollup, ExerciseSession, ImplausibleCount, ParticipantDay, SleepSession, Source
from metrics.reading import sql
from metrics.registry import BY_CODE, BY_ID, Metric
from metrics.selection.collection_window import Collected, collected, collected_of
from metrics.selection.night_source_choice import other_nights
from metrics.selection.readable_series import collected_dates, collected_on, readable_one
from participants.models import Participant


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """Summary of one metric of a participant, over all sources; `days` counts local days with data."""

    metric: Metric
    first_on: dt.date
    last_on: dt.date
    n: int
    days: int


def metrics_with_data(participant_id: int, held: Collected | None = None) -> list[MetricSummary]:
    """The metrics of a participant that have any data, in the registry's order. What is collected alone.

    `held`: what is collected of them, where the caller knows.
    """
    rows = (
        DayRollup.objects.filter(_within(held or collected_on(participant_id)), participant_id=participant_id)
        .values("metric_id")
        .annotate(first_on=Min("date"), last_on=Max("date"), samples=Sum("n"), days=Count("date", distinct=True))
        .order_by("metric_id")
    )
    return [
        MetricSummary(BY_ID[row["metric_id"]], row["first_on"], row["last_on"], row["samples"], row["days"])
        for row in rows
    ]


def values_left_out(
    participant: Participant, start_on: dt.date, end_on: dt.date, held: Collected | None = None
) -> list[tuple[Metric, int]]:
    """Number of values that do not count of local days from start to end, both included, by metric as registered.

    Of days within the collection interval, as everything that is shown.
    """
    marked = ImplausibleCount.objects.filter(participant=participant, date__range=(start_on, end_on))
    rows = list(marked.values_list("metric_id", "date", "n"))
    if not rows:
        return []
    within = held or collected_of(participant)
    counts: Counter[int] = Counter()
    for metric_id, date, n in rows:
        if date in within:
            counts[metric_id] += n
    return [(BY_ID[metric_id], counts[metric_id]) for metric_id in sorted(counts)]


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """Summary of one source of a participant, over all metrics; `days` counts local days with data."""

    source: Source
    first_on: dt.date
    last_on: dt.date
    days: int


def sources_with_data(participant_id: int, held: Collected | None = None) -> list[SourceSummary]:
    """The sources of a participant's data, the one heard of last first. What is collected alone."""
    rows = (
        DayRollup.objects.filter(_within(held or collected_on(participant_id)), participant_id=participant_id)
        .values("source_id")
        .annotate(first_on=Min("date"), last_on=Max("date"), days=Count("date", distinct=True))
        .order_by("-last_on", "source_id")
    )
    sources = Source.objects.in_bulk([row["source_id"] for row in rows])
    return [SourceSummary(sources[row["source_id"]], row["first_on"], row["last_on"], row["days"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Overview:
    """Overview of a participant. `worn_minutes_last` belongs to `last_on`."""

    last_sample_at: dt.datetime | None
    days_with_data: int
    first_on: dt.date
    last_on: dt.date
    worn_minutes_last: int


def overview(participants: QuerySet[Participant], held: Collected | None = None) -> dict[int, Overview]:
    """By participant id, over the days with data; those without any are not in it. What is collected alone.

    `held`: of one participant, where the caller knows. A number of statements that does not grow with theirs.
    """
    days = ParticipantDay.objects.filter(participant__in=participants.order_by().values("pk"))
    days = days.filter(_within(held)) if held else collected_only(days, participants)
    rows = (
        days.filter(Q(asleep_minutes__isnull=False) | Q(last_sample_at__isnull=False))
        .values("participant_id")
        .annotate(
            newest=Max("last_sample_at"),
            days=Count("date"),
            first_on=Min("date"),
            last_on=Max("date"),
            worn=ArrayAgg("worn_minutes", order_by="-date"),
        )
        .order_by()
    )
    return {
        row["participant_id"]: Overview(row["newest"], row["days"], row["first_on"], row["last_on"], row["worn"][0])
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class DayRow:
    """A local day of one metric. `mean`, `low`, `high`, `total` in the metric's unit; `minutes` with a sample."""

    date: dt.date
    n: int
    minutes: int
    mean: float
    low: float
    high: float
    total: float


def day_tables(
    participant: Participant, metrics: Sequence[str], start_on: dt.date, end_on: dt.date, held: Collected | None = None
) -> dict[str, list[DayRow]]:
    """Local days from start to end, both included, that have data, of each metric and day from the source that counts.

    Ascending; a metric without data has no days. The number of queries does not depend on that of the metrics.
    """
    requested = [BY_CODE[code] for code in metrics]
    days: dict[str, list[DayRow]] = {metric.code: [] for metric in requested}
    readable = readable_one(participant, requested, start_on, end_on, held or collected_of(participant))
    rows = DayRollup.objects.filter(
        participant_id=participant.pk, metric_id__in=list(readable), date__range=(start_on, end_on)
    ).order_by("date")
    # No model's instance for each row: making it takes longer than all the rest.
    names = ("metric_id", "source_id", "date", "n", "minutes", "total", "low", "high")
    for metric_id, source_id, date, n, minutes, total, low, high in rows.values_list(*names):
        if readable[metric_id].counting(source_id, date):
            days[BY_ID[metric_id].code].append(DayRow(date, n, minutes, total / n, low, high, total))
    return days


def changed_at(participant_id: int) -> dt.datetime | None:
    """Last change of a participant's measurements, UTC; None without data."""
    days = ParticipantDay.objects.filter(participant=participant_id)
    latest: dt.datetime | None = days.aggregate(at=Max("updated_at"))["at"]
    return latest


def participant_days(
    participant_id: int, start_on: dt.date, end_on: dt.date, held: Collected | None = None
) -> list[ParticipantDay]:
    """Participant-days from start to end, both included, ascending: the monitored days and those with data.

    Those that are not collected say their status and nothing that was measured.
    """
    days = ParticipantDay.objects.filter(participant_id=participant_id, date__range=(start_on, end_on))
    of = held or collected_on(participant_id)
    return [day if day.date in of else unmeasured(day) for day in days.order_by("date")]


def collected_only(records: QuerySet[Any], people: QuerySet[Participant]) -> QuerySet[Any]:
    """Those records of local dates on which their participant's data are collected."""
    dates = collected_dates(collected(people), dt.date.min, dt.date.max)
    # A table's name alone: what was asked for is in parameters.
    condition = sql.COLLECTED.format(table=records.model._meta.db_table)
    return records.filter(RawSQL(condition, list(dates.values()), output_field=BooleanField()))  # noqa: S611


def unmeasured(day: ParticipantDay) -> ParticipantDay:
    """A day without what was measured of it. Not to be saved."""
    day.worn_minutes, day.coverage = 0, {}
    day.asleep_minutes = day.heard_at = day.last_sample_at = None
    return day


def _within(held: Collected) -> Q:
    """The local dates that are collected, as a condition on a table's `date`."""
    condition = Q(pk__in=[])
    for first, last in held.days.intervals():
        condition |= (Q(date__gte=first) if first else Q()) & (Q(date__lte=last) if last else Q(date__gte=dt.date.min))
    return condition


def sleep_sessions(
    participant_id: int, start_on: dt.date, end_on: dt.date, held: Collected | None = None
) -> list[SleepSession]:
    """Nights and naps by local date of waking, both ends included, ascending: of each date those of the source that
    counts, one of them at most a main sleep. What is collected alone."""
    sessions = _collected(SleepSession.objects, participant_id, start_on, end_on, held)
    others = other_nights([participant_id], start_on, end_on)
    return [session for session in sessions if session.pk not in others]


def exercise_sessions(
    participant_id: int, start_on: dt.date, end_on: dt.date, held: Collected | None = None
) -> list[ExerciseSession]:
    """Exercise by local date of its start, both ends included, ascending, of every source: nothing is summed up. What
    is collected alone."""
    return _collected(ExerciseSession.objects, participant_id, start_on, end_on, held)


def _collected(
    sessions: Any, participant_id: int, start_on: dt.date, end_on: dt.date, held: Collected | None
) -> list[Any]:
    days = held or collected_on(participant_id)
    rows = sessions.filter(participant_id=participant_id, date__range=(start_on, end_on))
    return [session for session in rows.select_related("source").order_by("starts_at") if session.date in days]
