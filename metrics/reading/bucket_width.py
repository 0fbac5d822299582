"""Width of the buckets of a series: so that few enough come back, and from the coarsest table that answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from metrics.registry import Aggregate, Kind, Metric
from metrics.time_buckets import DAY_SECONDS, Span

RESOLUTIONS = ("auto", "raw", "1m", "1h", "1d")
# Bucket widths that people read easily, in seconds. 0 is every sample.
NICE_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
# Fewer points than these and the next finer table is read: a line wants more points than a row of bars.
ENOUGH_POINTS = {Aggregate.MEAN: 300, Aggregate.SUM: 60}
MOST_BARS = 400


def length_of(spans: Mapping[int, Span]) -> dt.timedelta:
    """The longest of the spans: one width serves all."""
    return dt.timedelta(microseconds=max(span.end - span.start for span in spans.values()))


def bucket_width(metric: Metric, span: dt.timedelta, resolution: str, max_points: int) -> int:
    """Seconds a bucket for a span: 0 means every sample, 86400 local days. A daily value has no finer bucket."""
    fixed = {"raw": 0, "1m": 60, "1h": 3600, "1d": DAY_SECONDS}
    if resolution == "raw":
        return 0
    if metric.kind is Kind.DAILY and (resolution in fixed or span.days + 1 < max_points):
        return DAY_SECONDS
    if resolution in fixed:
        return fixed[resolution]
    seconds = span.total_seconds()
    most = min(max_points, MOST_BARS) if metric.aggregate is Aggregate.SUM else max_points
    enough = min(ENOUGH_POINTS[metric.aggregate], most / 5)
    table = next((width for width in (DAY_SECONDS, 3600, 60) if seconds / width >= enough), 0)
    # A span that begins within a bucket touches one more.
    finest = max(table, seconds / max(most - 1, 1))
    if finest <= 1:
        return 0
    return next((width for width in NICE_WIDTHS if width >= finest), -(-int(finest) // DAY_SECONDS) * DAY_SECONDS)


def without_samples(metric: Metric, width: int) -> int:
    """The width for a span whose samples were deleted: the finest that rollups answer, where `width` asks for less."""
    if metric.kind is Kind.DAILY:
        return max(width, DAY_SECONDS)
    return max(width, 60 if metric.subminute else 3600)
