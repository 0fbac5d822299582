"""Format of activitylogs: an exercise a row, with its start on the participant's clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ingestion.providers.base.files import Chunk, FileJob
from ingestion.providers.fitabase.reading import SOURCE, LabelClocks, Part, day_stamps, good_instants, read_parts
from ingestion.providers.fitabase.tables import Table
from ingestion.providers.text_cells import Mask
from metrics.batch import MICROSECOND, ExerciseRecord, Times, instant

TIME = "time of day like 18:58:00"
# Fitabase's term for exercise that was entered or detected, and what we take over of it.
NUMBERS = ("Steps", "Distance", "Calories", "AverageHeartRate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityLogs(Table):
    """Format of exercise. There is no id: an exercise is known by its start and what it was."""

    code: str = "fitabase.activitylogs"
    columns: tuple[str, ...] = ("Date", "StartTime", "Duration", "Activity")
    optional: tuple[str, ...] = ("ActivityType", *NUMBERS)

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        job.assumptions["unit of Distance"] = "kilometres (the file does not say; it is a setting of the project)"
        yield from read_parts(job, self, LabelClocks(job, self), lambda part: self._read(job, part))

    def _read(self, job: FileJob, part: Part) -> None:
        local, usable = _starts(part)
        length, ok = part.block.numbers("Duration")
        sane = ok & (length > 0)
        part.chunk.reject(part.lines[usable & ~sane], "Duration is no length in milliseconds")
        rows = np.flatnonzero(usable & sane)
        time = part.clock.utc(local[rows])
        timely = good_instants(part, time, part.lines[rows], job)
        numbers = {name: part.block.numbers(name)[0] for name in NUMBERS if name in part.block.columns}
        activities = part.block.columns["Activity"].to_pylist()
        for row, at in zip(rows[timely], time[timely], strict=True):
            measured = {name: None if np.isnan(column[row]) else float(column[row]) for name, column in numbers.items()}
            name, starts_at = activities[row].strip(), instant(at)
            written = instant(local[row]).replace(tzinfo=None).isoformat()
            part.chunk.payload(part.label).exercise.append(
                ExerciseRecord(
                    SOURCE,
                    f"{written} {name}"[:64],
                    starts_at,
                    starts_at + dt.timedelta(milliseconds=float(length[row])),
                    activity=name.lower().replace(" ", "_")[:80],
                    name=name[:120],
                    # A distance or heart rate of zero is one that was not measured.
                    distance_m=(measured.get("Distance") or 0) * 1000 or None,
                    energy_kcal=measured.get("Calories"),
                    steps=None if measured.get("Steps") is None else round(measured["Steps"] or 0),
                    mean_heart_rate=measured.get("AverageHeartRate") or None,
                )
            )


def _starts(part: Part) -> tuple[Times, Mask]:
    """Starts as local microseconds, and the rows that have one; the others are rejected."""
    dates, dated = day_stamps(part, "Date")
    seconds = np.array([_of_day(cell) for cell in part.block.columns["StartTime"].to_pylist()], dtype=np.int64)
    part.chunk.reject(part.lines[dated & (seconds < 0)], f"StartTime is not a {TIME}")
    return dates + seconds * MICROSECOND, dated & (seconds >= 0)


def _of_day(text: str) -> int:
    """Seconds since midnight; -1 for what is no time of day."""
    for form in ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p"):
        try:
            time_of_day = dt.datetime.strptime(text.strip(), form)  # noqa: DTZ007  a time of day has no zone
        except ValueError:
            continue
        return time_of_day.hour * 3600 + time_of_day.minute * 60 + time_of_day.second
    return -1
