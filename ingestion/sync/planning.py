"""Planning of requests to a vendor: windows of data types, due now or later.

A pass reads the recent hours in full. For older hours of the watched week it has the engine check the vendor's
hourly sums, and only hours whose sums changed are read again; now and then the whole week is read as a safety net, and
all that is past is checked. A device that has synced after a silence has the days since its last sync asked for
again. So no empty response is final for a day.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Case, F, Q, When

from ingestion import live_providers
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.live import DataType, LiveProvider
from metrics.batch import instant, microseconds
from metrics.participant_calendars import calendar_of
from metrics.selection.collection_window import EVER, collected_of
from metrics.time_buckets import Span

EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)
END = dt.datetime.max.replace(tzinfo=dt.UTC)
READ, FINGERPRINT = SyncWindow.Kind.READ, SyncWindow.Kind.FINGERPRINT
Reason, State = SyncWindow.Reason, SyncWindow.State
HOUR = dt.timedelta(hours=1)
Interval = tuple[dt.datetime, dt.datetime]  # [start, end), UTC


def aligned(
    data_type: DataType, start: dt.datetime, end: dt.datetime, width: dt.timedelta | None = None
) -> list[Interval]:
    """Windows of the data type, on a fixed grid in UTC, that cover [start, end). `width`: of another grid."""
    width = width or data_type.window
    at = EPOCH + (start - EPOCH) // width * width
    windows = []
    while at < end:
        windows.append((at, at + width))
        at += width
    return windows


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """An interval of a data type that should be due."""

    data_type: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    reason: str
    kind: str = READ


def make_due(
    connection: Connection, data_type: str, spans: Iterable[Interval], *, reason: str, due_at: dt.datetime
) -> int:
    """Make these spans of one data type due; see make_all_due."""
    requests = [WindowRequest(data_type, start, end, reason) for start, end in spans]
    return make_all_due(connection, requests, due_at=due_at)


def make_all_due(connection: Connection, requests: Collection[WindowRequest], *, due_at: dt.datetime) -> int:
    """Make these due; what is due already stays, what is being read is read once more. Returns their number.

    Being read first, then finished: a window that is finished in between is met by the second statement.
    """
    if not requests:
        return 0
    first, last = min(request.starts_at for request in requests), max(request.starts_at for request in requests)
    near = SyncWindow.objects.filter(connection=connection, starts_at__gte=first, starts_at__lte=last)
    names = ("data_type", "kind", "starts_at", "ends_at")
    known = {tuple(key): pk for pk, *key in near.values_list("pk", *names)}
    known_by_reason: dict[str, list[int]] = defaultdict(list)
    missing = []
    for request in requests:
        pk = known.get((request.data_type, request.kind, request.starts_at, request.ends_at))
        if pk is not None:
            known_by_reason[request.reason].append(pk)
        else:
            fields = {name: getattr(request, name) for name in (*names, "reason")}
            missing.append(SyncWindow(connection=connection, due_at=due_at, **fields))
    SyncWindow.objects.bulk_create(missing, ignore_conflicts=True, batch_size=1000)
    for reason, pks in known_by_reason.items():
        windows = SyncWindow.objects.filter(pk__in=pks)
        windows.filter(state=State.CLAIMED).update(again=True)
        windows.filter(Q(state=State.DONE) | Q(state=State.FAILED)).update(
            state=State.DUE,
            reason=reason,
            due_at=due_at,
            attempts=0,
            error_code="",
            # When it was read is evidence; when it was given up is not.
            finished_at=Case(When(state=State.FAILED, then=None), default=F("finished_at")),
        )
        if reason not in SyncWindow.YIELDING:
            windows.filter(state=State.DUE, reason__in=SyncWindow.YIELDING).update(reason=reason, due_at=due_at)
    return len(requests)


def merged(spans: Iterable[Interval]) -> list[Interval]:
    """Intervals that touch or overlap as one, in order."""
    joined: list[Interval] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def granted(connection: Connection, provider: LiveProvider) -> list[DataType]:
    """Data types that the participant's consent covers."""
    return [t for t in provider.data_types.values() if t.scope in connection.scopes]


