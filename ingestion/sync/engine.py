"""Doing what is due for one connection: claim windows, pull them, store them and mark them done.

A claim is a row update that skips what others hold. What was pulled is stored and its windows are marked done in
one transaction, so a worker that is killed leaves claims and nothing else; beat releases old claims. Whatever the
vendor answers, a window ends as done, due again or visibly failed.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from ingestion import connections, live
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base import (
    AccessGone,
    BrokenAnswer,
    ClientMisconfigured,
    LiveProvider,
    Pulled,
    TokenExpired,
    VendorBusy,
)
from ingestion.sync import clock, limits, looks
from metrics.batch import Delivery, Replaced, joined
from metrics.calendars import calendar_of
from metrics.counts import Counts
from metrics.days import LocalCalendar
from metrics.writer import store

log = logging.getLogger(__name__)

State, Reason, Kind = SyncWindow.State, SyncWindow.Reason, SyncWindow.Kind
CLAIM_SIZE = 48
STALE_CLAIM = dt.timedelta(minutes=10)
RETRY_BASE = 30  # seconds; doubled by each attempt, with jitter


@dataclass(slots=True)
class Outcome:
    """What one turn for a connection did. `wait`: seconds after which there is more to do now; None: nothing is."""

    windows: int = 0
    failed: int = 0
    points: int = 0
    requests: int = 0
    bytes: int = 0
    counts: Counts = field(default_factory=Counts)
    wait: float | None = None
    note: str = ""


@dataclass(slots=True)
class _Read:
    """Windows that one pull answered, and what it brought."""

    windows: list[SyncWindow]
    pulled: Pulled


def take_turn(connection_id: int, *, now: dt.datetime | None = None) -> Outcome:
    """Claim some of a connection's due windows and see them through. Safe to run at once in several workers."""
    now = now or timezone.now()
    outcome = Outcome()
    connection = Connection.objects.select_related("participant__trial").filter(pk=connection_id).first()
    if connection is None or not connection.asks:
        return outcome
    if connection.busy_until and connection.busy_until > now:
        outcome.note = "vendor busy"
        return outcome
    windows = claim(connection, now)
    if not windows:
        return outcome
    turn = _Turn(connection, live.provider(connection.provider), calendar_of(connection.participant), now, outcome)
    try:
        turn.run(windows)
    finally:
        turn.release_rest(windows)
    return outcome


def claim(connection: Connection, now: dt.datetime, size: int = CLAIM_SIZE) -> list[SyncWindow]:
    """Take due windows of a connection: looks first, fresh data before backfill, the newest before the older."""
    with transaction.atomic():
        windows = list(
            SyncWindow.objects.select_for_update(skip_locked=True)
            .filter(connection=connection, state=State.DUE, due_at__lte=now)
            .order_by(
                Case(When(kind=Kind.LOOK, then=0), When(reason=Reason.BACKFILL, then=2), default=1),
                F("starts_at").desc(),
                "data_type",
            )[:size]
        )
        claimed_at = timezone.now()
        SyncWindow.objects.filter(pk__in=[w.pk for w in windows]).update(
            state=State.CLAIMED, claimed_at=claimed_at, again=False, attempts=F("attempts") + 1
        )
    for window in windows:
        window.state, window.claimed_at, window.attempts = State.CLAIMED, claimed_at, window.attempts + 1
    return windows


