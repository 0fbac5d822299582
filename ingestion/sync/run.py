"""Sync run: claim due windows of one connection, pull them, store them and mark them done.

What was pulled is stored and its windows are marked done in one transaction (storing), so a worker that is killed
leaves claims and nothing else. Whatever the vendor answers (error_policy), a window ends as done, due again or visibly
failed.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from ingestion import live_providers
from ingestion.connections import devices
from ingestion.connections import services as connections_services
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import AccessGone, BrokenResponse, TokenExpired, VendorBusy, VendorError
from ingestion.providers.base.live import Fingerprint, Pulled
from ingestion.sync import ahead, claims, error_policy, planning, rate_limits, restatements, storing
from ingestion.sync.ahead import Request, Sent
from ingestion.sync.responses import Read
from ingestion.sync.restatements import Check
from ingestion.sync.run_state import Outcome, RunState
from metrics.monitoring import evaluation
from metrics.participant_calendars import calendar_of
from metrics.writing.writer import Frozen, SyntheticRefused
from participants.privacy import encryption

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


Part = tuple[planning.Interval, Pulled | dict[dt.datetime, Fingerprint]]


class _SyncRun:
    """Run for one connection: it pulls the windows from the vendor, within all limits.

    `reads`, `checks`: what was answered and is not stored yet.
    """

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.connection, self.provider, self.now = state.connection, state.provider, state.now
        self.outcome = state.outcome
        self.token = ""
        self.collectable = planning.collectable(state.connection, planning.END)
        self.checked = time.monotonic()
        self.allowed = 0  # requests that have been counted and not made yet
        self.reached = False  # whether the vendor has answered anything in this run
        self.ended = False  # whether access has ended while this runs
        self.points: dict[str, float] = {}  # how many a window is taken to hold, by data type
        self.unknown: set[str] = set()  # data types of which that shows in this run alone
        self.reads: list[Read] = []
        self.checks: list[Check] = []

    def run(self, windows: list[SyncWindow]) -> None:
        """Pull group by group until all are done or the run is stopped; what was read until then is stored."""
        trouble: Exception | None = None
        try:
            self.read(windows)
        except (VendorError, encryption.CannotDecrypt, ImproperlyConfigured) as error:
            trouble = error
        try:
            storing.store_answers(self.state, self.reads, self.checks)
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

    def read(self, windows: list[SyncWindow]) -> None:
        """Request all of it, in groups, some at once."""
        self.token = connections_services.fresh_token(self.connection, self.provider)
        if self.begins_pass(windows):
            try:
                devices.refresh(self.connection, self.provider, self.token, self.now)
            except TokenExpired:
                self.token = connections_services.fresh_token(self.connection, self.provider, refused=self.token)
                devices.refresh(self.connection, self.provider, self.token, self.now)
            self.outcome.requests += 1
        # No read goes out before all checks are answered: what changes in between, the next check finds.
        self.request([window] for window in windows if window.kind == Kind.FINGERPRINT)
        self.points = claims.window_points(self.connection, self.now)
        self.unknown = self.provider.data_types.keys() - self.points.keys()
        others = [window for window in windows if window.kind != Kind.FINGERPRINT]
        self.request(claims.groups(others, self.provider, self.points))

    def request(self, groups: Iterable[list[SyncWindow]]) -> None:
        """Request groups of windows, and see each through."""
        with closing(ahead.sent(self.requests(groups), settings.SYNC_REQUESTS_AT_ONCE)) as under_way:
            for sent in under_way:
                self.see_through(sent)

    def see_through(self, sent: Sent[list[Part]]) -> None:
        """Keep the answer to a request; or do what its refusal asks for. Raises what stops the run."""
        group = sent.request.group
        try:
            self.keep(group, self.answer(sent))
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

    def requests(self, groups: Iterable[list[SyncWindow]]) -> Iterator[Request[list[Part]]]:
        """Requests for these groups, each when it may go out; none once access has ended."""
        for group in groups:
            if not self.still_asks():
                self.outcome.note = "ended meanwhile"
                return
            if group[0].kind == Kind.FINGERPRINT:
                parts = restatements.requested_intervals(self.connection, group[0], self.now)
            elif not (parts := planning.within(self.collectable, group[0].starts_at, group[-1].ends_at)):
                # The interval was moved since these were planned.
                claims.drop(group)
                self.state.settle(group)
                continue
            self.count_request()
            yield Request(group, partial(self.fetch, group[0], parts), self.token)

    def fetch(self, window: SyncWindow, parts: list[planning.Interval], token: str) -> list[Part]:
        """Ask the vendor for these intervals of a window's data type. Runs in a thread: it touches no database."""
        code, answers = window.data_type, list[Part]()
        for start, end in parts:
            if window.kind == Kind.FINGERPRINT:
                answers.append(((start, end), self.provider.fingerprints(token, code, start, end)))
            else:
                answers.append(((start, end), self.provider.pull(token, code, start, end, self.state.calendar)))
        return answers

    def answer(self, sent: Sent[list[Part]]) -> list[Part]:
        """Answer to a request; where its token has just run out, that is refreshed, once for all that hold it."""
        try:
            return sent.result()
        except TokenExpired:
            if sent.request.token == self.token:
                self.token = connections_services.fresh_token(self.connection, self.provider, refused=self.token)
            return sent.request.fetch(self.token)

    def keep(self, group: list[SyncWindow], answers: list[Part]) -> None:
        """Keep what was answered for a group, to be stored with all else."""
        sums: dict[dt.datetime, Fingerprint] = {}
        pulls: list[tuple[planning.Interval, Pulled]] = []
        for part, answer in answers:
            if isinstance(answer, Pulled):
                pulls.append((part, answer))
                self.outcome.requests += answer.requests
                self.outcome.points += answer.points
                self.outcome.bytes += answer.bytes
            else:
                sums |= answer
                self.outcome.requests += 1
        if group[0].kind == Kind.FINGERPRINT:
            self.checks.append(Check(group[0], sums, len(answers)))
        else:
            self.reads.append(read := Read(group, pulls))
            if (code := group[0].data_type) in self.unknown:
                self.points[code] = max(self.points.get(code, 0), claims.LIVELIER * read.points_each)

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
        if not self.ended and time.monotonic() - self.checked > RECHECK:
            self.checked = time.monotonic()
            self.ended = not Connection.asking().filter(pk=self.connection.pk).exists()
        return not self.ended
