"""Participants with data, stored through the writer: a heart rate every ten seconds, steps every minute."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from metrics.batch import MICROSECOND, ExerciseRecord, Payload, SampleBatch, SleepRecord, SourceKey, microseconds
from metrics.writing import writer
from participants.models import Participant

WATCH = SourceKey("fitabase", "", "Charge 6")
# Wednesday, 18 November 2026 in Europe/Amsterdam (UTC+1).
DAY = dt.date(2026, 11, 18)
NOON = dt.datetime(2026, 11, 18, 11, 0, tzinfo=dt.UTC)


def heart_rate(start: dt.datetime, minutes: int, *, step: int = 10, value: float = 70.0) -> SampleBatch:
    """A steady heart rate from `start` for so many minutes."""
    time = microseconds(start) + np.arange(0, minutes * 60, step, dtype=np.int64) * MICROSECOND
    return SampleBatch("heart_rate", WATCH, time, np.full(len(time), value))


def steps(start: dt.datetime, counts: list[int]) -> SampleBatch:
    """Steps minute by minute from `start`."""
    time = microseconds(start) + np.arange(len(counts), dtype=np.int64) * 60 * MICROSECOND
    return SampleBatch("steps", WATCH, time, np.array(counts, float), np.full(len(counts), 60, np.int32))


def store(
    participant: Participant,
    *batches: SampleBatch,
    sleep: Sequence[SleepRecord] = (),
    exercise: Sequence[ExerciseRecord] = (),
) -> None:
    writer.store(participant, Payload(samples=list(batches), sleep=list(sleep), exercise=list(exercise)))
