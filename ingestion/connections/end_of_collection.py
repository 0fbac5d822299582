"""End of connections of which nothing may come in any more: of closed trials, of participants who left, of what is
over.

Each is ended here first: from then on nothing is asked. Then its grant is given back, by a message of its own, and
again until the vendor has taken it. All of it may be repeated and killed at any point.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from django.db.models import QuerySet
from django.utils import timezone

from ingestion.connections import grants
from ingestion.models import Connection, Invitation, SyncWindow
from metrics.selection.collection_window import Collected, collected
from participants.models import Participant, Protocol, Trial
from participants.task_queue import enqueue, hand_over

Status, State = Connection.Status, SyncWindow.State
LEFT = (Participant.Status.WITHDRAWN, Participant.Status.ERASED)


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of ending a trial's connections: those not ended yet, grants not taken back yet, those ended."""

    not_ended: int
    giving_back: int
    ended: int


def open_connections(trial: Trial) -> tuple[int, int]:
    """Number of connections and of open invitations that the closing of a trial ends."""
    links = _open_invitations(trial.pk).filter(used_at=None, expires_at__gt=timezone.now())
    return _not_ended().filter(trial=trial).exclude(status=Status.INVITED).count(), links.count()


def trial_closed(trial_id: int) -> None:
    """Have a closed trial's connections ended."""
    _open_invitations(trial_id).update(cancelled_at=timezone.now())
    hand_over(partial(enqueue, "ingestion.end_connections"), trial_id)


def end_trial(trial_id: int, *, now: dt.datetime) -> int:
    """End a closed trial's connections; nothing of a trial that is open (again). Returns their number."""
    if not Trial.objects.filter(pk=trial_id, status=Trial.Status.CLOSED).exists():
        return 0
    _open_invitations(trial_id).update(cancelled_at=now)
    connections = _not_ended().filter(trial=trial_id).select_related("participant").order_by("pk")
    return _end([(connection, "trial_closed") for connection in connections], now)


def end_over(now: dt.datetime) -> int:
    """End what is over by its dates, and what should have ended: where a worker was killed, say. Returns the number."""
    connections = list(_not_ended().select_related("participant", "trial").order_by("pk"))
    intervals = collected({connection.participant_id: connection.participant for connection in connections}.values())
    patience = _patience({connection.trial_id for connection in connections}, now)
    unread = set(
        SyncWindow.objects.filter(
            connection__in=connections,
            kind=SyncWindow.Kind.READ,
            state__in=(State.DUE, State.CLAIMED),
            finished_at=None,
        ).values_list("connection", flat=True)
    )
    ended: list[tuple[Connection, str]] = []
    for connection in connections:
        if connection.participant.status in LEFT:
            ended.append((connection, "left"))
        elif connection.trial.status == Trial.Status.CLOSED:
            ended.append((connection, "trial_closed"))
        elif connection.participant.status == Participant.Status.COMPLETED:
            ended.append((connection, "completed"))
        elif connection.pk not in unread and _is_over(
            connection, intervals[connection.participant_id], patience[connection.trial_id], now
        ):
            ended.append((connection, "over"))
    for connection, _ in ended:
        Invitation.objects.filter(participant=connection.participant_id, cancelled_at=None).update(cancelled_at=now)
    return _end(ended, now)


def progress(trial: Trial) -> Progress:
    """Progress of ending a trial's connections."""
    connections = Connection.objects.filter(trial=trial).exclude(status=Status.INVITED)
    ended = connections.filter(status=Status.REVOKED)
    return Progress(connections.count() - ended.count(), ended.exclude(give_back_at=None).count(), ended.count())


def _not_ended() -> QuerySet[Connection]:
    return Connection.objects.exclude(status=Status.REVOKED)


def _open_invitations(trial_id: int) -> QuerySet[Invitation]:
    return Invitation.objects.filter(participant__trial=trial_id, cancelled_at=None)


def _end(reasons: Iterable[tuple[Connection, str]], now: dt.datetime) -> int:
    """End these connections, each for its reason, and have their grants given back. Returns their number."""
    count = 0
    for connection, reason in reasons:
        grants.end(connection, reason=reason, now=now)
        hand_over(partial(enqueue, "ingestion.give_back"), connection.pk)
        count += 1
    return count


def _patience(trials: Iterable[int], now: dt.datetime) -> dict[int, dt.timedelta]:
    """Time after a day's end in which its data may still come, by trial: as its protocol says today."""
    protocols = Protocol.objects.filter(trial__in=set(trials)).in_force(now.date())
    return {protocol.trial_id: dt.timedelta(hours=protocol.lost_after_hours) for protocol in reversed(protocols)}


def _is_over(connection: Connection, interval: Collected, patience: dt.timedelta, now: dt.datetime) -> bool:
    """Whether nothing more can come of what may be collected: late uploads of its last days are waited for."""
    if interval.over_at is None:
        return False
    return now >= max(interval.over_at, connection.status_since) + patience
