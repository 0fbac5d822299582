"""Sync run: claim due windows of one connection, pull them, store them and mark them done.

What was pulled is stored and its windows are marked done in one transaction (storing), so a worker that is killed
leaves claims and nothing else. Whatever the vendor answers (error_policy), a window ends as done, due again or visibly
failed.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from ingestion import live_providers
from ingestion.connections import devices
from ingestion.connections import services as connections_services
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import AccessGone, BrokenResponse, TokenExpired, VendorBusy, VendorError
from ingestion.providers.base.live import Fingerprint, Pulled
from ingestion.sync import claims, error_policy, planning, rate_limits, restatements, storing
from ingestion.sync.responses import Read
from ingestion.sync.restatements import Check
from ingestion.sync.run_state import Outcome, RunState
from metrics.monitoring import evaluation
from metrics.participant_calendars import calendar_of
from metrics.writing.writer import Frozen, SyntheticRefused
from participants.privacy import encryption

T = TypeVar("T")

Kind, Reason = SyncWindow.Kind, SyncWindow.Reason
RECHECK = 1.0  # seconds
AT_ONCE = 10  # requests


def run_sync(connection_id: int, *, now: dt.datetime | None = None) -> Outcome:
    """Claim some of a connection's due windows and see them through. Safe to run at once in several workers."""
    now = now or timezone.now()
    outcome = Outcome()
    connection = Connection.objects.select_related("trial", "participant__trial").filter(pk=connection_id).first()
    if connection is None or not connection.asks:
        return outcome
    if connection.busy_until and connection.busy_until > now:
        outcome.wait, outcome.note = (connection.busy_until - now).total_seconds(), "vendor busy"
        return outcome
    windows = claims.claim(connection, now)
    if not windows:
        outcome.wait = claims.seconds_to_next(connection, now)
        return outcome
    state = RunState(
        connection,
        live_providers.provider(connection.provider),
        calendar_of(connection.participant),
        now,
        outcome,
        waiting_since=min(window.due_at for window in windows),
    )
    run = _SyncRun(state)
    try:
        run.run(windows)
    finally:
        claims.release([window for window in windows if window.pk not in state.settled])
    return outcome


