"""Clock of the JSON tree's second and minute files: UTC without saying so, the files cut at local midnight.

A file alone rarely tells; what its siblings of the same export tell is counted together by the import
(ingestion.file_imports.export_clock), and all of them are read on one clock. Calories have one of their own: in some
exports (seen in one of 2020) they are on the local clock while heart rate and steps are in UTC.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from typing import IO

import numpy as np

from ingestion.providers.base.files import Chunk, Clock, ClockSign, FileJob
from ingestion.providers.local_time import WallClock
from ingestion.providers.takeout.reading import zone
from ingestion.providers.text_cells import short_us_datetimes
from metrics.batch import MICROSECOND, Times
from metrics.local_time import DAY, LocalCalendar

# The files that share a clock.
MINUTES = "seconds and minutes of the JSON tree"
CALORIES = "calories of the JSON tree"
MINUTE, HALF_HOUR = 60 * MICROSECOND, 1800 * MICROSECOND
END = 64 * 1024  # bytes at each end of a file in which its first and last stamps are looked for
PIECE = 2**20
_STAMP = re.compile(rb'"dateTime"\s*:\s*"([^"]{17})"')


def clock_of_minutes(job: FileJob, stamps: Times, chunk: Chunk) -> Times:
    """Instants (microseconds UTC) of stamps (microseconds, as they stand), in file order, on the clock that was
    decided."""
    job.assumptions["clock of dateTime"] = f"{job.clock.label}, {job.clock_basis}"
    if job.clock is Clock.UTC:
        return stamps
    clock = WallClock(zone(job))
    times = clock.utc(stamps)
    chunk.noted.update(clock.noted)
    return times


def sign_of_clock(job: FileJob, *, one_day: bool) -> ClockSign | None:
    """Clock that a file of a day or of a month looks like being on, given its owner's zone; None: either."""
    ends = _stamps(_ends(job.open))
    if not len(ends):
        return None
    owner = zone(job)
    ends = np.array([ends.min(), ends.max()])
    if not one_day:
        return _of_month(ends, owner)
    looks = _of_day(ends, owner)
    if looks and looks.clock is Clock.LOCAL and not _in_two(np.sort(_stamps(_whole(job.open))), owner):
        return None  # a stray stamp at an end is no reason to refuse an export
    return looks


def _of_day(ends: Times, owner: zoneinfo.ZoneInfo) -> ClockSign | None:
    """Clock by a day's file, first and last stamp: they have one date on its clock and two on the other."""
    as_local, as_utc = ends // DAY, LocalCalendar(owner).dates(ends)
    if as_local[0] == as_local[1] and as_utc[0] != as_utc[1]:
        return ClockSign(Clock.LOCAL)
    if as_utc[0] == as_utc[1] and as_local[0] != as_local[1]:
        return ClockSign(Clock.UTC)
    return None


def _in_two(stamps: Times, owner: zoneinfo.ZoneInfo) -> bool:
    """Whether stamps, ascending, would as UTC reach half an hour or more into each of two local dates."""
    dates = LocalCalendar(owner).dates(stamps)
    cut = int(np.searchsorted(dates, dates[0], side="right"))
    return bool(stamps[cut - 1] - stamps[0] >= HALF_HOUR and stamps[-1] - stamps[cut] >= HALF_HOUR)


def _of_month(ends: Times, owner: zoneinfo.ZoneInfo) -> ClockSign | None:
    """Clock by a month's file, first and last stamp: it begins with the first minute of a date of its clock and ends
    with the last, and is half an hour or more from doing so on the other. A part of a month does one of the two."""
    inward = np.array([1, -1]) * ends  # how far into the file's first date, and from the end of its last
    shifts = np.array([1, -1]) * LocalCalendar(owner).offsets(ends) * MICROSECOND
    last = np.array([0, 1])
    as_local, as_utc = (inward - last) % DAY, (inward + shifts - last) % DAY
    apart = np.minimum((as_local - as_utc) % DAY, (as_utc - as_local) % DAY) >= HALF_HOUR
    for clock, within in ((Clock.LOCAL, as_local), (Clock.UTC, as_utc)):
        cut = apart & (within < MINUTE)
        if cut.any():
            return ClockSign(clock, sure=bool(cut.all()))
    return None


def _ends(open_it: Callable[[], IO[bytes]]) -> bytes:
    """First and last bytes of a file; all of a small one."""
    with open_it() as stream:
        head = stream.read(END)
        tail = b""
        while piece := stream.read(PIECE):
            tail = (tail + piece)[-END:]
    return head + tail


def _whole(open_it: Callable[[], IO[bytes]]) -> bytes:
    with open_it() as stream:
        return stream.read()


def _stamps(text: bytes) -> Times:
    """Stamps of a file's records that are legible (microseconds, as they stand), in file order."""
    texts = [stamp.decode("ascii", "replace") for stamp in _STAMP.findall(text)]
    stamps, legible = short_us_datetimes(texts)
    return stamps[legible]
