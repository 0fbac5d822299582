"""Formats of the JSON tree of an account export. Each file is a list of records and small enough to hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import msgspec
import numpy as np

from ingestion.providers.base.files import Chunk, ClockSign, FileJob
from ingestion.providers.local_time import WallClock, day_lengths
from ingestion.providers.missing_values import present
from ingestion.providers.takeout.clocks import CALORIES, MINUTES, clock_of_minutes, sign_of_clock
from ingestion.providers.takeout.exercise import EXERCISE, read_exercise
from ingestion.providers.takeout.names import base
from ingestion.providers.takeout.reading import NO_DATA, TRACKER, add_samples, zone
from ingestion.providers.takeout.records import (
    Amount,
    HeartRate,
    RestingHeartRate,
    Vo2Max,
    Weight,
    first_record,
    records,
)
from ingestion.providers.takeout.sleep import read_sleep
from ingestion.providers.text_cells import Mask, short_us_datetimes
from metrics.batch import SampleBatch, Values
from metrics.local_time import DAY

POUND = 0.45359237  # kg
STAMP = "dateTime is not like 05/02/24 07:00:12"

Kind = TypeVar("Kind", bound=msgspec.Struct)
Keys = Callable[[dict[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """Format of a kind of file: known by its records, and by its name where records of several kinds look alike."""

    code: str
    named: str  # how its name begins
    shaped: Keys  # whether a record is of this kind
    read: Callable[[FileJob, Chunk], None]
    name_decides: bool = False
    clock_shared_by: str = ""  # by which files; the others say their clock, or have another
    one_day: bool = False  # a file a day; else a month or a part of one
    clock_option: ClassVar[str] = "--takeout-clock"

    def matches(self, name: str, head: bytes) -> bool:
        named = self._named(name)
        if self.name_decides and not named:
            return False
        if named and head.strip() in (NO_DATA, b"[]"):
            return True
        record = first_record(head)
        return record is not None and self.shaped(record)

    def near_miss(self, name: str, head: bytes) -> str | None:
        return f"named like {self.named}, but its records are not" if self._named(name) else None

    def label_in(self, name: str, head: bytes) -> str | None:
        return None  # an export never says whose it is

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        chunk = Chunk()
        self.read(job, chunk)
        yield chunk

    def sign_of_clock(self, job: FileJob) -> ClockSign | None:
        return sign_of_clock(job, one_day=self.one_day) if self.clock_shared_by else None

    def _named(self, name: str) -> bool:
        return re.match(rf"{self.named}-.*\.json", base(name), re.IGNORECASE) is not None


def _timed(read: Sequence[Any], lines: list[int], chunk: Chunk) -> tuple[Any, Any, Mask]:
    """Stamps (as written, microseconds), record numbers, and which are legible; the others are rejected."""
    stamps, ok = short_us_datetimes([record.dateTime for record in read])
    numbers = np.array(lines, dtype=np.int64)
    chunk.reject(numbers[~ok], STAMP)
    return stamps, numbers, ok


def _heart_rate(job: FileJob, chunk: Chunk) -> None:
    rates, lines = records(job, HeartRate, chunk)
    stamps, numbers, ok = _timed(rates, lines, chunk)
    sure = np.array([record.value.confidence > 0 for record in rates], dtype=bool)
    chunk.skip("confidence 0", int(np.count_nonzero(ok & ~sure)))
    times = np.zeros(len(stamps), dtype=np.int64)
    times[ok] = clock_of_minutes(job, stamps[ok], chunk)
    values = _numbers([record.value.bpm for record in rates])
    keep = ok & sure
    keep[keep] = present("heart_rate", values[keep], chunk.skipped)
    add_samples(job, chunk, SampleBatch("heart_rate", TRACKER, times[keep], values[keep]), numbers[keep])


def _minutes(metric: str, factor: float = 1.0, assumption: str = "") -> Callable[[FileJob, Chunk], None]:
    """Reader of minute sums."""

    def read(job: FileJob, chunk: Chunk) -> None:
        if assumption:
            job.assumptions[f"unit of {metric}"] = assumption
        amounts, lines = records(job, Amount, chunk)
        stamps, numbers, keep = _timed(amounts, lines, chunk)
        times = np.zeros(len(stamps), dtype=np.int64)
        times[keep] = clock_of_minutes(job, stamps[keep], chunk)
        values = _numbers([record.value for record in amounts])
        keep[keep] = present(metric, values[keep], chunk.skipped)
        seconds = np.full(int(keep.sum()), 60, dtype=np.int32)
        add_samples(
            job, chunk, SampleBatch(metric, TRACKER, times[keep], values[keep] * factor, seconds), numbers[keep]
        )

    return read


def _days(metric: str, kind: type[Kind], value: Callable[[Kind], float | None]) -> Callable[[FileJob, Chunk], None]:
    """Reader of one value a local day; the time part of the stamp is padding."""

    def read(job: FileJob, chunk: Chunk) -> None:
        days, lines = records(job, kind, chunk)
        stamps, numbers, keep = _timed(days, lines, chunk)
        values = _numbers([value(record) for record in days])
        keep[keep] = present(metric, values[keep], chunk.skipped)
        if keep.any():
            dates = stamps[keep] // DAY * DAY
            time, seconds = day_lengths(WallClock(zone(job)), dates)
            add_samples(job, chunk, SampleBatch(metric, TRACKER, time, values[keep], seconds), numbers[keep])

    return read


def _weight(job: FileJob, chunk: Chunk) -> None:
    job.assumptions["unit of weight"] = "pounds (the file does not say; most exports have them)"
    weights, lines = records(job, Weight, chunk)
    stamps, ok = short_us_datetimes([f"{record.date} {record.time}" for record in weights])
    numbers = np.array(lines, dtype=np.int64)
    chunk.reject(numbers[~ok], "date and time are not like 08/24/26 and 23:59:59")
    if not ok.any():
        return
    clock = WallClock(zone(job))
    times = np.zeros(len(stamps), dtype=np.int64)
    times[ok] = clock.utc(stamps[ok])
    chunk.noted.update(clock.noted)
    pounds = np.array([record.weight for record in weights], dtype=np.float64)
    weighed = ok.copy()
    weighed[weighed] = present("weight", pounds[ok], chunk.skipped)
    add_samples(job, chunk, SampleBatch("weight", TRACKER, times[weighed], pounds[weighed] * POUND), numbers[weighed])
    # Most logs are of the weight alone: a fat that is not there is nothing left out.
    fat = np.array([np.nan if record.fat is None else record.fat for record in weights], dtype=np.float64)
    given = ok & np.array([record.fat is not None for record in weights], dtype=bool)
    given[given] = present("body_fat", fat[given], chunk.skipped)
    add_samples(job, chunk, SampleBatch("body_fat", TRACKER, times[given], fat[given]), numbers[given])


def _vo2_max(job: FileJob, chunk: Chunk) -> None:
    job.assumptions["VO2 max"] = "the filtered estimate where there is one, as the vendor's app shows it"
    _days("vo2_max", Vo2Max, _fitness)(job, chunk)


def _fitness(record: Vo2Max) -> float | None:
    return record.value.filteredDemographicVO2Max or record.value.demographicVO2Max or None


def _resting(record: RestingHeartRate) -> float | None:
    return record.value.value if record.value.date else 0.0


def _amount(record: Amount) -> float | None:
    return record.value


def _numbers(values: Sequence[float | None]) -> Values:
    """Numbers as a column, NaN where there is none."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _within(*keys: str) -> Keys:
    """Records whose `value` is an object with these keys."""

    def shaped(record: dict[str, Any]) -> bool:
        value = record.get("value")
        return "dateTime" in record and isinstance(value, dict) and set(keys) <= set(value)

    return shaped


