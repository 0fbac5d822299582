"""Dispatch of connections to workers: each minute beat hands over every connection that has something to do.

A connection is queued once: `queued_at` is set with its message, set anew when a worker takes it up and cleared when
the worker is done. A message that was lost with its worker or its broker is sent again after a while.
"""

from __future__ import annotations

import datetime as dt
import time

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from ingestion.connections import queueing
from ingestion.models import Connection, SyncWindow, WebhookDelivery
from ingestion.sync import planning
from ingestion.sync.run import run_sync
from ingestion.sync.run_state import Outcome

LATE_NOTICE = dt.timedelta(seconds=30)
# Connections that only have to do what yields are let in so many a minute: fresh data come first.
BACKFILL_AT_ONCE = 20
# One message serves a connection for so long before it queues up again behind the others.
TURN_SECONDS = 20.0


def due(now: dt.datetime) -> list[int]:
    """Connections to be queued now, marked as queued: those with a pass or fresh windows due, then some others."""
    windows = SyncWindow.objects.filter(connection=OuterRef("pk"), state=SyncWindow.State.DUE, due_at__lte=now)
    ready = (
        Connection.asking()
        .filter(Q(busy_until=None) | Q(busy_until__lte=now), queueing.free(now))
        .annotate(
            fresh=Exists(windows.exclude(reason__in=SyncWindow.YIELDING)),
            yielding=Exists(windows.filter(reason__in=SyncWindow.YIELDING)),
        )
        .order_by("last_pull_at", "pk")
    )
    first = list(ready.filter(Q(next_due_at__lte=now) | Q(fresh=True)).values_list("pk", flat=True))
    later = [] if first else list(ready.filter(yielding=True).values_list("pk", flat=True)[:BACKFILL_AT_ONCE])
    Connection.objects.filter(pk__in=first + later).update(queued_at=now)
    return first + later


def notices_left(now: dt.datetime) -> list[int]:
    """Notices that should have been handled by now: their message was lost."""
    late = WebhookDelivery.objects.filter(handled_at=None, received_at__lte=now - LATE_NOTICE)
    return list(late.order_by("received_at").values_list("pk", flat=True)[:1000])


def serve(connection_id: int) -> Outcome:
    """Plan a pass if one is due, and run syncs until nothing is due or the time is up."""
    in_hand = timezone.now()
    Connection.objects.filter(pk=connection_id).update(queued_at=in_hand)
    try:
        return _serve(connection_id)
    finally:
        Connection.objects.filter(pk=connection_id, queued_at=in_hand).update(queued_at=None)


def _serve(connection_id: int) -> Outcome:
    plan_if_due(connection_id, timezone.now())
    whole = Outcome()
    began = time.monotonic()
    while True:
        outcome = run_sync(connection_id, now=timezone.now())
        whole.add(outcome)
        if outcome.wait != 0 or time.monotonic() - began > TURN_SECONDS:
            return whole


def plan_if_due(connection_id: int, now: dt.datetime) -> int:
    """Plan a regular pass, once, however many workers ask. Returns the number of windows."""
    with transaction.atomic():
        connection = (
            Connection.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("trial", "participant__trial")
            .filter(pk=connection_id, next_due_at__lte=now)
            .first()
        )
        if connection is None or not connection.asks:
            return 0
        return planning.plan_pass(connection, now)
