"""Storing what was pulled: rows written, windows done and everything counted, in one transaction.

So a worker that is killed leaves claims and nothing else.
"""

from __future__ import annotations

import datetime as dt
import logging

from django.db import transaction
from django.utils import timezone

from ingestion import prometheus
from ingestion.connections import services as connections_services
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.live import Pulled
from ingestion.sync import claims, planning, restatements, utc_offsets
from ingestion.sync.responses import DONE_FIELDS, Read
from ingestion.sync.restatements import Check
from ingestion.sync.run_state import RunState
from metrics.batch import Counts, Payload, Replaced, Sessions, joined
from metrics.local_time import LocalCalendar
from metrics.monitoring import pending
from metrics.writing.writer import Frozen, write

log = logging.getLogger(__name__)

State = SyncWindow.State
DAY = dt.timedelta(days=1)


def store_answers(state: RunState, reads: list[Read], checks: list[Check]) -> None:
    """Store everything read so far, restatement checks too, and its windows' state, in one transaction; empties both
    lists. All or nothing.

    Of checks the hours that changed become due.
    """
    if not reads and not checks:
        return
    with transaction.atomic():
        if not connections_services.asks_still(state.connection):
            raise Frozen("nothing more may be asked for")
        # A claim that was released meanwhile is another worker's: what that reads may be newer than this.
        _lock([*(window for read in reads for window in read.windows), *(check.window for check in checks)])
        kept = [read for read in reads if all(window.state == State.CLAIMED for window in read.windows)]
        checked = [check for check in checks if check.window.state == State.CLAIMED]
        if restatements.compare(state.connection, checked, state.now) and kept:
            # What differs may be among what was read before the check: that is to be read once more.
            _lock([window for read in kept for window in read.windows])
        # Done first, in the same transaction: what is still missing afterwards is missing although we asked.
        _mark_done([*kept, *map(_as_read, checked)])
        counts = _store_reads(state, kept) if kept else Counts()
        state.settle(check.window for check in checked)
        state.outcome.windows += len(checked)
    pending.settle_batch()
    state.outcome.counts += counts
    _count_left_out(state, kept)
    reads.clear()
    checks.clear()


def _store_reads(state: RunState, reads: list[Read]) -> Counts:
    """Store what these reads brought, and count their windows."""
    participant = state.connection.participant
    payload = joined(read.payload for read in reads)
    payload.replaces = _replaced(state, reads)
    payload.offsets = utc_offsets.changes(
        participant,
        state.calendar,
        [(*part, pulled.offsets) for read in reads for part, pulled in read.answers if pulled.offsets],
        newest=state.connection.last_data_at,
    )
    counts = write(participant, payload)
    windows = [window for read in reads for window in read.windows]
    state.settle(windows)
    state.outcome.windows += len(windows)
    if payload.offsets:
        planning.days_moved(state.connection, state.provider, payload.offsets[0].starts_at, state.now)
    _note_data(state, payload)
    return counts


def _as_read(check: Check) -> Read:
    """A check as what was read in its window: no payload, as many points as sums."""
    pulled = Pulled(Payload(), points=len(check.sums), requests=check.requests)
    return Read([check.window], [((check.window.starts_at, check.window.ends_at), pulled)])


def _lock(windows: list[SyncWindow]) -> None:
    """Hold the rows until the transaction's end; one that this run has lost is no longer `claimed` afterwards."""
    # In the order of the key: the model's own order leads over the trial, and would lock that for everybody.
    own_claims = dict(claims.held(windows).order_by("pk").select_for_update().values_list("pk", "again"))
    for window in windows:
        if window.pk in own_claims:
            window.again = own_claims[window.pk]
        else:
            window.state = State.DUE


def _mark_done(reads: list[Read]) -> None:
    """Mark the windows of these reads, whose rows are locked, done; or due once more where requested meanwhile."""
    finished_at = timezone.now()
    for read in reads:
        read.conclude(finished_at)
    windows = [window for read in reads for window in read.windows]
    SyncWindow.objects.bulk_create(windows, update_conflicts=True, unique_fields=["id"], update_fields=DONE_FIELDS)
    prometheus.windows_finished(State.DONE, len(windows))


def _replaced(state: RunState, reads: list[Read]) -> list[Replaced]:
    """Intervals of which these pulls brought all that the vendor has, neighbours joined."""
    spans: dict[str | Sessions, list[tuple[dt.datetime, dt.datetime]]] = {}
    for read in reads:
        data_type = state.provider.data_types[read.windows[0].data_type]
        for (start, end), pulled in read.answers:
            if pulled.unreadable or pulled.unfinished:
                continue  # what is not in it may be among what was left out
            part = _local_days(state.calendar, start, end) if data_type.by_day else (start, end)
            for what in data_type.brings:
                spans.setdefault(what, []).append(part)
    return [
        Replaced(state.provider.source_provider, what, start, end)
        for what, parts in spans.items()
        for start, end in planning.merged(parts)
    ]


def _local_days(calendar: LocalCalendar, start: dt.datetime, end: dt.datetime) -> planning.Interval:
    """Interval of the whole local days; and, before the first, what an earlier idea of the calendar had put there."""
    first, last = calendar.date(start), calendar.date(end - dt.timedelta(microseconds=1))
    return calendar.midnight(first - DAY) + dt.timedelta(microseconds=1), calendar.midnight(last + DAY)


def _note_data(state: RunState, payload: Payload) -> None:
    """Note when the connection was last pulled from, and of when its newest sample is."""
    newest = [int(batch.time.max()) for batch in payload.samples if len(batch)]
    fields: dict[str, dt.datetime] = {"last_pull_at": state.now}
    if newest:
        at = dt.datetime.fromtimestamp(max(newest) // 1_000_000, tz=dt.UTC)
        known = state.connection.last_data_at
        fields["last_data_at"] = state.connection.last_data_at = max(at, known) if known else at
    Connection.objects.filter(pk=state.connection.pk).update(**fields)


def _count_left_out(state: RunState, reads: list[Read]) -> None:
    """Count and log the records of these responses that could not be stored: of which kind, never their content."""
    for read in reads:
        state.outcome.unfinished += len(read.unfinished)
        for reason, count in read.unreadable.items():
            state.outcome.unreadable += count
            log.warning(
                "connection %s: %s records of %s could not be read: %s",
                state.connection.pk,
                count,
                read.windows[0].data_type,
                reason,
            )
