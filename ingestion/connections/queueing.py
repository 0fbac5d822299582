"""Queueing of connections to be served by a worker: each once, at the earliest instant that was requested."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from ingestion.models import Connection
from participants.task_queue import enqueue


def free(now: dt.datetime) -> Q:
    """Connections that are neither queued nor being served."""
    return Q(queued_at=None) | Q(queued_at__lte=now - dt.timedelta(minutes=settings.SYNC_CLAIM_MINUTES))


def queue(connection_id: int, at: dt.datetime, now: dt.datetime) -> bool:
    """Mark a connection as queued to be served at an instant; False if it is being served or queued for sooner."""
    return bool(Connection.objects.filter(free(now) | Q(queued_at__gt=at), pk=connection_id).update(queued_at=at))


def queue_connection(connection_id: int, wait: float = 0.0) -> None:
    """Queue a connection to be served after so many seconds, unless it is queued already."""
    now = timezone.now()
    if queue(connection_id, now + dt.timedelta(seconds=wait), now):
        enqueue("ingestion.sync_connection", connection_id, countdown=wait or None)
