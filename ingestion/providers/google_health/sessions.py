"""Sessions of Google Health, nights and exercise: when they were, by what id they are known, which still go on."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.google_health.listing import Listed, refuse_whole
from ingestion.providers.google_health.times import NO_OFFSET, offset
from metrics.batch import EARLIEST, instant, microseconds

Instant = Annotated[dt.datetime, Meta(tz=True)]
# Length of the column that ids end up in.
MAX_ID = 64
# A session that is said to be longer is not: its end is a slip, and it would cover all that follows.
LONGEST = dt.timedelta(days=7)
# Of our time: what lies outside is a placeholder.
FIRST, LAST = instant(EARLIEST), dt.datetime(2200, 1, 1, tzinfo=dt.UTC)

R = TypeVar("R")


class Interval(Struct):
    """Interval of a session, and where its device's clock stood. One that still goes on has no end."""

    startTime: Instant  # noqa: N815  Google's spelling, here and below
    endTime: Instant | None = None  # noqa: N815
    startUtcOffset: str = ""  # noqa: N815
    endUtcOffset: str = ""  # noqa: N815

    def span(self) -> tuple[dt.datetime, dt.datetime] | None:
        """Start and end; None while it goes on. Raises BrokenResponse where it can be no session's."""
        if not FIRST <= self.startTime < LAST:
            raise BrokenResponse("not_a_time")
        if self.endTime is None:
            return None
        if self.endTime <= self.startTime:
            raise BrokenResponse("interval_ends_before_it_starts")
        if self.endTime - self.startTime > LONGEST:
            raise BrokenResponse("interval_too_long")
        return self.startTime, self.endTime

    def clocks(self) -> list[tuple[int, int]]:
        """Readings of its device's clock: (microseconds UTC, seconds east of UTC) at start and end, where stated."""
        edges = ((self.startTime, self.startUtcOffset), (self.endTime, self.endUtcOffset))
        readings = [(microseconds(at), offset(text)) for at, text in edges if at is not None and text]
        return [(at, seconds) for at, seconds in readings if seconds != NO_OFFSET]


@dataclass(slots=True)
class SessionPage(Generic[R]):
    """Page of sessions, each with its readings of the device's clock, and the token of the next page or "".

    `unfinished`: when those began that still go on, in microseconds UTC. `unreadable`: records that cannot be read, by
    reason. `skipped`: parts of records left out, by reason.
    """

    token: str
    sessions: list[tuple[R, list[tuple[int, int]]]]
    unfinished: list[int]
    unreadable: Counter[str]
    skipped: Counter[str]

    @property
    def sent(self) -> int:
        """Number of records the response held."""
        return len(self.sessions) + len(self.unfinished) + self.unreadable.total()


P = TypeVar("P", bound=Struct)


def session_page(
    listed: Listed[P],
    interval_of: Callable[[P], Interval],
    record: Callable[[P, dt.datetime, dt.datetime, Counter[str]], R],
) -> SessionPage[R]:
    """Page of sessions from the points of a response. `record` makes one of a point, its start and end, and counts what
    it leaves out. Raises BrokenResponse where nothing can be read."""
    page: SessionPage[R] = SessionPage(listed.token, [], [], listed.unreadable, Counter())
    for point in listed.records:
        interval = interval_of(point)
        try:
            if span := interval.span():
                page.sessions.append((record(point, *span, page.skipped), interval.clocks()))
            else:
                page.unfinished.append(microseconds(interval.startTime))
        except BrokenResponse as fault:
            page.unreadable[fault.code] += 1
    refuse_whole(len(page.sessions) + len(page.unfinished), page.unreadable)
    return page


def session_id(candidates: Iterable[str]) -> str:
    """First of these that is an id, in a form that can be stored."""
    name = next(filter(None, candidates))
    return name if len(name) <= MAX_ID else hashlib.sha256(name.encode()).hexdigest()
