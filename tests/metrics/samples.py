"""Batches to test with: explicit times, values and sources."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from metrics.batch import MICROSECOND, Payload, SampleBatch, SourceKey, microseconds

CHARGE = SourceKey("testvendor", "watch", "Charge 6")
PHONE = SourceKey("testvendor", "phone", "")
NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def batch(
    values: Sequence[float],
    *,
    start: dt.datetime = NOON,
    step: float = 5,
    metric: str = "heart_rate",
    source: SourceKey = CHARGE,
    seconds: int | None = None,
) -> SampleBatch:
    """Values at even steps (seconds) from an instant on."""
    time = microseconds(start) + (np.arange(len(values)) * step * MICROSECOND).astype(np.int64)
    lengths = None if seconds is None else np.full(len(values), seconds, dtype=np.int32)
    return SampleBatch(metric, source, time, np.array(values, dtype=np.float64), lengths)


def deliver(*batches: SampleBatch) -> Payload:
    return Payload(samples=list(batches))


def random_day(seed: int, *, start: dt.datetime = NOON, rows: int = 3000) -> SampleBatch:
    """A day's worth of irregular heart rates, some minutes empty, some hours too."""
    rng = np.random.default_rng(seed)
    seconds = np.unique(rng.integers(0, 86_400, rows))
    seconds = seconds[(seconds // 3600) % 7 != 3]
    return SampleBatch(
        "heart_rate",
        CHARGE,
        microseconds(start) + seconds * MICROSECOND,
        rng.integers(50, 120, len(seconds)).astype(np.float64),
    )
