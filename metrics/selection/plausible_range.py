"""Plausible ranges: values count within the plausible range of their metric (registry.py), asked of everything that
counts.

A value outside is kept as it came, marked wherever single values are shown or handed out, and counted nowhere: not in
rollups, wear, gaps, charts, daily values or messages to other systems. It still proves that the device handed its data
on. Nothing of this is stored with the value: `plausible` answers for columns, `counted` for rows in SQL, and a test
holds the two equal.

The range of a sum over an interval (steps, energy) is that of a minute; what lasts longer may hold as much more. That
of a mean, of an instant and of a day is as it stands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.batch import Seconds, Values
from metrics.registry import METRICS, Aggregate, Kind, Metric

MINUTE = 60


def per_minute(metric: Metric) -> bool:
    """Whether the metric's range is that of a minute, and grows with the length of the interval."""
    return metric.kind is Kind.INTERVAL and metric.aggregate is Aggregate.SUM


def plausible(metric: Metric, value: Values, seconds: Seconds | NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
    """Mask of values that count; both bounds do. Shape as given.

    `seconds`: lengths of the intervals, below zero or None where there is none.
    """
    low, high = metric.plausible
    if seconds is None or not per_minute(metric):
        return (value >= low) & (value <= high)
    return (value >= low) & (value <= float(high) * np.maximum(seconds, MINUTE) / MINUTE)


def range_text(metric: Metric) -> str:
    """The range as text in the metric's UCUM unit: "25 to 240 /min", "0 to 300 {steps} a minute"."""
    low, high = metric.plausible
    return f"{low:g} to {high:g} {metric.unit}{' a minute' if per_minute(metric) else ''}"


def _within(metric: Metric) -> str:
    low, high = (f"{float(bound)!r}::float8" for bound in metric.plausible)
    if per_minute(metric):
        high += f" * greatest(coalesce({{row}}.seconds, {MINUTE}), {MINUTE}) / {MINUTE}"
    return f"WHEN {metric.id} THEN {{row}}.value BETWEEN {low} AND {high}"


_COUNTED = f"(CASE {{row}}.metric_id {' '.join(map(_within, METRICS))} END)"


def counted(row: str) -> str:
    """SQL: whether the value of a row of measurements counts. `row`: its name in the statement."""
    return _COUNTED.format(row=row)