class _SyncRun:
    """Run for one connection: it pulls the windows from the vendor, within all limits."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.connection, self.provider, self.now = state.connection, state.provider, state.now
        self.outcome = state.outcome
        self.token = ""
        self.collectable = planning.collectable(state.connection, planning.END)
        self.checked = time.monotonic()
        self.allowed = 0  # requests that have been counted and not made yet
        self.reached = False  # whether the vendor has answered anything in this run

    def run(self, windows: list[SyncWindow]) -> None:
        """Pull group by group until all are done or the run is stopped; what was read until then is stored."""
        reads: list[Read] = []
        checks: list[Check] = []
        trouble: Exception | None = None
        try:
            self.read(windows, reads, checks)
        except (VendorError, encryption.CannotDecrypt, ImproperlyConfigured) as error:
            trouble = error
        try:
            storing.store_answers(self.state, reads, checks)
        except SyntheticRefused as refused:
            trouble = refused
        except Frozen:
            # It ended while they were being read: nothing of it is kept.
            self.outcome.note = "ended meanwhile"
        if trouble is None:
            self.outcome.wait = claims.seconds_to_next(self.connection, timezone.now())
        else:
            error_policy.run_stopped(self.state, trouble)
        if trouble is not None or self.state.troubled:
            # What is missing now is missing through a fault: the pages say so at once, and no alert is raised.
            evaluation.refresh(self.connection.participant, now=timezone.now())

    def read(self, windows: list[SyncWindow], reads: list[Read], checks: list[Check]) -> None:
        """Request all of it, in groups; adds to `reads` and `checks` as it goes."""
        self.token = connections_services.fresh_token(self.connection, self.provider)
        if self.begins_pass(windows):
            self.with_token(lambda token: devices.refresh(self.connection, self.provider, token, self.now))
            self.outcome.requests += 1
        for group in claims.groups(windows, self.provider, claims.densest(self.connection, self.now)):
            if not self.still_asks():
                self.outcome.note = "ended meanwhile"
                return
            self.count_request()
            try:
                if group[0].kind == Kind.FINGERPRINT:
                    checks.append(self.check(group[0]))
                elif not self.parts(group):
                    # The interval was moved since these were planned.
                    claims.drop(group)
                    self.state.settle(group)
                    continue
                else:
                    reads.append(self.pull(group))
                self.reached = True
            except BrokenResponse as fault:
                if fault.unreached and not self.reached:
                    error_policy.vendor_unreached(self.state, group, fault)
                    raise VendorBusy(fault.code) from fault
                error_policy.response_broken(self.state, group, fault)
            except AccessGone as gone:
                if gone.code != AccessGone.SCOPE_MISSING:
                    raise
                error_policy.scope_missing(self.state, group)

    def begins_pass(self, windows: list[SyncWindow]) -> bool:
        """Whether these begin a regular pass: the time to see how the devices do.

        It begins with its restatement checks; where the consent covers no type that has sums, with what reaches up to
        now.
        """
        if any(self.provider.data_types[code].fingerprinted for code in {window.data_type for window in windows}):
            return any(window.kind == Kind.FINGERPRINT and window.reason != Reason.HISTORY for window in windows)
        sums = any(data_type.fingerprinted for data_type in planning.granted(self.connection, self.provider))
        return not sums and any(window.ends_at > self.now for window in windows)

    def count_request(self) -> None:
        """Count a request against our own limits, some beforehand: asking Redis each time is a sixth of a run.

        Raises VendorBusy until the next minute where a limit is reached.
        """
        if self.allowed == 0:
            if wait := rate_limits.seconds_to_wait(self.provider.slug, self.connection.pk, AT_ONCE):
                raise VendorBusy("our own limit", wait)
            self.allowed = AT_ONCE
        self.allowed -= 1

    def still_asks(self) -> bool:
        """Whether the connection may still be asked, checked each second: nothing goes out once access has ended."""
        if time.monotonic() - self.checked > RECHECK:
            self.checked = time.monotonic()
            return Connection.asking().filter(pk=self.connection.pk).exists()
        return True

    def with_token(self, call: Callable[[str], T]) -> T:
        """Call with the access token; one that has just run out is refreshed once."""
        try:
            return call(self.token)
        except TokenExpired:
            self.token = connections_services.fresh_token(self.connection, self.provider, refused=self.token)
            return call(self.token)

    def pull(self, group: list[SyncWindow]) -> Read:
        """Pull neighbouring windows: in one request, unless something between them may not be had."""
        answers: list[tuple[planning.Interval, Pulled]] = []
        for part in self.parts(group):
            ask = partial(self.provider.pull, data_type=group[0].data_type, start=part[0], end=part[1])
            pulled = self.with_token(partial(ask, calendar=self.state.calendar))
            self.outcome.requests += pulled.requests
            self.outcome.points += pulled.points
            self.outcome.bytes += pulled.bytes
            answers.append((part, pulled))
        return Read(group, answers)

    def parts(self, group: list[SyncWindow]) -> list[planning.Interval]:
        """Intervals of neighbouring windows that may be requested: nothing outside the collection interval."""
        return planning.within(self.collectable, group[0].starts_at, group[-1].ends_at)

    def check(self, window: SyncWindow) -> Check:
        """Request the vendor's hourly sums of a window."""
        sums: dict[dt.datetime, Fingerprint] = {}
        intervals = restatements.requested_intervals(self.connection, window, self.now)
        for start, end in intervals:
            ask = partial(self.provider.fingerprints, data_type=window.data_type, start=start, end=end)
            sums |= self.with_token(ask)
            self.outcome.requests += 1
        return Check(window, sums, len(intervals))
