"""Pages for data requests to the vendors: their results, and starting more by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Case, Count, Q, When
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dashboards.participant_detail import side_panel
from dashboards.participant_detail.side_panel import Link
from dashboards.ui import connection_labels
from dashboards.ui.access import Request, managed_participant, may_manage, signed_in, visible_participant, visible_trial
from ingestion.connections import end_of_collection
from ingestion.models import Connection, SyncWindow
from ingestion.sync import manual
from participants.audit import record_view
from participants.forms import SeeOther
from participants.models import Participant, Trial
from participants.team_texts import gettext, ngettext
from participants.user_input import form_data, query_params

PAGE_SIZE = 50
WINDOWS_SHOWN = 25
State, Reason = SyncWindow.State, SyncWindow.Reason
# What somebody should see to; then what runs; then what is over.
TROUBLE_FIRST = Case(
    When(status__in=[Connection.Status.RECONNECT, Connection.Status.BLOCKED], then=0),
    When(status=Connection.Status.ACTIVE, then=1),
    default=2,
)


@dataclass(frozen=True, slots=True)
class Row:
    """Connection in the trial's table: its sync windows by state and the latest error."""

    link: Link
    waiting: int
    done: int
    failed: int
    error: str


@dataclass(frozen=True, slots=True)
class WindowRow:
    """Row for a sync window, with its labels."""

    window: SyncWindow
    state: str
    error: str


@require_safe
@signed_in
def sync(request: Request, code: str) -> HttpResponse:
    """Page of all connections of a trial that the user may see."""
    trial = visible_trial(request, code)
    people = Participant.objects.visible_to(request.user).filter(trial=trial)
    connections = (
        Connection.objects.filter(participant__in=people)
        .exclude(status=Connection.Status.INVITED)
        .select_related("participant")
        .prefetch_related("devices")
    )
    page = Paginator(connections.order_by(TROUBLE_FIRST, "participant__study_id"), PAGE_SIZE).get_page(
        query_params(request).get("page")
    )
    context = {
        "trial": trial,
        "section": "connections",
        "page": page,
        "rows": rows(list(page), timezone.now()),
        "closing": end_of_collection.progress(trial) if trial.status == Trial.Status.CLOSED else None,
        "never": people.exclude(connections__in=connections).count(),
        "tally": dict(connections.order_by().values_list("status").annotate(n=Count("pk"))),
        "now": timezone.now(),
    }
    return render(request, "dashboards/connections/sync.html", context)


def rows(connections: list[Connection], now: dt.datetime) -> list[Row]:
    """The table's rows. Two queries for all of them."""
    windows = SyncWindow.objects.filter(connection__in=connections).order_by()
    counts = {(pk, state): n for pk, state, n in windows.values_list("connection", "state").annotate(n=Count("pk"))}
    troubled = windows.filter(state__in=[State.FAILED, State.DUE]).exclude(error_code="")
    newest = dict(
        troubled.order_by("connection", "-claimed_at").distinct("connection").values_list("connection", "error_code")
    )
    return [
        Row(
            side_panel.link(c, now),
            waiting=counts.get((c.pk, State.DUE), 0) + counts.get((c.pk, State.CLAIMED), 0),
            done=counts.get((c.pk, State.DONE), 0),
            failed=counts.get((c.pk, State.FAILED), 0),
            error=connection_labels.error(newest[c.pk]) if c.pk in newest else "",
        )
        for c in connections
    ]


@require_safe
@never_cache
@signed_in
def sync_detail(request: Request, code: str, study_id: str, provider: str) -> HttpResponse:
    """Page of one connection: data received, failed and running requests; for HTMX only what changes meanwhile."""
    participant = visible_participant(request, code, study_id)
    connection = get_object_or_404(participant.connections.prefetch_related("devices"), provider=provider)
    record_view(participant, part=True)
    now = timezone.now()
    context = {
        "trial": participant.trial,
        "participant": participant,
        "section": "connections",
        "link": side_panel.link(connection, now),
        "connection": connection,
        "may_manage": may_manage(request.user, participant),
        "asks": connection.asks,
        "now": now,
        **progress(connection, now),
    }
    partial = request.htmx and not request.htmx.boosted
    return render(request, f"dashboards/connections/{'_sync_live' if partial else 'sync_detail'}.html", context)


