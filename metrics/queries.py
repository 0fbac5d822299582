"""The only reader of measurements and what is derived from them.

A series is read from the coarsest table that answers: days, hours, minutes, and measurements only for short
spans. Missing stays missing: a bucket without data is not in the answer, it is never a zero.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.utils import timezone
from numpy.typing import NDArray

from metrics import sql
from metrics.batch import MICROSECOND, Times, Values, instant
from metrics.days import DAY, local_to_utc
from metrics.models import DayRollup, ExerciseSession, ParticipantDay, SleepSession, Source
from metrics.registry import BY_CODE, BY_ID, Aggregate, Kind, Metric
from participants.models import Participant, Protocol

RESOLUTIONS = ("auto", "raw", "1m", "1h", "1d")
# Bucket widths that people read easily, in seconds. 0 is every sample.
NICE_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
# Fewer points than these and the next finer table is read: a line wants more points than a row of bars.
ENOUGH_POINTS = {Aggregate.MEAN: 300, Aggregate.SUM: 60}
MOST_BARS = 400


@dataclass(slots=True)
class Series:
    """One participant's one metric over time, ascending. Only buckets that hold data are listed.

    `width`: seconds a bucket, 0 for single samples, 86400 for local days. `time`: int64 microseconds UTC, the first
    instant of each bucket (of a local day: midnight in her zone). `mean`, `low`, `high`, `total`: float64 in the
    metric's unit; `n`: int64 samples in the bucket. All of shape (n,). `source` is None where there is no data;
    `others` are sources that have data in the span and were not chosen.
    """

    participant_id: int
    metric: Metric
    source: Source | None
    others: list[Source]
    width: int
    time: Times
    mean: Values
    low: Values
    high: Values
    total: Values
    n: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)


def series(
    participant_ids: Sequence[int],
    metrics: Sequence[str],
    start: dt.datetime,
    end: dt.datetime,
    *,
    resolution: str = "auto",
    max_points: int = 2000,
) -> list[Series]:
    """Series of participants and metrics in [start, end), in the order asked for; empty ones included.

    `resolution`: auto (by the span, at most `max_points` buckets each), raw, 1m, 1h or 1d. The caller has checked
    who may see the participants. Raises KeyError for an unknown metric, ValueError for a bad span or resolution.
    """
    if resolution not in RESOLUTIONS:
        raise ValueError(f"resolution must be one of {', '.join(RESOLUTIONS)}, not {resolution!r}")
    if end <= start:
        raise ValueError("the span ends before it starts")
    people = Participant.objects.filter(pk__in=participant_ids).only("time_zone", "trial_id").in_bulk()
    wanted = [BY_CODE[code] for code in metrics]
    # Local dates reach at most a day over the instants at both ends.
    first, last = start.date() - dt.timedelta(days=1), end.date() + dt.timedelta(days=1)
    sources = _sources_by_series(people.values(), wanted, first, last)
    found: list[Series] = []
    for metric in wanted:
        chosen = {pid: sources[pid, metric.id] for pid in people if (pid, metric.id) in sources}
        width = bucket_width(metric, end - start, resolution, max_points)
        columns = _read(metric, {pid: ranked[0].pk for pid, ranked in chosen.items()}, start, end, width, people)
        for pid in participant_ids:
            ranked = chosen.get(pid, [])
            found.append(
                _series(pid, metric, ranked[0] if ranked else None, ranked[1:], width, columns.get(pid, _NO_ROWS))
            )
    return found


def bucket_width(metric: Metric, span: dt.timedelta, resolution: str, max_points: int) -> int:
    """Seconds a bucket for a span: 0 means every sample, 86400 local days."""
    fixed = {"raw": 0, "1m": 60, "1h": 3600, "1d": 86_400}
    if resolution in fixed:
        return fixed[resolution]
    if metric.kind is Kind.DAILY:
        return 86_400
    seconds = span.total_seconds()
    most = min(max_points, MOST_BARS) if metric.aggregate is Aggregate.SUM else max_points
    enough = min(ENOUGH_POINTS[metric.aggregate], most / 5)
    table = next((width for width in (86_400, 3600, 60) if seconds / width >= enough), 0)
    finest = max(table, seconds / most)
    if finest <= 1:
        return 0
    return next((width for width in NICE_WIDTHS if width >= finest), -(-int(finest) // 86_400) * 86_400)


_NO_ROWS: NDArray[Any] = np.zeros((0, 5))


def _series(
    pid: int, metric: Metric, source: Source | None, others: list[Source], width: int, rows: NDArray[Any]
) -> Series:
    """Columns time, n, total, low, high (float64 holds microseconds of our times exactly until the year 2255)."""
    n, total = rows[:, 1], rows[:, 2]
    mean = np.divide(total, n, out=np.full(len(rows), np.nan), where=n > 0)
    return Series(
        participant_id=pid,
        metric=metric,
        source=source,
        others=others,
        width=width,
        time=rows[:, 0].astype(np.int64),
        mean=mean,
        low=rows[:, 3],
        high=rows[:, 4],
        total=total,
        n=n.astype(np.int64),
    )


def _read(
    metric: Metric,
    sources: dict[int, int],
    start: dt.datetime,
    end: dt.datetime,
    width: int,
    people: dict[int, Participant],
) -> dict[int, NDArray[Any]]:
    """Rows (time, n, total, low, high) by participant from the coarsest table whose buckets fit into `width`."""
    if not sources:
        return {}
    parameters: dict[str, Any] = {
        "participants": list(sources),
        "metrics": [metric.id] * len(sources),
        "sources": list(sources.values()),
        "start": start,
        "end": end,
        "width": dt.timedelta(seconds=width),
        # Wide buckets begin at the span's own beginning, so that they line up with local midnight.
        "origin": start if width > 3600 else instant(0),
    }
    if width >= 86_400:
        return _read_days(parameters, start, end, width, people)
    if width == 0:
        statement = sql.RAW
    elif width % 3600 == 0:
        statement = sql.HOURS
    else:
        statement = sql.MINUTES if width % 60 == 0 and metric.subminute else sql.RAW_BINNED
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return _by_participant(cursor.fetchall())


def _by_participant(rows: list[Any]) -> dict[int, NDArray[Any]]:
    if not rows:
        return {}
    table = np.array(rows, dtype=np.float64)
    ids, firsts = np.unique(table[:, 0], return_index=True)
    return {int(pid): part[:, 2:] for pid, part in zip(ids, np.split(table, firsts[1:]), strict=True)}


def _read_days(
    parameters: dict[str, Any], start: dt.datetime, end: dt.datetime, width: int, people: dict[int, Participant]
) -> dict[int, NDArray[Any]]:
    """Day rollups of the local days that the span touches, whole, their dates as midnights in each participant's zone.

    Several days together where the width says so.
    """
    parameters |= {"first": start.date() - dt.timedelta(days=1), "last": end.date() + dt.timedelta(days=1)}
    with connection.cursor() as cursor:
        cursor.execute(sql.DAYS, parameters)
        found = _by_participant(cursor.fetchall())
    for pid, table in found.items():
        zone = zoneinfo.ZoneInfo(people[pid].time_zone)
        midnight = local_to_utc(table[:, 0].astype(np.int64) * DAY, zone)[0]
        next_midnight = local_to_utc((table[:, 0].astype(np.int64) + 1) * DAY, zone)[0]
        inside = (next_midnight > _us(start)) & (midnight < _us(end))
        rows, days = table[inside], table[inside, 0].astype(np.int64)
        rows[:, 0] = midnight[inside]
        found[pid] = (
            rows if width == 86_400 or not len(rows) else _join_days(rows, (days - days[0]) // (width // 86_400))
        )
    return found


def _join_days(rows: NDArray[Any], group: NDArray[np.int64]) -> NDArray[Any]:
    firsts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    joined: NDArray[Any] = np.column_stack(
        (
            rows[firsts, 0],
            np.add.reduceat(rows[:, 1], firsts),
            np.add.reduceat(rows[:, 2], firsts),
            np.minimum.reduceat(rows[:, 3], firsts),
            np.maximum.reduceat(rows[:, 4], firsts),
        )
    )
    return joined


def _us(at: dt.datetime) -> int:
    return int(at.timestamp()) * MICROSECOND + at.microsecond


# --- sources -----------------------------------------------------------------------------------------------


def _sources_by_series(
    people: Iterable[Participant], metrics: Sequence[Metric], first: dt.date, last: dt.date
) -> dict[tuple[int, int], list[Source]]:
    """Sources that have data, by (participant, metric), the one to use first: the protocol's order, then most data."""
    people = list(people)
    parameters: dict[str, Any] = {
        "participants": [person.pk for person in people],
        "metrics": [metric.id for metric in metrics],
        "first": first,
        "last": last,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.SOURCES, parameters)
        rows = cursor.fetchall()
    sources = Source.objects.in_bulk({row[2] for row in rows})
    found: dict[tuple[int, int], list[tuple[Source, int]]] = {}
    for pid, metric, source, n in rows:
        found.setdefault((pid, metric), []).append((sources[source], int(n)))
    trial_of = {person.pk: person.trial_id for person in people}
    several = {trial_of[pid] for (pid, _), candidates in found.items() if len(candidates) > 1}
    priority = {trial: _priority(trial) for trial in several}
    return {
        key: [source for source, _ in sorted(candidates, key=_rank(priority.get(trial_of[key[0]], [])))]
        for key, candidates in found.items()
    }