def _plain(record: dict[str, Any]) -> bool:
    return "dateTime" in record and isinstance(record.get("value"), str | int | float)


CENTIMETRES = "centimetres (the file does not say; widely read so)"
ACTIVE = {
    "very_active_minutes": "very_active_24h",
    "moderately_active_minutes": "fairly_active_24h",
    "lightly_active_minutes": "lightly_active_24h",
    "sedentary_minutes": "sedentary_24h",
}

JSON_FORMATS: tuple[JsonFormat, ...] = (
    JsonFormat("takeout.heart_rate", "heart_rate", _within("bpm"), _heart_rate, clock_shared_by=MINUTES, one_day=True),
    *(
        JsonFormat(f"takeout.{name}", name, _plain, read, name_decides=True, clock_shared_by=clock)
        for name, read, clock in (
            ("steps", _minutes("steps"), MINUTES),
            ("calories", _minutes("energy"), CALORIES),
            ("distance", _minutes("distance", 0.01, CENTIMETRES), MINUTES),
        )
    ),
    *(
        JsonFormat(f"takeout.{name}", name, _plain, _days(metric, Amount, _amount), name_decides=True)
        for name, metric in ACTIVE.items()
    ),
    JsonFormat(
        "takeout.resting_heart_rate",
        "resting_heart_rate",
        _within("date", "value"),
        _days("resting_heart_rate", RestingHeartRate, _resting),
    ),
    JsonFormat("takeout.demographic_vo2_max", "demographic_vo2_max", _within("demographicVO2Max"), _vo2_max),
    JsonFormat("takeout.sleep", "sleep", lambda record: {"logId", "startTime", "levels"} <= set(record), read_sleep),
    JsonFormat(
        "takeout.exercise",
        "exercise",
        lambda record: {"logId", "activityName", "startTime"} <= set(record),
        read_exercise,
        clock_shared_by=EXERCISE,
    ),
    JsonFormat("takeout.weight", "weight", lambda record: {"logId", "weight", "date", "time"} <= set(record), _weight),
)
