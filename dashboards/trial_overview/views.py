"""The trial's page: who needs attention today and why. Its table, its counters, its live refresh, its CSV."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboards.trial_overview import background_jobs, day_strip, stored, table_download
from dashboards.trial_overview import filters as trial_overview_filters
from dashboards.trial_overview.filters import ParticipantFilters
from dashboards.trial_overview.reading import Reading
from dashboards.trial_overview.rows import Row, row
from dashboards.ui import downloads
from dashboards.ui.access import Request, signed_in, visible_trial
from dashboards.ui.formatting import NO_BREAK, hours_minutes, refresh_minute
from dashboards.ui.http import pushed
from dashboards.ui.pagination import Pages
from dashboards.ui.status_labels import BADGES
from metrics.monitoring import pending, status
from metrics.monitoring.status import AttentionStatus, Summary
from participants.audit import record
from participants.compiled_sql import Query, run_together
from participants.conditions_sql import People
from participants.models import Participant, Protocol, Site, Trial, User
from participants.querysets import acts_in
from participants.team_texts import gettext
from participants.user_input import query_params

COUNTERS: dict[str, str] = {
    "never-connected": gettext("Never connected"),
    "reconnect": gettext("Reconnect needed"),
    "critical": gettext("Critical"),
    "silent": gettext("No data"),
    "low-wear": gettext("Low wear"),
    "low-sleep": gettext("Low sleep"),
    "all-well": gettext("All well"),
}
# Name of the sort -> class of the column, heading.
HEADS = {
    "id": ("c-id", gettext("Participant")),
    "urgency": ("c-why", gettext("Status and why")),
    "adherence": ("c-adh", gettext("Adherence")),
    "upload": ("c-up", gettext("Last upload")),
    "salvage": ("c-salv", gettext("Data lost in")),
    "battery": ("c-bat", gettext("Battery")),
}


@dataclass(frozen=True, slots=True)
class Counter:
    """A count that filters. `query` leads to the filter, or away from it where it is on."""

    name: str
    tone: str
    shape: str
    count: int
    new: int
    rule: str
    query: str
    on: bool


@dataclass(frozen=True, slots=True)
class Head:
    """A column's heading: a link that sorts. `aria_sort` is empty unless the table is sorted by it."""

    name: str
    classes: str
    query: str
    aria_sort: str


@dataclass(frozen=True, slots=True)
class View:
    """One view of the trial's page; all of it follows from `filters`, the user and the moment."""

    filters: ParticipantFilters
    counts: status.Counts
    summary: Summary
    counters: list[Counter]
    rows: list[Row]
    page: Page[Any]
    pages: Pages
    sites: list[Site]
    total: int
    rules: Protocol
    until: dt.date
    pulse: str

    @property
    def here(self) -> str:
        return self.filters.query()

    @property
    def first_day(self) -> dt.date:
        return self.until - dt.timedelta(days=day_strip.DAYS - 1)

    @property
    def heads(self) -> dict[str, Head]:
        return {name: _head(self.filters, name) for name in HEADS}

    @property
    def sorts(self) -> list[tuple[str, str]]:
        sorts = [(name, label) for name, (label, _) in trial_overview_filters.SORTS.items()]
        turned = self.filters.sort.removeprefix("-")
        return (
            [
                *sorts,
                (
                    self.filters.sort,
                    gettext("{order}, last first").format(order=trial_overview_filters.SORTS[turned][0]),
                ),
            ]
            if turned != self.filters.sort
            else sorts
        )

    @property
    def target_text(self) -> str:
        return gettext(", target {share}\u00a0%").format(share=round(self.rules.adherence_target * 100))

    @property
    def download_query(self) -> str:
        """To which the form is added."""
        return "&".join(part for part in (self.filters.query(page=""), "format=") if part)

    @property
    def valid_hours(self) -> str:
        """Wear that makes a day valid, by the protocol in force."""
        minutes = self.rules.valid_day_minutes
        return hours_minutes(minutes) if minutes % 60 else f"{minutes // 60}{NO_BREAK}h"

    @property
    def all_query(self) -> str:
        """Query string that means "all that match" to an action."""
        return self.filters.query(page="", sort="")


@require_safe
@signed_in
def trial_detail(request: Request, code: str) -> HttpResponseBase:
    """The whole page; for HTMX the table with its counters; 204 where `seen` says that nothing has changed since."""
    trial = visible_trial(request, code)
    user: User = request.user
    filters, now = trial_overview_filters.parse_filters(query_params(request)), timezone.now()
    if downloads.form(request):
        pending.settle(Participant.objects.visible_to(user).filter(trial=trial))
        return downloads.response(request, trial, table_download.table(trial, user, filters, now))
    seen = query_params(request).get("seen")
    everybody = People.of(Participant.objects.visible_to(user).filter(trial=trial))
    part = request.htmx and not request.htmx.boosted and not request.htmx.history_restore_request
    if part and seen:  # mostly nothing has changed
        with run_together(*_moved(everybody)):
            if pulse(everybody, user, now) == seen:
                return HttpResponse(status=204)
    read = Reading(trial, user, filters, everybody, people_of(trial, user, filters, everybody), now)
    with run_together(*_moved(everybody), *read.queries(), *([] if part else read.page_queries())):
        beat = pulse(everybody, user, now)
        context = {"trial": trial, "view": view(read, beat), "now": now, "here": request.path}
        context["manages"] = acts_in(user, trial)
        if part:
            answer = render(request, "dashboards/trial_overview/_roster.html", context)
            return answer if "seen" in query_params(request) else pushed(request, answer, filters.query())
        record("trial.view", trial=trial)
        context["works"] = background_jobs.going_on(trial, everybody, now)
        return render(request, "dashboards/trial_overview/trial_detail.html", context)


