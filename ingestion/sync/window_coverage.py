"""Coverage by windows: which intervals are answered, requested after they were over and after the device had uploaded
them.

A vendor has what devices have uploaded. What it answers before an upload says nothing of what that brings: where the
device has synced since, the interval up to then must be requested again. Data that came show the same.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate

from ingestion.connections.devices import Described
from ingestion.models import SyncWindow
from ingestion.sync import planning
from ingestion.sync.responses import UNREADABLE
from metrics.monitoring.evidence import TimeInterval

State, Reason, Kind = SyncWindow.State, SyncWindow.Reason, SyncWindow.Kind
Span = tuple[dt.datetime, dt.datetime]


def covered_intervals(windows: Sequence[SyncWindow], described: Iterable[tuple[int, Described]]) -> list[TimeInterval]:
    """Intervals that are answered by windows of heart rates, reads and restatement checks; neighbours joined, in order.

    `described`: what devices said of themselves, with the connection that they belong to.
    """
    marks: dict[int, list[Span]] = defaultdict(list)
    for connection, description in described:
        if description.wearable and description.last_sync_at:
            marks[connection].append((description.at, description.last_sync_at))
    by_connection: dict[int, list[SyncWindow]] = defaultdict(list)
    for window in windows:
        if window.finished_at is not None and window.state != State.FAILED:
            by_connection[window.connection_id].append(window)
    spans = [span for connection, some in by_connection.items() for span in _of_connection(some, marks[connection])]
    return _joined(spans)


def spoilt(window: SyncWindow) -> bool:
    """Whether it was answered with what could not be read, most of it: our fault, or the vendor's."""
    return window.state == State.DONE and window.error_code == UNREADABLE


def _of_connection(windows: Iterable[SyncWindow], marks: list[Span]) -> Iterable[Span]:
    reads = [window for window in windows if window.kind == Kind.READ]
    checks = [_checked_interval(window) for window in windows if window.kind == Kind.FINGERPRINT]
    came = [
        (window.finished_at, min(window.ends_at, window.finished_at))
        for window in reads
        if window.points and window.finished_at
    ]
    uploads = _Uploads([*marks, *came])
    for window in reads:
        if not spoilt(window):
            yield from _covered_parts(window, _requested_at(window, checks), uploads)


class _Uploads:
    """Uploads of the device: how far it had handed over its data, as it was known at an instant."""

    def __init__(self, marks: Iterable[Span]) -> None:
        ordered = sorted(marks)
        self._known_at = [known_at for known_at, _ in ordered]
        self._reached = list(accumulate((reached for _, reached in ordered), max))

    def by(self, at: dt.datetime) -> dt.datetime | None:
        place = bisect_right(self._known_at, at)
        return self._reached[place - 1] if place else None

    @property
    def latest(self) -> dt.datetime | None:
        return self._reached[-1] if self._reached else None


def _checked_interval(window: SyncWindow) -> tuple[dt.datetime, dt.datetime, dt.datetime]:
    """Interval (start, end) for which a restatement check requested sums, and when."""
    at, end = window.finished_at or window.due_at, window.ends_at
    if window.reason == Reason.HISTORY:
        end = min(end, planning.fingerprinted_from(at))
    return window.starts_at, end, at


def _requested_at(window: SyncWindow, checks: Iterable[tuple[dt.datetime, dt.datetime, dt.datetime]]) -> dt.datetime:
    """Instant at which the vendor was last asked what it has of a window: a check that found it unchanged asked as
    well."""
    read_at = window.finished_at or window.due_at
    if window.state != State.DONE:
        return read_at
    return max([read_at, *(at for start, end, at in checks if start <= window.starts_at and window.ends_at <= end)])


def _covered_parts(window: SyncWindow, requested_at: dt.datetime, uploads: _Uploads) -> list[Span]:
    """Parts of a window that were over and uploaded when they were requested; and those not uploaded even now, of which
    nothing more can be known."""
    start, end = window.starts_at, min(window.ends_at, requested_at)
    latest, by_then = uploads.latest, uploads.by(requested_at)
    if latest is None:
        return [(start, end)] if start < end else []
    low, high = min(max(start, by_then or start), end), max(min(end, latest), start)
    parts = [(start, low), (high, end)] if low < high else [(start, end)]
    return [part for part in parts if part[0] < part[1]]


def _joined(spans: Iterable[Span]) -> list[TimeInterval]:
    joined: list[TimeInterval] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1].ends_at:
            joined[-1] = TimeInterval(joined[-1].starts_at, max(joined[-1].ends_at, end))
        else:
            joined.append(TimeInterval(start, end))
    return joined
