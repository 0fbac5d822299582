"""Alerts as rows of a page: what is wrong, who has it, what can be done. Filtered, counted and paged by its address."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from dashboards.alerts import labels, stored
from dashboards.alerts.services import SNOOZES, Names, Team, members, who
from dashboards.models import Alert, AlertEvent
from dashboards.trial_overview import open_alerts
from dashboards.trial_overview import stored as trial_overview_stored
from dashboards.ui import formatting, gap_labels
from dashboards.ui.connection_labels import Badge
from dashboards.ui.formatting import refresh_minute
from dashboards.ui.pagination import Pages
from metrics.models import ParticipantStatusSummary
from participants.compiled_sql import Query
from participants.conditions_sql import People
from participants.models import Participant, Site, Trial, User
from participants.querysets import acts_for
from participants.team_texts import gettext
from participants.user_input import Entered

PAGE_SIZE = 25
BY_RULE = (AlertEvent.What.RAISED, AlertEvent.What.RESOLVED)
SHOWS = {
    "open": (gettext("Open"), gettext("the most urgent first")),
    "mine": (gettext("Mine"), gettext("assigned to you")),
    "unassigned": (gettext("Unassigned"), gettext("assigned to nobody")),
    "acknowledged": (gettext("Acknowledged"), gettext("seen by the team")),
    "snoozed": (gettext("Snoozed"), gettext("not counted for now")),
    "resolved": (gettext("Resolved"), gettext("in the last 14 days")),
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
    """An alert as a row of the page: texts alone, so that what is equal looks the same.

    `team`: to whom it can be given, `holder` who has it; empty where the user may not act. `history`: what became of
    it, and when and by whom.
    """

    pk: int
    study_id: str
    place: str
    rule: str
    badge: Badge
    tone: str
    headline: str
    evidence: str
    state: str
    level: str
    critical: bool
    raised: tuple[str, str]  # how long ago, and when
    has: str
    may_act: bool
    acknowledged: bool
    snoozed: bool
    team: Names
    holder: int | None
    history: tuple[tuple[str, str], ...]


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


@dataclass(frozen=True, slots=True)
class Reading:
    """What a view is read of: `everybody` of the trial whom the user may see, `here` those whom the filters leave."""

    trial: Trial
    user: User
    filters: AlertFilters
    everybody: People
    here: People
    now: dt.datetime

    @classmethod
    def of(cls, trial: Trial, user: User, filters: AlertFilters, now: dt.datetime) -> Reading:
        """The reading of a trial's alerts for a user."""
        people = Participant.objects.visible_to(user).filter(trial=trial)
        everybody = here = People.of(people)
        if filters.site or filters.search:
            people = people.filter(site__code=filters.site) if filters.site else people
            here = People.of(people.filter(study_id__icontains=filters.search))
        return cls(trial, user, filters, everybody, here, now)

    def stamp_queries(self) -> list[Query]:
        """What `stamp` asks."""
        return [one.with_values(people=self.everybody) for one in (stored.moved, stored.last_event)]

    def stamp(self) -> str:
        """A text that changes when anything in the table may have: its alerts, what was done with them, each minute.

        The minute is for what it says of times, and for snoozes that end.
        """
        facts, acts = (query.statement.first(**query.values) for query in self.stamp_queries())
        newest = int(facts["newest"].timestamp() * 1000) if facts["newest"] else 0
        return f"{facts['n']}.{newest}.{acts['last'] or 0}.{refresh_minute(self.now, self.user.pk)}"

    def counts_query(self) -> Query:
        """How many each view has."""
        counts = stored.counts_of(self.filters.rule)
        since = self.now - stored.RESOLVED_FOR
        return counts.with_values(people=self.here, now=self.now, since=since, me=self.user.pk)

    def page_query(self, first: int, last: int) -> Query:
        """The rows from `first` to before `last`."""
        page = stored.page_of(self.filters.rule, self.filters.show, first, last)
        return page.with_values(people=self.here, **stored.values_of(self.filters.show, self.now, self.user.pk))

    def queries(self) -> list[Query]:
        """What the page asks, to be run together with others."""
        first_page = [] if self.filters.page else [self.page_query(0, PAGE_SIZE)]
        return [
            *self.stamp_queries(),
            self.counts_query(),
            *first_page,
            trial_overview_stored.sites.with_values(trial=self.trial.pk, people=self.everybody),
            members.with_values(trial=self.trial.pk),
            *open_alerts.open_queries(self.trial, self.user, self.now),
        ]


