"""One participant's life as it is told to the product, and what should be known of it: the test's own reckoning.

Two devices deliver by file, one account by the live sync. What is right is worked out here from the plain words of
the rules, without any of the product's code: dates are compared as dates, values as what was delivered.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

ONE_DAY = dt.timedelta(days=1)
ZONE = ZoneInfo("Europe/Amsterdam")
# Days before today that things happen on.
SPAN = 14


def midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(), tzinfo=ZONE).astimezone(dt.UTC)


def local_date(at: dt.datetime) -> dt.date:
    return at.astimezone(ZONE).date()


@dataclass(slots=True)
class Life:
    """What was told of one participant, and what follows from it."""

    today: dt.date
    starts_on: dt.date | None
    ends_on: dt.date | None
    trial_starts_on: dt.date | None
    trial_ends_on: dt.date | None
    collects_in_pauses: bool
    preferred: str
    pauses: list[tuple[dt.date, dt.date]] = field(default_factory=list)
    withdrawn_on: dt.date | None = None
    erased: bool = False
    closed_on: dt.date | None = None
    # (source, date) -> steps each minute; heart rates: (source, date) -> minutes
    steps: dict[tuple[str, dt.date], list[float]] = field(default_factory=dict)
    worn: dict[tuple[str, dt.date], int] = field(default_factory=dict)

    @property
    def gone(self) -> bool:
        return self.erased or self.withdrawn_on is not None

    def collected(self, date: dt.date) -> bool:
        """Whether the trial may have anything of a day."""
        if self.erased:
            return False
        firsts = [day for day in (self.starts_on, self.trial_starts_on) if day]
        lasts = [day for day in (self.ends_on, self.trial_ends_on, self.closed_on) if day]
        if any(date < day for day in firsts) or any(date > day for day in lasts):
            return False
        if self.withdrawn_on and date >= self.withdrawn_on:
            return False
        return self.collects_in_pauses or not self.paused(date)

    def paused(self, date: dt.date) -> bool:
        return any(first <= date <= last for first, last in self.pauses)

    def may_store(self, date: dt.date) -> bool:
        return not self.gone and self.closed_on is None and self.collected(date)

    def counted_steps(self, date: dt.date) -> float | None:
        """A day's steps: of the preferred source if it has any, else of the one with more of them; never of both."""
        if not self.collected(date):
            return None
        held: dict[str, list[float]] = {
            source: good
            for (source, on), values in self.steps.items()
            if on == date and (good := [value for value in values if 0 <= value <= 300])
        }
        if not held:
            return None
        chosen = self.preferred if self.preferred in held else max(held, key=lambda one: len(held[one]))
        return sum(held[chosen])

    def dates(self) -> list[dt.date]:
        return [self.today - n * ONE_DAY for n in range(SPAN, 0, -1)]

    def samples(self) -> dict[dt.date, int]:
        """How many samples of a collected day an export of everything holds, implausible ones too."""
        found: dict[dt.date, int] = defaultdict(int)
        for (_, date), values in self.steps.items():
            if self.collected(date):
                found[date] += len(values)
        for (_, date), minutes in self.worn.items():
            if self.collected(date):
                found[date] += minutes
        return dict(found)
