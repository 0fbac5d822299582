"""Finding restated hours: the vendor's hourly sums now, beside those of the last look."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.conf import settings

from ingestion import live
from ingestion.models import Connection, Fingerprint, SyncWindow
from ingestion.providers.base import Fingerprint as Sums
from ingestion.sync import plan

HOUR = dt.timedelta(hours=1)
NOTHING = "-"  # an hour in which the vendor had nothing: it matters when something appears there


def text(sums: Sums | None) -> str:
    """A short form in which equal sums are equal."""
    if sums is None:
        return NOTHING
    return " ".join("" if value is None else f"{value:.6g}" for value in (sums.mean, sums.low, sums.high, sums.total))


def compare(connection: Connection, window: SyncWindow, sums: Mapping[dt.datetime, Sums], now: dt.datetime) -> int:
    """Remember the sums of a look, and make due the hours before the fresh ones that differ. Returns their number.

    At the first look there is nothing to compare with: the reads that a new connection starts with cover the week.
    """
    hours = []
    at = window.starts_at
    while at < window.ends_at:
        hours.append(at)
        at += HOUR
    known = dict(
        Fingerprint.objects.filter(
            connection=connection, data_type=window.data_type, hour__gte=window.starts_at, hour__lt=window.ends_at
        ).values_list("hour", "value")
    )
    differing = [hour for hour in hours if known.get(hour) != text(sums.get(hour))]
    Fingerprint.objects.bulk_create(
        [
            Fingerprint(connection=connection, data_type=window.data_type, hour=hour, value=text(sums.get(hour)))
            for hour in differing
        ],
        update_conflicts=True,
        unique_fields=["connection", "data_type", "hour"],
        update_fields=["value"],
    )
    unwatched = now - dt.timedelta(days=settings.SYNC_WATCH_DAYS) - HOUR
    Fingerprint.objects.filter(connection=connection, data_type=window.data_type, hour__lt=unwatched).delete()
    fresh = now - dt.timedelta(hours=settings.SYNC_FRESH_HOURS)
    older = [hour for hour in differing if hour + HOUR <= fresh] if known else []
    data_type = live.provider(connection.provider).data_types[window.data_type]
    spans = sorted({span for hour in older for span in plan.aligned(data_type, hour, hour + HOUR)})
    return plan.ask(connection, data_type.code, spans, reason=SyncWindow.Reason.RESTATED, due_at=now)