def people_of(trial: Trial, user: User, filters: ParticipantFilters, everybody: People) -> People:
    """Participants of the site asked for, of everybody whom the user may see."""
    return People.of(trial_overview_filters.of_trial(trial, user, filters)) if filters.site else everybody


def _moved(everybody: People) -> list[Query]:
    return [one.with_values(people=everybody) for one in (stored.summaries_moved, stored.alerts_moved)]


def pulse(everybody: People, user: User, now: dt.datetime) -> str:
    """A text that changes with what the page shows: summaries, alerts, each minute ("3 min ago"). Two queries."""
    moved, alerts = stored.summaries_moved.first(people=everybody), stored.alerts_moved.first(people=everybody)
    stamps = [str(int(at.timestamp() * 1000)) if at else "-" for at in (moved["at"], alerts["at"])]
    return f"{'.'.join(stamps)}.{moved['n']}.{refresh_minute(now, user.pk)}"


def view(read: Reading, beat: str) -> View:
    """View of the page: a fixed number of queries, whatever the trial's size."""
    filters, now, today = read.filters, read.now, read.today
    counts = status.counts(read.here, now)
    page = read.page(counts)
    under = day_strip.weekends(today)
    rules = stored.protocols.first(trial=read.trial.pk, on=today) or Protocol()
    summary = status.summary(read.here, now, read.yesterday)
    new = summary.new | _new_alerts(read.here, now)
    return View(
        filters=filters,
        counts=counts,
        summary=summary,
        counters=[_counter(show, filters, counts, new, rules) for show in COUNTERS],
        rows=[row(participant, now, today, under, rules.upload_warn_hours) for participant in page],
        page=page,
        pages=Pages(page, lambda number: filters.query(page=number) or "page=1"),
        sites=stored.sites.rows(trial=read.trial.pk, people=read.everybody),
        total=summary.total,
        rules=rules,
        until=today,
        pulse=beat,
    )


def _new_alerts(people: People, now: dt.datetime) -> dict[AttentionStatus, int]:
    """New alerts of statuses that have no instant of their own: open ones raised since this time yesterday."""
    by_rule = dict(stored.new_alerts.rows(people=people, since=now - dt.timedelta(days=1)))
    return {attention_status: by_rule.get(rule, 0) for attention_status, rule in stored.RULES_OF.items()}


def _counter(
    show: str, filters: ParticipantFilters, counts: status.Counts, new: dict[AttentionStatus, int], rules: Protocol
) -> Counter:
    attention_status, on = trial_overview_filters.SHOWS[show], filters.show == show
    return Counter(
        name=COUNTERS[show],
        tone=BADGES[attention_status].tone,
        shape=BADGES[attention_status].shape,
        count=counts[attention_status],
        new=new.get(attention_status, 0),
        rule=rule_text(show, rules),
        query=filters.query(show="" if on else show, page=""),
        on=on,
    )


def hours_text(hours: int) -> str:
    """48 h, 5 days."""
    return gettext("{hours} days").format(hours=hours // 24) if hours >= 72 and hours % 24 == 0 else f"{hours} h"


def rule_text(show: str, rules: Protocol) -> str:
    """Rule of a counter, by the protocol in force."""
    return {
        "never-connected": gettext("invited, no first upload"),
        "reconnect": gettext("access gone or partial"),
        "critical": gettext("no upload for {upload_critical_hours}").format(
            upload_critical_hours=hours_text(rules.upload_critical_hours)
        ),
        "silent": gettext("no upload for {upload_warn_hours}").format(
            upload_warn_hours=hours_text(rules.upload_warn_hours)
        ),
        "low-wear": gettext("adherence below {adherence_target} %").format(
            adherence_target=round(rules.adherence_target * 100)
        ),
        "low-sleep": gettext("under {sleep_nights_warn} nights of 7").format(sleep_nights_warn=rules.sleep_nights_warn),
        "all-well": gettext("nothing to do"),
    }[show]


def _head(filters: ParticipantFilters, name: str) -> Head:
    """A first click sorts in the column's natural order, the next the other way."""
    classes, title = HEADS[name]
    current = filters.sort.removeprefix("-") == name
    towards = f"-{name}" if filters.sort == name else name
    direction = ("descending" if filters.sort.startswith("-") else "ascending") if current else ""
    return Head(title, classes, filters.query(sort=towards, page="") or "sort=urgency", direction)
