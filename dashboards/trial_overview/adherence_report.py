"""Adherence as it was known on a date: the same question gives the same answer, whatever has arrived since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboards.protocols import labels as protocols_labels
from dashboards.trial_overview import filters as trial_overview_filters
from dashboards.ui import downloads
from dashboards.ui.access import Request, signed_in, visible_trial
from dashboards.ui.formatting import NO_BREAK
from dashboards.ui.http import pushed
from dashboards.ui.pagination import Pages
from metrics.monitoring import adherence as known
from metrics.monitoring import pending
from metrics.monitoring.adherence import Adherence
from participants.audit import record
from participants.models import Participant, Protocol, Trial
from participants.tables import Column
from participants.team_texts import gettext
from participants.user_input import Entered, query_params

PAGE_SIZE = 50
DOWN_FIRST = {"valid", "counted"}


@dataclass(frozen=True, slots=True)
class Row:
    """A participant's days as known then; `variants` by other definitions, in the order of the view's."""

    participant: Participant
    days: Adherence
    variants: list[Adherence | None]


@dataclass(frozen=True, slots=True)
class ReportFilters:
    """Filters that the address asks for. `on`: a local date of the trial, never one to come."""

    on: dt.date
    today: dt.date
    site: str
    sort: str
    page: str

    @classmethod
    def of(cls, given: Entered, today: dt.date) -> ReportFilters:
        """Read an address; what makes no sense is left out."""
        try:
            on = min(given.day("as_of"), today)
        except ValidationError:
            on = today
        sort = given.get("sort", "")
        return cls(
            on=on,
            today=today,
            site=given.text("site", 32),
            sort=sort if sort.removeprefix("-") in KEYS else "id",
            page=given.get("page", ""),
        )

    @property
    def is_now(self) -> bool:
        return self.on == self.today

    def at(self, zone: ZoneInfo, now: dt.datetime) -> dt.datetime:
        """The instant until which things were known: the end of that day in the trial's zone, or now."""
        end = dt.datetime.combine(self.on + dt.timedelta(days=1), dt.time(), zone)
        return min(end.astimezone(dt.UTC) - dt.timedelta(microseconds=1), now)

    def query(self, **changes: str) -> str:
        now = {"as_of": "" if self.is_now else f"{self.on}", "site": self.site, "sort": self.sort, "page": self.page}
        defaults = {"sort": "id", "page": "1"}
        return urlencode({k: v for k, v in {**now, **changes}.items() if v and defaults.get(k) != v})


KEYS: dict[str, Any] = {
    "id": lambda known: known[0],
    "valid": lambda known: known[1].valid,
    "counted": lambda known: known[1].counted,
    "adherence": lambda known: -1.0 if known[1].adherence is None else known[1].adherence,
}
TITLES = {
    "id": gettext("Participant"),
    "valid": gettext("Valid days"),
    "counted": gettext("Days that count"),
    "adherence": gettext("Adherence"),
}


@dataclass(frozen=True, slots=True)
class Head:
    """A column's heading: a link that sorts."""

    key: str
    name: str
    query: str
    aria_sort: str


def heads(filters: ReportFilters) -> list[Head]:
    """The headings: a first click sorts in the column's natural order, the next the other way."""
    headings = []
    for key, title in TITLES.items():
        natural, other = (f"-{key}", key) if key in DOWN_FIRST else (key, f"-{key}")
        towards = other if filters.sort == natural else natural
        direction = (
            ("descending" if filters.sort.startswith("-") else "ascending") if filters.sort in (natural, other) else ""
        )
        headings.append(Head(key, title, filters.query(sort=towards, page=""), direction))
    return headings


