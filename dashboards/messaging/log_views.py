"""Log of e-mails and calls to a trial's participants: filtered, paged, live while a batch is being sent."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboards.messaging import labels, services
from dashboards.models import Outreach
from dashboards.ui.access import Request, signed_in, visible_trial
from dashboards.ui.connection_labels import Badge
from dashboards.ui.http import pushed
from dashboards.ui.pagination import Pages
from participants.models import Participant
from participants.team_texts import gettext
from participants.user_input import Entered, query_params

PAGE_SIZE = 50
State = Outreach.State
WAITING, CALLS, TROUBLE = "waiting", "calls", "trouble"
# Value of `show` -> its label and condition.
SHOWS: dict[str, tuple[str, Q]] = {
    WAITING: (gettext("Waiting for data"), services.without_newer_data()),
    "back": (gettext("Data came back"), Q(back_at__isnull=False)),
    TROUBLE: (gettext("Bounced or failed"), Q(state__in=(State.BOUNCED, State.FAILED))),
    "held": (gettext("Held or sending"), Q(state__in=(State.HELD, State.SENDING))),
    "dropped": (gettext("Not sent"), Q(state=State.DROPPED)),
    CALLS: (gettext("Calls"), Q(kind=Outreach.Kind.CALL)),
}


@dataclass(frozen=True, slots=True)
class LogRow:
    """Row of the log, as texts in the participant's time zone."""

    row: Outreach
    title: str
    badge: Badge
    outcome: str
    held_until: str
    trouble: bool
    by: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of a batch by state."""

    total: int
    sent: int
    going: int
    held: int
    trouble: int
    dropped: int

    @property
    def done(self) -> int:
        return self.total - self.going - self.held


def log_row(row: Outreach, now: dt.datetime) -> LogRow:
    """Row of the log for one e-mail or call."""
    zone = ZoneInfo(row.participant.time_zone)
    held = labels.held_until(row, now, zone) if row.state == State.HELD else ""
    trouble = row.state in (State.BOUNCED, State.FAILED)
    by = (row.by.get_short_name() or row.by.email) if row.by else ""
    badge, title, outcome = labels.badge(row, now), labels.title(row), labels.outcome(row, now)
    return LogRow(row, title, badge, outcome, held, trouble, by)


def progress(rows: QuerySet[Outreach], now: dt.datetime) -> Progress:
    """Progress of a batch: sent, being sent, held. One query."""
    due = Q(state=State.HELD, send_after__lte=now) | Q(state=State.SENDING)
    counts = rows.order_by().aggregate(
        total=Count("pk"),
        sent=Count("pk", filter=Q(state=State.SENT)),
        going=Count("pk", filter=due),
        held=Count("pk", filter=Q(state=State.HELD, send_after__gt=now)),
        trouble=Count("pk", filter=Q(state__in=(State.BOUNCED, State.FAILED))),
        dropped=Count("pk", filter=Q(state=State.DROPPED)),
    )
    return Progress(**counts)


def _batch(params: Entered) -> str:
    try:
        return str(UUID(params.get("batch", "")))
    except ValueError:
        return ""


@require_safe
@never_cache
@signed_in
def contacts(request: Request, code: str) -> HttpResponse:
    """The trial's log; `show`, `q` (study id) and `batch` narrow it. For HTMX only the table."""
    trial = visible_trial(request, code)
    now = timezone.now()
    people = Participant.objects.visible_to(request.user).filter(trial=trial)
    every = Outreach.objects.filter(participant__in=people)
    params = query_params(request)
    show, search, batch = params.get("show", ""), params.text("q", 64), _batch(params)
    rows = every.filter(batch=batch) if batch else every
    counted = rows.order_by().aggregate(
        everything=Count("pk"), **{f"n_{name}": Count("pk", filter=condition) for name, (_, condition) in SHOWS.items()}
    )
    matching = rows.filter(SHOWS[show][1]) if show in SHOWS else rows
    matching = matching.filter(participant__study_id__icontains=search) if search else matching
    page = Paginator(matching.select_related("participant", "by"), PAGE_SIZE).get_page(params.get("page"))

    def query(**changes: str) -> str:
        now_asked = {"show": show if show in SHOWS else "", "q": search, "batch": batch, **changes}
        return urlencode({name: value for name, value in now_asked.items() if value})

    context: dict[str, Any] = {
        "trial": trial,
        "now": now,
        "section": "contacts",
        "here": request.path,
        "log_rows": [log_row(row, now) for row in page],
        "page": page,
        "pages": Pages(page, lambda number: query(page="" if number == "1" else number)),
        "shows": [(name, label, counted[f"n_{name}"], query(show=name)) for name, (label, _) in SHOWS.items()],
        "everything": counted["everything"],
        "all_query": query(show=""),
        "show": show if show in SHOWS else "",
        "search": search,
        "batch": batch,
        "batch_progress": progress(rows, now) if batch else None,
        "query": query(page=params.get("page", "")),
        "mailbox": bool(settings.DEMO_MAIL_FOLDER) and trial.is_demo,
    }
    if not request.htmx or request.htmx.boosted or request.htmx.history_restore_request:
        return render(request, "dashboards/messaging/contacts.html", context)
    return pushed(
        request, render(request, "dashboards/messaging/_contacts.html", context), query(page=params.get("page", ""))
    )
