"""Restatement checks: the vendor's hourly sums now, compared with the fingerprints of the last check.

Of the days that are watched each hour is remembered, and an hour that differs is read again. Of days before them one
for the whole UTC day is kept, made of its hours when they leave the watch, or at the first check of what is past; a day
that differs is read again whole.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from ingestion import live_providers
from ingestion.models import Connection, Fingerprint, SyncWindow
from ingestion.providers.base.live import DataType
from ingestion.providers.base.live import Fingerprint as Sums
from ingestion.sync import planning
from metrics.models import HourRollup
from metrics.registry import BY_CODE

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
NOTHING = "-"  # an hour in which the vendor had nothing: it matters when something appears there
OF_A_DAY = "day "  # what the fingerprint of a day begins with
Key = tuple[str, dt.datetime]  # a data type, and an hour or the first of a day
Span = tuple[str, dt.datetime, dt.datetime]  # a data type, and from when to when


def text(sums: Sums | None) -> str:
    """Fingerprint of an hour: a short form in which equal sums are equal."""
    if sums is None:
        return NOTHING
    return " ".join("" if value is None else f"{value:.6g}" for value in (sums.mean, sums.low, sums.high, sums.total))


def requested_intervals(connection: Connection, window: SyncWindow, now: dt.datetime) -> list[planning.Interval]:
    """Intervals of whole hours that a check requests: nothing of what is watched, where it checks what is past."""
    if window.reason != SyncWindow.Reason.HISTORY:
        return [(window.starts_at, window.ends_at)]
    allowed = planning.collectable(connection, now)
    end = min(window.ends_at, planning.fingerprinted_from(now))
    return planning.whole_hours(planning.within(allowed, window.starts_at, end), window.starts_at, end, now)


@dataclass(frozen=True, slots=True)
class Check:
    """Response to a restatement check: the vendor's sums by hour, and how many requests it took."""

    window: SyncWindow
    sums: Mapping[dt.datetime, Sums]
    requests: int


def compare(connection: Connection, checks: Sequence[Check], now: dt.datetime) -> int:
    """Store the fingerprints of checks, and make due what differs from the last. Returns the number of windows."""
    days = [check for check in checks if check.window.reason == SyncWindow.Reason.HISTORY]
    hours = [check for check in checks if check.window.reason != SyncWindow.Reason.HISTORY]
    # The hours first: what they fold is what days are compared with.
    differing = [*_differing_hours(connection, hours, now), *_differing_days(connection, days, now)]
    return _make_due(connection, differing, now)


def _differing_hours(connection: Connection, checks: list[Check], now: dt.datetime) -> list[Span]:
    """Hours before the fresh ones that differ; all fingerprints are kept.

    At the first check there is nothing to compare with: the reads that a new connection starts with cover the week.
    """
    if not checks:
        return []
    known = _remembered(connection, [(c.window.data_type, c.window.starts_at, c.window.ends_at) for c in checks])
    fresh = now - dt.timedelta(hours=settings.SYNC_FRESH_HOURS)
    changed: dict[Key, str] = {}
    older: list[Span] = []
    for check in checks:
        code, hours = check.window.data_type, _hours(check.window.starts_at, check.window.ends_at)
        current = {hour: text(check.sums.get(hour)) for hour in hours}
        differing = [hour for hour, fingerprint in current.items() if known.get((code, hour)) != fingerprint]
        changed |= {(code, hour): current[hour] for hour in differing}
        if any((code, hour) in known for hour in hours):
            older += [(code, hour, hour + HOUR) for hour in differing if hour + HOUR <= fresh]
    _remember(connection, changed)
    _fold(connection, {check.window.data_type for check in checks}, planning.fingerprinted_from(now))
    # Earlier checks have been evidence until now; these are from now on.
    earlier = SyncWindow.objects.filter(
        connection=connection, kind=SyncWindow.Kind.FINGERPRINT, state=SyncWindow.State.DONE
    ).exclude(reason=SyncWindow.Reason.HISTORY)
    for due_at in {check.window.due_at for check in checks}:
        codes = {check.window.data_type for check in checks if check.window.due_at == due_at}
        earlier.filter(data_type__in=codes, due_at__lt=due_at).delete()
    return older


