"""Formats of the CSV trees of an account export: one table of what each kind of file holds and how its stamps are
meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.base.files import Chunk, FileJob
from ingestion.providers.csv_columns import Block, has, named_blocks, unlike
from ingestion.providers.local_time import WallClock, day_lengths
from ingestion.providers.missing_values import present
from ingestion.providers.takeout.names import base
from ingestion.providers.takeout.reading import NO_DATA, add_samples, source_of, zone
from ingestion.providers.text_cells import Mask, iso_datetimes, labels
from metrics.batch import SampleBatch, Times, Values
from metrics.local_time import DAY

DATA_SOURCE = "data source"


class Clock(Enum):
    UTC = "instants with their zone"
    LOCAL = "wall clock without a zone"
    DAY = "a label of a local day, never to be converted"


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """Format of a kind of file: known by its columns, and by its name where the columns of several kinds are the same.

    `values`: column -> (metric, factor to our unit). `seconds`: length of the interval that a row stands for.
    `summed`: rows of one instant are parts of a sum, told apart by the first column of `also`.
    """

    code: str
    stamp: str
    values: dict[str, tuple[str, float]]
    clock: Clock = Clock.UTC
    seconds: int | None = None
    named: str = ""
    also: tuple[str, ...] = ()  # further columns it has
    minus: str = ""  # the column that is subtracted from the values
    summed: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns it must have."""
        return (self.stamp, *self.values, *self.also, *filter(None, (self.minus,)))

    def matches(self, name: str, head: bytes) -> bool:
        if self.named and not re.match(self.named, base(name), re.IGNORECASE):
            return False
        return has(head, self.columns) or (bool(self.named) and head.strip() == NO_DATA)

    def near_miss(self, name: str, head: bytes) -> str | None:
        if not self.named or not re.match(self.named, base(name), re.IGNORECASE):
            return None
        lack = unlike(head, self.columns)
        return f"named like {self.code.split('.')[1]}, but {lack}" if lack else None

    def label_in(self, name: str, head: bytes) -> str | None:
        return None  # an export never says whose it is

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        clock = WallClock(zone(job)) if self.clock is not Clock.UTC else None
        columns = {*self.columns, DATA_SOURCE}
        sums = _Sums()
        for block, chunk in named_blocks(job.open, columns, quoted=True):
            if len(block):
                self._read(job, block, chunk, clock, sums)
            if clock:
                chunk.noted.update(clock.noted)
                clock.noted.clear()
            yield chunk
        if self.summed:
            yield sums.chunk(job, self)

    def _read(self, job: FileJob, block: Block, chunk: Chunk, clock: WallClock | None, sums: _Sums) -> None:
        times, seconds, ok = self._times(block, chunk, clock)
        origins = block.columns.get(DATA_SOURCE)
        codes, names = labels(origins) if origins is not None else (np.zeros(len(block), np.int32), [""])
        for column, (metric, factor) in self.values.items():
            values, legible = block.numbers(column)
            chunk.reject(block.lines[ok & ~legible], f"{column} is not a number")
            keep = ok & legible
            if self.minus:
                less, legible = block.numbers(self.minus)
                chunk.reject(block.lines[keep & ~legible], f"{self.minus} is not a number")
                values, keep = values - less, keep & legible
            keep[keep] = present(metric, values[keep], chunk.skipped)
            for code, name in enumerate(names):
                rows = keep & (codes == code)
                if self.summed:
                    sums.add(
                        name,
                        times[rows],
                        block.where(rows).columns[self.also[0]].to_pylist(),
                        values[rows],
                        block.lines[rows],
                    )
                elif rows.any():
                    length = None if seconds is None else seconds[rows]
                    batch = SampleBatch(metric, source_of(name), times[rows], values[rows] * factor, length)
                    add_samples(job, chunk, batch, block.lines[rows])

    def _times(
        self, block: Block, chunk: Chunk, clock: WallClock | None
    ) -> tuple[Times, NDArray[np.int32] | None, Mask]:
        """Instants (microseconds UTC), lengths of the intervals, and which rows have them."""
        stamps, ok, zoned = iso_datetimes(block.columns[self.stamp])
        chunk.reject(block.lines[~ok], f"{self.stamp} is not an ISO date and time")
        seconds = None if self.seconds is None else np.full(len(stamps), self.seconds, dtype=np.int32)
        if self.clock is Clock.DAY and clock:
            times, seconds = day_lengths(clock, stamps // DAY * DAY)
            return times, seconds, ok
        if self.clock is Clock.LOCAL and clock:
            times = stamps.copy()
            wall = ok & ~zoned
            times[wall] = clock.utc(stamps[wall])
            return times, seconds, ok
        chunk.reject(block.lines[ok & ~zoned], f"{self.stamp} has no time zone")
        return stamps, seconds, ok & zoned


class _Sums:
    """Sums of minutes earned in several heart-rate zones at once: each counts once, and a minute is their sum."""

    def __init__(self) -> None:
        self._earned: dict[tuple[str, int, str], tuple[float, int]] = {}

    def add(self, origin: str, times: Times, zones: list[str], values: Values, lines: NDArray[np.int64]) -> None:
        for time, name, value, line in zip(times.tolist(), zones, values.tolist(), lines.tolist(), strict=True):
            self._earned[origin, time, name] = (value, line)

    def chunk(self, job: FileJob, form: CsvFormat) -> Chunk:
        chunk = Chunk(position=job.size)
        ((metric, factor),) = form.values.values()
        minutes: dict[str, dict[int, tuple[float, int]]] = {}
        for (origin, time, _), (value, line) in self._earned.items():
            before = minutes.setdefault(origin, {}).get(time, (0.0, line))
            minutes[origin][time] = (before[0] + value * factor, line)
        for origin, earned in minutes.items():
            times = np.array(list(earned), dtype=np.int64)
            values = np.array([value for value, _ in earned.values()], dtype=np.float64)
            seconds = np.full(len(times), form.seconds or 60, dtype=np.int32)
            batch = SampleBatch(metric, source_of(origin), times, values, seconds)
            add_samples(job, chunk, batch, [line for _, line in earned.values()])
        return chunk


def _one(column: str, metric: str, factor: float = 1.0) -> dict[str, tuple[str, float]]:
    return {column: (metric, factor)}


_RMSSD = "root mean square of successive differences milliseconds"
_SDNN = "standard deviation milliseconds"

CSV_FORMATS: tuple[CsvFormat, ...] = (
    # Day labels first: some have the columns of the samples and differ by name alone.
    CsvFormat(
        "takeout.daily_resting_heart_rate_csv",
        "timestamp",
        _one("beats per minute", "resting_heart_rate"),
        Clock.DAY,
        named="daily_resting_heart_rate",
    ),
    CsvFormat(
        "takeout.daily_heart_rate_variability_csv",
        "timestamp",
        _one("average heart rate variability milliseconds", "hrv_rmssd_24h"),
        Clock.DAY,
    ),
    CsvFormat(
        "takeout.daily_respiratory_rate_csv",
        "timestamp",
        _one("breaths per minute", "respiratory_rate"),
        Clock.DAY,
        named="daily_respiratory_rate",
    ),
    CsvFormat(
        "takeout.daily_oxygen_saturation_csv",
        "timestamp",
        _one("average percentage", "spo2_24h"),
        Clock.DAY,
        named="daily_oxygen_saturation",
    ),
    CsvFormat(
        "takeout.respiratory_rate_summary_csv",
        "timestamp",
        _one("daily_respiratory_rate", "respiratory_rate"),
        Clock.DAY,
    ),
    CsvFormat(
        "takeout.daily_hrv_summary_csv",
        "timestamp",
        _one("rmssd", "hrv_rmssd_24h"),
        Clock.DAY,
        also=("nremhr",),
    ),
    CsvFormat(
        "takeout.daily_spo2_csv",
        "timestamp",
        _one("average_value", "spo2_24h"),
        Clock.DAY,
        also=("lower_bound", "upper_bound"),
    ),
    # One kind of file whose column has had many names.
    *(
        CsvFormat("takeout.vo2_max_csv", "timestamp", _one(column, "vo2_max"), Clock.DAY)
        for column in (
            "daily vo2 max value",
            "daily vo2 max",
            "vo2 max value",
            "vo2 max",
            "vo2max",
            "demographic vo2max",
            "demographic vo2 max",
        )
    ),
    CsvFormat(
        "takeout.daily_sleep_temperature_csv",
        "timestamp",
        _one("nightly temperature celsius", "skin_temperature_deviation"),
        Clock.DAY,
        minus="baseline temperature celsius",
    ),
    CsvFormat("takeout.heart_rate_csv", "timestamp", _one("beats per minute", "heart_rate")),
    CsvFormat("takeout.steps_csv", "timestamp", _one("steps", "steps"), seconds=60),
    CsvFormat("takeout.distance_csv", "timestamp", _one("distance", "distance"), seconds=60),
    CsvFormat("takeout.calories_csv", "timestamp", _one("calories", "energy"), seconds=60),
    CsvFormat("takeout.oxygen_saturation_csv", "timestamp", _one("oxygen saturation percentage", "spo2")),
    CsvFormat(
        "takeout.heart_rate_variability_csv",
        "timestamp",
        {_RMSSD: ("hrv_rmssd", 1.0), _SDNN: ("hrv_sdnn", 1.0)},
        seconds=300,
    ),
    CsvFormat(
        "takeout.active_zone_minutes_csv",
        "timestamp",
        _one("total minutes", "active_zone_minutes"),
        seconds=60,
        also=("heart rate zone",),
        summed=True,
    ),
    CsvFormat("takeout.weight_csv", "timestamp", _one("weight grams", "weight", 0.001)),
    CsvFormat("takeout.body_fat_csv", "timestamp", _one("body fat percentage", "body_fat")),
    CsvFormat("takeout.body_temperature_csv", "timestamp", _one("temperature celsius", "skin_temperature")),
    CsvFormat("takeout.minute_spo2_csv", "timestamp", _one("value", "spo2"), named=r"Minute SpO2"),
    CsvFormat(
        "takeout.hrv_details_csv",
        "timestamp",
        _one("rmssd", "hrv_rmssd"),
        Clock.LOCAL,
        seconds=300,
        also=("coverage",),
    ),
    CsvFormat(
        "takeout.azm_csv",
        "date_time",
        _one("total_minutes", "active_zone_minutes"),
        Clock.LOCAL,
        seconds=60,
        also=("heart_zone_id",),
        summed=True,
    ),
    CsvFormat(
        "takeout.computed_temperature_csv",
        "sleep_end",
        _one("nightly_temperature", "skin_temperature"),
        Clock.LOCAL,
    ),
)