def collectable(connection: Connection, until: dt.datetime) -> list[Interval]:
    """Intervals before an instant that the trial may have of this participant: disjoint, ascending, UTC.

    Where nothing says when collection begins, it is with the local days watched before they connected: whole ones.
    """
    interval = collected_of(connection.participant)
    firsts = []
    if interval.spans and interval.spans[0].start == EVER:
        calendar = calendar_of(connection.participant)
        watched = (connection.connected_at or EPOCH) - dt.timedelta(days=settings.SYNC_WATCH_DAYS)
        firsts.append(calendar.midnight(calendar.date(watched)))
    # Of another account than before nothing is asked from before: what the other one brought would be taken away.
    firsts += [connection.account_since] if connection.account_since else []
    bounds = Span(max([EVER, *map(microseconds, firsts)]), microseconds(until))
    return [(instant(part.start), instant(part.end)) for part in interval.within(bounds)]


def within(intervals: Iterable[Interval], start: dt.datetime, end: dt.datetime) -> list[Interval]:
    """Parts of [start, end) that lie in these intervals, ascending as they are."""
    cut = ((max(start, first), min(end, last)) for first, last in intervals)
    return [part for part in cut if part[0] < part[1]]


def windows_of(data_type: DataType, intervals: Iterable[Interval]) -> list[Interval]:
    """Windows of the data type that touch these intervals, each once. The caller leaves out what lies beside them."""
    return sorted({window for interval in intervals for window in aligned(data_type, *interval)})


def plan_pass(connection: Connection, now: dt.datetime, reason: str = Reason.SCHEDULED) -> int:
    """Make due what one regular pass reads, and set the next pass. Returns the number of windows.

    What lies before the watched days and was never read, or not since they were away, comes as backfill. Now and then,
    and whenever it is started by hand, the pass is a sweep: all of the watched days, and a check of all before them.
    """
    provider = live_providers.provider(connection.provider)
    allowed = collectable(connection, now)
    watch = now - dt.timedelta(days=settings.SYNC_WATCH_DAYS)
    fresh = now - dt.timedelta(hours=settings.SYNC_FRESH_HOURS)
    unread_since = _unread_since(connection, watch)
    unread = within(allowed, unread_since, watch)
    sweep = reason == Reason.MANUAL or _sweep_due(connection, now)
    why = Reason.SWEEP if sweep and reason == Reason.SCHEDULED else reason
    requests: list[WindowRequest] = []
    for data_type in granted(connection, provider):
        requests += [WindowRequest(data_type.code, *span, Reason.BACKFILL) for span in windows_of(data_type, unread)]
        start = watch if sweep or not data_type.fingerprinted else fresh
        # The later one counts where two name the same window.
        recent = windows_of(data_type, within(allowed, start, now))
        requests += [WindowRequest(data_type.code, *span, why) for span in recent]
        if data_type.fingerprinted:
            checked = whole_hours(allowed, fingerprinted_from(now), now, now)
            requests += [WindowRequest(data_type.code, *span, reason, FINGERPRINT) for span in checked]
        if sweep:
            past = fingerprinted_from(now) if data_type.fingerprinted else watch
            requests += _history(data_type, within(allowed, BEGINNING, min(past, unread_since)))
    # A check moves on with the clock: those of earlier passes will not be requested again. What the last one found
    # stays until this one is done.
    stale = SyncWindow.objects.filter(connection=connection, kind=FINGERPRINT, state__in=(State.DUE, State.FAILED))
    stale.exclude(reason=Reason.HISTORY).delete()
    unique = {(request.data_type, request.kind, request.starts_at, request.ends_at): request for request in requests}
    count = make_all_due(connection, unique.values(), due_at=now)
    connection.swept_at = now if sweep else connection.swept_at
    connection.next_due_at = next_pass(connection, now)
    connection.save(update_fields=["swept_at", "next_due_at"])
    return count


def _unread_since(connection: Connection, watch: dt.datetime) -> dt.datetime:
    """Instant since when data may be missing here: from ever; or, after they were away for longer than days are
    watched, the days watched at the last pull; else what is watched now."""
    if connection.last_pull_at is None:
        return BEGINNING
    if connection.last_pull_at >= watch:
        return watch
    return connection.last_pull_at - dt.timedelta(days=settings.SYNC_WATCH_DAYS)