@require_safe
@signed_in
def adherence(request: Request, code: str) -> HttpResponseBase:
    """Each participant's days as known on a date, for HTMX the table, `?format=csv` all rows."""
    trial = visible_trial(request, code)
    now = timezone.now()
    zone = ZoneInfo(trial.time_zone)
    filters = ReportFilters.of(query_params(request), now.astimezone(zone).date())
    at = filters.at(zone, now)
    seen = Participant.objects.visible_to(request.user).filter(trial=trial)
    people = seen.filter(site__code=filters.site) if filters.site else seen
    protocol = trial.protocols.in_force(filters.on).first() or Protocol(trial=trial)
    columns = variant_names(protocol) if filters.is_now else []
    if downloads.form(request):
        pending.settle(people)
    everybody = days_of(people, filters, at)
    if downloads.form(request):
        rows = rows_of(everybody, protocol, filters.is_now)
        return downloads.response(request, trial, table(trial, filters, at, rows, columns))
    shares = [days.adherence for _, days in everybody if days.adherence is not None]
    page = Paginator(everybody, PAGE_SIZE).get_page(filters.page or 1)
    context = {
        "trial": trial,
        "filters": filters,
        "at": at,
        "page": page,
        "rows": rows_of(list(page), protocol, filters.is_now),
        "pages": Pages(page, lambda number: filters.query(page=number)),
        "heads": heads(filters),
        "columns": columns,
        "sites": trial_overview_filters.sites(trial, request.user),
        "median": median(shares) if shares else None,
        "download": f"{filters.query(page='')}&format=".removeprefix("&"),
        "here": request.path,
        "target": protocol.adherence_target,
        "now": now,
    }
    if not request.htmx or request.htmx.boosted or request.htmx.history_restore_request:
        record("trial.view", trial=trial, thing="adherence")
        return render(request, "dashboards/trial_overview/adherence.html", context)
    return pushed(request, render(request, "dashboards/trial_overview/_adherence.html", context), filters.query())


def variant_names(protocol: Protocol) -> list[str]:
    """Headings of the other definitions of a valid day."""
    worn = [
        gettext("By {minutes} worn").format(minutes=protocols_labels.worn(int(minutes)))
        for minutes in protocol.valid_day_variants
    ]
    return [*worn, gettext("By {valid_day_steps:,} steps").format(valid_day_steps=protocol.valid_day_steps)]


def days_of(people: QuerySet[Participant], filters: ReportFilters, at: dt.datetime) -> list[tuple[str, Adherence]]:
    """Study id and days of each of these people of whom anything was known then, sorted. One statement, or two."""
    if filters.is_now:
        everybody = known.adherence_now(people)
    else:
        by_person = known.adherence_as_of(people, at)
        study_ids = people.order_by().values_list("pk", "study_id")
        everybody = [(study_id, by_person[pk]) for pk, study_id in study_ids if pk in by_person]
    everybody.sort(key=KEYS["id"])
    everybody.sort(key=KEYS[filters.sort.removeprefix("-")], reverse=filters.sort.startswith("-"))
    return everybody


def rows_of(some: Sequence[tuple[str, Adherence]], protocol: Protocol, with_variants: bool) -> list[Row]:
    """A row for each of these, in their order. By other definitions their days are counted here: of a page's alone."""
    ids = [days.participant_id for _, days in some]
    people = Participant.objects.filter(pk__in=ids)
    others: list[dict[int, Adherence]] = []
    if with_variants:
        minutes = [int(value) for value in protocol.valid_day_variants]
        others = list(known.adherence_by_minutes(people, minutes).values())
        others.append(known.adherence_by_steps(people, protocol.valid_day_steps))
    by_id = people.select_related("site").in_bulk()
    return [
        Row(by_id[days.participant_id], days, [other.get(days.participant_id) for other in others]) for _, days in some
    ]


def table(
    trial: Trial, filters: ReportFilters, at: dt.datetime, rows: list[Row], columns: list[str]
) -> downloads.Table:
    """All rows, with the instant until which things were known."""
    known = [
        Column("study_id", gettext("Participant's study id (pseudonym)")),
        Column("site", "Site's name"),
        Column("arm", gettext("Arm")),
        Column("known_until", gettext("The instant until which things were known, UTC")),
        Column("valid_days", gettext("Days with enough wear")),
        Column("counted_days", gettext("Days that count: valid, invalid or lost")),
        Column("pending_days", gettext("Days whose data could still come")),
        Column("excluded_days", gettext("Days that do not count")),
        Column("adherence", gettext("Valid days as a share of the days that count, 0 to 1; blank: no day counts yet")),
    ]
    names = [name.lower().replace("\u00a0", "").replace(",", "").replace(" ", "_") for name in columns]
    others = [
        Column(
            name,
            gettext("The same share with another definition of a valid day: {heading}").format(
                heading=heading.replace(NO_BREAK, " ")
            ),
        )
        for name, heading in zip(names, columns, strict=True)
    ]
    cells = (
        [
            row.participant.study_id,
            row.participant.site.name if row.participant.site else "",
            row.participant.arm,
            at,
            row.days.valid,
            row.days.counted,
            row.days.pending,
            row.days.excluded,
            row.days.adherence,
            *(other.adherence if other else None for other in row.variants),
        ]
        for row in rows
    )
    return downloads.Table(f"{trial.code}-adherence-{filters.on}", "adherence", [*known, *others], cells, len(rows))
