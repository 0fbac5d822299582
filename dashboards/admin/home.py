"""First page of the administration: items that need staff, frequent tasks, and all lists in groups.

Each item is shown to whoever may see what it leads to. Counts are of the whole installation, one query each.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.urls import reverse

from ingestion.models import Connection, ImportFile, Invitation, SyncWindow
from ingestion.models.connections import TAKING_PART
from participants.models import Participant
from participants.team_texts import gettext

UNUSED_AFTER = dt.timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Item:
    """Something that may need staff: how many, where they are listed."""

    count: int
    what: str
    says: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Lists of the administration that belong to one task."""

    name: str
    says: str
    models: list[dict[str, Any]]


def _failed(now: dt.datetime) -> int:
    return SyncWindow.objects.filter(state=SyncWindow.State.FAILED).count()


def _unused(now: dt.datetime) -> int:
    open_ones = Invitation.objects.filter(used_at=None, cancelled_at=None, participant__status__in=TAKING_PART)
    return open_ones.filter(Q(expires_at__lte=now) | Q(created_at__lte=now - UNUSED_AFTER)).count()


def _unconnected(now: dt.datetime) -> int:
    people = Participant.objects.filter(status=Participant.Status.INVITED)
    return people.exclude(connections__status=Connection.Status.ACTIVE).count()


def _lost(now: dt.datetime) -> int:
    return Connection.objects.filter(
        status__in=[Connection.Status.RECONNECT, Connection.Status.BLOCKED], participant__status__in=TAKING_PART
    ).count()


def _rejected(now: dt.datetime) -> int:
    recent = ImportFile.objects.filter(started_at__gte=now - dt.timedelta(days=30))
    return recent.filter(Q(rejected_rows__isnull=False) | Q(status=ImportFile.Status.FAILED)).distinct().count()


# Permission to see it, its list with the query that shows it, its label, its help text, and how it is counted.
ITEMS: tuple[tuple[str, str, str, str, Callable[[dt.datetime], int]], ...] = (
    (
        "ingestion.view_syncwindow",
        "admin:ingestion_syncwindow_changelist|state__exact=failed",
        gettext("data requests that failed"),
        gettext("Given up after all attempts. Check the error, then try them again."),
        _failed,
    ),
    (
        "ingestion.view_invitation",
        "admin:ingestion_invitation_changelist|used_at__isempty=1&cancelled_at__isempty=1",
        gettext("invitations unused"),
        gettext("Links that nobody used for three days, or that ran out. Write, call, or make new ones."),
        _unused,
    ),
    (
        "participants.view_participant",
        "admin:participants_participant_changelist|status__exact=invited",
        gettext("participants not connected"),
        gettext("Enrolled, and no device is connected yet."),
        _unconnected,
    ),
    (
        "ingestion.view_connection",
        "admin:ingestion_connection_changelist|status__exact=reconnect",
        gettext("connections lost"),
        gettext("Access to their account has ended: they need a new link."),
        _lost,
    ),
    (
        "ingestion.view_importfile",
        "admin:ingestion_importfile_changelist",
        gettext("imports with rejected rows"),
        gettext("Of the last 30 days. Each file says which rows were not taken and why."),
        _rejected,
    ),
)
TASKS = (
    ("participants.add_participant", "admin:participants_participant_enrol", gettext("Enrol by a file")),
    ("participants.add_participant", "admin:participants_participant_add", gettext("Enrol one participant")),
    ("participants.add_trial", "admin:participants_trial_add", gettext("New trial")),
    ("participants.add_membership", "admin:participants_membership_add", gettext("New member of a team")),
    ("ingestion.change_connection", "admin:ingestion_schedule", gettext("Schedule")),
    ("participants.view_auditentry", "admin:participants_auditentry_changelist", gettext("Audit log")),
)
GROUPS = (
    (
        gettext("Participants"),
        gettext("Who takes part, how they are reached, when they pause."),
        ("Participant", "Pause", "Contact", "ConsentDocument", "Consent", "Invitation", "Erasure"),
    ),
    (
        gettext("Trials and teams"),
        gettext("What is studied, by whose rules, and who works in it."),
        ("Trial", "Protocol", "Site", "Membership", "ColleagueInvitation"),
    ),
    (
        gettext("Devices and data"),
        gettext("Connections, data requests and imported files, with their results."),
        (
            "Connection",
            "SyncWindow",
            "Device",
            "ImportFile",
            "WebhookDelivery",
            "Schedule",
            "Metric",
            "Source",
            "Export",
        ),
    ),
    (
        gettext("Monitoring and messaging"),
        gettext("Message templates, e-mails and calls, alerts and digests."),
        ("MessageTemplate", "Outreach", "Alert", "AlertEvent", "Digest"),
    ),
)
REST = (gettext("Accounts and trust"), gettext("Who may sign in, programs' tokens, and who did what."))


def items(user: Any, now: dt.datetime) -> list[Item]:
    """Items that may need staff, of those that the user may see. One query each."""
    listed = []
    for permission, address, what, says, count in ITEMS:
        if user.has_perm(permission):
            name, _, query = address.partition("|")
            listed.append(Item(count(now), what, says, reverse(name) + (f"?{query}" if query else "")))
    return listed


def tasks(user: Any) -> list[dict[str, str]]:
    return [{"what": what, "url": reverse(name)} for permission, name, what in TASKS if user.has_perm(permission)]


def groups(app_list: Iterable[dict[str, Any]]) -> list[Group]:
    """The administration's lists by task, of those that the user may see; what is in no group comes last."""
    known = {model["object_name"]: model for app in app_list for model in app["models"]}
    listed = []
    for name, says, models in GROUPS:
        entries = [known.pop(model) for model in models if model in known]
        if entries:
            listed.append(Group(name, says, entries))
    if known:
        listed.append(Group(*REST, list(known.values())))
    return listed
