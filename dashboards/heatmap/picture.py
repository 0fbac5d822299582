"""Picture of the heat map: one page of its rows, their marks and dates, and everybody beside it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator

from dashboards.heatmap import svg_paths
from dashboards.heatmap.filters import MEASURES, SORTS, SPANS, HeatmapFilters
from dashboards.heatmap.queries import EPOCH, Everybody
from dashboards.heatmap.svg_paths import ROW, TOP, DayCodes, Kind, Overview, Path
from dashboards.trial_overview import filters as trial_overview_filters
from dashboards.trial_overview.rows import percent
from dashboards.ui import formatting
from dashboards.ui.connection_labels import Badge
from dashboards.ui.pagination import Pages
from dashboards.ui.status_labels import attention_badge
from metrics.monitoring.status import AttentionStatus
from participants.models import Protocol, Site, Trial, User

PAGE_SIZE = 40
WIDTH = 896
ROOMY_DATES = 4  # pixels a column, from which each Monday has its date


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
    label: str


@dataclass(frozen=True, slots=True)
class Map:
    """One view of the heat map."""

    filters: HeatmapFilters
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
        return MEASURES[self.filters.measure][2]

    @property
    def labels(self) -> list[str]:
        """Heads of the table under the map."""
        return list(dict.fromkeys(kind.label for kind in self.kinds))

    @property
    def total(self) -> int:
        return len(self.everybody.people)

    @property
    def days(self) -> int:
        return int(self.everybody.codes.shape[1])

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
    def span_text(self) -> str:
        return formatting.date_span(self.everybody.first, self.everybody.last)

    @property
    def spans(self) -> list[tuple[str, str, bool]]:
        return [
            (self.filters.query(span=key, page="") or "span=8w", label, key == self.filters.span)
            for key, (label, _) in SPANS.items()
        ]

    @property
    def measures(self) -> list[tuple[str, str]]:
        return [(key, label) for key, (label, _, _) in MEASURES.items()]

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
        return self.filters.query(page="")

    @property
    def download_query(self) -> str:
        """To which the form is added."""
        return "&".join(part for part in (self.filters.query(page=""), "format=") if part)


def draw(trial: Trial, user: User, filters: HeatmapFilters, everybody: Everybody) -> Map:
    """The picture of one page of rows, and of everybody."""
    page = Paginator(everybody.people, PAGE_SIZE).get_page(filters.page)
    begin = (page.number - 1) * PAGE_SIZE
    codes, kinds = everybody.codes[begin : begin + PAGE_SIZE], MEASURES[filters.measure][2]
    days = everybody.codes.shape[1]
    column = max(WIDTH // days, 3)
    dates = [everybody.first + dt.timedelta(days=day) for day in range(days)]
    protocol = Protocol.objects.in_force(everybody.last).filter(trial=trial).first() or Protocol()
    return Map(
        filters=filters,
        everybody=everybody,
        page=page,
        pages=Pages(page, lambda number: filters.query(page=number) or "page=1"),
        rows=[_row(person, codes[i], kinds, filters, protocol.upload_warn_hours) for i, person in enumerate(page)],
        column=column,
        paths=svg_paths.cells(codes, kinds, column),
        bars=svg_paths.bars(everybody.codes, kinds, column),
        months=_months(dates, column),
        dates=_mondays(dates, column),
        weekends=_weekends(dates, column),
        overview=svg_paths.overview(everybody.codes, kinds),
        sites=trial_overview_filters.sites(trial, user),
        protocol=protocol,
    )


def _row(
    person: tuple[Any, ...], codes: DayCodes, kinds: tuple[Kind, ...], filters: HeatmapFilters, warn_hours: int
) -> MapRow:
    study_id, attention_status, adherence = person
    counted: dict[str, int] = {}
    for kind in kinds:
        counted[kind.label] = counted.get(kind.label, 0) + int(svg_paths.is_any(codes, kind.codes).sum())
    share = percent(adherence)
    if filters.measure == "nights":
        known = counted["recorded"] + counted["no night"]
        share = percent(counted["recorded"] / known) if known else None
    badge = attention_badge(AttentionStatus(attention_status), warn_hours)
    return MapRow(study_id, badge, share, list(counted.values()))


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
    ticks = [
        Tick(i * column + column // 2, str(date.day))
        for i, date in enumerate(dates)
        if date.weekday() == 0 and (date - EPOCH).days % every == 4 % every and i < len(dates) - 2
    ]
    return [*ticks, Tick((len(dates) - 1) * column + column // 2, str(dates[-1].day))]


def _weekends(dates: list[dt.date], column: int) -> list[int]:
    return [i * column for i, date in enumerate(dates) if date.weekday() >= 5] if column >= svg_paths.ROOMY else []
