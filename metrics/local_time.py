"""Local days and wall clocks. Times are stored in UTC; a participant lives, sleeps and is evaluated by local days.

A local day comes from what the device said of its clock (OffsetPeriod), else from the participant's zone.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from metrics.batch import MICROSECOND, Times, instant, microseconds

EPOCH = dt.date(1970, 1, 1)
DAY = 86_400 * MICROSECOND


@dataclass(frozen=True, slots=True)
class DaySpan:
    """An interval of a local day, [starts_at, ends_at) in microseconds UTC. A day has several where clocks jumped."""

    date: dt.date
    starts_at: int
    ends_at: int


def zone_offset(zone: zoneinfo.ZoneInfo, us: int) -> int:
    """Seconds east of UTC at an instant."""
    offset = instant(us).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


@lru_cache(maxsize=4096)
def _changes(zone: zoneinfo.ZoneInfo, year: int) -> tuple[tuple[int, int], ...]:
    """The zone's clock changes within a UTC year: (instant in microseconds, offset from then on in seconds).

    Looks at each midnight UTC and halves the day in which the offset differs; no zone has changed twice in a day.
    """
    first, last = (
        microseconds(dt.datetime(year, 1, 1, tzinfo=dt.UTC)),
        microseconds(dt.datetime(year + 1, 1, 1, tzinfo=dt.UTC)),
    )
    changes = []
    for midnight in range(first, last, DAY):
        before, after = zone_offset(zone, midnight), zone_offset(zone, midnight + DAY)
        if before == after:
            continue
        low, high = midnight, midnight + DAY
        while high - low > MICROSECOND:
            middle = (low + high) // (2 * MICROSECOND) * MICROSECOND
            low, high = (low, middle) if zone_offset(zone, middle) == after else (middle, high)
        changes.append((high, after))
    return tuple(changes)


class LocalCalendar:
    """A participant's clock: their zone, and the periods in which their device said otherwise.

    `periods`: (starts_at in microseconds UTC, seconds east of UTC or None for "back in their zone"), in order.
    """

    def __init__(self, zone: zoneinfo.ZoneInfo, periods: Sequence[tuple[int, int | None]] = ()) -> None:
        self._zone = zone
        self._periods = list(periods)

    def _pieces(self, low: int, high: int) -> tuple[list[int], list[int]]:
        """Starts and offsets (seconds) of the intervals of constant offset that cover [low, high)."""
        starts, offsets = [low], [self.offset(low)]
        cuts = {start for start, _ in self._periods if low < start < high}
        for year in range(instant(low).year, instant(high).year + 1):
            cuts.update(at for at, _ in _changes(self._zone, year) if low < at < high)
        for cut in sorted(cuts):
            if (offset := self.offset(cut)) != offsets[-1]:
                starts.append(cut)
                offsets.append(offset)
        return starts, offsets

    def offset(self, us: int) -> int:
        """Seconds east of UTC of the clock at an instant (microseconds UTC)."""
        index = bisect_right(self._periods, us, key=lambda period: period[0]) - 1
        stated = self._periods[index][1] if index >= 0 else None
        return zone_offset(self._zone, us) if stated is None else stated

    def dates(self, times: Times) -> NDArray[np.int64]:
        """Local dates of instants (microseconds UTC), as days since 1970-01-01; shape as given."""
        return (times + self.offsets(times) * MICROSECOND) // DAY

    def offsets(self, times: Times) -> NDArray[np.int64]:
        """Seconds east of UTC of the clock at instants (microseconds UTC); shape as given."""
        if not len(times):
            return np.zeros(0, dtype=np.int64)
        starts, offsets = self._pieces(int(times.min()), int(times.max()) + 1)
        return np.asarray(offsets, dtype=np.int64)[np.searchsorted(starts, times, side="right") - 1]

    def date(self, at: dt.datetime) -> dt.date:
        """Local date of an aware datetime."""
        return EPOCH + dt.timedelta(days=int(self.dates(np.array([microseconds(at)]))[0]))

    def zone_date(self, at: dt.datetime) -> dt.date:
        """Local date of an aware datetime by the zone alone, whatever the device said."""
        return at.astimezone(self._zone).date()

    def intervals(self, *dates: tuple[dt.date, dt.date]) -> list[list[tuple[int, int]]]:
        """Of each (first, last), both included, the time of these local days: [start, end) in microseconds UTC.

        Ascending; several where clocks jumped; none where a journey skipped all of the days.
        """
        if not dates:
            return []
        local = [((first - EPOCH).days * DAY, (last - EPOCH).days * DAY + DAY) for first, last in dates]
        # No clock stands more than 26 hours from UTC.
        low = min(start for start, _ in local) - 26 * 3600 * MICROSECOND
        high = max(end for _, end in local) + 26 * 3600 * MICROSECOND
        starts, offsets = self._pieces(low, high)
        pieces = list(zip(starts, [*starts[1:], high], (offset * MICROSECOND for offset in offsets), strict=True))
        return [_intervals(pieces, start, end) for start, end in local]

    def spans(self, dates: Iterable[dt.date]) -> list[DaySpan]:
        """The intervals of time of these local days, in order. A date that a journey skipped has none."""
        days = sorted(set(dates))
        intervals_of = zip(days, self.intervals(*((day, day) for day in days)), strict=True)
        return [DaySpan(day, *interval) for day, intervals in intervals_of for interval in intervals]

    def midnight(self, date: dt.date) -> dt.datetime:
        """The first instant of a local day, in UTC; where a journey skipped the day, where it would have begun."""
        spans = self.spans([date])
        if spans:
            return instant(spans[0].starts_at)
        local = (date - EPOCH).days * DAY
        return instant(local - self.offset(local) * MICROSECOND)


def _intervals(pieces: Sequence[tuple[int, int, int]], local_start: int, local_end: int) -> list[tuple[int, int]]:
    """Intervals in which the wall clock shows [local_start, local_end), given the pieces (start, end, offset) of a
    calendar."""
    intervals: list[tuple[int, int]] = []
    for start, end, offset in pieces:
        begins, ends = max(start, local_start - offset), min(end, local_end - offset)
        if begins < ends:
            if intervals and intervals[-1][1] == begins:
                begins = intervals.pop()[0]
            intervals.append((begins, ends))
    return intervals


def local_to_utc(
    local: Times, zone: zoneinfo.ZoneInfo, fold: NDArray[np.bool_] | None = None
) -> tuple[Times, NDArray[np.bool_], NDArray[np.bool_]]:
    """Wall-clock times of a zone as instants.

    `local`: int64 microseconds of the wall clock since 1970-01-01 00:00, shape (n,). `fold`: where True, the second
    pass of an hour that a change of clocks repeated is meant; False, as PEP 495 has it, the first. Returns the
    instants (microseconds UTC), a mask of the ambiguous times (the repeated hour) and a mask of the missing ones
    (the skipped hour; they are read with the offset from before the change, so they land after it).
    """
    n = len(local)
    ambiguous, missing = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    if not n:
        return local.copy(), ambiguous, missing
    second = np.zeros(n, dtype=bool) if fold is None else fold
    low, high = int(local.min()) - DAY, int(local.max()) + DAY
    changes = [c for year in range(instant(low).year, instant(high).year + 1) for c in _changes(zone, year)]
    changes = [(at, offset) for at, offset in changes if low - DAY < at < high + DAY]
    offset = np.full(n, zone_offset(zone, changes[0][0] - MICROSECOND if changes else low), dtype=np.int64)
    before = int(offset[0])
    for at, after in changes:
        ends_old, begins_new = (
            at + before * MICROSECOND,
            at + after * MICROSECOND,
        )  # the change, on the old clock and the new
        if after < before:
            twice = (local >= begins_new) & (local < ends_old)
            ambiguous |= twice
            offset[(local >= ends_old) | (twice & second)] = after
        else:
            missing |= (local >= ends_old) & (local < begins_new)
            offset[local >= begins_new] = after
        before = after
    return local - offset * MICROSECOND, ambiguous, missing
