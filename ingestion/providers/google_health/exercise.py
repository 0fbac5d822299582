"""Exercise of Google Health as sessions. Pure functions."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from math import isfinite

import msgspec
import numpy as np
from msgspec import Raw, Struct

from ingestion.providers.base.live import Pulled
from ingestion.providers.google_health.assembly import left_out, offset_changes
from ingestion.providers.google_health.decode import Origin
from ingestion.providers.google_health.listing import NOTHING, ListDecoder, named, specified
from ingestion.providers.google_health.sessions import Interval, SessionPage, session_id, session_page
from ingestion.providers.google_health.times import duration
from metrics.batch import ExerciseRecord, Payload, microseconds

# Lengths of the columns these end up in.
MAX_ACTIVITY, MAX_NAME = 80, 120
# Whole numbers beyond this have no column.
MOST = 2.0**53


class _Summary(Struct):
    caloriesKcal: float | None = None  # noqa: N815  Google's spelling, here and below
    distanceMillimeters: float | None = None  # noqa: N815
    steps: float | None = None
    averageHeartRateBeatsPerMinute: float | None = None  # noqa: N815


class _Exercise(Struct):
    interval: Interval
    exerciseType: str = ""  # noqa: N815
    displayName: str = ""  # noqa: N815
    activeDuration: str = ""  # noqa: N815
    metricsSummary: _Summary = msgspec.field(default_factory=_Summary)  # noqa: N815


class _Point(Struct):
    exercise: _Exercise
    name: str = ""
    dataSource: Raw = NOTHING  # noqa: N815


_POINTS = ListDecoder("dataPoints", _Point)


def exercise_page(body: bytes, origin: Origin) -> SessionPage[ExerciseRecord]:
    """Page of a response to `list` for exercise. Raises BrokenResponse."""

    def exercise(point: _Point, start: dt.datetime, end: dt.datetime, skipped: Counter[str]) -> ExerciseRecord:
        return _record(point, start, end, origin)

    return session_page(_POINTS.read(body), lambda point: point.exercise.interval, exercise)


def assemble_exercise(pages: Sequence[SessionPage[ExerciseRecord]], start: dt.datetime, end: dt.datetime) -> Pulled:
    """Exercise of the pages of one pull that starts in [start, end), each once: of one that comes twice the last one
    counts. The filter goes by wall clocks, so that a pull brings some of before and after as well."""
    kept = {
        (record.source, record.external_id): (record, clocks)
        for page in pages
        for record, clocks in page.sessions
        if start <= record.starts_at < end
    }
    # What its end says of the clock may lie beyond what was asked for.
    clock_readings = [
        pair for record, clocks in kept.values() for pair in clocks if pair[0] == microseconds(record.starts_at)
    ]
    time = np.array([at for at, _ in clock_readings], dtype=np.int64)
    offsets = np.array([seconds for _, seconds in clock_readings], dtype=np.int32)
    low, high = microseconds(start), microseconds(end)
    return Pulled(
        Payload(exercise=[record for record, _ in kept.values()]),
        offset_changes(time, offsets),
        points=len(kept),
        unreadable=left_out(pages),
        unfinished=sorted({at for page in pages for at in page.unfinished if low <= at < high}),
    )


def _record(point: _Point, starts_at: dt.datetime, ends_at: dt.datetime, origin: Origin) -> ExerciseRecord:
    exercise, summary = point.exercise, point.exercise.metricsSummary
    millimetres, steps = _measured(summary.distanceMillimeters), _measured(summary.steps)
    return ExerciseRecord(
        origin.source(bytes(point.dataSource)),
        # Without an id in its name the exercise is known by its start.
        session_id((named(point.name), str(microseconds(starts_at)))),
        starts_at,
        ends_at,
        activity=specified(exercise.exerciseType).lower()[:MAX_ACTIVITY],
        name=exercise.displayName[:MAX_NAME],
        active_seconds=duration(exercise.activeDuration),
        distance_m=None if millimetres is None else millimetres / 1000,
        energy_kcal=_measured(summary.caloriesKcal),
        steps=None if steps is None else round(steps),
        # Nobody's heart stands still: zero is "not computed".
        mean_heart_rate=_measured(summary.averageHeartRateBeatsPerMinute) or None,
    )


def _measured(value: float | None) -> float | None:
    """Number that can have been measured, or None."""
    return value if value is not None and isfinite(value) and 0 <= value < MOST else None
