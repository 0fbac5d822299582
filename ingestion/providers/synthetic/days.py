"""Payload of a participant-day: all that the device would have delivered between two instants of a local day."""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.synthetic import physiology, wear
from ingestion.providers.synthetic.calendar import MINUTE, LocalDay, local_day, offset_changes
from ingestion.providers.synthetic.nights import Night, night, record
from ingestion.providers.synthetic.profiles import Profile, Story, generator
from metrics.batch import Payload, SampleBatch, microseconds

LATEST = 2**62


def day(
    profile: Profile, on: dt.date, *, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Payload:
    """Payload of one local day: samples with since <= time < until, and what was known of the night by then.

    Any day can be made alone. Nightly values carry the day's first instant and the night itself begins the evening
    before, yet both arrive when the participant has woken up. Days before their first bring nothing.
    """
    if profile.story is Story.NEVER_CONNECTED or on < profile.starts_on:
        return Payload()
    low = 0 if since is None else microseconds(since)
    high = LATEST if until is None else microseconds(until)
    span = local_day(profile, on)
    if span.end <= low or high <= span.start:
        return Payload()
    rng, tomorrow = (generator(profile.seed, profile.number, d.toordinal()) for d in (on, on + dt.timedelta(days=1)))
    before = night(profile, on, rng)
    after = night(profile, on + dt.timedelta(days=1), tomorrow)
    outages = wear.long_outages(profile, on)
    payload = _awake_and_asleep(profile, span, before, after, outages, rng)
    for asleep in (before, after):
        if wear.recorded(asleep, outages):
            _asleep(profile, asleep, payload)
    low, high = max(low, span.start), min(high, span.end)
    payload.samples = [part for batch in payload.samples if len(part := _between(batch, low, high))]
    if wear.recorded(before, outages) and low <= before.end < high:
        _woken(profile, span, before, payload)
    payload.offsets = [c for c in offset_changes(profile, span) if low <= microseconds(c.starts_at) < high]
    return payload


def _between(batch: SampleBatch, low: int, high: int) -> SampleBatch:
    first, last = np.searchsorted(batch.time, [low, high])
    seconds = None if batch.seconds is None else batch.seconds[first:last]
    return SampleBatch(batch.metric, batch.source, batch.time[first:last], batch.value[first:last], seconds)


def _intervals(
    profile: Profile, metric: str, time: NDArray[np.int64], value: NDArray[np.float64], seconds: int
) -> SampleBatch:
    return SampleBatch(metric, profile.model.source, time, value, np.full(len(time), seconds, dtype=np.int32))


def _awake_and_asleep(
    profile: Profile, span: LocalDay, before: Night, after: Night, outages: list[wear.Span], rng: np.random.Generator
) -> Payload:
    """Heart rate and movement of a whole day, where the device is worn."""
    worn = wear.worn_minutes(profile, span, before, after, outages, rng)
    stage = physiology.stages_by_minute(span, (before, after))
    steps = physiology.steps_by_minute(profile, span, stage, rng)
    heart = physiology.heart_by_minute(profile, span, stage, steps, before.resting_heart_rate, rng)
    times, beats = physiology.sampled(span.start, heart, physiology.jitter(profile, span.minutes, rng), rng)
    seen = worn[(times - span.start) // MINUTE]

    minute = span.start + np.arange(span.minutes, dtype=np.int64) * MINUTE
    walking = worn & (steps > 0)
    metres = np.round(steps * profile.stride_m * rng.normal(1, 0.03, span.minutes), 2)
    kcal = np.round(profile.basal_kcal * np.where(stage < 0, 1.15, 0.95) + 0.037 * steps, 3)
    reserve = (heart - profile.resting_heart_rate) / (profile.highest_heart_rate - profile.resting_heart_rate)
    zone = (reserve >= 0.4).astype(np.float64) + (reserve >= 0.6)
    earned = worn & (zone > 0) & (stage < 0)
    return Payload(
        samples=[
            SampleBatch("heart_rate", profile.model.source, times[seen], beats[seen]),
            _intervals(profile, "steps", minute[worn], steps[worn], 60),
            _intervals(profile, "distance", minute[walking], metres[walking], 60),
            _intervals(profile, "energy", minute[worn], kcal[worn], 60),
            _intervals(profile, "active_zone_minutes", minute[earned], zone[earned], 60),
        ]
    )


def _asleep(profile: Profile, asleep: Night, payload: Payload) -> None:
    payload.samples += [
        SampleBatch("spo2", profile.model.source, *asleep.oxygen),
        _intervals(profile, "hrv_rmssd", *asleep.variability, 300),
    ]


def _woken(profile: Profile, span: LocalDay, asleep: Night, payload: Payload) -> None:
    """Record and values of the night: they arrive together, once the participant is up."""
    payload.sleep.append(record(profile, asleep))
    first = np.array([span.start])
    nightly = {
        "respiratory_rate": asleep.breaths,
        "resting_heart_rate": asleep.resting_heart_rate,
        "skin_temperature_deviation": asleep.deviation_celsius,
    }
    payload.samples += [
        SampleBatch(metric, profile.model.source, first, np.array([value])) for metric, value in nightly.items()
    ]
