"""Battery level and last sync of a synthetic device: both follow from when it is charged and worn.

A full battery lasts a quarter longer than its owner lets it. Who forgets the charger for some days finds it flat; who
has put the device into a drawer charges it no more, and some days later it says nothing either.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache

from ingestion.providers.synthetic import calendar, wear
from ingestion.providers.synthetic.nights import night
from ingestion.providers.synthetic.profiles import Profile, generator
from metrics.batch import instant, microseconds

DAY = 24 * calendar.HOUR
SPARE = 1.25  # a full battery's life by the days between charges
FORGOTTEN = 3 * DAY  # before a battery goes flat, it has not been charged for as long as this
LOOKS_BACK = 30  # days: longer than any life of a battery and any outage


def last_sync(profile: Profile, at: dt.datetime) -> dt.datetime | None:
    """Instant at which the device last handed over its data before another; None: it has not yet. A flat one never."""
    uploaded = calendar.uploaded_until(profile, at)
    if uploaded is None or microseconds(uploaded) < wear.given_at(profile):
        return None
    moment = microseconds(uploaded)
    for dies, charged in _deaths(profile, moment):
        if dies <= moment < charged:
            moment = dies
    return instant(moment)


def percent(profile: Profile, at: dt.datetime) -> int:
    """Level of the battery at an instant at which the device is alive: 1 to 100."""
    moment = microseconds(at)
    full = _full_at(profile, moment)
    life = SPARE * profile.charge_every_days * DAY
    ahead = [dies for dies, _ in _deaths(profile, moment) if dies >= moment]
    if ahead and _full_at(profile, min(ahead)) == full:
        life = max(min(ahead) - full, 1)
    return max(1, round(100 * (1 - (moment - full) / life)))


def charge_status(percent: int) -> str:
    """Level as vendors name it."""
    return "High" if percent > 60 else "Medium" if percent > 25 else "Low"


def _deaths(profile: Profile, moment: int) -> Iterator[wear.Span]:
    """Spans around an instant in which the battery is flat: from when it goes flat until it is charged again."""
    on = instant(moment).astimezone(profile.zone).date()
    for back in range(-LOOKS_BACK // 2, LOOKS_BACK // 2):
        yield from wear.flat_from(profile, on - dt.timedelta(days=back))
    dropped = wear.dropped_at(profile)
    if dropped is not None:
        yield _full_at(profile, dropped) + round(SPARE * profile.charge_every_days * DAY), 2**62


def _full_at(profile: Profile, moment: int) -> int:
    """Instant at which the battery was last full, at another or before: after a charge, an outage, or as it was handed
    out."""
    dropped = wear.dropped_at(profile)
    if dropped is not None:
        moment = min(moment, dropped)
    on = instant(moment).astimezone(profile.zone).date()
    for back in range(-1, LOOKS_BACK):
        day = on - dt.timedelta(days=back)
        charge = _charge(profile, day)
        ends = [] if charge is None or _forgotten(profile, day, charge) else [charge[1]]
        ends += [charged for _, charged in wear.flat_until(profile, day)]
        past = [end for end in ends if end <= moment]
        if past:
            return max(*past, wear.given_at(profile))
        if day < profile.starts_on:
            break
    return wear.given_at(profile)


def _forgotten(profile: Profile, day: dt.date, charge: wear.Span) -> bool:
    """Whether a charge fell out, for the battery was flat then or about to be."""
    ahead = (span for n in range(-8, 5) for span in wear.flat_from(profile, day + dt.timedelta(days=n)))
    return any(dies - FORGOTTEN < charge[1] and charge[0] < charged for dies, charged in ahead)


@lru_cache(maxsize=4096)
def _charge(profile: Profile, on: dt.date) -> wear.Span | None:
    """Charge of a day, at the minutes in which the device is off the wrist for it."""
    if on < profile.starts_on or not wear.charges_on(profile, on):
        return None
    span = calendar.local_day(profile, on)
    rng, tomorrow = (generator(profile.seed, profile.number, d.toordinal()) for d in (on, on + dt.timedelta(days=1)))
    before, after = night(profile, on, rng), night(profile, on + dt.timedelta(days=1), tomorrow)
    return wear.routine(profile, span, before, after, rng).charge
