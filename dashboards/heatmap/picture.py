"""Picture of the heat map: one page of its rows, their marks and dates, and everybody beside it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.core.paginator import Page, Paginator
from django.urls import reverse

from dashboards.heatmap import svg_paths
from dashboards.heatmap.filters import MEASURES, SORTS, SPANS, HeatmapFilters
from dashboards.heatmap.queries import EPOCH, Everybody
from dashboards.heatmap.svg_paths import ROW, TOP, DayCodes, Kind, Overview, Path
from dashboards.trial_overview import open_alerts, stored
from dashboards.trial_overview.rows import percent
from dashboards.ui import formatting
from dashboards.ui.connection_labels import Badge
from dashboards.ui.pagination import Pages
from dashboards.ui.status_labels import attention_badge
from metrics.monitoring.status import AttentionStatus
from participants.compiled_sql import Query
from participants.conditions_sql import People
from participants.models import Participant, Protocol, Site, Trial, User

PAGE_SIZE = 40
WIDTH = 896
ROOMY_DATES = 4  # pixels a column, from which each Monday has its date


@dataclass(frozen=True, slots=True)
class MapRow:
    """A row beside the picture, and under it as numbers of the days shown."""

    study_id: str
    address: str
    badge: Badge
    share: int | None
    counts: list[int]

    @property
    def share_text(self) -> str:
        return "–" if self.share is None else f"{self.share} %"


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


def seen_people(trial: Trial, user: User) -> People:
    """Participants of the trial whom the user may see."""
    return People.of(Participant.objects.visible_to(user).filter(trial=trial))


def queries(trial: Trial, user: User, everybody: Everybody, now: dt.datetime) -> list[Query]:
    """What `draw` asks, and the page around it, to be run together."""
    return [
        stored.protocols.with_values(trial=trial.pk, on=everybody.last),
        stored.sites.with_values(trial=trial.pk, people=seen_people(trial, user)),
        *open_alerts.open_queries(trial, user, now),
    ]


def draw(trial: Trial, user: User, filters: HeatmapFilters, everybody: Everybody) -> Map:
    """The picture of one page of rows, and of everybody."""
    page = Paginator(everybody.people, PAGE_SIZE).get_page(filters.page)
    begin = (page.number - 1) * PAGE_SIZE
    codes, kinds = everybody.codes[begin : begin + PAGE_SIZE], MEASURES[filters.measure][2]
    days = everybody.codes.shape[1]
    column = max(WIDTH // days, 3)
    dates = [everybody.first + dt.timedelta(days=day) for day in range(days)]
    protocol = stored.protocols.first(trial=trial.pk, on=everybody.last) or Protocol()
    return Map(
        filters=filters,
        everybody=everybody,
        page=page,
        pages=Pages(page, lambda number: filters.query(page=number) or "page=1"),
        rows=_rows(trial, list(page), codes, kinds, filters, protocol.upload_warn_hours),
        column=column,
        paths=svg_paths.cells(codes, kinds, column),
        bars=svg_paths.bars(everybody.codes, kinds, column),
        months=_months(dates, column),
        dates=_mondays(dates, column),
        weekends=_weekends(dates, column),
        overview=svg_paths.overview(everybody.codes, kinds),
        sites=stored.sites.rows(trial=trial.pk, people=seen_people(trial, user)),
        protocol=protocol,
    )


def _rows(
    trial: Trial,
    people: list[tuple[Any, ...]],
    codes: DayCodes,
    kinds: tuple[Kind, ...],
    filters: HeatmapFilters,
    warn_hours: int,
) -> list[MapRow]:
    labels = list(dict.fromkeys(kind.label for kind in kinds))
    counted = svg_paths.counts(codes, kinds)
    nights = (labels.index("recorded"), labels.index("no night")) if filters.measure == "nights" else None
    rows = []
    for (study_id, attention_status, adherence), counts in zip(people, counted, strict=True):
        share = percent(adherence)
        if nights:
            known = counts[nights[0]] + counts[nights[1]]
            share = percent(counts[nights[0]] / known) if known else None
        badge = attention_badge(AttentionStatus(attention_status), warn_hours)
        rows.append(MapRow(study_id, participant_address(trial.code, study_id), badge, share, counts))
    return rows


@lru_cache(maxsize=4096)
def participant_address(trial: str, study_id: str) -> str:
    """Address of a participant's page: to make one takes longer than all else of a row."""
    return reverse("dashboards:participant", args=[trial, study_id])


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
