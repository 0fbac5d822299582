"""The only reader of measurements and what is derived from them: series here, the rest in its siblings.

A series is read from the coarsest table that answers: days, hours, minutes, and measurements only for short
spans. Missing stays missing: a bucket without data is not in the answer, it is never a zero. Every sample of a
long span is read in pieces, by raw.py.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics import columns, sql_reads
from metrics.batch import Times, Values, instant, microseconds
from metrics.grids import DAY_SECONDS, Span, aligned, day_numbers, midnights
from metrics.holdings import (
    DayRow,
    MetricSummary,
    Overview,
    SourceSummary,
    changed_at,
    day_tables,
    exercise_sessions,
    metrics_with_data,
    overview,
    participant_days,
    sleep_sessions,
    sources_with_data,
)
from metrics.models import Source
from metrics.registry import BY_CODE, Metric
from metrics.sources import sources_by_series
from metrics.widths import RESOLUTIONS, bucket_width, length_of, without_samples
from participants.models import Participant


@dataclass(slots=True)
class Series:
    """One participant's one metric over time, ascending. Only buckets that hold data are listed.

    `width`: seconds a bucket, 0 for single samples, 86400 for local days. `time`: int64 microseconds UTC, the first
    instant of each bucket (of a local day: midnight in her zone). `mean`, `low`, `high`, `total`: float64 in the
    metric's unit; `n`: int64 samples in the bucket. All of shape (n,). `source` is None where there is no data;
    `others` are sources that have data in the span and were not chosen. `removed_before`: the trial keeps no samples
    before this instant, and the span begins before it, so that its rollups were read.
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
    removed_before: int | None = None

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
    """Series of participants and metrics over the buckets that [start, end) touches, whole; by metric, empty ones too.

    `resolution`: auto (by the span, at most `max_points` buckets each), raw, 1m, 1h or 1d. The caller has checked
    who may see the participants. Raises KeyError for an unknown metric, ValueError for a bad span or resolution.
    """
    if resolution not in RESOLUTIONS:
        raise ValueError(f"resolution must be one of {', '.join(RESOLUTIONS)}, not {resolution!r}")
    if end <= start:
        raise ValueError("the span ends before it starts")
    wearers = Participant.objects.filter(pk__in=participant_ids).select_related("trial")
    people = wearers.only("time_zone", "trial__raw_removed_before").in_bulk()
    span = Span(microseconds(start), microseconds(end))
    wanted = [BY_CODE[code] for code in metrics]
    return series_of(
        [people[pid] for pid in participant_ids],
        wanted,
        dict.fromkeys(people, span),
        resolution=resolution,
        max_points=max_points,
    )


def series_of(
    people: Sequence[Participant],
    metrics: Sequence[Metric],
    spans: Mapping[int, Span],
    *,
    resolution: str = "auto",
    max_points: int = 2000,
    ranked: Mapping[tuple[int, int], list[Source]] | None = None,
) -> list[Series]:
    """As `series`, of participants at hand and of a span for each (by id): local days differ from zone to zone.

    `ranked`: sources by (participant, metric), the one to read first, where the caller has chosen.
    """
    if not people:
        return []
    if ranked is None:
        ranked = ranked_sources(people, metrics, spans)
    longest = length_of(spans)
    found: dict[tuple[int, int], Series] = {}
    removed = {person.pk: removed_before(person, spans[person.pk]) for person in people}
    by_width: dict[tuple[int, bool], list[Metric]] = defaultdict(list)
    for metric in metrics:
        width = bucket_width(metric, longest, resolution, max_points)
        if any(removed.values()):
            width = without_samples(metric, width)
        by_width[width, metric.subminute].append(metric)
    for (wanted, _), alike in by_width.items():
        keys = [(person, metric) for metric in alike for person in people]
        width, read = wanted, _read(keys, ranked, spans, wanted)
        if resolution == "auto" and width == 0 and max(map(_length, read.values()), default=0) > max_points:
            width, read = 1, _read(keys, ranked, spans, 1)  # several samples a second
        for person, metric in keys:
            of = ranked.get((person.pk, metric.id), [])
            rows = read.get((person.pk, metric.id), _NO_ROWS)
            found[person.pk, metric.id] = _series(person.pk, metric, of, width, rows, removed[person.pk])
    return [found[person.pk, metric.id] for metric in metrics for person in people]


def ranked_sources(
    people: Sequence[Participant], metrics: Sequence[Metric], spans: Mapping[int, Span]
) -> dict[tuple[int, int], list[Source]]:
    """Sources that have data in the spans by (participant, metric), the one to read first."""
    first, last = _dates(spans)
    return sources_by_series(people, metrics, first, last)


# Rows of a series, as columns: time, n, total, low, high.
Rows = tuple[Times, NDArray[np.int64], Values, Values, Values]
_NO_VALUES: Values = np.zeros(0)
_NO_TIMES: Times = np.zeros(0, dtype=np.int64)
_NO_ROWS: Rows = (_NO_TIMES, _NO_TIMES, _NO_VALUES, _NO_VALUES, _NO_VALUES)


