"""Alerts as rows of a page: what is wrong, who has it, what can be done. Filtered, counted and paged by its address."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.paginator import Page, Paginator
from django.db.models import Count, Max, Q, QuerySet

from dashboards.alerts import labels
from dashboards.alerts.engine import most_urgent_first
from dashboards.alerts.services import SNOOZES, Names, Team, actable, who
from dashboards.models import Alert, AlertEvent
from dashboards.trial_overview import filters as trial_overview_filters
from dashboards.trial_overview.open_alerts import awake
from dashboards.ui import gap_labels
from dashboards.ui.connection_labels import Badge
from dashboards.ui.formatting import refresh_minute
from dashboards.ui.pagination import Pages
from metrics.models import ParticipantStatusSummary
from participants.models import Participant, Site, Trial, User
from participants.user_input import Entered

PAGE_SIZE = 25
RESOLVED_FOR = dt.timedelta(days=14)
SHOWS = {
    "open": ("Open", "the most urgent first"),
    "mine": ("Mine", "assigned to you"),
    "unassigned": ("Unassigned", "assigned to nobody"),
    "acknowledged": ("Acknowledged", "seen by the team"),
    "snoozed": ("Snoozed", "not counted for now"),
    "resolved": ("Resolved", "in the last 14 days"),
}


@dataclass(frozen=True, slots=True)
class AlertFilters:
    """Filters of the alerts' page, from its address; unknown values are left out."""

    show: str
    rule: str
    site: str
    search: str
    page: str

    @classmethod
    def of(cls, query: Entered) -> AlertFilters:
        show, rule = query.get("show", ""), query.get("rule", "")
        return cls(
            show=show if show in SHOWS else "open",
            rule=rule if rule in Alert.Rule.values else "",
            site=query.text("site", 32),
            search=query.text("q", 64),
            page=query.get("page", ""),
        )

    def query(self, **changes: str) -> str:
        """The address of this view with some parameters changed; defaults are left out."""
        now = {"show": self.show, "rule": self.rule, "site": self.site, "q": self.search, "page": self.page, **changes}
        defaults = {"show": "open", "page": "1"}
        return urlencode({name: value for name, value in now.items() if value and defaults.get(name) != value})


@dataclass(frozen=True, slots=True)
class Row:
    """An alert as a row of the page. `team`: to whom it can be given; empty where the user may not act."""

    alert: Alert
    badge: Badge
    tone: str
    headline: str
    evidence: str
    state: str
    has: str
    may_act: bool
    snoozed: bool
    team: Names
    history: list[tuple[AlertEvent, str]]


@dataclass(frozen=True, slots=True)
class Show:
    """One of the views, as a counter that is a link."""

    key: str
    title: str
    rule: str
    count: int
    query: str


@dataclass(slots=True)
class View:
    """One view of the table."""

    filters: AlertFilters
    page: Page[Alert]
    pages: Pages
    rows: list[Row]
    shows: list[Show]
    sites: list[Site]
    team: Names
    may_act: bool
    any: bool
    seen: str

    @property
    def here(self) -> str:
        return self.filters.query()


def visible(trial: Trial, user: User) -> QuerySet[Alert]:
    """A trial's alerts that a person may see."""
    return Alert.objects.filter(participant__in=Participant.objects.visible_to(user).filter(trial=trial))


def _shown(user: User, now: dt.datetime) -> dict[str, Q]:
    waking = awake(now)
    return {
        "open": waking,
        "mine": waking & Q(assigned_to=user),
        "unassigned": waking & Q(assigned_to=None),
        "acknowledged": waking & Q(acknowledged_at__isnull=False),
        "snoozed": Q(resolved_at=None, snoozed_until__gt=now),
        "resolved": Q(resolved_at__gt=now - RESOLVED_FOR),
    }


