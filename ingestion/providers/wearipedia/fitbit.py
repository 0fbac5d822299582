"""Fitbit Sense and Charge 6: a day of the library's JSON, in the shape of the old Fitbit API, as our metrics.

Left out: `restingHeartRate` (always 58), heart-rate zones (computed from the wrong unit), `heart_rate_day` and
`intraday_activity` (again what other types say).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ingestion.providers.night_clock import read_night
from ingestion.providers.wearipedia.wall import Day, clock, clock_times, number, stamp, unwrapped
from metrics.batch import Payload, SampleBatch, SleepRecord, Stage

METRES = 1609.344  # in a mile
STAGES = {"wake": "awake", "light": "light", "deep": "deep", "rem": "rem"}
DAILY = {
    "steps": ("steps_24h", 1.0),
    "distance": ("distance_24h", METRES),
    "minutesSedentary": ("sedentary_24h", 1.0),
    "minutesLightlyActive": ("lightly_active_24h", 1.0),
    "minutesFairlyActive": ("fairly_active_24h", 1.0),
    "minutesVeryActive": ("very_active_24h", 1.0),
}


def payload(raw: Mapping[str, Any], day: Day) -> Payload:
    """Payload of one day. `raw`: what the library made for that day, by data type. Raises KeyError, ValueError."""
    samples = [
        *_heart_rate(raw, day),
        *_zone_minutes(raw, day),
        *_spo2(raw, day),
        *_variability(raw, day),
        *_distance(raw, day),
    ]
    for kind, (metric, factor) in DAILY.items():
        rows = [row for page in raw.get(kind, ()) for row in page[f"activities-{kind}"]]
        for date, value in day.each(rows, lambda row: (row["dateTime"], float(row["value"]))):
            if date == day.on.isoformat():
                samples += day.daily(metric, value * factor)
    for value in day.each(raw.get("intraday_breath_rate", ()), _breathing):
        samples += day.daily("respiratory_rate", value)
    # One nesting more than the vendor's own answer: hrv > hrv > hrv.
    for value in day.each((night for row in raw.get("hrv", ()) for night in row["hrv"]), _nightly_variability):
        samples += day.daily("hrv_rmssd_24h", value)
    logs = [log for page in raw.get("sleep", ()) for log in page["sleep"]]
    return Payload(samples=samples, sleep=day.each(logs, lambda log: sleep_record(log, day)))


def _breathing(row: Mapping[str, Any]) -> float:
    return float(row["br"][0]["value"]["fullSleepSummary"]["breathingRate"])


def _nightly_variability(night: Mapping[str, Any]) -> float:
    return float(night["hrv"][0]["hrv"][0]["value"]["dailyRmssd"])


def _heart_rate(raw: Mapping[str, Any], day: Day) -> list[SampleBatch]:
    """Heart rate by the second. The library's rates are fractions of a beat; the device's are whole."""
    batches = []
    for page in raw.get("intraday_heart_rate", ()):
        dataset = page["heart_rate_day"][0]["activities-heart-intraday"]["dataset"]
        points = day.each(dataset, lambda point: (clock(point["time"]), number(point["value"])))
        wall = clock_times(day.midnight, [time for time, _ in points])
        batches += day.samples("heart_rate", wall, (value for _, value in points), decimals=0)
    return batches


def _zone_minutes(raw: Mapping[str, Any], day: Day) -> list[SampleBatch]:
    """Active zone minutes. The library counts one in every zone; the vendor two in cardio and peak."""
    batches = []
    for page in raw.get("intraday_active_zone_minute", ()):
        minutes = page["activities-active-zone-minutes-intraday"][0]["minutes"]
        earned = [pair for pair in day.each(minutes, _zone_minute) if pair[1]]
        wall = clock_times(day.midnight, [time for time, _ in earned])
        batches += day.samples("active_zone_minutes", wall, (points for _, points in earned), 60)
    return batches


def _zone_minute(minute: Mapping[str, Any]) -> tuple[str, float]:
    value = minute["value"]
    points = 1.0 if "fatBurnActiveZoneMinutes" in value else 2.0
    return clock(minute["minute"]), points if value["activeZoneMinutes"] else 0.0


def _spo2(raw: Mapping[str, Any], day: Day) -> list[SampleBatch]:
    batches = []
    for page in raw.get("intraday_spo2", ()):
        minutes = day.each(page["minutes"], lambda minute: (stamp(minute["minute"]), number(minute["value"])))
        wall = np.array([at for at, _ in minutes], dtype=np.int64)
        batches += day.samples("spo2", wall, (value for _, value in minutes), decimals=1)
    return batches


def _variability(raw: Mapping[str, Any], day: Day) -> list[SampleBatch]:
    """RMSSD by the minute. Past midnight the library's stamps keep the evening's date: put right here."""
    batches = []
    for page in raw.get("intraday_hrv", ()):
        minutes = day.each(
            page["hrv"][0]["minutes"], lambda minute: (stamp(minute["minute"]), number(minute["value"]["rmssd"]))
        )
        wall = unwrapped(np.array([at for at, _ in minutes], dtype=np.int64))
        batches += day.samples("hrv_rmssd", wall, (value for _, value in minutes), 60)
    return batches


def _distance(raw: Mapping[str, Any], day: Day) -> list[SampleBatch]:
    """Distance by the minute, from miles, where any were walked. Sense only."""
    batches = []
    for page in raw.get("distance_day", ()):
        dataset = page["activities-distance-intraday"]["dataset"]
        read = day.each(dataset, lambda point: (clock(point["time"]), number(point["value"])))
        points = [(time, miles * METRES) for time, miles in read if miles]
        wall = clock_times(day.midnight, [time for time, _ in points])
        batches += day.samples("distance", wall, (metres for _, metres in points), 60, decimals=2)
    return batches


def sleep_record(log: Mapping[str, Any], day: Day) -> SleepRecord:
    """Record of a night. Its stages are laid end to end from its start, whatever their own stamps say.

    The library moves its clock twice for each stage, so that the last ones begin hours after the night's end, and puts
    the wake after the sleep second in the list. Lengths and order are right once that wake is last; what they leave
    of the night is wake. `dateOfSleep`, the evening's date here, is not used: the date of waking is.
    """
    starts, ends = (dt.datetime.fromisoformat(log[key][:19]) for key in ("startTime", "endTime"))
    segments = list(log["levels"]["data"])
    if len(segments) > 2 and segments[1]["level"] == "wake":
        segments.append(segments.pop(1))
    length = dt.timedelta(milliseconds=log["duration"]) if log.get("duration") else None
    night = read_night(day.zone, starts, ends, length=length)
    return SleepRecord(
        source=day.source,
        external_id=str(log["logId"]),
        starts_at=night.starts_at,
        ends_at=night.ends_at,
        stages=_end_to_end(segments, night.starts_at, night.ends_at),
        is_main=bool(log["isMainSleep"]),
    )


def _end_to_end(segments: Sequence[Mapping[str, Any]], at: dt.datetime, end: dt.datetime) -> tuple[Stage, ...]:
    stages = []
    for segment in segments:
        seconds = min(int(segment["seconds"]), int((end - at).total_seconds()))
        if seconds > 0:
            # Of a level that is not known only the length is: it counts as nothing.
            if stage := STAGES.get(segment["level"]):
                stages.append(Stage(at, seconds, stage))
            at += dt.timedelta(seconds=seconds)
    if at < end:
        stages.append(Stage(at, int((end - at).total_seconds()), "awake"))
    return tuple(stages)