def progress(connection: Connection, now: dt.datetime) -> dict[str, Any]:
    """Counts by state, progress of the backfill, the newest windows. Four queries."""
    windows = SyncWindow.objects.filter(connection=connection)
    counts = dict(windows.order_by().values_list("state").annotate(n=Count("pk")))
    left = counts.get(State.DUE, 0) + counts.get(State.CLAIMED, 0)
    filled = windows.filter(reason=Reason.BACKFILL).aggregate(
        total=Count("pk"), done=Count("pk", filter=Q(state__in=[State.DONE, State.FAILED]))
    )
    newest = windows.filter(state__in=[State.DONE, State.FAILED]).order_by("-finished_at", "-starts_at")[:WINDOWS_SHOWN]
    failed = windows.filter(state=State.FAILED).order_by("-finished_at")[:WINDOWS_SHOWN]
    return {
        "counts": [(connection_labels.STATES[state], counts.get(state, 0)) for state in State],
        "failed_count": counts.get(State.FAILED, 0),
        "left": left,
        # Windows of a connection that may not be asked wait for it; nothing moves meanwhile.
        "running": left > 0 and connection.asks,
        "waits_until": connection.busy_until if connection.busy_until and connection.busy_until > now else None,
        "backfill": filled if filled["done"] < filled["total"] else None,
        "newest": [window_row(window) for window in newest],
        "failed": [window_row(window) for window in failed],
    }


def window_row(window: SyncWindow) -> WindowRow:
    code = window.error_code
    return WindowRow(
        window, connection_labels.STATES[State(window.state)], connection_labels.error(code) if code else ""
    )


# --- starting things -------------------------------------------------------------------------------------------------


def started(
    request: Request, code: str, study_id: str, provider: str, do: Callable[[Connection], tuple[int, str]]
) -> HttpResponse:
    """Run `do` for a connection and go back to its page. `do` returns a count, and what to say of it."""
    participant = managed_participant(request, code, study_id)
    connection = get_object_or_404(participant.connections, provider=provider)
    try:
        count, text = do(connection)
    except manual.NotConnected:
        messages.error(request, gettext("No data can be requested now: the connection is not active."))
    else:
        messages.add_message(request, messages.SUCCESS if count else messages.INFO, text)
    return SeeOther(reverse("dashboards:sync-detail", args=[code, study_id, provider]))


@require_POST
@signed_in
def sync_now(request: Request, code: str, study_id: str, provider: str) -> HttpResponse:
    def do(connection: Connection) -> tuple[int, str]:
        count = manual.sync_now(connection, timezone.now())
        if not count:
            return 0, gettext("There is nothing to fetch: the monitoring has ended.")
        return count, ngettext("Started: {n} data request.", "Started: {n} data requests.", count).format(
            n=f"{count:,}"
        )

    return started(request, code, study_id, provider, do)


@require_POST
@signed_in
def backfill(request: Request, code: str, study_id: str, provider: str) -> HttpResponse:
    def do(connection: Connection) -> tuple[int, str]:
        try:
            first = form_data(request).day("from")
        except ValidationError as refused:
            return 0, gettext("Choose the first day to fetch. {why}").format(why=refused.message)
        count = manual.backfill(connection, first, timezone.now())
        if not count:
            return 0, gettext("There is nothing to fetch: the dates of trial and participant allow no request.")
        text = ngettext(
            "Started: {n} data request since {date}, the newest first.",
            "Started: {n} data requests since {date}, the newest first.",
            count,
        )
        return count, text.format(n=f"{count:,}", date=f"{first.day} {first:%b %Y}")

    return started(request, code, study_id, provider, do)


@require_POST
@signed_in
def requeue(request: Request, code: str, study_id: str, provider: str) -> HttpResponse:
    def do(connection: Connection) -> tuple[int, str]:
        count = manual.requeue(connection, timezone.now())
        if not count:
            return 0, gettext("Nothing has failed.")
        text = ngettext("Trying {n} failed data request again.", "Trying {n} failed data requests again.", count)
        return count, text.format(n=f"{count:,}")

    return started(request, code, study_id, provider, do)
