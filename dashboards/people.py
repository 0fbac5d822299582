"""A trial's participants as a table: searched, filtered, sorted and paged by what its address says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator

from metrics import queries
from participants.models import Participant, Site, Trial, User

PAGE_SIZE = 50
LONG_AGO = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """A participant and what is known of her data; None: no data yet."""

    participant: Participant
    data: queries.Overview | None


def _last(row: Row) -> Any:
    return (row.data.last_sample_at if row.data else None) or LONG_AGO


def _days(row: Row) -> Any:
    return row.data.days_with_data if row.data else 0


def _worn(row: Row) -> Any:
    return (row.data.worn_minutes_last if row.data else None) or 0


# Name in the address -> (heading, class of the column, key). A minus before the name sorts the other way.
COLUMNS: dict[str, tuple[str, str, Any]] = {
    "id": ("Participant", "c-id", lambda row: row.participant.study_id),
    "status": ("Status", "c-status", lambda row: row.participant.status),
    "last": ("Last data", "c-last", _last),
    "days": ("Days of data", "c-days num", _days),
    "worn": ("Worn on the last day", "c-worn num", _worn),
}
DEFAULT_SORT = "id"
# These read best from the top: newest and most first.
DOWN_FIRST = {"last", "days", "worn"}


@dataclass(frozen=True, slots=True)
class Head:
    """A column's heading: a link that sorts. `aria_sort` is empty unless the table is sorted by it."""

    key: str
    name: str
    classes: str
    query: str
    aria_sort: str


@dataclass(slots=True)
class People:
    """One view of the table; `query` is its canonical address without the question mark."""

    trial: Trial
    page: Page[Row]
    sites: list[Site]
    total: int
    found: int
    sort: str
    search: str
    site: str
    newest: dt.datetime | None
    heads: list[Head] = field(default_factory=list)

    def query(self, **changes: str) -> str:
        """The address of this view with some parameters changed; defaults are left out."""
        number = "" if self.page.number == 1 else str(self.page.number)
        now = {"q": self.search, "site": self.site, "sort": self.sort, "page": number, **changes}
        if now["sort"] == DEFAULT_SORT:
            now["sort"] = ""
        return urlencode({name: value for name, value in now.items() if value})

    @property
    def here(self) -> str:
        return self.query()

    @property
    def pages(self) -> list[tuple[str, str]]:
        """Number and query of each page link; an empty query for the ellipsis."""
        numbers = self.page.paginator.get_elided_page_range(self.page.number, on_each_side=1, on_ends=1)
        return [
            (str(n), self.query(page="" if n == 1 else str(n)) or "page=1" if isinstance(n, int) else "")
            for n in numbers
        ]

    @property
    def earlier(self) -> str:
        return self.query(page=str(self.page.previous_page_number())) if self.page.has_previous() else ""

    @property
    def later(self) -> str:
        return self.query(page=str(self.page.next_page_number())) if self.page.has_next() else ""


def people(trial: Trial, user: User, asked: Mapping[str, str]) -> People:
    """The view of the trial's participants that `asked` (a query string's values) describes, for this user.

    Four queries, whatever the number of participants. Unknown sorts, sites and pages fall back to the defaults.
    """
    visible = Participant.objects.visible_to(user).filter(trial=trial)
    search, site = asked.get("q", "").strip()[:64], asked.get("site", "")
    matching = visible.filter(study_id__icontains=search) if search else visible
    matching = matching.filter(site__code=site) if site else matching
    data = queries.overview(matching)
    rows = [Row(p, data.get(p.pk)) for p in matching.select_related("site").order_by("study_id")]
    sort = asked.get("sort", DEFAULT_SORT)
    if sort.removeprefix("-") not in COLUMNS:
        sort = DEFAULT_SORT
    rows.sort(key=COLUMNS[sort.removeprefix("-")][2], reverse=sort.startswith("-"))
    newest = max((row.data.last_sample_at for row in rows if row.data and row.data.last_sample_at), default=None)
    view = People(
        trial=trial,
        page=Paginator(rows, PAGE_SIZE).get_page(asked.get("page")),
        sites=list(Site.objects.filter(trial=trial, participants__in=visible).distinct()),
        total=visible.count() if search or site else len(rows),
        found=len(rows),
        sort=sort,
        search=search,
        site=site,
        newest=newest,
    )
    view.heads = [_head(view, name) for name in COLUMNS]
    return view


def _head(view: People, name: str) -> Head:
    """A first click sorts in the column's natural order, the next the other way."""
    title, classes, _ = COLUMNS[name]
    natural, other = (f"-{name}", name) if name in DOWN_FIRST else (name, f"-{name}")
    towards = other if view.sort == natural else natural
    current = view.sort.removeprefix("-") == name
    direction = ("descending" if view.sort.startswith("-") else "ascending") if current else ""
    return Head(name, title, classes, view.query(sort=towards, page="") or "sort=id", direction)
