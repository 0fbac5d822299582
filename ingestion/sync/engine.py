"""Doing what is due for one connection: claim windows, pull them, store them and mark them done.

What was pulled is stored and its windows are marked done in one transaction, so a worker that is killed leaves
claims and nothing else. Whatever the vendor answers, a window ends as done, due again or visibly failed.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ingestion import live_providers, prometheus
from ingestion.connections import devices
from ingestion.connections import services as connections_services
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import (
    AccessGone,
    BrokenAnswer,
    ClientMisconfigured,
    TokenExpired,
    VendorBusy,
    VendorError,
)
from ingestion.providers.base.live import Fingerprint, LiveProvider, Pulled
from ingestion.sync import claims, planning, rate_limits, restatements, utc_offsets
from ingestion.sync.responses import DONE_FIELDS, Read
from metrics.batch import Counts, Delivery, Replaced, Sessions, joined
from metrics.local_time import LocalCalendar
from metrics.monitoring import evaluation
from metrics.participant_calendars import calendar_of
from metrics.writing.writer import Frozen, SyntheticRefused, store
from participants.privacy import encryption

log = logging.getLogger(__name__)
T = TypeVar("T")

State, Kind, Reason = SyncWindow.State, SyncWindow.Kind, SyncWindow.Reason
# How long nobody is asked where the fault is ours: the operator must act, and is told in the log.
OUR_FAULT = dt.timedelta(minutes=15)
# A vendor that does not answer is asked again after so long at most, so that nothing waits long once it is back.
LONGEST_PATIENCE = dt.timedelta(minutes=5)
DAY = dt.timedelta(days=1)
RECHECK = 1.0  # seconds
AT_ONCE = 10  # requests


@dataclass(slots=True)
class Outcome:
    """What one turn for a connection did. `wait`: seconds after which there is more to do; None: nothing waits."""

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
        """Count a later turn in; when to go on is as it says."""
        self.windows, self.failed = self.windows + later.windows, self.failed + later.failed
        self.points, self.requests = self.points + later.points, self.requests + later.requests
        self.bytes, self.counts = self.bytes + later.bytes, self.counts + later.counts
        self.unreadable, self.unfinished = self.unreadable + later.unreadable, self.unfinished + later.unfinished
        self.wait, self.note = later.wait, later.note


def take_turn(connection_id: int, *, now: dt.datetime | None = None) -> Outcome:
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
    turn = _Turn(
        connection, live_providers.provider(connection.provider), calendar_of(connection.participant), now, outcome
    )
    try:
        turn.run(windows)
    finally:
        turn.release_rest(windows)
    return outcome


class _Turn:
    """One turn for one connection. `store` is all-or-nothing for what was read in it."""

    def __init__(
        self,
        connection: Connection,
        provider: LiveProvider,
        calendar: LocalCalendar,
        now: dt.datetime,
        outcome: Outcome,
    ) -> None:
        self.connection, self.provider, self.calendar = connection, provider, calendar
        self.now, self.outcome = now, outcome
        self.token = ""
        self.collectable = planning.collectable(connection, planning.END)
        self.settled: set[int] = set()
        self.checked = time.monotonic()
        self.allowed = 0  # requests that have been counted and not made yet
        self.troubled = False  # whether an answer was broken
        self.reached = False  # whether the vendor has answered anything in this turn
        self.waiting_since = now  # since when the oldest of the windows could have been read

    def run(self, windows: list[SyncWindow]) -> None:
        """Pull group by group until all are done or somebody says stop; what was read until then is stored."""
        self.waiting_since = min(window.due_at for window in windows)
        reads: list[Read] = []
        trouble: Exception | None = None
        try:
            self.read(windows, reads)
        except (VendorError, encryption.CannotOpen, ImproperlyConfigured) as error:
            trouble = error
        try:
            self.store(reads)
        except SyntheticRefused as refused:
            trouble = refused
        except Frozen:
            # It ended while they were being read: nothing of it is kept.
            self.outcome.note = "ended meanwhile"
        self.conclude(trouble)
        if trouble is not None or self.troubled:
            # What is missing now is missing through a fault: the pages say so at once, and no alert is raised.
            evaluation.refresh(self.connection.participant, now=timezone.now())

    def conclude(self, trouble: Exception | None) -> None:
        """When to go on, and who must know."""
        match trouble:
            case None:
                self.outcome.wait = claims.seconds_to_next(self.connection, timezone.now())
            case VendorBusy():
                self.busy(trouble.code, trouble.retry_after)
            case AccessGone():
                self.lost(trouble.code)
            case TokenExpired():
                self.lost(AccessGone.DENIED)
            case ClientMisconfigured():
                self.our_fault(trouble.code, f"{self.provider.name} refuses our own credentials: {trouble.code}.")
            case VendorError():
                # The address that gives out tokens does not answer: no window's fault.
                self.busy(trouble.code, None)
            case SyntheticRefused():
                self.our_fault("synthetic_refused", str(trouble))
            case _:
                self.our_fault("token_keys", str(trouble))

    def read(self, windows: list[SyncWindow], reads: list[Read]) -> None:
        """Ask for all of it, in groups; adds to `reads` as it goes."""
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
                if group[0].kind == Kind.LOOK:
                    self.look(group[0])
                elif not self.parts(group):
                    self.not_ours(group)
                    continue
                else:
                    reads.append(self.pull(group))
                self.reached = True
            except BrokenAnswer as fault:
                if fault.unreached and not self.reached:
                    self.unreached(group, fault)
                    raise VendorBusy(fault.code) from fault
                self.broken(group, fault)
            except AccessGone as gone:
                if gone.code != AccessGone.SCOPE_MISSING:
                    raise
                self.not_allowed(group)

    def begins_pass(self, windows: list[SyncWindow]) -> bool:
        """Whether these begin a regular pass: the time to see how the devices do.

        It begins with its looks; where the consent covers no type that has sums, with what reaches up to now.
        """
        if any(self.provider.data_types[code].fingerprinted for code in {window.data_type for window in windows}):
            return any(window.kind == Kind.LOOK and window.reason != Reason.HISTORY for window in windows)
        sums = any(one.fingerprinted for one in planning.granted(self.connection, self.provider))
        return not sums and any(window.ends_at > self.now for window in windows)

    def count_request(self) -> None:
        """Count a request against our own limits, some beforehand: asking Redis each time is a sixth of a turn.

        Raises VendorBusy until the next minute where a limit is reached.
        """
        if self.allowed == 0:
            if wait := rate_limits.seconds_to_wait(self.provider.slug, self.connection.pk, AT_ONCE):
                raise VendorBusy("our own limit", wait)
            self.allowed = AT_ONCE
        self.allowed -= 1

    def still_asks(self) -> bool:
        """Asked again each second between requests: nothing more goes out once access was withdrawn or ended."""
        if time.monotonic() - self.checked > RECHECK:
            self.checked = time.monotonic()
            return Connection.asking().filter(pk=self.connection.pk).exists()
        return True

    def with_token(self, call: Callable[[str], T]) -> T:
        """Ask with the access token; one that has just run out is refreshed once."""
        try:
            return call(self.token)
        except TokenExpired:
            self.token = connections_services.fresh_token(self.connection, self.provider, refused=self.token)
            return call(self.token)

    def pull(self, group: list[SyncWindow]) -> Read:
        """Neighbouring windows: in one request, unless something between them may not be had."""
        answers: list[tuple[planning.Stretch, Pulled]] = []
        for part in self.parts(group):
            ask = partial(self.provider.pull, data_type=group[0].data_type, start=part[0], end=part[1])
            pulled = self.with_token(partial(ask, calendar=self.calendar))
            self.outcome.requests += pulled.requests
            self.outcome.points += pulled.points
            self.outcome.bytes += pulled.bytes
            answers.append((part, pulled))
        return Read(group, answers)

    def parts(self, group: list[SyncWindow]) -> list[planning.Stretch]:
        """The stretches of neighbouring windows that may be asked for: nothing outside the collection interval."""
        return planning.within(self.collectable, group[0].starts_at, group[-1].ends_at)

    def not_ours(self, group: list[SyncWindow]) -> None:
        """The interval was moved since these were planned: they are not asked for, and do not count as answered."""
        mine = claims.held(group)
        mine.filter(finished_at=None).delete()
        mine.update(state=State.DONE, again=False, claimed_at=None)
        self.settled |= {window.pk for window in group}

    def look(self, window: SyncWindow) -> None:
        """Ask for the vendor's hourly sums; hours that changed become due, of what is past the days."""
        sums: dict[dt.datetime, Fingerprint] = {}
        stretches = restatements.asked(self.connection, window, self.now)
        for start, end in stretches:
            ask = partial(self.provider.fingerprints, data_type=window.data_type, start=start, end=end)
            sums |= self.with_token(ask)
            self.outcome.requests += 1
        with transaction.atomic():
            ours = connections_services.asks_still(self.connection)
            self.lock([window])
            if ours and window.state == State.CLAIMED:
                restatements.compare(self.connection, window, sums, self.now)
                told = Pulled(Delivery(), points=len(sums), requests=len(stretches))
                look = [Read([window], [((window.starts_at, window.ends_at), told)])]
                self.mark_done(look)
                self.settle(look)

    def store(self, reads: list[Read]) -> None:
        """Everything read so far and its windows' state, in one transaction."""
        if not reads:
            return
        participant = self.connection.participant
        with transaction.atomic():
            if not connections_services.asks_still(self.connection):
                raise Frozen("nothing more may be asked for")
            # A claim that was released meanwhile is somebody else's: what they read may be newer than this.
            self.lock([window for read in reads for window in read.windows])
            kept = [read for read in reads if all(window.state == State.CLAIMED for window in read.windows)]
            delivery = joined(read.delivery for read in kept)
            delivery.replaces = self.replaced(kept)
            delivery.offsets = utc_offsets.changes(
                participant,
                self.calendar,
                [(*part, pulled.offsets) for read in kept for part, pulled in read.answers if pulled.offsets],
                newest=self.connection.last_data_at,
            )
            # Done first, in the same transaction: what is still missing afterwards is missing although we asked.
            self.mark_done(kept)
            counts = store(participant, delivery)
            self.settle(kept)
            if delivery.offsets:
                planning.days_moved(self.connection, self.provider, delivery.offsets[0].starts_at, self.now)
            self.note_data(delivery)
        self.outcome.counts += counts
        self.tell_left_out(kept)
        reads.clear()

    def tell_left_out(self, reads: list[Read]) -> None:
        """Count and log what these answers held and what could not be stored: of which kind, never what it says."""
        for read in reads:
            self.outcome.unfinished += len(read.unfinished)
            for reason, count in read.unreadable.items():
                self.outcome.unreadable += count
                log.warning(
                    "connection %s: %s records of %s could not be read: %s",
                    self.connection.pk,
                    count,
                    read.windows[0].data_type,
                    reason,
                )

    def lock(self, windows: list[SyncWindow]) -> None:
        """Hold the rows until the transaction's end; one that this turn has lost is no longer `claimed` afterwards."""
        # In the order of the key: the model's own order leads over the trial, and would lock that for everybody.
        mine = dict(claims.held(windows).order_by("pk").select_for_update().values_list("pk", "again"))
        for window in windows:
            if window.pk in mine:
                window.again = mine[window.pk]
            else:
                window.state = State.DUE

    def replaced(self, reads: list[Read]) -> list[Replaced]:
        """The stretches of which these pulls brought all that the vendor has, neighbours joined."""
        spans: dict[str | Sessions, list[tuple[dt.datetime, dt.datetime]]] = {}
        for read in reads:
            data_type = self.provider.data_types[read.windows[0].data_type]
            for (start, end), pulled in read.answers:
                if pulled.unreadable or pulled.unfinished:
                    continue  # what is not in it may be among what was left out
                part = self.local_days(start, end) if data_type.by_day else (start, end)
                for what in data_type.brings:
                    spans.setdefault(what, []).append(part)
        return [
            Replaced(self.provider.source_provider, what, start, end)
            for what, mine in spans.items()
            for start, end in planning.merged(mine)
        ]

    def local_days(self, start: dt.datetime, end: dt.datetime) -> planning.Stretch:
        """The whole local days; and, before the first, what an earlier idea of the calendar had put there."""
        first, last = self.calendar.date(start), self.calendar.date(end - dt.timedelta(microseconds=1))
        return self.calendar.midnight(first - DAY) + dt.timedelta(microseconds=1), self.calendar.midnight(last + DAY)

    def mark_done(self, reads: list[Read]) -> None:
        """Mark the windows of these reads, whose rows are locked, done; or due once more where somebody asked."""
        finished_at = timezone.now()
        for read in reads:
            read.conclude(finished_at)
        windows = [window for read in reads for window in read.windows]
        SyncWindow.objects.bulk_create(windows, update_conflicts=True, unique_fields=["id"], update_fields=DONE_FIELDS)
        prometheus.windows_finished(State.DONE, len(windows))

    def settle(self, reads: list[Read]) -> None:
        """These reads are stored: their windows are not given back."""
        windows = [window for read in reads for window in read.windows]
        self.settled |= {window.pk for window in windows}
        self.outcome.windows += len(windows)

    def note_data(self, delivery: Delivery) -> None:
        newest = [int(batch.time.max()) for batch in delivery.samples if len(batch)]
        fields: dict[str, dt.datetime] = {"last_pull_at": self.now}
        if newest:
            at = dt.datetime.fromtimestamp(max(newest) // 1_000_000, tz=dt.UTC)
            known = self.connection.last_data_at
            fields["last_data_at"] = self.connection.last_data_at = max(at, known) if known else at
        Connection.objects.filter(pk=self.connection.pk).update(**fields)

    def broken(self, group: list[SyncWindow], fault: BrokenAnswer) -> None:
        """Try again later, some times; then failed, for staff to see."""
        self.troubled = True
        attempts = max(window.attempts for window in group)
        if attempts >= settings.SYNC_ATTEMPTS:
            self.fail(group, fault.code)
        else:
            delay = settings.SYNC_RETRY_SECONDS * 2 ** (attempts - 1) * random.uniform(0.5, 1.5)  # noqa: S311  jitter
            claims.held(group).update(
                state=State.DUE,
                due_at=timezone.now() + dt.timedelta(seconds=delay),
                claimed_at=None,
                error_code=fault.code[:60],
            )
        self.settled |= {window.pk for window in group}

    def unreached(self, group: list[SyncWindow], fault: BrokenAnswer) -> None:
        """The vendor did not answer at all: no window's fault, so no attempt counts, however long it lasts.

        These go behind the others, should it be they after all that it does not answer.
        """
        self.troubled = True
        later = timezone.now() + 2 * self.patience()
        claims.held(group).update(
            state=State.DUE, due_at=later, claimed_at=None, attempts=F("attempts") - 1, error_code=fault.code[:60]
        )
        self.settled |= {window.pk for window in group}

    def patience(self) -> dt.timedelta:
        """The longer the work has waited, the longer until the vendor is asked again; some minutes at most."""
        least = dt.timedelta(seconds=settings.SYNC_RETRY_SECONDS)
        waited = (timezone.now() - self.waiting_since) / 4
        return min(max(waited, least), max(LONGEST_PATIENCE, least))

    def not_allowed(self, group: list[SyncWindow]) -> None:
        """The participant did not consent to this kind of data, or took that back: it is not asked for again."""
        self.fail(group, AccessGone.SCOPE_MISSING)
        self.settled |= {window.pk for window in group}
        connections_services.scope_lost(
            self.connection, self.provider.data_types[group[0].data_type].scope, now=self.now
        )

    def fail(self, group: list[SyncWindow], code: str) -> None:
        failed = claims.held(group).update(state=State.FAILED, finished_at=timezone.now(), error_code=code[:60])
        prometheus.windows_finished(State.FAILED, failed)
        self.outcome.failed += len(group)

    def lost(self, code: str) -> None:
        connections_services.lost(self.connection, code, now=self.now)
        self.outcome.note = code

    def busy(self, code: str, retry_after: float | None) -> None:
        """Put everything off until the vendor's time; nobody waits for it."""
        wait = retry_after
        if wait is None:
            wait = self.patience().total_seconds() * random.uniform(0.5, 1.5)  # noqa: S311  jitter, no secret
        self.postpone(dt.timedelta(seconds=max(wait, 1)))
        self.outcome.wait, self.outcome.note = max(wait, 1), code

    def our_fault(self, code: str, message: str) -> None:
        """Our own settings are at fault: nobody is marked, the operator is told."""
        log.critical("%s Nobody is marked.", message)
        self.postpone(OUR_FAULT)
        self.outcome.wait, self.outcome.note = OUR_FAULT.total_seconds(), code

    def postpone(self, delay: dt.timedelta) -> None:
        Connection.objects.filter(pk=self.connection.pk).update(busy_until=timezone.now() + delay)

    def release_rest(self, windows: list[SyncWindow]) -> None:
        """Claims of this turn that came to nothing are due again; that attempt does not count."""
        rest = [window for window in windows if window.pk not in self.settled]
        if rest:
            claims.held(rest).update(state=State.DUE, claimed_at=None, attempts=F("attempts") - 1)
            over = SyncWindow.objects.filter(pk__in=[window.pk for window in rest], state=State.DUE)
            over.filter(connection__status=Connection.Status.REVOKED).delete()
