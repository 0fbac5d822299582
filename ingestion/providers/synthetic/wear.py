"""Wear of a synthetic device: when it is on the wrist and alive. Off the wrist it measures nothing: no sample is made
up.

Step and energy minutes come only for worn minutes, true zeros included. A real tracker on a table may go on sending
zeros, but then zero steps would look like a person who sits still.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.synthetic.calendar import MINUTE, LocalDay, wall_instant
from ingestion.providers.synthetic.nights import Night
from ingestion.providers.synthetic.profiles import Profile, Story

Span = tuple[int, int]  # [start, end) in microseconds UTC

DROP_OUT_DAY = 12
FLAT_EVERY = 28
# (first day, hour at which the battery dies, days until charged, hour of that): all in the demo's last ten days, the
# longest still flat on its thirtieth.
FLAT = {
    Story.FLAT_ONE_DAY: (26, 17.0, 1, 18.5),
    Story.FLAT_TWO_DAYS: (20, 14.0, 2, 19.0),
    Story.FLAT_SIX_DAYS: (27, 9.0, 6, 18.0),
}
LONGEST_FLAT = max(days for _, _, days, _ in FLAT.values())


def given_at(profile: Profile) -> int:
    """Instant at which the device is handed out: at the clinic on the first morning."""
    return wall_instant(profile, profile.starts_on, 10.0)


def dropped_at(profile: Profile) -> int | None:
    """Instant at which the participant took it off for good; None: they have not."""
    if profile.story is not Story.DROPS_OUT:
        return None
    return wall_instant(profile, profile.starts_on + dt.timedelta(days=DROP_OUT_DAY), 15.5)


def flat_from(profile: Profile, on: dt.date) -> list[Span]:
    """Span in which the battery is flat, if it goes flat on this day: none or one."""
    if profile.story not in FLAT:
        return []
    first, dies, days, charged = FLAT[profile.story]
    since = profile.since_start(on) - first
    if since < 0 or since % FLAT_EVERY:
        return []
    return [(wall_instant(profile, on, dies), wall_instant(profile, on + dt.timedelta(days=days), charged))]


def flat_until(profile: Profile, on: dt.date) -> list[Span]:
    """Span in which the battery is flat, if it is charged again on this day."""
    return flat_from(profile, on - dt.timedelta(days=FLAT[profile.story][2])) if profile.story in FLAT else []


def long_outages(profile: Profile, on: dt.date) -> list[Span]:
    """Outages that may reach into a day or the nights around it: before the first visit, flat, dropped out."""
    outages = [(0, given_at(profile))]
    dropped = dropped_at(profile)
    if dropped is not None:
        outages.append((dropped, 2**62))
    for back in range(-1, LONGEST_FLAT + 1):
        outages += flat_from(profile, on - dt.timedelta(days=back))
    return outages


def recorded(night: Night, outages: list[Span]) -> bool:
    """Whether the device saw this night from end to end; a night seen in part is not reported."""
    return night.worn and not any(start < night.end and night.start < end for start, end in outages)


@dataclass(frozen=True, slots=True)
class Routine:
    """Spans in which the device comes off on an ordinary day, and why."""

    shower: Span | None
    charge: Span | None


def charges_on(profile: Profile, on: dt.date) -> bool:
    return profile.since_start(on) % profile.charge_every_days == profile.number % profile.charge_every_days


def routine(profile: Profile, day: LocalDay, before: Night, after: Night, rng: np.random.Generator) -> Routine:
    """Routine of a day, its shower and charge; draws from the day's generator next after the night."""
    awake_from, awake_until = before.end, min(after.start, day.end)
    starts = awake_from + int(rng.integers(10, 50)) * MINUTE
    shower = (starts, starts + int(rng.integers(8, 22)) * MINUTE) if rng.random() < 0.8 else None
    share, lasts = rng.uniform(0.3, 0.9), int(rng.integers(45, 85)) * MINUTE
    if not charges_on(profile, day.on):
        return Routine(shower, None)
    at = awake_from + int(share * (awake_until - awake_from - 2 * lasts)) // MINUTE * MINUTE
    return Routine(shower, (at, at + lasts))


def worn_minutes(
    profile: Profile, day: LocalDay, before: Night, after: Night, outages: list[Span], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Mask of the minutes of a day in which the device is worn; `before` and `after` are the nights around it."""
    off = list(outages)
    off += [(n.start - 20 * MINUTE, n.end + 25 * MINUTE) for n in (before, after) if not n.worn]
    usual = routine(profile, day, before, after, rng)
    off += [span for span in (usual.shower, usual.charge) if span is not None]
    hours = rng.uniform(2.5, 8.0)
    if profile.story is Story.LITTLE_WORN and rng.random() < 0.7:
        off.append((before.end + int(hours * 60) * MINUTE, day.end))
    worn = np.ones(day.minutes, dtype=np.bool_)
    for start, end in off:
        low = max(0, (start - day.start) // MINUTE)
        worn[low : max(low, -(-(end - day.start) // MINUTE))] = False
    return worn
