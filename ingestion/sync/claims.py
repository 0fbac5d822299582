"""Claims of windows that exclude each other, and which windows are pulled together.

A claim is a row update that skips what others hold; it is known by its instant. A worker that is killed leaves
claims behind, which beat releases when they are old.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import Avg, Case, F, Max, Min, QuerySet, When
from django.utils import timezone

from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.live import DataType, LiveProvider

State, Kind = SyncWindow.State, SyncWindow.Kind
CLAIM_SIZE = 96
# How full an answer is planned to be at most. One that overflows is lost, and asked for in halves.
FILL = 0.9
# So many times the mean is a window taken to hold, where none has held less than that at most.
LIVELIER = 1.4
# What a window of unknown density is taken to hold, as a share of an answer.
UNKNOWN = 0.45
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


def window_points(connection: Connection, now: dt.datetime) -> dict[str, float]:
    """Points that a window is taken to hold, by data type: the most that one of the connection's recent ones held, or
    somewhat more than their mean, whichever is less."""
    rows = (
        SyncWindow.objects.filter(connection=connection, kind=Kind.READ, starts_at__gte=now - RECENT, points__gt=0)
        .values_list("data_type")
        .annotate(most=Max("points"), mean=Avg("points"))
        .order_by()
    )
    return {data_type: min(most, LIVELIER * mean) for data_type, most, mean in rows}


def groups(
    windows: list[SyncWindow], provider: LiveProvider, points: Mapping[str, float]
) -> Iterator[list[SyncWindow]]:
    """Groups of windows to be pulled together, in the order of their claim: a request costs more than some thousand
    points.

    Restatement checks go alone, and so do the wide windows of a sweep; neighbours of a light type go at once, of a
    heavy one as far as their points should fit one response, estimated by `points`, what a window of the type is taken
    to hold (two windows where that is not known yet). `points` may grow between two groups: it is looked at for each. A
    window that met a broken answer before goes alone: what is too much for the vendor at once may pass in parts.
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
    for of_type in same.values():
        of_type.sort(key=lambda window: window.starts_at)
    # The newest group of each type first: it shows how much the others hold.
    for code, of_type in same.items():
        yield _newest(of_type, _together(provider.data_types[code], points.get(code)))
    for code, of_type in same.items():
        while of_type:
            yield _newest(of_type, _together(provider.data_types[code], points.get(code)))
    for window in wide:
        yield [window]


def _newest(windows: list[SyncWindow], together: int | None) -> list[SyncWindow]:
    """Newest neighbours of these windows, which ascend in time: at most so many. They are taken out of them."""
    group = [windows.pop()]
    while windows and windows[-1].ends_at == group[-1].starts_at and len(group) != together:
        group.append(windows.pop())
    return group[::-1]


def _together(data_type: DataType, points: float | None) -> int | None:
    """Number of neighbouring windows that one request is for; None: all."""
    if not data_type.fingerprinted:
        return None
    return max(1, int(FILL * data_type.answer / (points or max(1, UNKNOWN * data_type.answer))))
