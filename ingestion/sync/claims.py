"""Claims of windows that exclude each other, and which windows are pulled together.

A claim is a row update that skips what others hold; it is known by its instant. A worker that is killed leaves
claims behind, which beat releases when they are old.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Max, Min, QuerySet, When
from django.utils import timezone

from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.live import LiveProvider

State, Kind = SyncWindow.State, SyncWindow.Kind
CLAIM_SIZE = 96
# How full an answer is planned to be: a livelier hour than any before must still fit.
FILL = 0.7
# What a window of unknown density is taken to hold, as a share of an answer.
UNKNOWN = 0.35
RECENT = dt.timedelta(days=14)


def claim(connection: Connection, now: dt.datetime, size: int = CLAIM_SIZE) -> list[SyncWindow]:
    """Take due windows of a connection: restatement checks first, fresh data before what yields, the newest before the
    older."""
    with transaction.atomic():
        windows = list(
            SyncWindow.objects.select_for_update(skip_locked=True)
            .filter(connection=connection, state=State.DUE, due_at__lte=now)
            .order_by(
                Case(When(reason__in=SyncWindow.YIELDING, then=2), When(kind=Kind.FINGERPRINT, then=0), default=1),
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


def held(windows: list[SyncWindow]) -> QuerySet[SyncWindow]:
    """Windows of one claim that it still holds."""
    return SyncWindow.objects.filter(
        pk__in=[window.pk for window in windows], state=State.CLAIMED, claimed_at=windows[0].claimed_at
    )


def release(windows: list[SyncWindow]) -> None:
    """Make claims of one run that came to nothing due again; that attempt does not count."""
    if windows:
        held(windows).update(state=State.DUE, claimed_at=None, attempts=F("attempts") - 1)
        over = SyncWindow.objects.filter(pk__in=[window.pk for window in windows], state=State.DUE)
        over.filter(connection__status=Connection.Status.REVOKED).delete()


def drop(windows: list[SyncWindow]) -> None:
    """Drop claims that may not be requested any more: they do not count as answered."""
    held_windows = held(windows)
    held_windows.filter(finished_at=None).delete()
    held_windows.update(state=State.DONE, again=False, claimed_at=None)


def release_stale(now: dt.datetime) -> int:
    """Make due again what was claimed by a worker that has not been heard of since. Returns their number."""
    limit = now - dt.timedelta(minutes=settings.SYNC_CLAIM_MINUTES)
    stale = SyncWindow.objects.filter(state=State.CLAIMED, claimed_at__lt=limit)
    return stale.update(state=State.DUE, claimed_at=None)


def seconds_to_next(connection: Connection, now: dt.datetime) -> float | None:
    """Seconds until a window of the connection is due, 0 if one is; None where none waits."""
    due_at = SyncWindow.objects.filter(connection=connection, state=State.DUE).aggregate(at=Min("due_at"))["at"]
    return None if due_at is None else max(0.0, (due_at - now).total_seconds())


def densest(connection: Connection, now: dt.datetime) -> dict[str, int]:
    """Most points that one of the connection's recent windows held, by data type."""
    rows = (
        SyncWindow.objects.filter(connection=connection, kind=Kind.READ, starts_at__gte=now - RECENT, points__gt=0)
        .values_list("data_type")
        .annotate(most=Max("points"))
        .order_by()
    )
    return dict(rows)


def groups(windows: list[SyncWindow], provider: LiveProvider, points: Mapping[str, int]) -> Iterator[list[SyncWindow]]:
    """Groups of windows to be pulled together, in the order of their claim: a request costs more than some thousand
    points.

    Restatement checks go alone, and so do the wide windows of a sweep; neighbours of a light type go at once, of a
    heavy one as far as their points should fit one response, estimated by `points`, the most that a window of the type
    has held (two windows where none is known yet). A window that met a broken answer before goes alone: what is too
    much for the vendor at once may pass in parts.
    """
    same: dict[str, list[SyncWindow]] = {}
    wide: list[SyncWindow] = []
    for window in windows:
        if window.kind == Kind.FINGERPRINT or window.attempts > 1:
            yield [window]
        elif window.ends_at - window.starts_at > provider.data_types[window.data_type].window:
            wide.append(window)
        else:
            same.setdefault(window.data_type, []).append(window)
    for code, of_type in same.items():
        data_type = provider.data_types[code]
        together = len(of_type)
        if data_type.fingerprinted:
            expected = points.get(code) or max(1, UNKNOWN * data_type.answer)
            together = max(1, int(FILL * data_type.answer / expected))
        of_type.sort(key=lambda window: window.starts_at)
        batches: list[list[SyncWindow]] = []
        for window in of_type:
            if not batches or batches[-1][-1].ends_at != window.starts_at or len(batches[-1]) == together:
                batches.append([])
            batches[-1].append(window)
        yield from reversed(batches)
    for window in wide:
        yield [window]
