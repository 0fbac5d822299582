"""Heartbeats: which of our programs live, and which of several schedulers runs the schedule.

All times are the database's: the clocks of several hosts differ. The lease is taken and renewed by one conditional
UPDATE and holds no session's lock, so that it works behind a pool of connections.
"""

from __future__ import annotations

import datetime as dt

from django.db.models import Q
from django.db.models.functions import Now

from ingestion.models import Heartbeat

SCHEDULER = "scheduler"
# Rows of programs that were not heard of for so long are gone: each start of a worker makes one.
FORGOTTEN_AFTER = dt.timedelta(days=1)


def beat(name: str, kind: str, holder: str) -> None:
    """Record that a program lives."""
    if not Heartbeat.objects.filter(name=name).update(beaten_at=Now(), holder=holder):
        Heartbeat.objects.bulk_create(
            [Heartbeat(name=name, kind=kind, holder=holder, beaten_at=Now())], ignore_conflicts=True
        )
        Heartbeat.objects.filter(beaten_at__lt=Now() - FORGOTTEN_AFTER).exclude(name=SCHEDULER).delete()


def gone(name: str) -> None:
    """Record that a program ended as it was asked to: nobody need miss it."""
    Heartbeat.objects.filter(name=name).delete()


def live(kind: str, within: dt.timedelta) -> int:
    """Number of programs of a kind that were heard of within a time."""
    return Heartbeat.objects.filter(kind=kind, beaten_at__gte=Now() - within).count()


def lease_take(holder: str, length: dt.timedelta) -> dt.datetime | None:
    """Take the schedule's lease, or renew it. Returns when it was last renewed before, None where another holds it.

    The first holder ever is told now.
    """
    before = Heartbeat.objects.filter(name=SCHEDULER).values_list("beaten_at", flat=True).first()
    if before is None:
        row = Heartbeat(name=SCHEDULER, kind=Heartbeat.Kind.SCHEDULER, holder="", beaten_at=Now(), lease_until=Now())
        Heartbeat.objects.bulk_create([row], ignore_conflicts=True)
        before = Heartbeat.objects.values_list("beaten_at", flat=True).get(name=SCHEDULER)
    free = Q(holder=holder) | Q(lease_until=None) | Q(lease_until__lte=Now())
    taken = Heartbeat.objects.filter(free, name=SCHEDULER).update(
        holder=holder, beaten_at=Now(), lease_until=Now() + length
    )
    return before if taken else None


def lease_release(holder: str) -> None:
    """Let another scheduler take over at once."""
    Heartbeat.objects.filter(name=SCHEDULER, holder=holder).update(lease_until=Now())