def release_stale_claims(now: dt.datetime) -> int:
    """Make due again what was claimed by a worker that has not been heard of since. Returns their number."""
    stale = SyncWindow.objects.filter(state=State.CLAIMED, claimed_at__lt=now - STALE_CLAIM)
    return stale.update(state=State.DUE, claimed_at=None)


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
        self.settled: set[int] = set()

    def run(self, windows: list[SyncWindow]) -> None:
        """Pull group by group until all are done or the vendor says stop; what was read until then is stored."""
        reads: list[_Read] = []
        try:
            self.token = connections.fresh_token(self.connection, self.provider)
            for group in groups(windows, self.provider):
                if wait := limits.seconds_to_wait(self.provider.slug, self.connection.pk):
                    raise VendorBusy("our own limit", wait)
                try:
                    if group[0].kind == Kind.LOOK:
                        self.look(group[0])
                    else:
                        reads.append(_Read(group, self.pull(group)))
                except BrokenAnswer as fault:
                    self.broken(group, fault)
            self.store(reads)
        except VendorBusy as busy:
            self.store(reads)
            self.busy(busy)
        except AccessGone as gone:
            self.store(reads)
            connections.lost(self.connection, gone.code, now=self.now)
            self.outcome.note = gone.code
        except TokenExpired:
            self.store(reads)
            connections.lost(self.connection, AccessGone.DENIED, now=self.now)
            self.outcome.note = "token refused"
        except ClientMisconfigured as fault:
            self.store(reads)
            log.critical("%s refuses our own credentials: %s. Nobody is marked.", self.provider.name, fault.code)
            self.postpone(dt.timedelta(minutes=15))
            self.outcome.note = fault.code
        else:
            self.outcome.wait = 0.0 if self.more_due() else None

    def pull(self, group: list[SyncWindow]) -> Pulled:
        """One stretch; an access token that has just run out is refreshed once."""
        start, end = group[0].starts_at, group[-1].ends_at
        try:
            pulled = self.provider.pull(self.token, group[0].data_type, start, end, self.calendar)
        except TokenExpired:
            self.token = connections.fresh_token(self.connection, self.provider, refused=self.token)
            pulled = self.provider.pull(self.token, group[0].data_type, start, end, self.calendar)
        self.outcome.requests += pulled.requests
        self.outcome.points += pulled.points
        self.outcome.bytes += pulled.bytes
        return pulled

    def look(self, window: SyncWindow) -> None:
        """Ask for the vendor's hourly sums; hours that changed become due."""
        sums = self.provider.fingerprints(self.token, window.data_type, window.starts_at, window.ends_at)
        self.outcome.requests += 1
        with transaction.atomic():
            looks.compare(self.connection, window, sums, self.now)
            self.finish([window], points=len(sums), requests=1)

    def store(self, reads: list[_Read]) -> None:
        """Everything read so far and its windows' state, in one transaction."""
        if not reads:
            return
        delivery = joined([self.complete(read) for read in reads])
        observed = sorted(change for read in reads for change in read.pulled.offsets)
        delivery.offsets = clock.changes(self.connection.participant, self.calendar, observed)
        with transaction.atomic():
            counts = store(self.connection.participant, delivery)
            for read in reads:
                self.finish(
                    read.windows,
                    points=read.pulled.points,
                    requests=read.pulled.requests,
                    size=read.pulled.bytes,
                )
            self.note_data(delivery)
        self.outcome.counts += counts
        reads.clear()

    def complete(self, read: _Read) -> Delivery:
        """A pull's delivery with the stretches of which it is all that the vendor has."""
        delivery, data_type = read.pulled.delivery, self.provider.data_types[read.windows[0].data_type]
        start, end = read.windows[0].starts_at, read.windows[-1].ends_at
        if not data_type.by_day:
            for metric in data_type.metrics or (None,):
                delivery.replaces.append(Replaced(self.provider.source_provider, metric, start, end))
        return delivery

    def note_data(self, delivery: Delivery) -> None:
        newest = [int(batch.time.max()) for batch in delivery.samples if len(batch)]
        fields: dict[str, dt.datetime] = {"last_pull_at": self.now}
        if newest:
            at = dt.datetime.fromtimestamp(max(newest) // 1_000_000, tz=dt.UTC)
            known = self.connection.last_data_at
            fields["last_data_at"] = self.connection.last_data_at = max(at, known) if known else at
        Connection.objects.filter(pk=self.connection.pk).update(**fields)

    def finish(self, windows: list[SyncWindow], *, points: int, requests: int, size: int = 0) -> None:
        """Mark windows done, or due once more where somebody asked meanwhile. A claim that was lost is not ours."""
        self.mine(windows).update(
            state=Case(When(again=True, then=Value(State.DUE)), default=Value(State.DONE)),
            again=False,
            attempts=0,
            finished_at=timezone.now(),
            points=points // len(windows),
            requests=requests,
            bytes=size // len(windows),
            error_code="",
        )
        self.settled |= {window.pk for window in windows}
        self.outcome.windows += len(windows)

    def broken(self, group: list[SyncWindow], fault: BrokenAnswer) -> None:
        """Try again later, some times; then failed, for staff to see."""
        attempts = max(window.attempts for window in group)
        if attempts >= settings.SYNC_ATTEMPTS:
            self.mine(group).update(state=State.FAILED, finished_at=timezone.now(), error_code=fault.code[:60])
            self.outcome.failed += len(group)
        else:
            delay = RETRY_BASE * 2 ** (attempts - 1) * random.uniform(0.5, 1.5)  # noqa: S311  jitter, no secret
            self.mine(group).update(
                state=State.DUE, due_at=self.now + dt.timedelta(seconds=delay), error_code=fault.code[:60]
            )
        self.settled |= {window.pk for window in group}

    def busy(self, busy: VendorBusy) -> None:
        """Put everything off until the vendor's time; nobody waits for it."""
        wait = busy.retry_after if busy.retry_after is not None else RETRY_BASE * random.uniform(0.5, 2)  # noqa: S311
        self.postpone(dt.timedelta(seconds=max(wait, 1)))
        self.outcome.wait, self.outcome.note = max(wait, 1), busy.code

    def postpone(self, delay: dt.timedelta) -> None:
        Connection.objects.filter(pk=self.connection.pk).update(busy_until=self.now + delay)

    def release_rest(self, windows: list[SyncWindow]) -> None:
        """Claims of this turn that came to nothing are due again; that attempt does not count."""
        rest = [window for window in windows if window.pk not in self.settled]
        if rest:
            self.mine(rest).update(state=State.DUE, claimed_at=None, attempts=F("attempts") - 1)

    def more_due(self) -> bool:
        return SyncWindow.objects.filter(connection=self.connection, state=State.DUE, due_at__lte=self.now).exists()

    def mine(self, windows: list[SyncWindow]):  # type: ignore[no-untyped-def]
        """These windows as far as this turn still holds them."""
        return SyncWindow.objects.filter(
            Q(pk__in=[window.pk for window in windows]), state=State.CLAIMED, claimed_at=windows[0].claimed_at
        )


def groups(windows: list[SyncWindow], provider: LiveProvider) -> Iterator[list[SyncWindow]]:
    """Windows to be pulled together, in order: looks and heavy types one by one, neighbours of a light type at once."""
    light: dict[str, list[SyncWindow]] = {}
    for window in windows:
        if window.kind == Kind.LOOK or provider.data_types[window.data_type].fingerprinted:
            yield [window]
        else:
            light.setdefault(window.data_type, []).append(window)
    for same in light.values():
        same.sort(key=lambda window: window.starts_at)
        group: list[SyncWindow] = []
        for window in same:
            if group and group[-1].ends_at != window.starts_at:
                yield group
                group = []
            group.append(window)
        yield group
