"""Records that come once a day or a night: sleep, daily values, a weight, an exercise; each as the vendor writes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ingestion.providers.google_health.simulator.accounts import SCALE, TRACKER
from ingestion.providers.google_health.simulator.columns import MINUTE, DayColumns
from ingestion.providers.synthetic.nights import DEEP
from metrics.batch import MICROSECOND, SleepRecord, Stage, instant, microseconds

STAGES_TAKE = 45 * MINUTE  # from the upload of a night to its stages


def stamp(us: int) -> str:
    """Stamp in RFC 3339, UTC; fractions as 3 or 6 digits, where there are any."""
    moment = instant(us)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = moment.microsecond
    if not fraction:
        return text + "Z"
    return f"{text}.{fraction // 1000:03d}Z" if fraction % 1000 == 0 else f"{text}.{fraction:06d}Z"


def date_object(on: dt.date) -> dict[str, int]:
    return {"year": on.year, "month": on.month, "day": on.day}


def civil_object(us: int) -> dict[str, Any]:
    """Object CivilDateTime of wall-clock microseconds; zeros are left out, as proto3 does."""
    moment = instant(us)
    parts = {
        "hours": moment.hour,
        "minutes": moment.minute,
        "seconds": moment.second,
        "nanos": moment.microsecond * 1000,
    }
    return {"date": date_object(moment.date()), "time": {name: part for name, part in parts.items() if part}}


@dataclass(frozen=True, slots=True)
class Record:
    """Point that is written alone.

    `at` is what filters compare (microseconds UTC; of the wall clock for daily values), `start` what order goes by,
    `seen_from` the instant from which an upload contains it. `values` are the numbers of the ground truth, by the
    vendor's field name. `id` names it where its type has names.
    """

    at: int
    start: int
    seen_from: int
    source: int
    offset: int
    body: dict[str, Any]
    values: dict[str, float]
    id: str | None = None
    sleep: SleepRecord | None = None


def _sample(day: DayColumns, at: int, source: int, values: dict[str, Any], *, named: bool) -> Record:
    offset = int(day.offsets(np.array([at]))[0])
    time = {
        "physicalTime": stamp(at),
        "utcOffset": f"{offset}s",
        "civilTime": civil_object(at + offset * MICROSECOND),
    }
    numbers = {name: value for name, value in values.items() if isinstance(value, float)}
    identity = str(at // 1000) if named else None
    return Record(at, at, at, source, offset, {**values, "sampleTime": time}, numbers, identity)


def _daily(day: DayColumns, values: dict[str, Any], extra: dict[str, Any] | None = None) -> list[Record]:
    """Value of a date: a list of one, or none where the device did not see the night."""
    if not day.payload.sleep:
        return []
    wall = (day.on - dt.date(1970, 1, 1)).days * 86_400 * MICROSECOND
    written = {name: str(int(value)) if name.endswith("PerMinute") and name.startswith(("beats", "nonRem")) else value
               for name, value in values.items() if value}  # fmt: skip
    body = {**written, "date": date_object(day.on), **(extra or {})}
    woken = microseconds(day.payload.sleep[0].ends_at)
    return [Record(wall, wall, woken, TRACKER, 0, body, {name: float(value) for name, value in values.items()})]


def _resting(day: DayColumns) -> list[Record]:
    how = {"dailyRestingHeartRateMetadata": {"calculationMethod": "WITH_SLEEP"}}
    return _daily(day, {"beatsPerMinute": day.night.resting_heart_rate}, how)


def _variability(day: DayColumns) -> list[Record]:
    time, rmssd = day.night.variability
    deep = day.night.stage[(time - day.night.start) // (30 * MICROSECOND)] == DEEP
    if not deep.any():
        return []
    values = {
        "averageHeartRateVariabilityMilliseconds": round(float(rmssd.mean()), 1) if day.account.number % 9 else 0.0,
        "deepSleepRootMeanSquareOfSuccessiveDifferencesMilliseconds": round(float(rmssd[deep].mean()), 1),
        "entropy": round(2.5 + float(rmssd.std()) / 30, 3),
        "nonRemHeartRateBeatsPerMinute": day.night.resting_heart_rate - 2,
    }
    return _daily(day, values)


def _oxygen(day: DayColumns) -> list[Record]:
    percent = day.night.oxygen[1]
    if not len(percent):
        return []
    values = {
        "averagePercentage": round(float(percent.mean()), 1),
        "lowerBoundPercentage": round(float(np.percentile(percent, 5)), 1),
        "upperBoundPercentage": round(float(np.percentile(percent, 95)), 1),
        "standardDeviationPercentage": round(float(percent.std()), 2),
    }
    return _daily(day, values)


def _breaths(day: DayColumns) -> list[Record]:
    return _daily(day, {"breathsPerMinute": day.night.breaths})


def _temperature(day: DayColumns) -> list[Record]:
    baseline = 32.0 + day.account.number % 20 / 10
    values = {
        "nightlyTemperatureCelsius": round(baseline + day.night.deviation_celsius, 3),
        "baselineTemperatureCelsius": baseline,
        "relativeNightlyStddev30dCelsius": 0.28,
    }
    return _daily(day, values)


def _fitness(day: DayColumns) -> list[Record]:
    values = {"vo2Max": round(24 + 12 * day.account.profile.activity, 1)}
    return _daily(day, values, {"cardioFitnessLevel": "AVERAGE", "estimated": True})


def _breaths_by_stage(day: DayColumns) -> list[Record]:
    if not day.payload.sleep:
        return []
    rate = day.night.breaths
    stats = {
        f"{stage}SleepStats": {"breathsPerMinute": round(rate + shift, 1), "standardDeviation": 1.1, "signalToNoise": 5}
        for stage, shift in (("full", 0.0), ("deep", -0.6), ("light", 0.1), ("rem", 0.4))
    }
    at = microseconds(day.payload.sleep[0].ends_at)
    made = _sample(day, at - 8 * MINUTE, TRACKER, stats, named=False)
    return [replace(made, seen_from=at, values={"fullSleepStats.breathsPerMinute": rate})]


def _weighed(day: DayColumns) -> int | None:
    """Instant at which the participant stood on the scale; None on most days."""
    number = day.account.number
    if not (day.account.has_scale and day.account.linked and (day.on.toordinal() + number) % 3 == 0):
        return None
    return None if day.on < day.account.profile.starts_on else day.night.end + (20 + number % 15) * MINUTE


def _weight(day: DayColumns) -> list[Record]:
    at = _weighed(day)
    if at is None:
        return []
    grams = 52_000 + day.account.number * 1237 % 50_000 + day.on.toordinal() * 7919 % 900
    return [_sample(day, at, SCALE, {"weightGrams": float(grams)}, named=True)]


def _fat(day: DayColumns) -> list[Record]:
    at = _weighed(day)
    if at is None:
        return []
    percent = 20 + day.account.number % 19 + day.on.toordinal() % 7 / 10
    return [_sample(day, at, SCALE, {"percentage": round(percent, 1)}, named=True)]


def _exercise(day: DayColumns) -> list[Record]:
    """Longest brisk walk of the day, if it lasted a quarter of an hour."""
    steps = day.columns("steps")
    steps = steps.take((steps.source == TRACKER) & (steps.values["count"] >= 60))
    if not len(steps):
        return []
    breaks = np.flatnonzero(np.diff(steps.time) > MINUTE) + 1
    walks = np.split(np.arange(len(steps)), breaks)
    walk = max(walks, key=len)
    if len(walk) < 15:
        return []
    start, end = int(steps.time[walk[0]]), int(steps.time[walk[-1]]) + MINUTE
    heart = day.columns("heart-rate")
    during = (heart.time >= start) & (heart.time < end) & (heart.source == TRACKER)
    summary: dict[str, Any] = {"steps": str(int(steps.values["count"][walk].sum()))}
    if during.any():
        summary["averageHeartRateBeatsPerMinute"] = str(round(float(heart.values["beatsPerMinute"][during].mean())))
    offset = int(day.offsets(np.array([start]))[0])
    body = {
        "interval": _session(start, end, offset, int(day.offsets(np.array([end]))[0])),
        "exerciseType": "WALKING",
        "displayName": "Walk",
        "activeDuration": f"{(end - start) // MICROSECOND}s",
        "metricsSummary": summary,
        "createTime": stamp(end + 5 * MINUTE),
        "updateTime": stamp(end + 5 * MINUTE),
    }
    return [Record(start, start, end, TRACKER, offset, body, {}, str(start // MICROSECOND))]


def _session(start: int, end: int, offset: int, end_offset: int) -> dict[str, str]:
    return {
        "startTime": stamp(start),
        "startUtcOffset": f"{offset}s",
        "endTime": stamp(end),
        "endUtcOffset": f"{end_offset}s",
    }


def _sleep(day: DayColumns) -> list[Record]:
    nights = []
    for night in day.payload.sleep:
        start, end = microseconds(night.starts_at), microseconds(night.ends_at)
        offset, end_offset = (day.account.offset_seconds(moment) for moment in (night.starts_at, night.ends_at))
        body = {"interval": _session(start, end, offset, end_offset)}
        made = Record(end, start, end, TRACKER, end_offset, body, {}, night.external_id, sleep=night)
        nights.append(replace(made, body=sleep_body(made, processed=True, updated=end + STAGES_TAKE)))
    return nights


def sleep_body(made: Record, *, processed: bool, updated: int) -> dict[str, Any]:
    """Body of a night with its stages, or, while they are still being computed, without them."""
    night = made.sleep
    if night is None:
        raise ValueError("no night")
    start, end = microseconds(night.starts_at), microseconds(night.ends_at)
    minutes = (end - start) // MINUTE
    body: dict[str, Any] = {"interval": made.body["interval"], "createTime": stamp(end + 10 * MINUTE)}
    if not processed:
        summary = {"minutesInSleepPeriod": str(minutes), "minutesToFallAsleep": "0", "minutesAfterWakeUp": "0"}
        return {
            **body,
            "type": "STAGES",
            "metadata": {"mainSleep": True},
            "summary": summary,
            "updateTime": stamp(end + 10 * MINUTE),
        }
    awake = sum(stage.seconds for stage in night.stages if stage.stage == "awake") // 60
    return {
        **body,
        "type": "STAGES",
        "metadata": {"processed": True, "mainSleep": True, "stagesStatus": "SUCCEEDED"},
        "stages": [_stage(stage, made.offset) for stage in night.stages],
        "summary": {
            "minutesInSleepPeriod": str(minutes),
            "minutesAsleep": str(minutes - awake),
            "minutesAwake": str(awake),
            "minutesToFallAsleep": "0",
            "minutesAfterWakeUp": "0",
            "stagesSummary": _stage_summary(night.stages),
        },
        "updateTime": stamp(updated),
    }


def _stage(stage: Stage, offset: int) -> dict[str, str]:
    start = microseconds(stage.starts_at)
    span = _session(start, start + stage.seconds * MICROSECOND, offset, offset)
    return {"type": stage.stage.upper(), **span}


def _stage_summary(stages: tuple[Stage, ...]) -> list[dict[str, str]]:
    summary = []
    for name in ("awake", "light", "deep", "rem"):
        lengths = [stage.seconds for stage in stages if stage.stage == name]
        if lengths:
            summary.append({"type": name.upper(), "minutes": str(sum(lengths) // 60), "count": str(len(lengths))})
    return summary


BUILDERS: dict[str, Callable[[DayColumns], list[Record]]] = {
    "daily-resting-heart-rate": _resting,
    "daily-heart-rate-variability": _variability,
    "daily-oxygen-saturation": _oxygen,
    "daily-respiratory-rate": _breaths,
    "daily-sleep-temperature-derivations": _temperature,
    "daily-vo2-max": _fitness,
    "respiratory-rate-sleep-summary": _breaths_by_stage,
    "weight": _weight,
    "body-fat": _fat,
    "exercise": _exercise,
    "sleep": _sleep,
}