def _differing_days(connection: Connection, checks: list[Check], now: dt.datetime) -> list[Span]:
    """Days that differ; of those never checked, where the vendor has hours that we have not. All fingerprints are
    kept."""
    if not checks:
        return []
    end = planning.fingerprinted_from(now)
    known = _remembered(connection, [(c.window.data_type, c.window.starts_at, c.window.ends_at) for c in checks])
    fingerprints: dict[Key, str] = {}
    differing: list[Span] = []
    for check in checks:
        window, code = check.window, check.window.data_type
        current = {hour: text(sums) for hour, sums in check.sums.items()}
        stored = _stored_hours(connection, live_providers.provider(connection.provider).data_types[code], window)
        for day in (window.starts_at + n * DAY for n in range((min(window.ends_at, end) - window.starts_at) // DAY)):
            fingerprint = _day_fingerprint(current.get(hour, NOTHING) for hour in _hours(day, day + DAY))
            before = known.get((code, day), "")
            if before == fingerprint:
                continue
            fingerprints[code, day] = fingerprint
            told_hours = {hour for hour in _hours(day, day + DAY) if hour in current}
            if before.startswith(OF_A_DAY) or told_hours - stored:
                differing.append((code, day, day + DAY))
    _remember(connection, fingerprints)
    return differing


def _hours(start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    return [start + n * HOUR for n in range((end - start) // HOUR)]


def _day_fingerprint(hours: Iterable[str]) -> str:
    """Fingerprint of a day's 24 hours."""
    return OF_A_DAY + hashlib.sha256("\n".join(hours).encode()).hexdigest()[:32]


def _remembered(connection: Connection, spans: list[Span]) -> dict[Key, str]:
    """Fingerprints kept of these data types, from the first of the spans to the last."""
    rows = Fingerprint.objects.filter(
        connection=connection,
        data_type__in={code for code, _, _ in spans},
        hour__gte=min(start for _, start, _ in spans),
        hour__lt=max(end for _, _, end in spans),
    )
    return {(code, hour): value for code, hour, value in rows.values_list("data_type", "hour", "value")}


def _remember(connection: Connection, fingerprints: Mapping[Key, str]) -> None:
    Fingerprint.objects.bulk_create(
        [
            Fingerprint(connection=connection, data_type=code, hour=hour, value=fingerprint)
            for (code, hour), fingerprint in fingerprints.items()
        ],
        update_conflicts=True,
        unique_fields=["connection", "data_type", "hour"],
        update_fields=["value"],
    )


def _fold(connection: Connection, data_types: Collection[str], before: dt.datetime) -> None:
    """Fold the hours of each UTC day no longer watched into one fingerprint. A day not watched whole has none."""
    rows = Fingerprint.objects.filter(connection=connection, data_type__in=data_types, hour__lt=before)
    rows = rows.exclude(value__startswith=OF_A_DAY)
    days: dict[Key, dict[dt.datetime, str]] = defaultdict(dict)
    for code, hour, fingerprint in rows.values_list("data_type", "hour", "value"):
        days[code, hour.replace(hour=0)][hour] = fingerprint
    over = {(code, day): hours for (code, day), hours in days.items() if day + DAY <= before}
    if over:
        rows.filter(hour__lt=max(day for _, day in over) + DAY).delete()
        whole = {key: [hours[hour] for hour in sorted(hours)] for key, hours in over.items() if len(hours) == 24}
        _remember(connection, {key: _day_fingerprint(fingerprints) for key, fingerprints in whole.items()})


def _stored_hours(connection: Connection, data_type: DataType, window: SyncWindow) -> set[dt.datetime]:
    """Hours of a window of which something of the type is stored."""
    hours = HourRollup.objects.filter(
        participant=connection.participant_id,
        metric__in=[BY_CODE[code].id for code in data_type.metrics],
        bucket__gte=window.starts_at,
        bucket__lt=window.ends_at,
    )
    return set(hours.values_list("bucket", flat=True))


def _make_due(connection: Connection, spans: list[Span], now: dt.datetime) -> int:
    """Make due the windows that touch these spans, as far as they may be had. Returns their number."""
    if not spans:
        return 0
    data_types = live_providers.provider(connection.provider).data_types
    allowed = planning.collectable(connection, now)
    parts: dict[str, list[planning.Interval]] = defaultdict(list)
    for code, start, end in spans:
        parts[code] += planning.within(allowed, start, end)
    requests = [
        planning.WindowRequest(code, *window, SyncWindow.Reason.RESTATED)
        for code, intervals in parts.items()
        for window in planning.windows_of(data_types[code], intervals)
    ]
    return planning.make_all_due(connection, requests, due_at=now)