def fingerprinted_from(now: dt.datetime) -> dt.datetime:
    """Instant from which passes check hours: the UTC day in which the watched ones begin. Before it: days."""
    return (now - dt.timedelta(days=settings.SYNC_WATCH_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)


def _history(data_type: DataType, past: Iterable[Interval]) -> list[WindowRequest]:
    """Requests for all that is past, as few as hold it: sums where the vendor has them, else the data themselves."""
    kind = FINGERPRINT if data_type.fingerprinted else READ
    spans = {span for interval in past for span in aligned(data_type, *interval, width=data_type.sweep)}
    return [WindowRequest(data_type.code, *span, Reason.HISTORY, kind) for span in sorted(spans)]


def uploaded(connection: Connection, since: dt.datetime, now: dt.datetime) -> int:
    """Make due the days since an instant, for a device has synced that had not since: what was answered before no
    longer counts.

    Those that are watched are checked by every pass; those before are made due, and the next pass is a sweep, for a
    vendor may take its time with what it was just handed. Returns the number of windows.
    """
    calendar = calendar_of(connection.participant)
    start, watch = calendar.midnight(calendar.date(since)), now - dt.timedelta(days=settings.SYNC_WATCH_DAYS)
    missed = within(collectable(connection, now), start, watch)
    requests = [
        WindowRequest(data_type.code, *span, Reason.UPLOADED)
        for data_type in granted(connection, live_providers.provider(connection.provider))
        for span in windows_of(data_type, missed)
    ]
    if requests:
        Connection.objects.filter(pk=connection.pk).update(swept_at=None)
    return make_all_due(connection, requests, due_at=now)


def _sweep_due(connection: Connection, now: dt.datetime) -> bool:
    return connection.swept_at is None or now - connection.swept_at >= dt.timedelta(days=settings.SYNC_SWEEP_DAYS)


def whole_hours(allowed: Iterable[Interval], start: dt.datetime, end: dt.datetime, now: dt.datetime) -> list[Interval]:
    """Intervals of whole hours about [start, end) to check. An hour of which a part may not be had is not summed up: it
    is read."""
    hours = []
    for begins, ends in allowed:
        first = max(_hour(start), _hour(begins + HOUR - dt.timedelta(microseconds=1)))
        # Of the hour that is going on there is nothing after now.
        last = min(_hour(end - dt.timedelta(microseconds=1)) + HOUR, _hour(now) + HOUR if ends == now else _hour(ends))
        if first < last:
            hours.append((first, last))
    return hours


def plan_backfill(connection: Connection, start: dt.datetime, now: dt.datetime) -> int:
    """Make due everything from `start` that may be had, whatever was answered before. Yields to fresh data."""
    provider = live_providers.provider(connection.provider)
    allowed = within(collectable(connection, now), start, now)
    requests = [
        WindowRequest(data_type.code, *span, Reason.BACKFILL)
        for data_type in granted(connection, provider)
        for span in windows_of(data_type, allowed)
    ]
    return make_all_due(connection, requests, due_at=now)


def days_moved(connection: Connection, provider: LiveProvider, since: dt.datetime, now: dt.datetime) -> int:
    """Make due again what stands for local days, after their clock proved to have stood elsewhere since an instant."""
    allowed = collectable(connection, now)
    count = 0
    for data_type in granted(connection, provider):
        if data_type.by_day:
            known = SyncWindow.objects.filter(
                connection=connection,
                data_type=data_type.code,
                kind=READ,
                ends_at__gte=since - dt.timedelta(days=1),
                state__in=(State.DONE, State.CLAIMED),
            )
            spans = [span for span in known.values_list("starts_at", "ends_at") if within(allowed, *span)]
            count += make_due(connection, data_type.code, spans, reason=Reason.RESTATED, due_at=now)
    return count


def requeue_failed(connection: Connection, now: dt.datetime) -> int:
    """Make due again what was given up, with all its attempts. Returns the number of windows."""
    failed = SyncWindow.objects.filter(connection=connection, state=State.FAILED)
    return failed.update(state=State.DUE, reason=Reason.MANUAL, due_at=now, attempts=0, finished_at=None)


def next_pass(connection: Connection, now: dt.datetime) -> dt.datetime:
    """Instant at which the next pass is due: at SYNC_AT each day (UTC) if that is set, else every SYNC_EVERY_MINUTES.

    Each connection has a jitter of its own, the same every time, so that they do not all come at once.
    """
    digest = hashlib.sha256(f"{connection.provider}:{connection.pk}".encode()).digest()
    jitter = dt.timedelta(seconds=int.from_bytes(digest[:4]) % (settings.SYNC_JITTER_MINUTES * 60 + 1))
    if settings.SYNC_AT is None:
        return now + dt.timedelta(minutes=settings.SYNC_EVERY_MINUTES) + jitter
    today = dt.datetime.combine(now.astimezone(dt.UTC).date(), settings.SYNC_AT, tzinfo=dt.UTC) + jitter
    return today if today > now else today + dt.timedelta(days=1)


def _hour(at: dt.datetime) -> dt.datetime:
    return at.replace(minute=0, second=0, microsecond=0)
