"""Garmin Fenix 7S: a day of the library's JSON, in the shape of Garmin Connect, as our metrics.

The library's days begin at 06:00 or 07:00 GMT, as for somebody in western America, or at midnight of this machine's
own clock. What counts is how far into the day a value lies: that is put on the participant's clock.
Left out: SpO2 (never has values), body battery, hydration, blood pressure, sleep stages (totals without times).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ingestion.providers.wearipedia.wall import Day, number, stamp
from metrics.batch import Payload, SampleBatch, SleepRecord, Stage, Times

MILLISECOND = 1000  # in microseconds
RESTING = "WELLNESS_RESTING_HEART_RATE"
# The library's name, our metric, and where its value stands in a page.
DAILY: tuple[tuple[str, str, Callable[[Mapping[str, Any]], float]], ...] = (
    ("respiration", "respiratory_rate", lambda page: float(page["avgSleepRespirationValue"])),
    ("hrv", "hrv_rmssd_24h", lambda page: float(page["hrvSummary"]["lastNightAvg"])),
    ("floors", "floors_24h", lambda page: float(sum(quarter[2] for quarter in page["floorValuesArray"]))),
)


def payload(raw: Mapping[str, Any], day: Day) -> Payload:
    """Payload of one day. `raw`: what the library made for that day, by data type. Raises KeyError, ValueError."""
    samples: list[SampleBatch] = []
    for page in raw.get("hr", ()):
        samples += _series("heart_rate", page["heartRateValues"], day, decimals=0)
    for page in raw.get("stress", ()):
        samples += _series("stress_score", _measured(page["stressValuesArray"], day), day)
    for page in raw.get("respiration", ()):
        samples += _series("respiratory_rate_instant", _measured(page["respirationValuesArray"], day), day)
    for quarters in raw.get("steps", ()):
        read = day.each(quarters, lambda quarter: (stamp(quarter["startGMT"]), number(quarter["steps"])))
        wall = _into_day(np.array([at for at, _ in read], dtype=np.int64), day)
        samples += day.samples("steps", wall, (steps for _, steps in read), 900)
    resting = raw.get("rhr", {}).get("allMetrics", {}).get("metricsMap", {}).get(RESTING, ())
    for date, value in day.each(resting, lambda row: (row["calendarDate"], float(row["value"]))):
        if date == day.on.isoformat():
            samples += day.daily("resting_heart_rate", value)
    for kind, metric, daily in DAILY:
        for value in day.each(raw.get(kind, ()), daily):
            samples += day.daily(metric, value)
    nights = day.each(raw.get("sleep", ()), lambda page: sleep_record(page["dailySleepDTO"], day))
    return Payload(samples=samples, sleep=nights)


def _into_day(times: Times, day: Day) -> Times:
    """Stamps of a day on any clock, moved so that the first is the day's midnight on the participant's."""
    return day.midnight + times - times[0] if len(times) else times


def _measured(pairs: Sequence[Sequence[Any]], day: Day) -> list[tuple[float, float | None]]:
    """Pairs without their negative values: not measured, says the vendor, by several numbers."""
    return day.each(pairs, lambda pair: (pair[0], None if pair[1] is None or pair[1] < 0 else pair[1]))


def _series(metric: str, pairs: Sequence[Sequence[Any]], day: Day, *, decimals: int = 3) -> list[SampleBatch]:
    """Pairs of (milliseconds, value). They come as one evenly spaced run that begins with the day."""
    read = day.each(pairs, lambda pair: (int(pair[0]), number(pair[1])))
    times = np.array([at for at, _ in read], dtype=np.int64) * MILLISECOND
    return day.samples(metric, _into_day(times, day), (value for _, value in read), decimals=decimals)


def sleep_record(night: Mapping[str, Any], day: Day) -> SleepRecord:
    """Record of a night; it begins at the day's midnight, which the library wrote down by this machine's clock."""
    starts_at = day.at(dt.datetime.combine(day.on, dt.time()))
    asleep, awake = int(night["sleepTimeSeconds"]), int(night["awakeSleepSeconds"])
    return SleepRecord(
        source=day.source,
        external_id=str(night["id"]),
        starts_at=starts_at,
        ends_at=starts_at + dt.timedelta(seconds=asleep + awake),
        stages=(
            Stage(starts_at, asleep, "asleep"),
            Stage(starts_at + dt.timedelta(seconds=asleep), awake, "awake"),
        ),
        is_main=True,
    )