def view(trial: Trial, user: User, filters: AlertFilters, now: dt.datetime) -> View:
    """The table as the address wants it. A fixed number of queries."""
    alerts = visible(trial, user)
    if filters.rule:
        alerts = alerts.filter(rule=filters.rule)
    if filters.site:
        alerts = alerts.filter(participant__site__code=filters.site)
    if filters.search:
        alerts = alerts.filter(participant__study_id__icontains=filters.search)
    conditions = _shown(user, now)
    counts = alerts.order_by().aggregate(**{key: Count("pk", filter=q) for key, q in conditions.items()})
    ordered = alerts.filter(conditions[filters.show])
    ordered = ordered.order_by("-resolved_at", "pk") if filters.show == "resolved" else most_urgent_first(ordered)
    page = Paginator(with_related_rows(ordered), PAGE_SIZE).get_page(filters.page or 1)
    managed = set(actable(user, trial).filter(pk__in=[alert.pk for alert in page]).values_list("pk", flat=True))
    team = Team(trial)
    return View(
        filters=filters,
        page=page,
        pages=Pages(page, lambda number: filters.query(page=number)),
        rows=[row(alert, team, alert.pk in managed, now) for alert in page],
        shows=[Show(k, title, hint, counts[k], filters.query(show=k, page="")) for k, (title, hint) in SHOWS.items()],
        sites=trial_overview_filters.sites(trial, user),
        team=team.names([alert.participant.site_id for alert in page if alert.pk in managed]),
        may_act=bool(managed),
        any=any(counts.values()) or bool(filters.rule or filters.site or filters.search),
        seen=stamp(trial, user, now),
    )


def with_related_rows(alerts: QuerySet[Alert]) -> QuerySet[Alert]:
    """Alerts with all that their rows need. Two queries for any number."""
    fetched = alerts.select_related(
        "participant__site", "participant__status_summary", "acknowledged_by", "assigned_to"
    )
    return fetched.prefetch_related("events__by")


def row(alert: Alert, team: Team, may_act: bool, now: dt.datetime, events: Iterable[AlertEvent] | None = None) -> Row:
    """One alert as a row; no query if it was fetched by `with_related_rows`, or its events are given."""
    zone = ZoneInfo(alert.participant.time_zone)
    may_act = may_act and alert.resolved_at is None
    return Row(
        alert=alert,
        badge=labels.badge(alert),
        tone=labels.tone(alert),
        headline=labels.headline(alert, zone, now),
        evidence=_evidence(alert, zone, now),
        state=labels.state(alert, now, zone),
        has=who(alert.assigned_to) if alert.assigned_to else "",
        may_act=may_act,
        snoozed=bool(alert.snoozed_until and alert.snoozed_until > now),
        team=team.names([alert.participant.site_id]) if may_act else (),
        history=[(event, labels.event(event)) for event in (alert.events.all() if events is None else events)],
    )


def _evidence(alert: Alert, zone: ZoneInfo, now: dt.datetime) -> str:
    """Why data are missing now, of an open alert about missing data."""
    summary: ParticipantStatusSummary | None = getattr(alert.participant, "status_summary", None)
    if alert.resolved_at or summary is None or not summary.cause or alert.rule == Alert.Rule.LOW_SLEEP:
        return ""
    return gap_labels.sentence(summary.cause, summary.evidence, zone=zone, now=now)


def stamp(trial: Trial, user: User, now: dt.datetime) -> str:
    """A text that changes when anything in the table may have: its alerts, what was done with them, and each minute.

    The minute is for what it says of times, and for snoozes that end.
    """
    facts: dict[str, Any] = visible(trial, user).aggregate(n=Count("pk"), newest=Max("updated_at"))
    acts = AlertEvent.objects.filter(alert__in=visible(trial, user)).aggregate(last=Max("pk"))
    newest = int(facts["newest"].timestamp() * 1000) if facts["newest"] else 0
    return f"{facts['n']}.{newest}.{acts['last'] or 0}.{refresh_minute(now, user.pk)}"


SNOOZE_CHOICES = list(SNOOZES.items())
