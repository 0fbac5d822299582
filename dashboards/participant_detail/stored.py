"""What is stored of a participant beside their measurements, as their page asks for it: each query is built once."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Max

from dashboards.alerts.engine import most_urgent_first
from dashboards.models import Alert, AlertEvent, Note, Outreach
from ingestion.models import Connection, ConnectionEvent, Device, Invitation
from metrics.models import Gap
from metrics.monitoring import status
from metrics.participant_calendars import stated_offsets
from metrics.reading.summaries import data_queries, day_queries, last_change, stored_days, table_queries
from metrics.selection.collection_window import Collected
from participants import collection_interval
from participants.compiled_sql import Query, compiled, run_together
from participants.conditions_sql import DATE, ID, INSTANT
from participants.models import Participant, Pause, Protocol
from participants.privacy.contacts import stored_contact

# Of each kind in the history.
MOST = 100
NOTES_SHOWN = 100


@compiled(participant=ID)
def alerts_counted(participant: Any) -> Any:
    return Alert.objects.filter(participant=participant).aggregate(
        n=Count("pk"), at=Max("updated_at"), seen=Max("acknowledged_at")
    )


@compiled(participant=ID)
def outreaches_counted(participant: Any) -> Any:
    return Outreach.objects.filter(participant=participant).aggregate(
        n=Count("pk"), at=Max("state_at"), back=Max("back_at")
    )


@compiled(participant=ID)
def connections_seen(participant: Any) -> Any:
    fields = ("status", "status_since", "status_reason", "last_pull_at", "last_data_at", "next_due_at", "seen")
    connections = Connection.objects.filter(participant=participant).order_by("pk")
    return connections.annotate(seen=Max("devices__seen_at")).values_list(*fields)


@compiled(participant=ID)
def invitations_seen(participant: Any) -> Any:
    links = Invitation.objects.filter(participant=participant).order_by("pk")
    return links.values_list("opened_at", "used_at", "cancelled_at")


@compiled(participant=ID)
def connections(participant: Any) -> Any:
    return Connection.objects.filter(participant=participant)


@compiled(participant=ID)
def devices(participant: Any) -> Any:
    return Device.objects.filter(connection__participant=participant)


@compiled(participant=ID)
def invitations(participant: Any) -> Any:
    links = Invitation.objects.filter(participant=participant).select_related("created_by")
    return links.order_by("-created_at")[:MOST]


@compiled(participant=ID)
def outreaches(participant: Any) -> Any:
    written = Outreach.objects.filter(participant=participant).select_related("by")
    return written.order_by("-created_at")[:MOST]


@compiled(participant=ID)
def alerts(participant: Any) -> Any:
    raised = Alert.objects.filter(participant=participant).select_related("acknowledged_by", "assigned_to")
    return raised.order_by("-raised_at")[:MOST]


@compiled(participant=ID)
def open_alerts(participant: Any) -> Any:
    opened = Alert.objects.filter(participant=participant, resolved_at=None)
    return most_urgent_first(opened.select_related("acknowledged_by", "assigned_to"))


@compiled(participant=ID)
def alert_events(participant: Any) -> Any:
    """In the order in which they happened."""
    events = AlertEvent.objects.filter(alert__participant=participant).select_related("by")
    return events.order_by("alert", "at", "pk")


def events_by_alert(participant: int) -> dict[int, list[AlertEvent]]:
    """Events of each alert, in the order in which they happened."""
    by_alert: dict[int, list[AlertEvent]] = defaultdict(list)
    for event in alert_events.rows(participant=participant):
        by_alert[event.alert_id].append(event)
    return by_alert


@compiled(participant=ID)
def pauses(participant: Any) -> Any:
    return Pause.objects.filter(participant=participant).order_by("-starts_on")[:MOST]


@compiled(participant=ID)
def connection_events(participant: Any) -> Any:
    events = ConnectionEvent.objects.filter(connection__participant=participant)
    return events.exclude(status=Connection.Status.INVITED).order_by("-at")[:MOST]


@compiled(participant=ID)
def notes(participant: Any) -> Any:
    return Note.objects.filter(participant=participant).select_related("by")[:NOTES_SHOWN]


@compiled(participant=ID, now=INSTANT)
def summaries(participant: Any, now: Any) -> Any:
    """The participant with their status summary and their attention status."""
    people = status.with_attention_status(Participant.objects.filter(pk=participant), now)
    return people.select_related("status_summary", "site")


@compiled(trial=ID, on=DATE)
def protocols(trial: Any, on: Any) -> Any:
    """The protocol in force."""
    return Protocol.objects.filter(trial=trial).in_force(on)[:1]


# The pulse comes first, so that what changes meanwhile is seen at the next one.
_PULSE = (last_change, alerts_counted, outreaches_counted, connections_seen, invitations_seen)
_LIVE = (connections, devices, invitations, outreaches, alerts, open_alerts, alert_events, connection_events, pauses)


def pulse_read(participant: Participant) -> AbstractContextManager[None]:
    """Read what the pulse is made of. One query."""
    return run_together(*(one.with_values(participant=participant.pk) for one in _PULSE))


def page_read(participant: Participant, now: dt.datetime, *others: Query) -> AbstractContextManager[None]:
    """Read all of the page that does not depend on the days shown, and others. One query."""
    of_page = [one.with_values(participant=participant.pk) for one in (*_PULSE, *_LIVE, notes, stored_contact)]
    return run_together(*of_page, *_figures(participant, now), *others)


def live_read(participant: Participant, now: dt.datetime) -> AbstractContextManager[None]:
    """Read what keeps itself up to date: above and beside the charts. One query."""
    of_page = [one.with_values(participant=participant.pk) for one in (*_PULSE, *_LIVE, stored_contact)]
    return run_together(*of_page, *_figures(participant, now))


def figures_read(participant: Participant, now: dt.datetime) -> AbstractContextManager[None]:
    """Read what the figures above the charts are made of. One query."""
    return run_together(*_figures(participant, now))


def _figures(participant: Participant, now: dt.datetime) -> list[Query]:
    today = now.astimezone(ZoneInfo(participant.time_zone)).date()
    return [
        *collection_interval.queries([participant.pk]),
        stated_offsets.with_values(participants=[participant.pk]),
        summaries.with_values(participant=participant.pk, now=now),
        protocols.with_values(trial=participant.trial_id, on=today),
    ]


def data_read(participant: Participant, held: Collected) -> AbstractContextManager[None]:
    """Read which metrics and sources have data, and of which days. One query."""
    return run_together(*data_queries(participant.pk, held))


@dataclass(frozen=True, slots=True)
class Spans:
    """Local dates that a page is about, first and last included: those shown, those that nights are compared with, and
    the last of the week above."""

    week: dt.date
    shown: tuple[dt.date, dt.date]
    usual: tuple[dt.date, dt.date]


def days_read(
    participant: Participant, held: Collected, spans: Spans, codes: tuple[Collection[str], Collection[str]]
) -> AbstractContextManager[None]:
    """Read what the page shows of these days. One query. `codes`: metrics of the usual days, and of those shown."""
    pk, (first, last) = participant.pk, spans.shown
    return run_together(
        stored_days.with_values(participant=pk, first=spans.week - dt.timedelta(days=6), last=spans.week),
        gaps.with_values(participant=pk, first=first, last=last),
        *day_queries(pk, first, last),
        *table_queries(pk, codes[0], *spans.usual, held),
        *table_queries(pk, codes[1], first, last, held),
    )


@compiled(participant=ID, first=DATE, last=DATE)
def gaps(participant: Any, first: Any, last: Any) -> Any:
    return Gap.objects.filter(participant=participant, date__gte=first, date__lte=last).order_by("starts_at")
