"""Fitabase's formats: heart rate by seconds, minute steps narrow and wide, minute sleep, daily activity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ingestion.providers.base import Chunk, FileFormat, FileJob
from ingestion.providers.cells import us_dates, us_datetimes
from ingestion.providers.fitabase.reading import (
    DATE,
    DATE_TIME,
    SOURCE,
    Part,
    People,
    Table,
    add_samples,
    good_instants,
    good_numbers,
    good_times,
    parts,
)
from ingestion.providers.fitabase.sleep import MinuteSleep
from ingestion.providers.markers import present
from ingestion.providers.wallclock import day_lengths
from metrics.batch import MICROSECOND, SampleBatch


class Samples(Table):
    """A value a row, of an instant or of a minute."""

    metric: ClassVar[str]
    seconds: ClassVar[int | None]

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        people = People(job)
        for chunk, found in parts(job, self.columns, people):
            for part in found:
                self._read(job, part)
            people.take_notes(chunk)
            yield chunk

    def _read(self, job: FileJob, part: Part) -> None:
        time_column, value_column = self.columns
        local, ok = us_datetimes(part.block.columns[time_column])
        usable = good_times(part, time_column, local, ok, DATE_TIME)
        values, usable = good_numbers(part, value_column, usable)
        # First the clock: in a repeated hour it goes by the order of all rows.
        time, values = part.clock.utc(local[usable]), values[usable]
        there = present(self.metric, values, part.chunk.skipped)
        seconds = None if self.seconds is None else np.full(int(there.sum()), self.seconds, dtype=np.int32)
        batch = SampleBatch(self.metric, SOURCE, time[there], values[there], seconds)
        add_samples(part, batch, part.block.lines[usable][there], job)


class HeartRateSeconds(Samples):
    code = "fitabase.heartrate_seconds"
    columns = ("Time", "Value")
    metric = "heart_rate"
    seconds = None


class MinuteStepsNarrow(Samples):
    code = "fitabase.minuteStepsNarrow"
    columns = ("ActivityMinute", "Steps")
    metric = "steps"
    seconds = 60


class MinuteStepsWide(Table):
    """An hour a row, a minute a column: the same samples as in the narrow file."""

    code = "fitabase.minuteStepsWide"
    columns = ("ActivityHour", *(f"Steps{minute:02}" for minute in range(60)))

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        people = People(job, whole_hours=True)
        for chunk, found in parts(job, self.columns, people):
            for part in found:
                self._read(job, part)
            people.take_notes(chunk)
            yield chunk

    def _read(self, job: FileJob, part: Part) -> None:
        local, ok = us_datetimes(part.block.columns["ActivityHour"])
        usable = good_times(part, "ActivityHour", local, ok, DATE_TIME)
        minutes = []
        for column in self.columns[1:]:
            values, usable = good_numbers(part, column, usable)
            minutes.append(values)
        hours, lines = part.clock.utc(local[usable]), part.block.lines[usable]
        timely = good_instants(part, hours, lines, job)
        time = (hours[timely][:, None] + np.arange(60, dtype=np.int64) * 60 * MICROSECOND).ravel()
        value = np.column_stack(minutes)[usable][timely].ravel()
        there = present("steps", value, part.chunk.skipped)
        seconds = np.full(int(there.sum()), 60, dtype=np.int32)
        batch = SampleBatch("steps", SOURCE, time[there], value[there], seconds)
        add_samples(part, batch, np.repeat(lines[timely], 60)[there], job)


class DailyActivity(Table):
    """A day a row. Each total belongs to the local day: its first instant, and as long as that day was."""

    code = "fitabase.dailyActivity"
    metrics: ClassVar[dict[str, tuple[str, float]]] = {  # column: metric, factor to our unit
        "TotalSteps": ("steps_24h", 1),
        "TotalDistance": ("distance_24h", 1000),
        "Calories": ("energy_24h", 1),
        "SedentaryMinutes": ("sedentary_24h", 1),
        "LightlyActiveMinutes": ("lightly_active_24h", 1),
        "FairlyActiveMinutes": ("fairly_active_24h", 1),
        "VeryActiveMinutes": ("very_active_24h", 1),
    }
    columns = ("ActivityDate", *metrics)

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        job.assumptions["unit of TotalDistance"] = "kilometres (the file does not say; it is a setting of the project)"
        people = People(job)
        for chunk, found in parts(job, self.columns, people):
            for part in found:
                self._read(job, part)
            yield chunk

    def _read(self, job: FileJob, part: Part) -> None:
        local, ok = us_dates(part.block.columns["ActivityDate"])
        usable = good_times(part, "ActivityDate", local, ok, DATE)
        columns = {}
        for column in self.metrics:
            columns[column], usable = good_numbers(part, column, usable)
        time, seconds = day_lengths(part.clock, local[usable])
        lines = part.block.lines[usable]
        timely = good_instants(part, time, lines, job)
        for column, (metric, factor) in self.metrics.items():
            values = columns[column][usable][timely]
            there = present(metric, values, part.chunk.skipped)
            days = SampleBatch(metric, SOURCE, time[timely][there], values[there] * factor, seconds[timely][there])
            add_samples(part, days, lines[timely][there], job)


FORMATS: tuple[FileFormat, ...] = (
    HeartRateSeconds(),
    MinuteStepsNarrow(),
    MinuteStepsWide(),
    MinuteSleep(),
    DailyActivity(),
)
