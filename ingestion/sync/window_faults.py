"""Windows that wait or went wrong: what is due in time, and what is missing through a fault of ours or the vendor's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.conf import settings

from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import AccessGone
from ingestion.sync import window_coverage
from metrics.monitoring.evidence import END, Fault, TimeInterval

State = SyncWindow.State
OVERDUE = "overdue"
# The vendor asks for a minute's patience now and then: that is no fault.
HELD_UP = dt.timedelta(hours=1)


def due(windows: Sequence[SyncWindow], now: dt.datetime) -> list[TimeInterval]:
    """Intervals of windows that wait, not too long yet and without an error."""
    limit = now - _patience()
    waiting = [window for window in _waiting(windows) if not window.error_code and window.due_at >= limit]
    return [TimeInterval(window.starts_at, window.ends_at) for window in waiting]


def faults(windows: Sequence[SyncWindow], connection: Connection, now: dt.datetime) -> list[Fault]:
    """Faults of windows that failed, wait after an error, or wait too long; and of a connection that nobody serves."""
    limit, busy = now - _patience(), connection.busy_until
    held = busy if busy and busy > now else None
    faults_found: list[Fault] = []
    for window in windows:
        waits = window.state in (State.DUE, State.CLAIMED)
        if window.error_code == AccessGone.SCOPE_MISSING:
            continue
        if window.state == State.FAILED or (waits and window.error_code) or window_coverage.spoilt(window):
            since = window.finished_at or window.claimed_at or window.due_at
            fault = Fault(window.starts_at, window.ends_at, window.error_code, since, window.due_at if waits else None)
        elif waits and (window.due_at < limit or (held and now - window.due_at > HELD_UP)):
            again = held or connection.next_due_at
            fault = Fault(window.starts_at, window.ends_at, OVERDUE, window.due_at, again)
        else:
            continue
        faults_found.append(_with_neighbour(faults_found, fault))
    if connection.asks and connection.next_due_at and connection.next_due_at < limit:
        faults_found.append(Fault(connection.next_due_at, END, OVERDUE, connection.next_due_at, None))
    return faults_found


def _with_neighbour(faults_found: list[Fault], fault: Fault) -> Fault:
    """Fault joined with the last one of the list, if both are of one kind and touch: that one is taken off."""
    if not faults_found or faults_found[-1].code != fault.code or faults_found[-1].ends_at < fault.starts_at:
        return fault
    if (faults_found[-1].next_at is None) != (fault.next_at is None):
        return fault
    before = faults_found.pop()
    again = min(at for at in (before.next_at, fault.next_at) if at) if fault.next_at else None
    return Fault(before.starts_at, fault.ends_at, fault.code, min(before.since, fault.since), again)


def _waiting(windows: Sequence[SyncWindow]) -> list[SyncWindow]:
    return [window for window in windows if window.state in (State.DUE, State.CLAIMED)]


def _patience() -> dt.timedelta:
    """Time that a window may wait before we are late: two passes."""
    return dt.timedelta(days=2) if settings.SYNC_AT else 2 * dt.timedelta(minutes=settings.SYNC_EVERY_MINUTES)
