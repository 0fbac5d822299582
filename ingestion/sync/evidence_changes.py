"""Whose evidence may have changed since they were evaluated, or changes as time passes (metrics.monitoring.evidence).

Rather too many than too few: who is named is evaluated, which changes nothing where nothing has changed.
"""

from __future__ import annotations

import datetime as dt

from django.db.models import Exists, OuterRef, Q

from ingestion.models import Connection, ConnectionEvent, Device, Invitation, SyncWindow, SyntheticDevice

# What was under way during an evaluation may bear an instant before it.
UNDER_WAY = dt.timedelta(minutes=5)


def may_have_changed(now: dt.datetime) -> Q:
    """Condition on participants, see metrics.monitoring.evidence.Changes."""
    since = OuterRef("evaluated") - UNDER_WAY
    of_connection = SyncWindow.objects.filter(connection=OuterRef("pk"))
    connections = Connection.objects.filter(participant=OuterRef("pk"))
    # Windows that wait may turn late; a pass that is due makes some.
    pass_due = Q(pk__in=Connection.asking().filter(next_due_at__lte=now).values("pk"))
    moving = [
        Q(Exists(of_connection.filter(state=state))) for state in (SyncWindow.State.DUE, SyncWindow.State.CLAIMED)
    ]
    changed = Q(last_pull_at__gt=since) | Q(status_since__gt=since) | Q(queued_at__gt=since)
    devices = Device.objects.filter(connection__participant=OuterRef("pk"), seen_at__gt=since)
    events = ConnectionEvent.objects.filter(connection__participant=OuterRef("pk"), at__gt=since)
    invitations = Invitation.objects.filter(participant=OuterRef("pk"))
    return (
        Q(Exists(connections.filter(pass_due | moving[0] | moving[1] | changed)))
        | Q(Exists(devices))
        | Q(Exists(events))
        | Q(Exists(invitations.filter(Q(created_at__gt=since) | Q(opened_at__gt=since))))
        # A synthetic device is worn by nobody: its battery falls as time passes.
        | Q(Exists(SyntheticDevice.objects.filter(participant=OuterRef("pk"))))
    )