def _length(rows: Rows) -> int:
    return len(rows[0])


def removed_before(person: Participant, span: Span) -> int | None:
    """Before when the trial keeps no samples, in microseconds UTC, if a span begins before that."""
    line = person.trial.raw_removed_before
    return microseconds(line) if line is not None and span.start < microseconds(line) else None


def _series(pid: int, metric: Metric, sources: Sequence[Source], width: int, rows: Rows, removed: int | None) -> Series:
    time, n, total, low, high = rows
    return Series(
        participant_id=pid,
        metric=metric,
        source=sources[0] if sources else None,
        others=list(sources[1:]),
        width=width,
        time=time,
        mean=total / n,
        low=low,
        high=high,
        total=total,
        n=n,
        removed_before=removed,
    )


def _dates(spans: Mapping[int, Span]) -> tuple[dt.date, dt.date]:
    """Local dates that cover all spans: local dates reach at most a day over the instants at both ends."""
    first, last = min(span.start for span in spans.values()), max(span.end for span in spans.values())
    day = dt.timedelta(days=1)
    return instant(first).date() - day, instant(last).date() + day


def _read(
    keys: Sequence[tuple[Participant, Metric]],
    ranked: Mapping[tuple[int, int], Sequence[Source]],
    spans: Mapping[int, Span],
    width: int,
) -> dict[tuple[int, int], Rows]:
    """Rows by (participant, metric) from the coarsest table whose buckets fit into `width`; metrics are alike."""
    held = [(person, metric) for person, metric in keys if (person.pk, metric.id) in ranked]
    if not held:
        return {}
    whole = [aligned(spans[person.pk], width) for person, _ in held]
    first, last = _dates(spans)
    parameters: dict[str, Any] = {
        "participants": [person.pk for person, _ in held],
        "metrics": [metric.id for _, metric in held],
        "sources": [ranked[person.pk, metric.id][0].pk for person, metric in held],
        "starts": [instant(span.start) for span in whole],
        "ends": [instant(span.end) for span in whole],
        "low": instant(min(span.start for span in whole)),
        "high": instant(max(span.end for span in whole)),
        "first": first,
        "last": last,
        "width": dt.timedelta(seconds=width),
    }
    read = columns.read(_statement(width, held[0][1]), parameters)
    if width == 0:
        return {(pid, metric): _samples(*arrays) for (pid, metric), arrays in read}
    found = {(pid, metric): _ascending(arrays) for (pid, metric), arrays in read}
    if width < DAY_SECONDS:
        return found
    zones = {person.pk: zoneinfo.ZoneInfo(person.time_zone) for person, _ in held}
    return {(pid, metric): _days(rows, spans[pid], width, zones[pid]) for (pid, metric), rows in found.items()}


def _statement(width: int, metric: Metric) -> str:
    if width >= DAY_SECONDS:
        return sql_reads.DAYS
    if width == 0:
        return sql_reads.SAMPLES
    if width % 3600 == 0:
        return sql_reads.HOURS
    return sql_reads.MINUTES if width % 60 == 0 and metric.subminute else sql_reads.BINNED


def _samples(time: Times, value: Values) -> Rows:
    time, value = _ascending([time, value])
    return time, np.ones(len(time), dtype=np.int64), value, value, value


def _ascending(arrays: list[NDArray[Any]]) -> Any:
    """Columns in the order of the first. The database aggregates in any order, as a rule in this one."""
    time = arrays[0]
    if np.all(time[1:] > time[:-1]):
        return tuple(arrays)
    order = np.argsort(time)
    return tuple(array[order] for array in arrays)


def _days(rows: Rows, span: Span, width: int, zone: zoneinfo.ZoneInfo) -> Rows:
    """Day rollups of the local days that the span touches, whole, their dates as midnights in the participant's zone.

    Several days together where the width says so, counted from the span's first.
    """
    first, last = day_numbers(span, zone)
    low, high = np.searchsorted(rows[0], (first, last + 1))
    date, n, total, least, most = (rows[0][low:high], rows[1][low:high], *(column[low:high] for column in rows[2:]))
    starts = midnights(first, last, zone)
    days = width // DAY_SECONDS
    if days == 1 or not len(date):
        return starts[date - first], n, total, least, most
    group = (date - first) // days
    begins = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    return (
        starts[group[begins] * days],
        np.add.reduceat(n, begins),
        np.add.reduceat(total, begins),
        np.minimum.reduceat(least, begins),
        np.maximum.reduceat(most, begins),
    )


__all__ = [
    "RESOLUTIONS",
    "DayRow",
    "MetricSummary",
    "Overview",
    "Series",
    "SourceSummary",
    "Span",
    "bucket_width",
    "changed_at",
    "day_tables",
    "exercise_sessions",
    "length_of",
    "metrics_with_data",
    "overview",
    "participant_days",
    "ranked_sources",
    "removed_before",
    "series",
    "series_of",
    "sleep_sessions",
    "sources_with_data",
]
