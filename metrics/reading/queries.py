"""The only reader of measurements and what is derived from them: series here, the rest in its siblings.

A series is read from the coarsest table that answers: days, hours, minutes, and measurements only for short
spans; of each local day from the source that counts, and only what is collected (readable_series.py). Missing stays
missing: a bucket without data is not in the answer, it is never a zero. Every sample of a long span is read in
pieces, by raw.py.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.batch import Times, Values, microseconds
from metrics.models import Source
from metrics.reading.bucket_width import RESOLUTIONS, bucket_width, length_of, without_samples
from metrics.reading.series_rows import NO_ROWS, Plan, Rows, length, plans_of, read_rows
from metrics.reading.sessions import exercise_sessions, sleep_sessions
from metrics.reading.summaries import (
    DayRow,
    MetricSummary,
    Overview,
    SourceSummary,
    changed_at,
    day_tables,
    metrics_with_data,
    overview_of,
    participant_days,
    sources_with_data,
    values_left_out,
)
from metrics.registry import BY_CODE, Metric
from metrics.selection.readable_series import ReadFrom, readable
from metrics.time_buckets import Span, touched
from participants.models import Participant


@dataclass(slots=True)
class Series:
    """One participant's one metric over time, ascending. Only buckets that hold data are listed.

    `width`: seconds a bucket, 0 for single samples, 86400 for local days. `time`: int64 microseconds UTC, the first
    instant of each bucket (of a local day: midnight in the participant's zone). `mean`, `low`, `high`, `total`:
    float64 in the metric's unit; `n`: int64 samples in the bucket. All of shape (n,). `sources`: those that were read,
    ascending, each from the first local day of the span on which it counts; several where the source changes, none
    where there is no data. `others`: sources that have data of the span and count on none of its days.
    `removed_before`: the trial keeps no samples before this instant, and the span begins before it, so that its
    rollups were read.
    """

    participant_id: int
    metric: Metric
    sources: list[ReadFrom]
    others: list[Source]
    width: int
    time: Times
    mean: Values
    low: Values
    high: Values
    total: Values
    n: NDArray[np.int64]
    removed_before: int | None = None

    @property
    def source(self) -> Source | None:
        """The source that was read; where it changes, the last one."""
        return self.sources[-1].source if self.sources else None

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
    participants = Participant.objects.filter(pk__in=participant_ids).select_related("trial")
    people = participants.only("time_zone", "trial__raw_removed_before").in_bulk()
    span = Span(microseconds(start), microseconds(end))
    requested = [BY_CODE[code] for code in metrics]
    return series_of(
        [people[pid] for pid in participant_ids],
        requested,
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
    source: int | None = None,
) -> list[Series]:
    """As `series`, of participants at hand and of a span for each (by id): local days differ from zone to zone.

    `source`: read this one, whichever counts.
    """
    if not people:
        return []
    longest = length_of(spans)
    removed = {participant.pk: removed_before(participant, spans[participant.pk]) for participant in people}
    by_width: dict[tuple[int, bool], list[Metric]] = defaultdict(list)
    for metric in metrics:
        width = bucket_width(metric, longest, resolution, max_points)
        if any(removed.values()):
            width = without_samples(metric, width)
        by_width[width, metric.subminute].append(metric)
    whole = {pid: touched(span, [width for width, _ in by_width]) for pid, span in spans.items()}
    among = None if source is None else [source]
    held = readable(people, metrics, whole, among=among)
    series: dict[tuple[int, int], Series] = {}
    for (requested_width, _), alike in by_width.items():
        keys = [(participant, metric) for metric in alike for participant in people]
        width, plans = requested_width, plans_of(keys, held, spans, requested_width)
        read = read_rows(plans, spans, requested_width)
        if resolution == "auto" and width == 0 and max(map(length, read.values()), default=0) > max_points:
            width, plans = 1, plans_of(keys, held, spans, 1)  # several samples a second
            read = read_rows(plans, spans, 1)
        for participant, metric in keys:
            plan, rows = plans.get((participant.pk, metric.id)), read.get((participant.pk, metric.id), NO_ROWS)
            series[participant.pk, metric.id] = _series(
                participant.pk, metric, plan, width, rows, removed[participant.pk]
            )
    return [series[participant.pk, metric.id] for metric in metrics for participant in people]


def removed_before(participant: Participant, span: Span) -> int | None:
    """Before when the trial keeps no samples, in microseconds UTC, if a span begins before that."""
    cutoff = participant.trial.raw_removed_before
    return microseconds(cutoff) if cutoff is not None and span.start < microseconds(cutoff) else None


def _series(pid: int, metric: Metric, plan: Plan | None, width: int, rows: Rows, removed: int | None) -> Series:
    time, n, total, low, high = rows
    return Series(
        participant_id=pid,
        metric=metric,
        sources=plan.sources() if plan else [],
        others=list(plan.held.others) if plan else [],
        width=width,
        time=time,
        mean=total / n,
        low=low,
        high=high,
        total=total,
        n=n,
        removed_before=removed,
    )


__all__ = [
    "RESOLUTIONS",
    "DayRow",
    "MetricSummary",
    "Overview",
    "ReadFrom",
    "Series",
    "SourceSummary",
    "Span",
    "bucket_width",
    "changed_at",
    "day_tables",
    "exercise_sessions",
    "length_of",
    "metrics_with_data",
    "overview_of",
    "participant_days",
    "removed_before",
    "series",
    "series_of",
    "sleep_sessions",
    "sources_with_data",
    "values_left_out",
]
