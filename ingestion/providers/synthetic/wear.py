"""When the device is on the wrist and alive. Off the wrist it measures nothing at all: no sample is made up.

Step and energy minutes come only for worn minutes, true zeros included. A real tracker on a table may go on sending
zeros, but then zero steps would look like a person who sits still.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.synthetic.calendar import MINUTE, LocalDay, wall_instant
from ingestion.providers.synthetic.nights import Night
from ingestion.providers.synthetic.people import Person, Story

Span = tuple[int, int]  # [start, end) in microseconds UTC

DROP_OUT_DAY = 12
FLAT_EVERY = 28
# (first day, hour at which the battery dies, days until charged, hour of that): the last in the demo's last ten days.
FLAT = {Story.FLAT_ONE_DAY: (26, 17.0, 1, 18.5), Story.FLAT_TWO_DAYS: (20, 14.0, 2, 19.0)}


def long_outages(person: Person, on: dt.date) -> list[Span]:
    """The outages that may reach into a day or the nights around it: before the first visit, flat, dropped out."""
    # She is given the device at the clinic on the first morning.
    found = [(0, wall_instant(person, person.starts_on, 10.0))]
    if person.story is Story.DROPS_OUT:
        last = person.starts_on + dt.timedelta(days=DROP_OUT_DAY)
        found.append((wall_instant(person, last, 15.5), 2**62))
    if person.story in FLAT:
        first, dies, days, charged = FLAT[person.story]
        for back in range(days + 2):
            day = on - dt.timedelta(days=back - 1)
            since = person.since_start(day) - first
            if since >= 0 and since % FLAT_EVERY == 0:
                alive = day + dt.timedelta(days=days)
                found.append((wall_instant(person, day, dies), wall_instant(person, alive, charged)))
    return found


def recorded(night: Night, outages: list[Span]) -> bool:
    """Whether the device saw this night from end to end; a night seen in part is not reported."""
    return night.worn and not any(start < night.end and night.start < end for start, end in outages)


def worn_minutes(
    person: Person, day: LocalDay, before: Night, after: Night, outages: list[Span], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Whether the device is worn, for each minute of a day; `before` and `after` are the nights around it."""
    off = list(outages)
    awake_from, awake_until = before.end, min(after.start, day.end)
    off += [(n.start - 20 * MINUTE, n.end + 25 * MINUTE) for n in (before, after) if not n.worn]
    shower = awake_from + int(rng.integers(10, 50)) * MINUTE
    if rng.random() < 0.8:
        off.append((shower, shower + int(rng.integers(8, 22)) * MINUTE))
    charge, lasts = rng.uniform(0.3, 0.9), int(rng.integers(45, 85)) * MINUTE
    if person.since_start(day.on) % person.charge_every_days == person.number % person.charge_every_days:
        at = awake_from + int(charge * (awake_until - awake_from - 2 * lasts)) // MINUTE * MINUTE
        off.append((at, at + lasts))
    hours = rng.uniform(2.5, 8.0)
    if person.story is Story.LITTLE_WORN and rng.random() < 0.7:
        off.append((awake_from + int(hours * 60) * MINUTE, day.end))
    worn = np.ones(day.minutes, dtype=np.bool_)
    for start, end in off:
        low = max(0, (start - day.start) // MINUTE)
        worn[low : max(low, -(-(end - day.start) // MINUTE))] = False
    return worn