class _Matches:
    """The alerts of a view, as a list that reads the rows of a page when it is cut."""

    def __init__(self, read: Reading, number: int) -> None:
        self._read, self._number = read, number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, cut: slice) -> list[Alert]:
        query = self._read.page_query(cut.start, cut.start + PAGE_SIZE)
        return query.statement.rows(**query.values)


def view(read: Reading) -> View:
    """The table as the address wants it. A fixed number of queries."""
    trial, user, filters, now = read.trial, read.user, read.filters, read.now
    counted = read.counts_query()
    counts = counted.statement.first(**counted.values)
    matching: Any = _Matches(read, counts[filters.show])
    page = Paginator(matching, PAGE_SIZE).get_page(filters.page or 1)
    alerts = list(page)
    events = stored.events_by_alert([alert.pk for alert in alerts])
    managed = {alert.pk for alert in alerts if acts_for(user, alert.participant)}
    team = Team(trial)
    return View(
        filters=filters,
        page=page,
        pages=Pages(page, lambda number: filters.query(page=number)),
        rows=[row(alert, team, alert.pk in managed, now, events[alert.pk]) for alert in alerts],
        shows=[Show(k, title, hint, counts[k], filters.query(show=k, page="")) for k, (title, hint) in SHOWS.items()],
        sites=trial_overview_stored.sites.rows(trial=trial.pk, people=read.everybody),
        team=team.names([alert.participant.site_id for alert in alerts if alert.pk in managed]),
        may_act=bool(managed),
        any=any(counts.values()) or bool(filters.rule or filters.site or filters.search),
        seen=read.stamp(),
    )


def with_related_rows(alerts: QuerySet[Alert]) -> QuerySet[Alert]:
    """Alerts with all that their rows need. Two queries for any number."""
    return alerts.select_related(*stored.OF_ROWS).prefetch_related("events__by")


def row(alert: Alert, team: Team, may_act: bool, now: dt.datetime, events: Iterable[AlertEvent] | None = None) -> Row:
    """One alert as a row; no query if it was fetched by `with_related_rows`, or its events are given."""
    participant = alert.participant
    zone = ZoneInfo(participant.time_zone)
    may_act = may_act and alert.resolved_at is None
    site = participant.site.name if participant.site else "no site"
    return Row(
        pk=alert.pk,
        study_id=participant.study_id,
        place=f"{site} · arm {participant.arm}" if participant.arm else site,
        rule=alert.get_rule_display(),
        badge=labels.badge(alert),
        tone=labels.tone(alert),
        headline=labels.headline(alert, zone, now),
        evidence=_evidence(alert, zone, now),
        state=labels.state(alert, now, zone),
        level=capfirst(alert.get_level_display()),
        critical=alert.level == Alert.Level.CRITICAL,
        raised=(formatting.ago(alert.raised_at, now), formatting.clock(alert.raised_at, now, zone)),
        has=who(alert.assigned_to) if alert.assigned_to else "",
        may_act=may_act,
        acknowledged=alert.acknowledged_at is not None,
        snoozed=bool(alert.snoozed_until and alert.snoozed_until > now),
        team=team.names([participant.site_id]) if may_act else (),
        holder=alert.assigned_to_id,
        history=tuple(_event(event, now, zone) for event in (alert.events.all() if events is None else events)),
    )


def _event(event: AlertEvent, now: dt.datetime, zone: ZoneInfo) -> tuple[str, str]:
    """What happened, and when and by whom."""
    by = who(event.by) if event.by else "by rule" if event.what in BY_RULE else ""
    return labels.event(event), " · ".join(filter(None, (formatting.clock(event.at, now, zone), by)))


def _evidence(alert: Alert, zone: ZoneInfo, now: dt.datetime) -> str:
    """Why data are missing now, of an open alert about missing data."""
    summary: ParticipantStatusSummary | None = getattr(alert.participant, "status_summary", None)
    if alert.resolved_at or summary is None or not summary.cause or alert.rule == Alert.Rule.LOW_SLEEP:
        return ""
    return gap_labels.sentence(summary.cause, summary.evidence, zone=zone, now=now)


SNOOZE_CHOICES = list(SNOOZES.items())


# About 3 kB each, in each web process.
@lru_cache(maxsize=1024)
def drawn(row: Row, trial: str, me: int, selectable: bool) -> SafeString:
    """The row as HTML. `trial`: its code; `me`: row id of who looks; `selectable`: whether any row may be acted on."""
    context = {"row": row, "trial": trial, "me": me, "selectable": selectable, "snoozes": SNOOZE_CHOICES}
    return render_to_string("dashboards/alerts/_alert_row.html", context)
