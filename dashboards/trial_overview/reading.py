"""Reading of a trial's page: its queries, which go to the server together, and the rows of one page of its table."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.core.paginator import Page, Paginator

from dashboards.trial_overview import background_jobs, open_alerts, stored
from dashboards.trial_overview import filters as trial_overview_filters
from dashboards.trial_overview.filters import PAGE_SIZE, ParticipantFilters
from metrics.monitoring import status
from participants.compiled_sql import Query
from participants.conditions_sql import People
from participants.models import Trial, User


@dataclass(frozen=True, slots=True)
class Reading:
    """What a view is read of: `everybody` of the trial whom the user may see, `here` those of the site asked for."""

    trial: Trial
    user: User
    filters: ParticipantFilters
    everybody: People
    here: People
    now: dt.datetime

    @property
    def today(self) -> dt.date:
        return self.now.astimezone(ZoneInfo(self.trial.time_zone)).date()

    @property
    def yesterday(self) -> dt.date:
        return self.today - dt.timedelta(days=1)

    def queries(self) -> list[Query]:
        """What the table asks, to be run together with others."""
        trial, now = self.trial.pk, self.now
        first_page = [] if self.filters.search or self.filters.page else [self.page_query(0, PAGE_SIZE)]
        return [
            *status.queries(self.here, now, self.yesterday),
            stored.protocols.with_values(trial=trial, on=self.today),
            stored.new_alerts.with_values(people=self.here, since=now - dt.timedelta(days=1)),
            stored.sites.with_values(trial=trial, people=self.everybody),
            *first_page,
        ]

    def page_queries(self) -> list[Query]:
        """What the page asks around the table."""
        works = background_jobs.queries(self.trial, self.everybody, self.now)
        return [*works, *open_alerts.open_queries(self.trial, self.user, self.now)]

    def page_query(self, first: int, last: int) -> Query:
        """What the rows from `first` to before `last` ask."""
        rows = stored.page_of(self.filters.show, self.filters.sort, first, last)
        return rows.with_values(people=self.here, now=self.now)

    def page(self, counts: status.Counts) -> Page[Any]:
        """The page of the table. Without a search the counts know how long it is."""
        if self.filters.search:
            here = trial_overview_filters.of_trial(self.trial, self.user, self.filters)
            matches = trial_overview_filters.matching(here, self.filters, self.now)
            ordered = trial_overview_filters.ordered(matches, self.filters.sort)
            return Paginator(ordered.select_related("site", "status_summary"), PAGE_SIZE).get_page(self.filters.page)
        matching: Any = _Matches(self, counts)
        return Paginator(matching, PAGE_SIZE).get_page(self.filters.page)


class _Matches:
    """Who matches, as a list that reads the rows of a page when it is cut."""

    def __init__(self, read: Reading, counts: status.Counts) -> None:
        self._read, self._counts = read, counts

    def __len__(self) -> int:
        return trial_overview_filters.number_of(self._read.filters.show, self._counts)

    def __getitem__(self, cut: slice) -> list[Any]:
        query = self._read.page_query(cut.start, cut.start + PAGE_SIZE)
        return query.statement.rows(**query.values)
