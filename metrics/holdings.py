"""What there is of a participant besides her series: metrics and sources with data, days, nights, exercise."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from metrics.collection import collected_of
from metrics.models import DayRollup, ExerciseSession, ImplausibleCount, ParticipantDay, SleepSession, Source
from metrics.night_sources import other_nights
from metrics.readable import collected_on, readable_on
from metrics.registry import BY_CODE, BY_ID, Metric
from participants.models import Participant


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """What a participant has of one metric, over all sources; `days` counts local days with data."""

    metric: Metric
    first_on: dt.date
    last_on: dt.date
    n: int
    days: int


def metrics_with_data(participant_id: int) -> list[MetricSummary]:
    """The metrics of a participant that have any data, in the registry's order."""
    rows = (
        DayRollup.objects.filter(participant_id=participant_id)
        .values("metric_id")
        .annotate(first_on=Min("date"), last_on=Max("date"), samples=Sum("n"), days=Count("date", distinct=True))
        .order_by("metric_id")
    )
    return [
        MetricSummary(BY_ID[row["metric_id"]], row["first_on"], row["last_on"], row["samples"], row["days"])
        for row in rows
    ]


def values_left_out(participant: Participant, start_on: dt.date, end_on: dt.date) -> list[tuple[Metric, int]]:
    """How many values of local days from start to end, both included, do not count, by metric in the registry's order.

    Of days within the collection interval, as everything that is shown.
    """
    marked = ImplausibleCount.objects.filter(participant=participant, date__range=(start_on, end_on))
    rows = list(marked.values_list("metric_id", "date", "n"))
    if not rows:
        return []
    within = collected_of(participant)
    found: Counter[int] = Counter()
    for metric_id, date, n in rows:
        if date in within:
            found[metric_id] += n
    return [(BY_ID[metric_id], found[metric_id]) for metric_id in sorted(found)]


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """What a participant has from one source, over all metrics; `days` counts local days with data."""

    source: Source
    first_on: dt.date
    last_on: dt.date
    days: int


def sources_with_data(participant_id: int) -> list[SourceSummary]:
    """The sources of a participant's data, the one heard of last first."""
    rows = (
        DayRollup.objects.filter(participant_id=participant_id)
        .values("source_id")
        .annotate(first_on=Min("date"), last_on=Max("date"), days=Count("date", distinct=True))
        .order_by("-last_on", "source_id")
    )
    sources = Source.objects.in_bulk([row["source_id"] for row in rows])
    return [SourceSummary(sources[row["source_id"]], row["first_on"], row["last_on"], row["days"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Overview:
    """What is known of a participant at a glance. `worn_minutes_last` belongs to `last_on`."""

    last_sample_at: dt.datetime | None
    days_with_data: int
    first_on: dt.date
    last_on: dt.date
    worn_minutes_last: int


def overview(participants: QuerySet[Participant]) -> dict[int, Overview]:
    """By participant id, over the days with data; those without any are not in it. One query, whatever their number."""
    days = ParticipantDay.objects.filter(participant__in=participants.order_by().values("pk"))
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
    participant: Participant, metrics: Sequence[str], start_on: dt.date, end_on: dt.date
) -> dict[str, list[DayRow]]:
    """Local days from start to end, both included, that have data, of each metric and day from the source that counts.

    Ascending; a metric without data has no days. The number of queries does not depend on that of the metrics.
    """
    wanted = [BY_CODE[code] for code in metrics]
    found: dict[str, list[DayRow]] = {metric.code: [] for metric in wanted}
    held = readable_on([participant], wanted, start_on, end_on)
    rows = DayRollup.objects.filter(
        participant_id=participant.pk, metric_id__in=[metric for _, metric in held], date__range=(start_on, end_on)
    ).order_by("date")
    # No model's instance for each row: making it takes longer than all the rest.
    names = ("metric_id", "source_id", "date", "n", "minutes", "total", "low", "high")
    for metric_id, source_id, date, n, minutes, total, low, high in rows.values_list(*names):
        if held[participant.pk, metric_id].counting(source_id, date):
            found[BY_ID[metric_id].code].append(DayRow(date, n, minutes, total / n, low, high, total))
    return found


def changed_at(participant_id: int) -> dt.datetime | None:
    """When anything of a participant's measurements last changed, UTC; None without data."""
    days = ParticipantDay.objects.filter(participant=participant_id)
    latest: dt.datetime | None = days.aggregate(at=Max("updated_at"))["at"]
    return latest


def participant_days(participant_id: int, start_on: dt.date, end_on: dt.date) -> list[ParticipantDay]:
    """Participant-days from start to end, both included, ascending: the monitored days and those with data."""
    days = ParticipantDay.objects.filter(participant_id=participant_id, date__range=(start_on, end_on))
    return list(days.order_by("date"))


def sleep_sessions(participant_id: int, start_on: dt.date, end_on: dt.date) -> list[SleepSession]:
    """Nights and naps by local date of waking, both ends included, ascending: of each date those of the source that
    counts, one of them at most a main sleep. What is collected alone."""
    sessions = _collected(SleepSession.objects, participant_id, start_on, end_on)
    others = other_nights([participant_id], start_on, end_on)
    return [one for one in sessions if one.pk not in others]


def exercise_sessions(participant_id: int, start_on: dt.date, end_on: dt.date) -> list[ExerciseSession]:
    """Exercise by local date of its start, both ends included, ascending, of every source: nothing is summed up. What
    is collected alone."""
    return _collected(ExerciseSession.objects, participant_id, start_on, end_on)


def _collected(sessions: Any, participant_id: int, start_on: dt.date, end_on: dt.date) -> list[Any]:
    days = collected_on(participant_id)
    found = sessions.filter(participant_id=participant_id, date__range=(start_on, end_on))
    return [one for one in found.select_related("source").order_by("starts_at") if one.date in days]
