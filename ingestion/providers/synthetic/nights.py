"""Nights: stages in cycles of some ninety minutes, and what is measured while asleep."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.synthetic.calendar import MINUTE, midnight, wall_instant
from ingestion.providers.synthetic.profiles import Profile, Story
from metrics.batch import MICROSECOND, SleepRecord, Stage, instant

HALF_MINUTE = 30 * MICROSECOND
AWAKE, LIGHT, DEEP, REM = range(4)
STAGE_NAMES = ("awake", "light", "deep", "rem")

# Share of a cycle by stage (light, deep, light, rem): deep sleep comes early in the night, REM late.
EARLY = np.array([0.28, 0.38, 0.22, 0.12])
LATE = np.array([0.38, 0.06, 0.24, 0.32])


NIGHT_OFF = {Story.NIGHTS_OFF: 0.9, Story.SOME_NIGHTS_OFF: 0.5, Story.LITTLE_WORN: 1.0}

Points = tuple[NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Night:
    """Sleep that ends on a date, whether or not a device saw it.

    `stage`: int8, one per half minute from `start`. `oxygen` and `variability` are (time, value): SpO2 in per cent at
    minutes asleep, RMSSD in ms by the start of five minutes. All instants in microseconds UTC. `worn`: the device
    was not taken off for this night.
    """

    start: int
    end: int
    stage: NDArray[np.int8]
    oxygen: Points
    variability: Points
    worn: bool
    deviation_celsius: float
    breaths: float
    resting_heart_rate: float


def _stages(rng: np.random.Generator, halves: int) -> NDArray[np.int8]:
    cycles = max(3, round(halves / 180))
    late = np.linspace(0, 1, cycles)[:, None]
    shares = (EARLY * (1 - late) + LATE * late) * rng.uniform(0.75, 1.25, (cycles, 4))
    lengths = np.empty((cycles, 5))
    lengths[:, :4] = shares
    lengths[:, 4] = rng.exponential(0.045, cycles)  # a short wake between cycles
    order = np.tile(np.array([LIGHT, DEEP, LIGHT, REM, AWAKE], dtype=np.int8), cycles)
    latency = int(rng.integers(4, 30))
    counts = np.round(lengths.ravel() / lengths.sum() * (halves - latency)).astype(np.int64)
    stage = np.concatenate([np.full(latency, AWAKE, dtype=np.int8), np.repeat(order, counts)])[:halves]
    return np.concatenate([stage, np.full(halves - len(stage), AWAKE, dtype=np.int8)])


def _oxygen(profile: Profile, start: int, stage: NDArray[np.int8], rng: np.random.Generator) -> Points:
    time = np.arange(-(-start // MINUTE) * MINUTE, start + len(stage) * HALF_MINUTE, MINUTE, dtype=np.int64)
    during = stage[(time - start) // HALF_MINUTE]
    drift = np.convolve(rng.normal(0, 0.55, len(time) + 19), np.ones(20) / 20**0.5, mode="valid")
    value = np.round(np.clip(profile.spo2 + drift - 0.4 * (during == REM), 86.0, 99.5), 1)
    kept = (during != AWAKE) & (rng.random(len(time)) < 0.93)
    return time[kept], value[kept]


def _variability(profile: Profile, start: int, stage: NDArray[np.int8], rng: np.random.Generator) -> Points:
    step = 5 * MINUTE
    time = np.arange(-(-start // step) * step, start + len(stage) * HALF_MINUTE - step, step, dtype=np.int64)
    during = stage[(time - start) // HALF_MINUTE]
    factor = np.array([0.85, 1.0, 1.15, 0.92])[during] * np.exp(rng.normal(0, 0.16, len(time)))
    value = np.round(profile.rmssd_ms * factor * np.exp(rng.normal(0, 0.12)), 3)
    kept = (during != AWAKE) & (rng.random(len(time)) < 0.95)
    return time[kept], value[kept]


def night(profile: Profile, on: dt.date, rng: np.random.Generator) -> Night:
    """Night that ends on a date. It takes the first numbers of that day's generator."""
    weekend = 0.4 if on.weekday() >= 5 else 0.0
    bed = profile.bed_hour + weekend + rng.normal(0, 0.45)
    wake = float(np.clip(bed + profile.sleep_hours + weekend / 2 + rng.normal(0, 0.6), 4.0, 11.0))
    start = midnight(profile, on) + round(bed * 120) * HALF_MINUTE
    stage = _stages(rng, (wall_instant(profile, on, wake) - start) // HALF_MINUTE)
    return Night(
        start=start,
        end=start + len(stage) * HALF_MINUTE,
        stage=stage,
        oxygen=_oxygen(profile, start, stage, rng),
        variability=_variability(profile, start, stage, rng),
        worn=bool(rng.random() >= NIGHT_OFF.get(profile.story, 0.03)),
        deviation_celsius=round(float(rng.normal(0, 0.28)), 1),
        breaths=round(float(profile.breaths + rng.normal(0, 0.45)), 1),
        resting_heart_rate=float(round(profile.resting_heart_rate + rng.normal(0, 1.3))),
    )


def record(profile: Profile, night: Night) -> SleepRecord:
    """Record of the night as the vendor would report it."""
    edges = np.flatnonzero(np.diff(night.stage)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(night.stage)]])
    stages = tuple(
        Stage(instant(night.start + int(a) * HALF_MINUTE), int(b - a) * 30, STAGE_NAMES[night.stage[a]])
        for a, b in zip(starts, ends, strict=True)
    )
    # The vendor's log ids are numbers; the instant of falling asleep is one too and needs no counter.
    return SleepRecord(
        source=profile.model.source,
        external_id=str(night.start // MICROSECOND),
        starts_at=instant(night.start),
        ends_at=instant(night.end),
        stages=stages,
        is_main=True,
    )