def _priority(trial_id: int) -> list[str]:
    """The source order of the trial's protocol in force."""
    protocol = Protocol.objects.filter(trial_id=trial_id).in_force(timezone.now().date()).first()
    return list(protocol.source_priority) if protocol else []


def _rank(priority: Sequence[str]) -> Any:
    def rank(candidate: tuple[Source, int]) -> tuple[int, int, int]:
        source, n = candidate
        names = (source.device_model, source.platform, source.provider)
        place = next((i for i, name in enumerate(priority) if name in names), len(priority))
        return place, -n, source.pk

    return rank


# --- what there is ---------------------------------------------------------------------------------------------


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
    """Local days from start to end, both included, that have data, of each metric from the source that charts use too.

    Ascending; a metric without data has no days. The number of queries does not depend on that of the metrics.
    """
    wanted = [BY_CODE[code] for code in metrics]
    ranked = _sources_by_series([participant], wanted, start_on, end_on)
    found: dict[str, list[DayRow]] = {metric.code: [] for metric in wanted}
    chosen = {(metric_id, sources[0].pk) for (_, metric_id), sources in ranked.items()}
    rows = DayRollup.objects.filter(
        participant_id=participant.pk, metric_id__in=[metric for metric, _ in chosen], date__range=(start_on, end_on)
    ).order_by("date")
    for r in rows:
        if (r.metric_id, r.source_id) in chosen:
            day = DayRow(r.date, r.n, r.minutes, r.total / r.n, r.low, r.high, r.total)
            found[BY_ID[r.metric_id].code].append(day)
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
    """Nights and naps by local date of waking, both ends included, ascending."""
    sessions = SleepSession.objects.filter(participant_id=participant_id, date__range=(start_on, end_on))
    return list(sessions.select_related("source").order_by("starts_at"))


def exercise_sessions(participant_id: int, start_on: dt.date, end_on: dt.date) -> list[ExerciseSession]:
    """Exercise by local date of its start, both ends included, ascending."""
    sessions = ExerciseSession.objects.filter(participant_id=participant_id, date__range=(start_on, end_on))
    return list(sessions.select_related("source").order_by("starts_at"))


__all__ = [
    "RESOLUTIONS",
    "DayRow",
    "MetricSummary",
    "Overview",
    "Series",
    "SourceSummary",
    "bucket_width",
    "day_tables",
    "exercise_sessions",
    "metrics_with_data",
    "overview",
    "participant_days",
    "series",
    "sleep_sessions",
    "sources_with_data",
]
