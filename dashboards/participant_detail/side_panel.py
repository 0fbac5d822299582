"""Side panel of a participant's page: devices and connections, and a pulse that tells whether something is new."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from dashboards.alerts import listing as alerts_listing
from dashboards.alerts.services import Team
from dashboards.participant_detail import activity_feed, header, stored
from dashboards.ui import connection_labels
from dashboards.ui.access import may_change, may_manage
from dashboards.ui.connection_labels import Badge
from dashboards.ui.formatting import refresh_minute
from ingestion import live_providers
from ingestion.connections import labels as connections_labels
from ingestion.connections.devices import worn_of
from ingestion.models import Connection, Device, Invitation
from metrics.models import ParticipantStatusSummary
from metrics.reading import queries as reading_queries
from metrics.selection.collection_window import Collected, collected_of
from participants.models import Participant, User

INVITATIONS_SHOWN = 10
LOW_BATTERY = 20
INVITABLE = (Participant.Status.INVITED, Participant.Status.ACTIVE, Participant.Status.PAUSED)


@dataclass(frozen=True, slots=True)
class Link:
    """Connection with its labels."""

    connection: Connection
    described: connections_labels.Described
    badge: Badge
    reason: str
    devices: list[Device]

    @property
    def live(self) -> bool:
        """Whether there is anything to disconnect."""
        return self.connection.status in (Connection.Status.ACTIVE, Connection.Status.RECONNECT)


@dataclass(frozen=True, slots=True)
class Listed:
    """A device as the page lists it; `percent` None where its battery is not known, `text` for a level given as a word.

    `worn`: whether it is the one that monitoring speaks of.
    """

    name: str
    percent: int | None
    text: str
    at: dt.datetime | None
    synced_at: dt.datetime | None
    worn: bool

    @property
    def fill(self) -> str:
        """Width of the battery's filling in its picture, in pixels of 15."""
        return f"{15 * (self.percent or 0) / 100:.1f}"

    @property
    def low(self) -> bool:
        return self.percent is not None and self.percent <= LOW_BATTERY


@dataclass(frozen=True, slots=True)
class Past:
    """Invitation with its state."""

    invitation: Invitation
    state: str


def link(connection: Connection, now: dt.datetime, devices: Iterable[Device] | None = None) -> Link:
    """Labels of one connection. One query unless its devices are fetched already, or given."""
    described = connections_labels.described(connection)
    return Link(
        connection,
        described,
        connection_labels.badge(connection, bool(described.missing), now),
        connection_labels.reason(connection.status_reason),
        list(connection.devices.all() if devices is None else devices),
    )


def devices(links: list[Link], summary: ParticipantStatusSummary | None) -> list[Listed]:
    """The participant's devices, the one that is worn first, then by their last sync; without a connection's, the one
    that the status summary names."""
    known = [device for link in links for device in link.devices]
    worn = worn_of(known)
    listed = [
        Listed(str(d), d.battery_percent, d.battery_status.lower(), d.seen_at, d.last_sync_at, d is worn) for d in known
    ]
    if not listed and summary and summary.device_model:
        s = summary
        return [Listed(s.device_model, s.battery_percent, "", s.battery_at, s.device_sync_at, True)]
    return sorted(listed, key=lambda d: (d.worn, d.synced_at.timestamp() if d.synced_at else 0.0), reverse=True)


def rail(
    participant: Participant, user: User, summary: ParticipantStatusSummary | None, now: dt.datetime, held: Collected
) -> dict[str, Any]:
    """Context of the live parts beside the figures: devices, connection, history, open alerts."""
    context = card(participant, user, now, held)
    listed = devices(context["links"] or [], summary)
    return {
        **context,
        "devices": listed,
        "battery": next((d for d in listed if d.worn and (d.percent is not None or d.text)), None),
        "feed": activity_feed.feed(participant, now),
        "alerts": _notices(participant, context["may_manage"], now),
        "snoozes": alerts_listing.SNOOZE_CHOICES,
        "prefix": reverse("dashboards:alerts", args=[participant.trial.code]),
        "next": reverse("dashboards:participant", args=[participant.trial.code, participant.study_id]),
    }


def _notices(participant: Participant, may_act: bool, now: dt.datetime) -> list[alerts_listing.Row]:
    """A participant's open alerts for templates/dashboards/alerts/_alert.html, the most urgent first."""
    opened = stored.open_alerts.rows(participant=participant.pk)
    if not opened:
        return []
    events, team = stored.events_by_alert(participant.pk), Team(participant.trial)
    summarised = stored.summaries.first(participant=participant.pk, now=now)
    for alert in opened:
        alert.participant = summarised
    return [alerts_listing.row(alert, team, may_act, now, events[alert.pk]) for alert in opened]


def card(participant: Participant, user: User, now: dt.datetime, held: Collected | None = None) -> dict[str, Any]:
    """The template's context for the connection card. `links` is None where there is nothing to tell.

    That is where this site has no vendor to connect to and no file or synthetic device has brought data either.
    """
    devices_of: dict[int, list[Device]] = defaultdict(list)
    for device in stored.devices.rows(participant=participant.pk):
        devices_of[device.connection_id].append(device)
    connections = stored.connections.rows(participant=participant.pk)
    links = [link(c, now, devices_of[c.pk]) for c in connections if c.status != Connection.Status.INVITED]
    sources = reading_queries.sources_with_data(participant.pk, held)
    known = bool(links) or bool(live_providers.providers())
    invitations = stored.invitations.rows(participant=participant.pk)[:INVITATIONS_SHOWN] if known else []
    return {
        "links": links if known or sources else None,
        "sources": sources,
        "unconnected": connection_labels.UNCONNECTED,
        "invitations": [Past(invitation, connection_labels.invitation(invitation, now)) for invitation in invitations],
        "may_manage": may_manage(user, participant),
        "leads": may_change(user, participant.trial),
        "may_invite": known and participant.status in INVITABLE and bool(live_providers.providers()),
        "ask_again": any(link.badge in (connection_labels.RECONNECT, connection_labels.DISCONNECTED) for link in links),
    }


def notes_of(participant: Participant) -> dict[str, Any]:
    """Newest notes, with their authors. One query."""
    return {"notes": stored.notes.rows(participant=participant.pk)}


def pulse(participant: Participant, now: dt.datetime) -> str:
    """A text that changes when the data (before the full stop) or anything else above or beside the charts has changed.

    Each minute too, for what the page says of times: "3 min ago" must not stand there for an hour.
    """
    changed = reading_queries.changed_at(participant.pk)
    of_pulse = (stored.connections_seen, stored.invitations_seen, stored.alerts_counted, stored.outreaches_counted)
    rows = [one.rows(participant=participant.pk) for one in of_pulse]
    state = repr([refresh_minute(now, participant.pk), *rows])
    digest = hashlib.sha256(state.encode()).hexdigest()[:12]
    return f"{int(changed.timestamp() * 1000) if changed else 0}.{digest}"


def live_part(participant: Participant, user: User, now: dt.datetime) -> dict[str, Any]:
    """The context of the parts of the page that keep themselves up to date: above and beside the charts.

    The pulse is felt first, so that what changes meanwhile is seen at the next one.
    """
    with stored.live_read(participant, now):
        beat, held = pulse(participant, now), collected_of(participant)
        with stored.data_read(participant, held):
            figures = header.figures(participant, now, held)
            live = rail(participant, user, figures["status_summary"], now, held)
            return {**figures, **live, "pulse": beat}
