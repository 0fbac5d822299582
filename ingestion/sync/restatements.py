"""Restatement checks: the vendor's hourly sums now, compared with the fingerprints of the last check.

Of the days that are watched each hour is remembered, and an hour that differs is read again. Of days before them one
for the whole UTC day is kept, made of its hours when they leave the watch, or at the first check of what is past; a day
that differs is read again whole.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

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
Hours = Mapping[dt.datetime, str]


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


def compare(connection: Connection, window: SyncWindow, sums: Mapping[dt.datetime, Sums], now: dt.datetime) -> int:
    """Store the fingerprints of a check, and make due what differs from the last. Returns the number of windows."""
    if window.reason == SyncWindow.Reason.HISTORY:
        return _compare_days(connection, window, {hour: text(hour_sums) for hour, hour_sums in sums.items()}, now)
    return _compare_hours(connection, window, sums, now)


def _compare_hours(
    connection: Connection, window: SyncWindow, sums: Mapping[dt.datetime, Sums], now: dt.datetime
) -> int:
    """Make due the hours before the fresh ones that differ.

    At the first check there is nothing to compare with: the reads that a new connection starts with cover the week.
    """
    known = _remembered(connection, window.data_type, window.starts_at, window.ends_at)
    current = {hour: text(sums.get(hour)) for hour in _hours(window.starts_at, window.ends_at)}
    differing = [hour for hour, fingerprint in current.items() if known.get(hour) != fingerprint]
    _remember(connection, window.data_type, {hour: current[hour] for hour in differing})
    _fold(connection, window.data_type, planning.fingerprinted_from(now))
    # Earlier checks have been evidence until now; this one is from now on.
    earlier = SyncWindow.objects.filter(
        connection=connection, data_type=window.data_type, kind=SyncWindow.Kind.FINGERPRINT
    )
    earlier = earlier.filter(state=SyncWindow.State.DONE, due_at__lt=window.due_at)
    earlier.exclude(reason=SyncWindow.Reason.HISTORY).delete()
    fresh = now - dt.timedelta(hours=settings.SYNC_FRESH_HOURS)
    older = [hour for hour in differing if hour + HOUR <= fresh] if known else []
    return _make_due(connection, window.data_type, [(hour, hour + HOUR) for hour in older], now)


def _compare_days(connection: Connection, window: SyncWindow, current: Hours, now: dt.datetime) -> int:
    """Make due the days that differ; of those never checked, where the vendor has hours that we have not."""
    end = min(window.ends_at, planning.fingerprinted_from(now))
    known = _remembered(connection, window.data_type, window.starts_at, end)
    stored = _stored_hours(
        connection, live_providers.provider(connection.provider).data_types[window.data_type], window
    )
    fingerprints, differing = {}, []
    for day in (window.starts_at + n * DAY for n in range((end - window.starts_at) // DAY)):
        fingerprint = _day_fingerprint(current.get(hour, NOTHING) for hour in _hours(day, day + DAY))
        before = known.get(day, "")
        if before == fingerprint:
            continue
        fingerprints[day] = fingerprint
        told_hours = {hour for hour in _hours(day, day + DAY) if hour in current}
        if before.startswith(OF_A_DAY) or told_hours - stored:
            differing.append((day, day + DAY))
    _remember(connection, window.data_type, fingerprints)
    return _make_due(connection, window.data_type, differing, now)


def _hours(start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    return [start + n * HOUR for n in range((end - start) // HOUR)]


def _day_fingerprint(hours: Iterable[str]) -> str:
    """Fingerprint of a day's 24 hours."""
    return OF_A_DAY + hashlib.sha256("\n".join(hours).encode()).hexdigest()[:32]


def _remembered(connection: Connection, data_type: str, start: dt.datetime, end: dt.datetime) -> dict[dt.datetime, str]:
    rows = Fingerprint.objects.filter(connection=connection, data_type=data_type, hour__gte=start, hour__lt=end)
    return dict(rows.values_list("hour", "value"))


def _remember(connection: Connection, data_type: str, fingerprints: Hours) -> None:
    Fingerprint.objects.bulk_create(
        [
            Fingerprint(connection=connection, data_type=data_type, hour=hour, value=fingerprint)
            for hour, fingerprint in fingerprints.items()
        ],
        update_conflicts=True,
        unique_fields=["connection", "data_type", "hour"],
        update_fields=["value"],
    )


def _fold(connection: Connection, data_type: str, before: dt.datetime) -> None:
    """Fold the hours of each UTC day no longer watched into one fingerprint. A day not watched whole has none."""
    rows = Fingerprint.objects.filter(connection=connection, data_type=data_type, hour__lt=before)
    rows = rows.exclude(value__startswith=OF_A_DAY)
    days: dict[dt.datetime, dict[dt.datetime, str]] = defaultdict(dict)
    for hour, fingerprint in rows.values_list("hour", "value"):
        days[hour.replace(hour=0)][hour] = fingerprint
    over = [day for day in days if day + DAY <= before]
    if over:
        rows.filter(hour__lt=max(over) + DAY).delete()
        whole = {day: [days[day][hour] for hour in sorted(days[day])] for day in over if len(days[day]) == 24}
        _remember(connection, data_type, {day: _day_fingerprint(fingerprints) for day, fingerprints in whole.items()})


def _stored_hours(connection: Connection, data_type: DataType, window: SyncWindow) -> set[dt.datetime]:
    """Hours of a window of which something of the type is stored."""
    hours = HourRollup.objects.filter(
        participant=connection.participant_id,
        metric__in=[BY_CODE[code].id for code in data_type.metrics],
        bucket__gte=window.starts_at,
        bucket__lt=window.ends_at,
    )
    return set(hours.values_list("bucket", flat=True))


def _make_due(connection: Connection, data_type: str, spans: list[planning.Interval], now: dt.datetime) -> int:
    if not spans:
        return 0
    live_type = live_providers.provider(connection.provider).data_types[data_type]
    allowed = planning.collectable(connection, now)
    parts = [part for span in spans for part in planning.within(allowed, *span)]
    return planning.make_due(
        connection, data_type, planning.windows_of(live_type, parts), reason=SyncWindow.Reason.RESTATED, due_at=now
    )
