"""Formats of exercise in both trees of an account export: exercise-*.json and UserExercises.

Both may hold the same exercise under other ids, so it is known by its start: nobody begins two at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ingestion.providers.base.files import Chunk, Clock, FileJob
from ingestion.providers.csv_columns import Block, has, named_blocks, unlike
from ingestion.providers.local_time import WallClock
from ingestion.providers.takeout.names import base
from ingestion.providers.takeout.reading import TRACKER, zone
from ingestion.providers.takeout.records import Exercise, records
from ingestion.providers.text_cells import iso_datetimes, short_us_datetimes
from metrics.batch import MICROSECOND, ExerciseRecord, instant

CLOCK = "clock of dateTime"  # as of the other stamps without one
EXERCISE = "exercise of the JSON tree"  # shares no clock with other files
METRES = {"kilometer": 1000.0, "mile": 1609.344, "meter": 1.0}
STAMP = "startTime is not like 06/12/15 10:00:00"


def read_exercise(job: FileJob, chunk: Chunk) -> None:
    """Every exercise of a JSON file. Its stamps are UTC without saying so, as those of heart rates are."""
    logs, lines = records(job, Exercise, chunk)
    stamps, ok = short_us_datetimes([exercise.startTime for exercise in logs])
    numbers = np.array(lines, dtype=np.int64)
    chunk.reject(numbers[~ok], STAMP)
    times = stamps.copy()
    basis = job.clock_basis if job.clock is Clock.LOCAL else "as exports write starts of exercise"
    job.assumptions[CLOCK] = f"{job.clock.label}, {basis}"
    if job.clock is Clock.LOCAL and ok.any():
        clock = WallClock(zone(job))
        times[ok] = clock.utc(stamps[ok])
        chunk.noted.update(clock.noted)
    for exercise, time, line, good in zip(logs, times.tolist(), lines, ok.tolist(), strict=True):
        if not good:
            continue
        if exercise.duration <= 0:
            chunk.reject([line], "duration is no length in milliseconds")
            continue
        chunk.payload(None).exercise.append(_record(exercise, time))


def _record(exercise: Exercise, time: int) -> ExerciseRecord:
    unit = METRES.get((exercise.distanceUnit or "kilometer").casefold())
    active = exercise.activeDuration
    return ExerciseRecord(
        TRACKER,
        _id(time),
        instant(time),
        instant(time) + dt.timedelta(milliseconds=exercise.duration),
        activity=_activity(exercise.activityName),
        name=exercise.activityName[:120],
        active_seconds=None if active is None else active // 1000,
        distance_m=exercise.distance * unit if exercise.distance and unit else None,
        energy_kcal=exercise.calories,
        steps=exercise.steps,
        mean_heart_rate=exercise.averageHeartRate or None,
    )


def _id(time: int) -> str:
    return f"{instant(time // MICROSECOND * MICROSECOND):%Y-%m-%dT%H:%M:%SZ}"


def _activity(name: str) -> str:
    return name.strip().lower().replace(" ", "_")[:80]


class UserExercises:
    """Format with an exercise a row, in UTC."""

    code: ClassVar[str] = "takeout.user_exercises"
    columns: ClassVar[tuple[str, ...]] = ("exercise_start", "exercise_end", "activity_name")
    numbers: ClassVar[tuple[str, ...]] = (
        "tracker_total_calories",
        "tracker_total_steps",
        "tracker_total_distance_mm",
        "tracker_avg_heart_rate",
    )

    def matches(self, name: str, head: bytes) -> bool:
        return has(head, self.columns)

    def near_miss(self, name: str, head: bytes) -> str | None:
        lack = unlike(head, self.columns) if base(name).startswith("UserExercises_") else ""
        return f"named like UserExercises, but {lack}" if lack else None

    def label_in(self, name: str, head: bytes) -> str | None:
        return None  # an export never says whose it is

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        for block, chunk in named_blocks(job.open, {*self.columns, *self.numbers}, quoted=True):
            self._read(block, chunk)
            yield chunk

    def _read(self, block: Block, chunk: Chunk) -> None:
        starts, begun, _ = iso_datetimes(block.columns["exercise_start"])
        ends, ended, _ = iso_datetimes(block.columns["exercise_end"])
        chunk.reject(block.lines[~(begun & ended)], "exercise_start or exercise_end is not an ISO date and time")
        numbers = {name: block.numbers(name)[0] for name in self.numbers if name in block.columns}
        names = block.columns["activity_name"].to_pylist()
        for row in np.flatnonzero(begun & ended):
            measured = {
                name: None if np.isnan(column[row]) or column[row] < 0 else float(column[row])
                for name, column in numbers.items()
            }
            millimetres, steps = measured.get("tracker_total_distance_mm"), measured.get("tracker_total_steps")
            chunk.payload(None).exercise.append(
                ExerciseRecord(
                    TRACKER,
                    _id(int(starts[row])),
                    instant(starts[row]),
                    instant(ends[row]),
                    activity=_activity(names[row]),
                    name=names[row].strip()[:120],
                    distance_m=millimetres / 1000 if millimetres else None,
                    energy_kcal=measured.get("tracker_total_calories"),
                    steps=None if steps is None else round(steps),
                    mean_heart_rate=measured.get("tracker_avg_heart_rate") or None,
                )
            )
