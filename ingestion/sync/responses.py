"""Responses of a vendor, and what they mean for the windows that they were requested for."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ingestion.models import SyncWindow
from ingestion.providers.base.live import Pulled
from ingestion.sync.planning import Interval
from metrics.batch import Payload, instant, joined, microseconds

State = SyncWindow.State
DONE_FIELDS = [
    "state",
    "again",
    "attempts",
    "finished_at",
    "points",
    "requests",
    "bytes",
    "unreadable",
    "unfinished",
    "error_code",
]
# The error code of windows that are done, although most of what came could not be read.
UNREADABLE = "unreadable"


@dataclass(slots=True)
class Read:
    """Neighbouring windows of one data type, and the response for each interval of them that was requested."""

    windows: list[SyncWindow]
    answers: list[tuple[Interval, Pulled]]

    @property
    def payload(self) -> Payload:
        whole = joined(pulled.payload for _, pulled in self.answers)
        whole.skipped += sum((pulled.skipped for _, pulled in self.answers), Counter[str]())
        return whole

    @property
    def bytes(self) -> int:
        return sum(pulled.bytes for _, pulled in self.answers)

    @property
    def requests(self) -> int:
        return sum(pulled.requests for _, pulled in self.answers)

    @property
    def points_each(self) -> float:
        """Mean number of points in a window."""
        return sum(pulled.points for _, pulled in self.answers) / len(self.windows)

    @property
    def unreadable(self) -> Counter[str]:
        """Records that could not be read, by reason."""
        return sum((pulled.unreadable for _, pulled in self.answers), Counter[str]())

    @property
    def unfinished(self) -> list[dt.datetime]:
        """Starts of sessions that still go on."""
        return [instant(at) for _, pulled in self.answers for at in pulled.unfinished]

    def conclude(self, finished_at: dt.datetime) -> None:
        """Set the windows' fields: done; or due once more where it was requested meanwhile. Nothing is saved."""
        points = points_in([pulled for _, pulled in self.answers], self.windows)
        unreadable, began = self.unreadable.total(), self.unfinished
        for number, window in enumerate(self.windows):
            window.points = points[number]
            window.bytes = self.bytes // len(self.windows)
            window.requests = self.requests if number == 0 else 0
            window.unreadable = unreadable
            # It may end in this window; sessions are asked for anew at each pass.
            window.unfinished = sum(at < window.ends_at for at in began)
            window.state = State.DUE if window.again else State.DONE
            window.again, window.attempts, window.finished_at = False, 0, finished_at
            window.error_code = UNREADABLE if unreadable and unreadable >= sum(points) else ""


def points_in(pulls: list[Pulled], windows: list[SyncWindow]) -> list[int]:
    """Number of these responses' points in each of the windows, which are neighbours."""
    if len(windows) == 1:
        return [sum(pulled.points for pulled in pulls)]
    edges = [microseconds(window.starts_at) for window in windows] + [microseconds(windows[-1].ends_at)]
    times = [batch.time for pulled in pulls for batch in pulled.payload.samples]
    nights = [microseconds(night.ends_at) for pulled in pulls for night in pulled.payload.sleep]
    sessions = [microseconds(session.starts_at) for pulled in pulls for session in pulled.payload.exercise]
    times += [np.array(nights, dtype=np.int64), np.array(sessions, dtype=np.int64)]
    counts = np.histogram(np.concatenate(times), edges)[0]
    return [int(count) for count in counts]
