"""Summaries of a participant's data: metrics and sources with data, days."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import BooleanField, Count, Max, Min, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL

from metrics.models import DayRollup, ImplausibleCount, ParticipantDay, Source
from metrics.reading import sql
from metrics.reading.sessions import stored_exercise, stored_nights
from metrics.registry import BY_CODE, BY_ID, Metric
from metrics.selection.collection_window import Collected, collected, collected_of
from metrics.selection.night_source_choice import SEVERAL_SOURCES
from metrics.selection.readable_series import collected_dates, collected_on, cut, readable_one
from metrics.selection.source_choice import source_query, sources_by_id
from participants.compiled_sql import Query, compiled
from participants.conditions_sql import DATE, DATES, ID, IDS, AnyOf, WithinDates
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
    rows = _metrics.rows(participant=participant_id, **dates_held(held or collected_on(participant_id)))
    return [
        MetricSummary(BY_ID[row["metric_id"]], row["first_on"], row["last_on"], row["samples"], row["days"])
        for row in rows
    ]


@compiled(participant=ID, firsts=DATES, lasts=DATES)
def _metrics(participant: Any, firsts: Any, lasts: Any) -> Any:
    return (
        DayRollup.objects.filter(WithinDates("date", firsts, lasts), participant_id=participant)
        .values("metric_id")
        .annotate(first_on=Min("date"), last_on=Max("date"), samples=Sum("n"), days=Count("date", distinct=True))
        .order_by("metric_id")
    )


def dates_held(held: Collected) -> dict[str, Any]:
    """The local dates that are collected as values of a statement: the first and the last of each interval."""
    intervals = held.days.intervals()
    return {
        "firsts": [first or dt.date.min for first, _ in intervals],
        "lasts": [last or dt.date.max for _, last in intervals],
    }


def values_left_out(
    participant: Participant, start_on: dt.date, end_on: dt.date, held: Collected | None = None
) -> list[tuple[Metric, int]]:
    """Number of values that do not count of local days from start to end, both included, by metric as registered.

    Of days within the collection interval, as everything that is shown.
    """
    rows = _left_out.rows(participant=participant.pk, first=start_on, last=end_on)
    if not rows:
        return []
    within = held or collected_of(participant)
    counts: Counter[int] = Counter()
    for metric_id, date, n in rows:
        if date in within:
            counts[metric_id] += n
    return [(BY_ID[metric_id], counts[metric_id]) for metric_id in sorted(counts)]


@compiled(participant=ID, first=DATE, last=DATE)
def _left_out(participant: Any, first: Any, last: Any) -> Any:
    marked = ImplausibleCount.objects.filter(participant=participant, date__gte=first, date__lte=last)
    return marked.values_list("metric_id", "date", "n")


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """Summary of one source of a participant, over all metrics; `days` counts local days with data."""

    source: Source
    first_on: dt.date
    last_on: dt.date
    days: int


def sources_with_data(participant_id: int, held: Collected | None = None) -> list[SourceSummary]:
    """The sources of a participant's data, the one heard of last first. What is collected alone."""
    rows = _sources.rows(participant=participant_id, **dates_held(held or collected_on(participant_id)))
    sources = sources_by_id({row["source_id"] for row in rows})
    return [SourceSummary(sources[row["source_id"]], row["first_on"], row["last_on"], row["days"]) for row in rows]


@compiled(participant=ID, firsts=DATES, lasts=DATES)
def _sources(participant: Any, firsts: Any, lasts: Any) -> Any:
    return (
        DayRollup.objects.filter(WithinDates("date", firsts, lasts), participant_id=participant)
        .values("source_id")
        .annotate(first_on=Min("date"), last_on=Max("date"), days=Count("date", distinct=True))
        .order_by("-last_on", "source_id")
    )


@dataclass(frozen=True, slots=True)
class Overview:
    """Overview of a participant. `worn_minutes_last` belongs to `last_on`."""

    last_sample_at: dt.datetime | None
    days_with_data: int
    first_on: dt.date
    last_on: dt.date
    worn_minutes_last: int


