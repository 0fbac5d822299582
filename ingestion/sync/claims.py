"""Who does which window: claims that exclude each other, and which windows are asked for together.

A claim is a row update that skips what others hold; it is known by its instant. A worker that is killed leaves
claims behind, which beat releases when they are old.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Min, QuerySet, When
from django.utils import timezone

from ingestion.models import Connection, SyncWindow
from ingestion.providers.base import LiveProvider

State, Reason, Kind = SyncWindow.State, SyncWindow.Reason, SyncWindow.Kind
CLAIM_SIZE = 96


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


def held(windows: list[SyncWindow]) -> QuerySet[SyncWindow]:
    """Of windows that one claim took, those that it still holds."""
    return SyncWindow.objects.filter(
        pk__in=[window.pk for window in windows], state=State.CLAIMED, claimed_at=windows[0].claimed_at
    )


def release_stale(now: dt.datetime) -> int:
    """Make due again what was claimed by a worker that has not been heard of since. Returns their number."""
    limit = now - dt.timedelta(minutes=settings.SYNC_CLAIM_MINUTES)
    stale = SyncWindow.objects.filter(state=State.CLAIMED, claimed_at__lt=limit)
    return stale.update(state=State.DUE, claimed_at=None)


def seconds_to_next(connection: Connection, now: dt.datetime) -> float | None:
    """Seconds until a window of the connection is due, 0 if one is; None where none waits."""
    due_at = SyncWindow.objects.filter(connection=connection, state=State.DUE).aggregate(at=Min("due_at"))["at"]
    return None if due_at is None else max(0.0, (due_at - now).total_seconds())


def groups(windows: list[SyncWindow], provider: LiveProvider) -> Iterator[list[SyncWindow]]:
    """Windows to be pulled together, in order: looks and heavy types one by one, neighbours of a light type at once.

    A window that met a broken answer before goes alone: what is too much for the vendor at once may pass in parts.
    """
    light: dict[str, list[SyncWindow]] = {}
    for window in windows:
        if window.kind == Kind.LOOK or window.attempts > 1 or provider.data_types[window.data_type].fingerprinted:
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
