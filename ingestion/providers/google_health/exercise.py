"""Google Health exercise as sessions. Pure functions."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import msgspec
import numpy as np
from msgspec import Raw, Struct

from ingestion.providers.base import BrokenAnswer
from ingestion.providers.google_health.assembly import Assembled, offset_changes
from ingestion.providers.google_health.decode import NOTHING, Origin, duration, list_decoder, listing
from ingestion.providers.google_health.sleep import SessionInterval
from metrics.batch import Delivery, ExerciseRecord, microseconds

UNSPECIFIED = "EXERCISE_TYPE_UNSPECIFIED"
# Lengths of the columns these end up in.
MAX_ACTIVITY, MAX_NAME = 80, 120


class _Summary(Struct):
    caloriesKcal: float | None = None  # noqa: N815  Google's spelling, here and below
    distanceMillimeters: float | None = None  # noqa: N815
    steps: int | None = None
    averageHeartRateBeatsPerMinute: float | None = None  # noqa: N815


class _Exercise(Struct):
    interval: SessionInterval
    exerciseType: str = ""  # noqa: N815
    displayName: str = ""  # noqa: N815
    activeDuration: str = ""  # noqa: N815
    metricsSummary: _Summary = msgspec.field(default_factory=_Summary)  # noqa: N815


class _Point(Struct):
    exercise: _Exercise
    name: str = ""
    dataSource: Raw = NOTHING  # noqa: N815


_DECODER = list_decoder("dataPoints", _Point)


@dataclass(slots=True)
class ExercisePage:
    """One page of exercise, the token of the next page or "", and beside each session its offset at the start as
    (microseconds UTC, seconds east of UTC), None where not told."""

    token: str
    sessions: list[tuple[ExerciseRecord, tuple[int, int] | None]]

    @property
    def count(self) -> int:
        return len(self.sessions)


def exercise_page(body: bytes, origin: Origin) -> ExercisePage:
    """An answer to `list` for exercise. Raises BrokenAnswer."""
    points, token = listing(body, _DECODER, "dataPoints")
    return ExercisePage(token, [(_record(point, origin), _offset(point.exercise.interval)) for point in points])


def assemble_exercise(pages: Sequence[ExercisePage], start: dt.datetime, end: dt.datetime) -> Assembled:
    """Pages of one pull as the exercise that starts in [start, end), each once: of one that comes twice the last
    one counts. The filter goes by wall clocks, so that a pull brings some of before and after as well."""
    kept = {
        (record.source, record.external_id): (record, offset)
        for page in pages
        for record, offset in page.sessions
        if start <= record.starts_at < end
    }
    told = [offset for _, offset in kept.values() if offset]
    time = np.array([at for at, _ in told], dtype=np.int64)
    offsets = np.array([seconds for _, seconds in told], dtype=np.int32)
    delivery = Delivery(exercise=[record for record, _ in kept.values()])
    return Assembled(delivery, offset_changes(time, offsets), Counter())


def _record(point: _Point, origin: Origin) -> ExerciseRecord:
    exercise, summary = point.exercise, point.exercise.metricsSummary
    starts_at, ends_at = exercise.interval.startTime, exercise.interval.endTime
    if ends_at <= starts_at:
        raise BrokenAnswer("interval_ends_before_it_starts")
    millimetres = _measured(summary.distanceMillimeters)
    return ExerciseRecord(
        origin.source(bytes(point.dataSource)),
        # The name ends in the point's id; without one the exercise is known by its start.
        point.name.rpartition("/")[2] or str(microseconds(starts_at)),
        starts_at,
        ends_at,
        activity="" if exercise.exerciseType == UNSPECIFIED else exercise.exerciseType.lower()[:MAX_ACTIVITY],
        name=exercise.displayName[:MAX_NAME],
        active_seconds=duration(exercise.activeDuration) if exercise.activeDuration else None,
        distance_m=None if millimetres is None else millimetres / 1000,
        energy_kcal=_measured(summary.caloriesKcal),
        steps=summary.steps,
        # Nobody's heart stands still: zero is "not computed".
        mean_heart_rate=_measured(summary.averageHeartRateBeatsPerMinute) or None,
    )


def _measured(value: float | None) -> float | None:
    """A number that can have been measured, or None."""
    return value if value is not None and isfinite(value) and value >= 0 else None


def _offset(interval: SessionInterval) -> tuple[int, int] | None:
    text = interval.startUtcOffset
    return (microseconds(interval.startTime), duration(text)) if text else None
