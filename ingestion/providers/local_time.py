"""Local time of a file's rows as instants, in the file's order: the repeated autumn hour and the missing spring one.

Devices that write local time without an offset write the repeated hour twice. Only the order of the rows tells the
two passes apart: once the clock runs back within that hour, the second pass has begun. Where it runs back more than
once the order says nothing, and all of it counts as the first pass.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.batch import MICROSECOND, OffsetChange, Times
from metrics.local_time import DAY, local_to_utc, zone_offset

# Asked first of the zones that a clock may be in.
WELL_KNOWN = (
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Australia/Brisbane",
    "Pacific/Auckland",
)
MOST = 0.8  # of the syncs: the others are of journeys

REPEATED = "in the repeated autumn hour"
UNTOLD = "in the repeated autumn hour, its two passes mixed: read as the first"
MISSING = "in the skipped spring hour"


class WallClock:
    """Wall clock of one participant through one file: remembers across chunks how far into a repeated hour it is.

    `whole_hours`: rows stand for whole hours, so that the same time again is already the second pass (elsewhere it
    is the same row again).
    """

    def __init__(self, zone: zoneinfo.ZoneInfo, *, whole_hours: bool = False) -> None:
        self.zone = zone
        self.noted: Counter[str] = Counter()
        self._whole_hours = whole_hours
        self._last: dict[int, int] = {}  # by local day: the last time seen in its repeated hour
        self._second: set[int] = set()  # local days whose second pass has begun

    def utc(self, local: Times) -> Times:
        """Instants (microseconds UTC) of local microseconds in file order, shape (n,)."""
        instants, ambiguous, missing = local_to_utc(local, self.zone)
        if missing.any():
            self.noted[MISSING] += int(np.count_nonzero(missing))
        if not ambiguous.any():
            return instants
        second = np.zeros(len(local), dtype=bool)
        rows = np.flatnonzero(ambiguous)
        days = local[rows] // DAY
        for day in np.unique(days):
            chosen = rows[days == day]
            second[chosen] = self._passes(int(day), local[chosen])
        return local_to_utc(local, self.zone, second)[0]

    def first_instants(self, local: Times) -> Times:
        """First instants (microseconds UTC) of days, given as local midnights; not counted, a day begins once."""
        return local_to_utc(local, self.zone)[0]

    def _passes(self, day: int, local: Times) -> NDArray[np.bool_]:
        """Mask of the rows of a day's repeated hour that belong to its second pass."""
        before = np.concatenate([[self._last.get(day, -1)], local[:-1]])
        back = (local <= before) if self._whole_hours else (local < before)
        self._last[day] = int(local[-1])
        if int(back.sum()) + (day in self._second) > 1:
            self.noted[UNTOLD] += len(local)
            return np.zeros(len(local), dtype=bool)
        self.noted[REPEATED] += len(local)
        second = (np.cumsum(back) > 0) | (day in self._second)
        if second.any():
            self._second.add(day)
        return second


def zone_of_clock(
    syncs: Sequence[tuple[int, int]], *, first: zoneinfo.ZoneInfo
) -> tuple[zoneinfo.ZoneInfo, int] | None:
    """Time zone whose clock stood as the syncs say, and how many of them it fits; None where none fits most of them.

    `syncs`: instants (microseconds UTC) and seconds east of UTC. Many zones have the same clock: `first` is taken if
    none fits better, then one that many people live in.
    """
    days: dict[tuple[int, int], list[int]] = {}  # a sync of each day and offset stands for the others
    for at, offset in syncs:
        days.setdefault((at // DAY, offset), []).append(at)
    everywhere = sorted(name for name in zoneinfo.available_timezones() if "/" in name)
    for names in ((first.key, *WELL_KNOWN), everywhere):
        best, most = first, -1
        for zone in map(zoneinfo.ZoneInfo, names):
            fits = sum(
                len(instants) for (_, offset), instants in days.items() if zone_offset(zone, instants[0]) == offset
            )
            if fits > most:
                best, most = zone, fits
        if most > len(syncs) * MOST:
            return best, most
    return None


def departures(stated: Iterable[tuple[dt.datetime, int]], owner: zoneinfo.ZoneInfo) -> list[OffsetChange]:
    """Departures of a device's clock, stated in seconds east of UTC, from its owner's zone, and returns to it."""
    changes: list[OffsetChange] = []
    away: int | None = None
    for at, offset in sorted(stated):
        home = at.astimezone(owner).utcoffset()
        says = None if home is not None and home.total_seconds() == offset else offset
        if says != away:
            changes.append(OffsetChange(at, says))
            away = says
    return changes


def day_lengths(clock: WallClock, midnights: Times) -> tuple[Times, NDArray[np.int32]]:
    """First instants (microseconds UTC) and lengths in seconds of local days, given as their local 00:00."""
    begins = clock.first_instants(midnights)
    return begins, ((clock.first_instants(midnights + DAY) - begins) // MICROSECOND).astype(np.int32)
