"""Calendar of a synthetic participant: when local days begin and end, what their clock shows, when their device
uploads.

All instants are int64 microseconds since the epoch, UTC. A day runs from local midnight to the next one: 23 or 25
hours where the clock changes, 30 and 18 on the days of a flight to New York and back.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.synthetic.profiles import Profile, Story
from metrics.batch import MICROSECOND, OffsetChange, instant, microseconds

MINUTE = 60 * MICROSECOND
HOUR = 60 * MINUTE
QUARTER = 15 * MINUTE

# The trip: the traveller leaves on this day of the trial and is back on that one, at noon of the place they leave.
TRIP_FIRST, TRIP_LAST = 10, 17

# (days between uploads, days from the start to the first): late on the demo's thirtieth day, as they should be.
UPLOAD_RHYTHM = {Story.UPLOADS_EACH_5_DAYS: (5, 1), Story.UPLOADS_EACH_7_DAYS: (7, 3)}


@dataclass(frozen=True, slots=True)
class LocalDay:
    """Local day: [start, end) and, for each of its minutes, how far the clock stands from midnight (float hours).

    `clock` has one value per minute and jumps where the clock does.
    """

    on: dt.date
    start: int
    end: int
    clock: NDArray[np.float64]

    @property
    def minutes(self) -> int:
        return len(self.clock)


def _wall(on: dt.date, hour: int, zone: zoneinfo.ZoneInfo) -> int:
    return microseconds(dt.datetime(on.year, on.month, on.day, hour, tzinfo=zone))


def trip(profile: Profile) -> tuple[int, int] | None:
    """Instants at which the traveller's clock changes and changes back; None for those who stay at home."""
    if profile.story is not Story.TRAVELS:
        return None
    leaves, returns = (profile.starts_on + dt.timedelta(days=n) for n in (TRIP_FIRST, TRIP_LAST))
    return _wall(leaves, 12, profile.zone), _wall(returns, 12, profile.away)


def zone_at(profile: Profile, at: int) -> zoneinfo.ZoneInfo:
    """Time zone that the device's clock keeps at an instant."""
    away = trip(profile)
    return profile.away if away and away[0] <= at < away[1] else profile.zone


def midnight(profile: Profile, on: dt.date) -> int:
    """Instant at which a local day begins, by the clock that the participant has with them as it does."""
    away = trip(profile)
    at_home = _wall(on, 0, profile.zone)
    if away is None:
        return at_home
    abroad = _wall(on, 0, profile.away)
    return abroad if away[0] < abroad and at_home < away[1] else at_home


def _offset(zone: zoneinfo.ZoneInfo, at: int) -> int:
    return int((instant(at).astimezone(zone).utcoffset() or dt.timedelta()).total_seconds())


def local_day(profile: Profile, on: dt.date) -> LocalDay:
    """Local day of a participant. Zones change at quarters of an hour, so every change is found at a quarter."""
    start, end = midnight(profile, on), midnight(profile, on + dt.timedelta(days=1))
    quarters = range(start, end, QUARTER)
    offsets = np.array([_offset(zone_at(profile, at), at) for at in quarters], dtype=np.int64)
    midnight_utc = microseconds(dt.datetime(on.year, on.month, on.day, tzinfo=dt.UTC))
    minutes = np.arange(start, end, MINUTE, dtype=np.int64)
    offset = np.repeat(offsets, 15)[: len(minutes)] * MICROSECOND
    return LocalDay(on, start, end, (minutes + offset - midnight_utc) / HOUR)


def wall_instant(profile: Profile, on: dt.date, hours: float) -> int:
    """Instant at which the participant's clock shows so many hours past a day's midnight, to the half minute."""
    start = midnight(profile, on)
    guess = start + round(hours * 120) * 30 * MICROSECOND
    zone = zone_at(profile, start)
    return guess - (_offset(zone, guess) - _offset(zone, start)) * MICROSECOND


def offset_changes(profile: Profile, day: LocalDay) -> list[OffsetChange]:
    """Changes of the device's clock in a day: only where it departs from the participant's zone and returns to it."""
    away = trip(profile)
    if away is None:
        return []
    leaves, returns = away
    changes = []
    if day.start <= leaves < day.end:
        changes.append(OffsetChange(instant(leaves), _offset(profile.away, leaves)))
    summer_time = (
        OffsetChange(instant(at), _offset(profile.away, at))
        for at in range(max(day.start, leaves + QUARTER), min(day.end, returns), QUARTER)
        if _offset(profile.away, at) != _offset(profile.away, at - QUARTER)
    )
    changes.extend(summer_time)
    if day.start <= returns < day.end:
        changes.append(OffsetChange(instant(returns), None))
    return changes


def uploaded_until(profile: Profile, now: dt.datetime) -> dt.datetime | None:
    """Instant up to which the participant's data have arrived; None: nothing has come yet, or ever will."""
    if profile.story is Story.NEVER_CONNECTED:
        return None
    moment = microseconds(now)
    rhythm = UPLOAD_RHYTHM.get(profile.story)
    if rhythm is None:
        late = profile.upload_minute * MINUTE
        return instant((moment - late) // QUARTER * QUARTER + late)
    every, first = rhythm
    times = (
        wall_instant(profile, profile.starts_on + dt.timedelta(days=n), 20.0)
        for n in range(first, (now.date() - profile.starts_on).days + 2, every)
    )
    past = [at for at in times if at <= moment]
    return instant(past[-1]) if past else None
