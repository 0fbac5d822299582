"""What the page of a trial's alerts asks, each statement built once."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import lru_cache
from typing import Any

from django.db.models import Count, Max, Q

from dashboards.alerts.engine import most_urgent_first
from dashboards.models import Alert, AlertEvent
from dashboards.trial_overview.open_alerts import awake
from participants.compiled_sql import Statement, compiled
from participants.conditions_sql import ID, IDS, INSTANT, PEOPLE, Among, AnyOf

RESOLVED_FOR = dt.timedelta(days=14)
OF_ROWS = ("participant__site", "participant__status_summary", "acknowledged_by", "assigned_to")
FIELDS: dict[str, Any] = {"now": INSTANT, "since": INSTANT, "me": ID}
# What the condition of each view depends on.
DEPENDS = {
    "open": ("now",),
    "mine": ("now", "me"),
    "unassigned": ("now",),
    "acknowledged": ("now",),
    "snoozed": ("now",),
    "resolved": ("since",),
}


def values_of(show: str, now: dt.datetime, me: int) -> dict[str, Any]:
    """Values of the parameters of a view's condition."""
    values = {"now": now, "since": now - RESOLVED_FOR, "me": me}
    return {name: values[name] for name in DEPENDS[show]}


def _condition(show: str, now: Any = None, since: Any = None, me: Any = None) -> Q:
    """Which alerts a view shows, at an instant and to a user."""
    if show == "snoozed":
        return Q(resolved_at=None, snoozed_until__gt=now)
    if show == "resolved":
        return Q(resolved_at__gt=since)
    of_view = {
        "open": Q(),
        "mine": Q(assigned_to=me),
        "unassigned": Q(assigned_to=None),
        "acknowledged": Q(acknowledged_at__isnull=False),
    }
    return awake(now) & of_view[show]


def _of(people: Any, rule: str) -> Any:
    alerts = Alert.objects.filter(Among("participant_id", people))
    return alerts.filter(rule=rule) if rule else alerts


@compiled(people=PEOPLE)
def moved(people: Any) -> Any:
    return _of(people, "").aggregate(n=Count("pk"), newest=Max("updated_at"))


@compiled(people=PEOPLE)
def last_event(people: Any) -> Any:
    return AlertEvent.objects.filter(Among("alert__participant_id", people)).aggregate(last=Max("pk"))


@lru_cache(maxsize=16)
def counts_of(rule: str) -> Statement:
    """How many alerts of a rule (empty: of any) each view has."""

    @compiled(people=PEOPLE, **FIELDS)
    def counts(people: Any, **values: Any) -> Any:
        conditions = {show: _condition(show, **values) for show in DEPENDS}
        counted = {show: Count("pk", filter=condition) for show, condition in conditions.items()}
        return _of(people, rule).order_by().aggregate(**counted)

    return counts


@lru_cache(maxsize=128)
def page_of(rule: str, show: str, first: int, last: int) -> Statement:
    """The alerts of a view from `first` to before `last`, with what their rows need: a statement for each page."""

    @compiled(people=PEOPLE, **{name: FIELDS[name] for name in DEPENDS[show]})
    def rows(people: Any, **values: Any) -> Any:
        alerts = _of(people, rule).filter(_condition(show, **values)).select_related(*OF_ROWS)
        ordered = alerts.order_by("-resolved_at", "pk") if show == "resolved" else most_urgent_first(alerts)
        return ordered[first:last]

    return rows


@compiled(alerts=IDS)
def _events(alerts: Any) -> Any:
    return AlertEvent.objects.filter(AnyOf("alert_id", alerts)).select_related("by").order_by("alert", "at", "pk")


def events_by_alert(alerts: list[int]) -> dict[int, list[AlertEvent]]:
    """Events of each alert, in the order in which they happened. One query."""
    by_alert: dict[int, list[AlertEvent]] = defaultdict(list)
    for event in _events.rows(alerts=alerts):
        by_alert[event.alert_id].append(event)
    return by_alert
