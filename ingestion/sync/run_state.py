"""State of one sync run: whom it serves, what became of the windows that it claimed, and what it counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.live import LiveProvider
from metrics.batch import Counts
from metrics.local_time import LocalCalendar


@dataclass(slots=True)
class Outcome:
    """Outcome of one run for a connection. `wait`: seconds after which there is more to do; None: nothing waits."""

    windows: int = 0
    failed: int = 0
    points: int = 0
    requests: int = 0
    bytes: int = 0
    counts: Counts = field(default_factory=Counts)
    unreadable: int = 0  # records
    unfinished: int = 0  # sessions
    wait: float | None = None
    note: str = ""

    def add(self, later: Outcome) -> None:
        """Count a later run in; when to go on is as it says."""
        self.windows, self.failed = self.windows + later.windows, self.failed + later.failed
        self.points, self.requests = self.points + later.points, self.requests + later.requests
        self.bytes, self.counts = self.bytes + later.bytes, self.counts + later.counts
        self.unreadable, self.unfinished = self.unreadable + later.unreadable, self.unfinished + later.unfinished
        self.wait, self.note = later.wait, later.note


@dataclass(slots=True)
class RunState:
    """State that the parts of one run share: requesting, storing, and what follows from a refusal."""

    connection: Connection
    provider: LiveProvider
    calendar: LocalCalendar
    now: dt.datetime
    outcome: Outcome
    waiting_since: dt.datetime  # since when the oldest of the windows could have been read
    settled: set[int] = field(default_factory=set)  # windows of which something became: they are not given back
    troubled: bool = False  # whether an answer was broken

    def settle(self, windows: Iterable[SyncWindow]) -> None:
        self.settled |= {window.pk for window in windows}
