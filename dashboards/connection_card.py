"""What the page of a participant shows of her connections, and how it knows that something is new."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from django.db.models import Max

from dashboards import connection_words, participant_page
from dashboards.connection_words import Badge
from ingestion import live, plain_words
from ingestion.models import Connection, Device, Invitation
from metrics import queries
from participants.models import Participant, User

INVITATIONS_SHOWN = 10
INVITABLE = (Participant.Status.INVITED, Participant.Status.ACTIVE, Participant.Status.PAUSED)


@dataclass(frozen=True, slots=True)
class Link:
    """A connection in words."""

    connection: Connection
    described: plain_words.Described
    badge: Badge
    reason: str
    devices: list[Device]

    @property
    def live(self) -> bool:
        """Whether there is anything to disconnect."""
        return self.connection.status in (Connection.Status.ACTIVE, Connection.Status.RECONNECT)


@dataclass(frozen=True, slots=True)
class Past:
    """An invitation and what became of it."""

    invitation: Invitation
    state: str


def may_manage(user: User, participant: Participant) -> bool:
    """Whether the user may invite, disconnect and start syncs for this participant."""
    return Participant.objects.managed_by(user).filter(pk=participant.pk).exists()


def link(connection: Connection, now: dt.datetime) -> Link:
    """One connection, in words. One query unless its devices are fetched already."""
    described = plain_words.described(connection)
    return Link(
        connection,
        described,
        connection_words.badge(connection, bool(described.missing), now),
        connection_words.reason(connection.status_reason),
        list(connection.devices.all()),
    )


def card(participant: Participant, user: User, now: dt.datetime) -> dict[str, Any]:
    """The template's context for the connection card. `links` is None where there is nothing to tell.

    That is where this site has no vendor to connect to and no file or synthetic device has brought data either.
    """
    connections = list(participant.connections.prefetch_related("devices"))
    links = [link(c, now) for c in connections if c.status != Connection.Status.INVITED]
    sources = queries.sources_with_data(participant.pk)
    known = bool(links) or bool(live.providers())
    invitations = list(participant.invitations.select_related("created_by")[:INVITATIONS_SHOWN]) if known else []
    return {
        "links": links if known or sources else None,
        "sources": sources,
        "unconnected": connection_words.UNCONNECTED,
        "invitations": [Past(made, connection_words.invitation(made, now)) for made in invitations],
        "may_manage": known and may_manage(user, participant),
        "may_invite": participant.status in INVITABLE and bool(live.providers()),
        "ask_again": any(one.badge in (connection_words.RECONNECT, connection_words.DISCONNECTED) for one in links),
    }


def pulse(participant: Participant, now: dt.datetime) -> str:
    """A text that changes when the data (before the full stop) or the connections have changed, and each minute.

    The minute is for what the page says of times: "3 min ago" must not stand there for an hour.
    """
    changed = queries.changed_at(participant.pk)
    connections = participant.connections.order_by("pk").annotate(seen=Max("devices__seen_at"))
    fields = ("status", "status_since", "status_reason", "last_pull_at", "last_data_at", "next_due_at", "seen")
    links = participant.invitations.order_by("pk").values_list("opened_at", "used_at", "cancelled_at")
    minute = int(now.timestamp() // 60)
    state = repr([minute, list(connections.values_list(*fields)), list(links)])
    digest = hashlib.sha256(state.encode()).hexdigest()[:12]
    return f"{int(changed.timestamp() * 1000) if changed else 0}.{digest}"


def live_part(participant: Participant, user: User, now: dt.datetime) -> dict[str, Any]:
    """The context of the part of the page that keeps itself up to date: figures and connections.

    The pulse is felt first, so that what changes meanwhile is seen at the next one.
    """
    beat = pulse(participant, now)
    return {**participant_page.figures(participant, now), **card(participant, user, now), "pulse": beat}
