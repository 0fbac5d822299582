"""Oura Ring 3: a day of the library's JSON, in the shape of Oura's API version 2, as our metrics.

Left out: the lowest heart rate of a night (always 0), `sedentary_time` and its like (not in the unit their name says),
the stages of a night (totals without times).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ingestion.providers.wearipedia.wall import Day, stamps
from metrics.batch import Delivery, SleepRecord, Stage


def delivery(raw: Mapping[str, Any], day: Day) -> Delivery:
    """All of one day. `raw`: what the library made for that day alone, by data type. Raises KeyError, ValueError."""
    pulses = raw.get("heart_rate", ())
    # Each five minutes. Stamps say +00:00, but people wake and sleep by them: they are the wearer's clock.
    wall = stamps([pulse["timestamp"] for pulse in pulses])
    samples = day.samples("heart_rate", wall, (pulse["bpm"] for pulse in pulses), decimals=0)
    for activity in raw.get("daily_activity", ()):
        samples += day.daily("steps_24h", float(activity["steps"]))
        samples += day.daily("distance_24h", float(activity["equivalent_walking_distance"]))
        samples += day.daily("energy_24h", float(activity["total_calories"]))
    nights = []
    for night in raw.get("sleep", ()):
        samples += day.daily("respiratory_rate", float(night["average_breath"]))
        samples += day.daily("hrv_rmssd_24h", float(night["average_hrv"]))
        samples += day.daily("skin_temperature_deviation", float(night["readiness"]["temperature_deviation"]))
        nights.append(sleep_record(night, day))
    return Delivery(samples=samples, sleep=nights)


def sleep_record(night: Mapping[str, Any], day: Day) -> SleepRecord:
    """A night. The library draws its end apart from its start, often before it: the time in bed counts instead.

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
