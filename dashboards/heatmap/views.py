"""The heat map: every participant, every day, of the whole trial; a page of rows, and everybody beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.paginator import Page, Paginator
from django.db.models import Min
from django.db.models.functions import Right
from django.http import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboards.heatmap import svg_paths
from dashboards.heatmap.svg_paths import DAYS, NIGHTS, ROW, TOP, Kind, Letters, Overview, Path
from dashboards.trial_overview import filters as trial_overview_filters
from dashboards.trial_overview.rows import percent
from dashboards.ui import downloads, formatting
from dashboards.ui.access import Request, signed_in, visible_trial
from dashboards.ui.connection_labels import Badge
from dashboards.ui.http import pushed
from dashboards.ui.pagination import Pages
from dashboards.ui.status_labels import BADGES
from metrics.monitoring import day_codes
from metrics.monitoring.status import Word
from participants import user_input
from participants.audit import record
from participants.models import Protocol, Site, Trial, User
from participants.tables import Column

PAGE_SIZE = 40
WIDTH = 896
ROOMY_DATES = 4  # pixels a column, from which each Monday has its date
EPOCH = dt.date(1970, 1, 1)
SPANS = {"4w": ("4 weeks", 28), "8w": ("8 weeks", 56), "trial": ("Trial", 0)}
LONGEST = 3 * 366  # days of a trial that are drawn, the newest
SORTS = {"urgency": "most urgent", "adherence": "lowest adherence", "id": "study id"}
# Name -> (words, field of the standing, what its letters mean).
MEASURES: dict[str, tuple[str, str, tuple[Kind, ...]]] = {
    "days": ("Day status and wear", "trail", DAYS),
    "nights": ("Nights", "nights", NIGHTS),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; unknown values fall back to the defaults."""

    span: str = "8w"
    measure: str = "days"
    sort: str = "urgency"
    site: str = ""
    page: str = ""

    def query(self, **changes: str) -> str:
        now = {"span": self.span, "show": self.measure, "site": self.site, "sort": self.sort, "page": self.page}
        now |= changes
        defaults = {"span": "8w", "show": "days", "sort": "urgency", "page": "1"}
        return urlencode({k: v for k, v in now.items() if v and defaults.get(k) != v})


def asked(values: user_input.Entered) -> Asked:
    def one_of(name: str, known: Mapping[str, Any], default: str) -> str:
        return values.get(name, default) if values.get(name) in known else default

    site = values.get("site", "")[:32]
    return Asked(
        one_of("span", SPANS, "8w"), one_of("show", MEASURES, "days"), one_of("sort", SORTS, "urgency"), site,
        values.get("page", "")[:9],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Everybody:
    """All who match, in order, with their letters from `first` to `last` (both included)."""

    people: list[tuple[Any, ...]]  # study id, word, adherence
    letters: Letters
    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True)
class MapRow:
    """A row beside the picture, and under it as numbers of the days shown."""

    study_id: str
    badge: Badge
    share: int | None
    counts: list[int]


@dataclass(frozen=True, slots=True)
class Tick:
    x: int
    words: str


