"""Physiology of a day, minute by minute, and how the device samples the heart rate.

Heart rate follows the clock, the stage of sleep and, with some delay, the steps; a slow drift and the device's own
noise lie on top. It is not a model of physiology: it has to look and weigh like the real thing.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.synthetic.calendar import MINUTE, LocalDay
from ingestion.providers.synthetic.nights import AWAKE, HALF_MINUTE, Night
from ingestion.providers.synthetic.profiles import Profile, generator
from metrics.batch import MICROSECOND

STAGE_HEART = np.array([9.0, 0.5, -2.5, 3.5])  # awake, light, deep, REM: beats per minute beside the resting rate
RESPONSE = np.exp(-np.arange(12) / 2.2)  # the heart follows the legs within minutes
RESPONSE /= RESPONSE.sum()
DRIFT = np.exp(-np.arange(60) / 15.0)
DRIFT /= np.sqrt((DRIFT**2).sum())


def stages_by_minute(day: LocalDay, nights: tuple[Night, Night]) -> NDArray[np.int8]:
    """Stage of sleep of each minute of a day, -1 while up; from the nights before and after it."""
    stage = np.full(day.minutes, -1, dtype=np.int8)
    for night in nights:
        low = max(0, -(-(night.start - day.start) // MINUTE))
        high = min(day.minutes, (night.end - day.start) // MINUTE)
        if low < high:
            at = day.start + np.arange(low, high, dtype=np.int64) * MINUTE
            stage[low:high] = night.stage[(at - night.start) // HALF_MINUTE]
    return stage


def steps_by_minute(
    profile: Profile, day: LocalDay, stage: NDArray[np.int8], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Steps of each minute: errands all day, some walks; more of them as the knee heals."""
    n = day.minutes
    level = profile.activity * (0.6 + 0.4 * min(1.0, max(0, profile.since_start(day.on)) / 30))
    up = stage < 0
    steps = np.where(rng.random(n) < 0.17 * min(level, 1.6), rng.poisson(13, n), 0).astype(np.float64)
    for _ in range(int(rng.poisson(5.5 * level))):
        start, length = int(rng.integers(0, n)), int(3 + rng.exponential(8))
        steps[start : start + length] = rng.normal(86, 9) + rng.normal(0, 5, min(length, n - start))
    if rng.random() < 0.3 * level:  # exercises, or a real walk
        start, length = int(rng.uniform(0.38, 0.78) * n), int(rng.integers(18, 42))
        steps[start : start + length] = rng.normal(106, 7) + rng.normal(0, 4, min(length, n - start))
    return np.where(up, np.clip(np.rint(steps), 0, 170), 0.0)


def heart_by_minute(
    profile: Profile,
    day: LocalDay,
    stage: NDArray[np.int8],
    steps: NDArray[np.float64],
    resting: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Mean heart rate of each minute, beats per minute, before it is sampled."""
    awake = 11.0 + 4.0 * np.sin((day.clock - 10.0) * np.pi / 12)
    effort = np.where(stage < 0, awake + 0.40 * steps, STAGE_HEART[np.maximum(stage, AWAKE)])
    padded = np.concatenate([np.full(len(RESPONSE) - 1, effort[0]), effort])
    drift = np.convolve(rng.normal(0, 1.0, day.minutes + len(DRIFT) - 1), DRIFT, mode="valid")
    scale = np.where(stage < 0, 2.6, 1.1)
    heart: NDArray[np.float64] = resting + np.convolve(padded, RESPONSE, mode="valid") + drift * scale
    return heart.clip(40.0, profile.highest_heart_rate)


def sampled(
    start: int, minutes: NDArray[np.float64], steps: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Heart rate as a device samples it: (time in microseconds UTC, whole beats per minute).

    `minutes` is the rate of each minute from `start`; `steps` the seconds between samples, at least as many as fit.
    """
    seconds = np.cumsum(steps) - int(rng.integers(0, int(steps[0]) + 1))
    seconds = seconds[: int(np.searchsorted(seconds, len(minutes) * 60))]
    centres = np.arange(len(minutes)) * 60.0 + 30.0
    value = np.interp(seconds, centres, minutes) + rng.normal(0, 1.0, len(seconds))
    return start + seconds * MICROSECOND, np.rint(np.clip(value, 36.0, 215.0))


def jitter(profile: Profile, minutes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Seconds between the heart rates of a day, as this device model spaces them."""
    model = profile.model
    needed = int(minutes * 60 / model.mean_step * 1.05) + 200
    return np.asarray(model.steps, dtype=np.int64)[
        np.searchsorted(np.cumsum(model.shares)[:-1], rng.random(needed), side="right")
    ]


def heart_rate_day(
    seed: int, number: int, on: dt.date, step_seconds: int = 5
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A day of heart rates at an even step and nothing else: for benchmarks, which need millions of them fast.

    The day is one of UTC. Returns (time, value) of 86,400 / step_seconds samples, time in microseconds UTC.
    """
    rng = generator(seed, number, on.toordinal())
    resting, clock = rng.normal(65, 7), np.arange(1440) / 60
    drift = np.convolve(rng.normal(0, 1.0, 1440 + len(DRIFT) - 1), DRIFT, mode="valid")
    minutes = resting + np.where(clock < 7, 0.0, 14.0 + 5 * np.sin((clock - 10) * np.pi / 12)) + 4 * drift
    seconds = np.arange(0, 86_400, step_seconds, dtype=np.int64)
    value = np.interp(seconds, np.arange(1440) * 60.0 + 30.0, minutes) + rng.normal(0, 1.0, len(seconds))
    midnight = (on - dt.date(1970, 1, 1)).days * 86_400
    return (midnight + seconds) * MICROSECOND, np.rint(np.clip(value, 40.0, 215.0))
