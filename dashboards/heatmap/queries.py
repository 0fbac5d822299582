"""Everybody's day codes, in the order that was asked for."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Min
from django.db.models.functions import Right

from dashboards.heatmap.filters import MEASURES, SPANS, HeatmapFilters
from dashboards.heatmap.svg_paths import DayCodes
from dashboards.trial_overview import filters as trial_overview_filters
from metrics.monitoring import day_codes
from participants.models import Trial, User

EPOCH = dt.date(1970, 1, 1)
LONGEST = 3 * 366  # days of a trial that are drawn, the newest


@dataclass(frozen=True, slots=True)
class Everybody:
    """All participants who match, in order, with their day codes from `first` to `last` (both included)."""

    people: list[tuple[Any, ...]]  # study id, attention status, adherence
    codes: DayCodes
    first: dt.date
    last: dt.date


def read(trial: Trial, user: User, filters: HeatmapFilters, now: dt.datetime) -> Everybody:
    """Everybody's day codes: one query of one short row each (two for the whole trial)."""
    last = now.astimezone(ZoneInfo(trial.time_zone)).date()
    people = trial_overview_filters.of_trial(trial, user, trial_overview_filters.ParticipantFilters(site=filters.site))
    days = SPANS[filters.span][1]
    if not days:
        began = people.aggregate(first=Min("status_summary__day_codes_from"))["first"] or last
        days = min(max((last - began).days + 1, 28), LONGEST)
    first = last - dt.timedelta(days=days - 1)
    # Day codes end on each one's today, a day from the trial's at most: so many hold the days asked for.
    codes = Right(f"status_summary__{MEASURES[filters.measure][1]}", days + 2)
    matching = trial_overview_filters.ordered(
        trial_overview_filters.matching(people, trial_overview_filters.ParticipantFilters(), now), filters.sort
    ).values_list("study_id", "attention_status", "status_summary__adherence", "status_summary__day_codes_until", codes)
    rows = list(matching)
    known = [((until - EPOCH).days - len(text) + 1, text) if until else (0, "") for *_, until, text in rows]
    start = (first - EPOCH).days
    return Everybody([row[:3] for row in rows], day_codes.matrix(known, start, start + days - 1), first, last)
