"""Oura Ring 3: a day of the library's JSON, in the shape of Oura's API version 2, as our metrics.

Left out: the lowest heart rate of a night (always 0), `sedentary_time` and its like (not in the unit their name says),
the stages of a night (totals without times).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ingestion.providers.wearipedia.wall import Day, number, stamp
from metrics.batch import Payload, SleepRecord, Stage

# The library's name, our metric, and where its value stands in a row.
DAILY: tuple[tuple[str, str, Callable[[Mapping[str, Any]], float]], ...] = (
    ("daily_activity", "steps_24h", lambda row: float(row["steps"])),
    ("daily_activity", "distance_24h", lambda row: float(row["equivalent_walking_distance"])),
    ("daily_activity", "energy_24h", lambda row: float(row["total_calories"])),
    ("sleep", "respiratory_rate", lambda row: float(row["average_breath"])),
    ("sleep", "hrv_rmssd_24h", lambda row: float(row["average_hrv"])),
    ("sleep", "skin_temperature_deviation", lambda row: float(row["readiness"]["temperature_deviation"])),
)


def payload(raw: Mapping[str, Any], day: Day) -> Payload:
    """Payload of one day. `raw`: what the library made for that day, by data type. Raises KeyError, ValueError."""
    # Each five minutes. Stamps say +00:00, but people wake and sleep by them: they are the participant's clock.
    pulses = day.each(raw.get("heart_rate", ()), lambda pulse: (stamp(pulse["timestamp"]), number(pulse["bpm"])))
    wall = np.array([at for at, _ in pulses], dtype=np.int64)
    samples = day.samples("heart_rate", wall, (value for _, value in pulses), decimals=0)
    for kind, metric, read in DAILY:
        for value in day.each(raw.get(kind, ()), read):
            samples += day.daily(metric, value)
    nights = day.each(raw.get("sleep", ()), lambda night: sleep_record(night, day))
    return Payload(samples=samples, sleep=nights)


def sleep_record(night: Mapping[str, Any], day: Day) -> SleepRecord:
    """Record of a night. The library draws its end apart from its start, often before it: the time in bed counts
    instead.

    Its id is always 1: with the date it names one night.
    """
    starts_at = day.at(dt.datetime.fromisoformat(night["bedtime_start"][:19]))
    in_bed, asleep = int(night["time_in_bed"]), int(night["total_sleep_duration"])
    stages = (
        Stage(starts_at, asleep, "asleep"),
        Stage(starts_at + dt.timedelta(seconds=asleep), in_bed - asleep, "awake"),
    )
    return SleepRecord(
        source=day.source,
        external_id=f"{night['day']}.{night['id']}",
        starts_at=starts_at,
        ends_at=starts_at + dt.timedelta(seconds=in_bed),
        stages=tuple(stage for stage in stages if stage.seconds > 0),
        is_main=night["type"] == "long_sleep",
    )