def overview_of(participant_id: int, held: Collected) -> Overview | None:
    """Overview of one participant whose collection interval the caller has; None without data. One query."""
    row = _own_overview.first(participant=participant_id, **dates_held(held))
    return _overview(row) if row else None


@compiled(participant=ID, firsts=DATES, lasts=DATES)
def _own_overview(participant: Any, firsts: Any, lasts: Any) -> Any:
    days = ParticipantDay.objects.filter(WithinDates("date", firsts, lasts), participant_id=participant)
    return _with_data(days)


def _overview(row: Mapping[str, Any]) -> Overview:
    return Overview(row["newest"], row["days"], row["first_on"], row["last_on"], row["worn"][0])


def _with_data(days: Any) -> Any:
    return (
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
    ids = [metric.id for metric in requested]
    rows = _day_rows.rows(participant=participant.pk, metrics=ids, first=start_on, last=end_on) if readable else []
    for metric_id, source_id, date, n, minutes, total, low, high in rows:
        if metric_id in readable and readable[metric_id].counting(source_id, date):
            days[BY_ID[metric_id].code].append(DayRow(date, n, minutes, total / n, low, high, total))
    return days


@compiled(participant=ID, metrics=IDS, first=DATE, last=DATE)
def _day_rows(participant: Any, metrics: Any, first: Any, last: Any) -> Any:
    """No model's instance for each row: making it takes longer than all the rest."""
    rows = DayRollup.objects.filter(AnyOf("metric_id", metrics), participant_id=participant, date__gte=first)
    names = ("metric_id", "source_id", "date", "n", "minutes", "total", "low", "high")
    return rows.filter(date__lte=last).order_by("date").values_list(*names)


def changed_at(participant_id: int) -> dt.datetime | None:
    """Last change of a participant's measurements, UTC; None without data."""
    latest: dt.datetime | None = last_change.first(participant=participant_id)["at"]
    return latest


@compiled(participant=ID)
def last_change(participant: Any) -> Any:
    """What `changed_at` asks."""
    return ParticipantDay.objects.filter(participant=participant).aggregate(at=Max("updated_at"))


def participant_days(
    participant_id: int, start_on: dt.date, end_on: dt.date, held: Collected | None = None
) -> list[ParticipantDay]:
    """Participant-days from start to end, both included, ascending: the monitored days and those with data.

    Those that are not collected say their status and nothing that was measured.
    """
    days = stored_days.rows(participant=participant_id, first=start_on, last=end_on)
    of = held or collected_on(participant_id)
    return [day if day.date in of else unmeasured(day) for day in days]


@compiled(participant=ID, first=DATE, last=DATE)
def stored_days(participant: Any, first: Any, last: Any) -> Any:
    """Participant-days as they are stored, whether they are collected or not: for `participant_days` alone."""
    days = ParticipantDay.objects.filter(participant_id=participant, date__gte=first, date__lte=last)
    return days.order_by("date")


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


# What is asked of a participant's data, to be run together.


def data_queries(participant_id: int, held: Collected) -> list[Query]:
    """What `overview_of`, `metrics_with_data` and `sources_with_data` ask."""
    dates = dates_held(held)
    return [one.with_values(participant=participant_id, **dates) for one in (_own_overview, _metrics, _sources)]


def day_queries(participant_id: int, first: dt.date, last: dt.date) -> list[Query]:
    """What `participant_days`, `values_left_out`, `sleep_sessions` and `exercise_sessions` ask."""
    dates = {"first": first, "last": last}
    of_days = [
        one.with_values(participant=participant_id, **dates)
        for one in (stored_days, _left_out, stored_nights, stored_exercise)
    ]
    return [*of_days, SEVERAL_SOURCES.with_values(people=[participant_id], **dates)]


def table_queries(
    participant_id: int, codes: Collection[str], first: dt.date, last: dt.date, held: Collected
) -> list[Query]:
    """What `day_tables` asks, but for the sources themselves."""
    metrics = [BY_CODE[code].id for code in codes]
    dates = cut(held.days.intervals(), first, last)
    if not metrics or not dates:
        return []
    of_sources = source_query({participant_id: dates}, metrics)
    rows = _day_rows.with_values(participant=participant_id, metrics=metrics, first=first, last=last)
    return [of_sources, rows]
