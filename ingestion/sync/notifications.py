"""Notices of vendors about new or withdrawn data: kept at once, turned into windows afterwards.

A notice holds no measurements; it only says which interval to read again. Duplicates and disorder are harmless: the
same interval becomes due once. Bursts are merged by making the windows due a few seconds later.
"""

from __future__ import annotations

import datetime as dt
import logging

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ingestion import live_providers
from ingestion.models import Connection, SyncWindow, WebhookDelivery
from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.base.live import Notification
from ingestion.sync import planning
from metrics.participant_calendars import calendar_of

log = logging.getLogger(__name__)

BURST = dt.timedelta(seconds=3)


def receive(provider: str, body: bytes, now: dt.datetime) -> WebhookDelivery:
    """Store a notice whose origin has been verified. When this returns the vendor may be told that we have it."""
    return WebhookDelivery.objects.create(provider=provider, body=body, received_at=now)


def handle(delivery_id: int, *, now: dt.datetime | None = None) -> set[int]:
    """Make due what a notice names; returns the connections concerned. Doing it twice does no harm."""
    now = now or timezone.now()
    with transaction.atomic():
        delivery = (
            WebhookDelivery.objects.select_for_update(skip_locked=True).filter(pk=delivery_id, handled_at=None).first()
        )
        if delivery is None:
            return set()
        try:
            notices = live_providers.provider(delivery.provider).notifications(bytes(delivery.body))
        except BrokenResponse as fault:
            delivery.handled_at, delivery.outcome = now, f"not readable: {fault.code}"
            delivery.save(update_fields=["handled_at", "outcome"])
            log.warning("a notice of %s is not readable: %s", delivery.provider, fault.code)
            return set()
        connections: set[int] = set()
        count = 0
        for notice in notices:
            for connection in _connections(delivery.provider, notice):
                if windows := _make_due(connection, notice, now):
                    connections.add(connection.pk)
                    count += windows
        delivery.handled_at, delivery.outcome = now, f"{len(notices)} notices, {count} windows"
        delivery.save(update_fields=["handled_at", "outcome"])
    return connections


def _connections(provider: str, notice: Notification) -> list[Connection]:
    """Connections of a notice's account: it may take part in several trials, each with a connection of its own."""
    rows = Connection.objects.filter(
        provider=provider, external_user_id=notice.user_id, status=Connection.Status.ACTIVE
    ).select_related("trial", "participant__trial")
    return [row for row in rows if row.asks]


def _make_due(connection: Connection, notice: Notification, now: dt.datetime) -> int:
    data_type = live_providers.provider(connection.provider).data_types.get(notice.data_type)
    if data_type is None or data_type.scope not in connection.scopes:
        return 0
    allowed = planning.within(planning.collectable(connection, now), *_named_interval(connection, notice, now))
    spans = planning.windows_of(data_type, allowed)
    return planning.make_due(connection, data_type.code, spans, reason=SyncWindow.Reason.WEBHOOK, due_at=now + BURST)


def _named_interval(connection: Connection, notice: Notification, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """Interval that a notice names; where it gives wall-clock times, in the participant's calendar.

    One that names none means the watched days.
    """
    if notice.start and notice.end and not notice.civil:
        return notice.start, notice.end
    if notice.start and notice.end:
        calendar = calendar_of(connection.participant)
        # A wall clock may be off by the changes of a journey: the whole local days are read.
        first, last = notice.start.date(), notice.end.date()
        return calendar.midnight(first), calendar.midnight(last + dt.timedelta(days=1))
    return now - dt.timedelta(days=settings.SYNC_WATCH_DAYS), now