@dataclass(frozen=True, slots=True)
class Map:
    """One view of the heat map."""

    want: Asked
    everybody: Everybody
    page: Page[Any]
    pages: Pages
    rows: list[MapRow]
    column: int
    paths: list[Path]
    bars: list[Path]
    months: list[Tick]
    dates: list[Tick]
    weekends: list[int]
    overview: Overview
    sites: list[Site]
    protocol: Protocol

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return MEASURES[self.want.measure][2]

    @property
    def words(self) -> list[str]:
        """Heads of the table under the map."""
        return list(dict.fromkeys(kind.word for kind in self.kinds))

    @property
    def total(self) -> int:
        return len(self.everybody.people)

    @property
    def days(self) -> int:
        return int(self.everybody.letters.shape[1])

    @property
    def width(self) -> int:
        return self.days * self.column

    @property
    def height(self) -> int:
        return TOP + len(self.rows) * ROW

    @property
    def frame(self) -> tuple[float, float]:
        """Top and height of the frame in the overview, in its lines."""
        start = (self.page.number - 1) * PAGE_SIZE / self.overview.people
        return round(start, 2), round(len(self.rows) / self.overview.people, 2)

    @property
    def span_words(self) -> str:
        return formatting.date_span(self.everybody.first, self.everybody.last)

    @property
    def spans(self) -> list[tuple[str, str, bool]]:
        return [
            (self.want.query(span=key, page="") or "span=8w", words, key == self.want.span)
            for key, (words, _) in SPANS.items()
        ]

    @property
    def measures(self) -> list[tuple[str, str]]:
        return [(key, words) for key, (words, _, _) in MEASURES.items()]

    @property
    def sorts(self) -> list[tuple[str, str]]:
        return list(SORTS.items())

    @property
    def valid_hours(self) -> str:
        minutes = self.protocol.valid_day_minutes
        return formatting.hours_minutes(minutes) if minutes % 60 else str(minutes // 60)

    @property
    def page_query(self) -> str:
        """To another page of this view, whose number follows."""
        return self.want.query(page="")

    @property
    def download_query(self) -> str:
        """To which the form is added."""
        return "&".join(part for part in (self.want.query(page=""), "format=") if part)


@require_safe
@signed_in
def heatmap(request: Request, code: str) -> HttpResponseBase:
    """The page; for HTMX the map alone; with format=csv everybody's days as words."""
    trial = visible_trial(request, code)
    user: User = request.user
    want, now = asked(user_input.asked(request)), timezone.now()
    everybody = read(trial, user, want, now)
    if downloads.form(request):
        return downloads.answer(request, trial, table(trial, everybody, want, now))
    context = {"trial": trial, "map": draw(trial, user, want, everybody), "now": now, "here": request.path}
    context["section"] = "heatmap"
    if request.htmx and not request.htmx.boosted and not request.htmx.history_restore_request:
        return pushed(request, render(request, "dashboards/heatmap/_heatmap.html", context), want.query())
    record("trial.view", trial=trial, thing="heatmap")
    return render(request, "dashboards/heatmap/heatmap.html", context)


def read(trial: Trial, user: User, want: Asked, now: dt.datetime) -> Everybody:
    """Everybody's letters: one query of one short row each (two for the whole trial)."""
    last = now.astimezone(ZoneInfo(trial.time_zone)).date()
    people = trial_overview_filters.of_trial(trial, user, trial_overview_filters.Asked(site=want.site))
    days = SPANS[want.span][1]
    if not days:
        began = people.aggregate(first=Min("standing__trail_from"))["first"] or last
        days = min(max((last - began).days + 1, 28), LONGEST)
    first = last - dt.timedelta(days=days - 1)
    # Trails end on each one's today, a day from the trial's at most: so many letters hold the days asked for.
    letters = Right(f"standing__{MEASURES[want.measure][1]}", days + 2)
    found = trial_overview_filters.ordered(
        trial_overview_filters.matching(people, trial_overview_filters.Asked(), now), want.sort
    ).values_list("study_id", "word", "standing__adherence", "standing__trail_until", letters)
    rows = list(found)
    known = [((until - EPOCH).days - len(text) + 1, text) if until else (0, "") for *_, until, text in rows]
    start = (first - EPOCH).days
    return Everybody([row[:3] for row in rows], day_codes.matrix(known, start, start + days - 1), first, last)


def draw(trial: Trial, user: User, want: Asked, everybody: Everybody) -> Map:
    """The picture of one page of rows, and of everybody."""
    page = Paginator(everybody.people, PAGE_SIZE).get_page(want.page)
    begin = (page.number - 1) * PAGE_SIZE
    letters, kinds = everybody.letters[begin : begin + PAGE_SIZE], MEASURES[want.measure][2]
    days = everybody.letters.shape[1]
    column = max(WIDTH // days, 3)
    dates = [everybody.first + dt.timedelta(days=day) for day in range(days)]
    return Map(
        want=want,
        everybody=everybody,
        page=page,
        pages=Pages(page, lambda number: want.query(page=number) or "page=1"),
        rows=[_row(person, letters[i], kinds, want) for i, person in enumerate(page)],
        column=column,
        paths=svg_paths.cells(letters, kinds, column),
        bars=svg_paths.bars(everybody.letters, kinds, column),
        months=_months(dates, column),
        dates=_mondays(dates, column),
        weekends=_weekends(dates, column),
        overview=svg_paths.overview(everybody.letters, kinds),
        sites=trial_overview_filters.sites(trial, user),
        protocol=Protocol.objects.in_force(everybody.last).filter(trial=trial).first() or Protocol(),
    )


def _row(person: tuple[Any, ...], letters: Letters, kinds: tuple[Kind, ...], want: Asked) -> MapRow:
    study_id, word, adherence = person
    counted: dict[str, int] = {}
    for kind in kinds:
        counted[kind.word] = counted.get(kind.word, 0) + int(svg_paths.is_any(letters, kind.letters).sum())
    share = percent(adherence)
    if want.measure == "nights":
        known = counted["recorded"] + counted["no night"]
        share = percent(counted["recorded"] / known) if known else None
    return MapRow(study_id, BADGES[Word(word)], share, list(counted.values()))


def _months(dates: list[dt.date], column: int) -> list[Tick]:
    """The name of each month over its first day shown, where there is room until the next."""
    starts = [i for i, date in enumerate(dates) if i == 0 or date.day == 1]
    ends = [*starts[1:], len(dates)]
    return [
        Tick(i * column, f"{dates[i]:%b}" if dates[i].month > 1 or i == 0 else f"{dates[i]:%b %Y}")
        for i, end in zip(starts, ends, strict=True)
        if (end - i) * column >= 26
    ]


def _mondays(dates: list[dt.date], column: int) -> list[Tick]:
    """The date under each Monday, and today's; fewer where columns are narrow."""
    every = 7 if column >= ROOMY_DATES else 28
    found = [
        Tick(i * column + column // 2, str(date.day))
        for i, date in enumerate(dates)
        if date.weekday() == 0 and (date - EPOCH).days % every == 4 % every and i < len(dates) - 2
    ]
    return [*found, Tick((len(dates) - 1) * column + column // 2, str(dates[-1].day))]


def _weekends(dates: list[dt.date], column: int) -> list[int]:
    return [i * column for i, date in enumerate(dates) if date.weekday() >= 5] if column >= svg_paths.ROOMY else []


def table(trial: Trial, everybody: Everybody, want: Asked, now: dt.datetime) -> downloads.Table:
    """A row for each participant, a column for each day, its verdict as a word."""
    kinds = MEASURES[want.measure][2]
    words = {letter: kind.word for kind in kinds for letter in kind.letters}
    known = ", ".join(dict.fromkeys(kind.word for kind in kinds))
    days = [everybody.first + dt.timedelta(days=i) for i in range(everybody.letters.shape[1])]
    columns = [
        Column("study_id", "Participant's study id (pseudonym)"),
        Column("status", "The word of the page: what needs somebody first"),
        Column("adherence", "Valid days as a share of the days that count, 0 to 1; blank: no day counts yet"),
        *(Column(day.isoformat(), f"That local day: {known}; blank: not monitored") for day in days),
    ]
    rows = (
        [study_id, BADGES[Word(word)].word, adherence, *(words.get(chr(letter), "") for letter in letters)]
        for (study_id, word, adherence), letters in zip(everybody.people, everybody.letters, strict=True)
    )
    name = f"{trial.code}-{want.measure}-{now:%Y%m%dT%H%MZ}"
    return downloads.Table(name, want.measure, columns, rows, len(everybody.people))
