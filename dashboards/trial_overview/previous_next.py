"""Place of a participant in the list that led to their page, and who comes before and after them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.http import QueryDict

from dashboards.trial_overview import filters as trial_overview_filters
from dashboards.trial_overview import stored
from dashboards.ui.status_labels import BADGES
from participants.conditions_sql import People
from participants.models import Participant, User
from participants.team_texts import gettext
from participants.user_input import Entered


@dataclass(frozen=True, slots=True)
class Place:
    """`number` 0: the participant is not in the list any more, or never was. Ids are empty at the list's ends."""

    number: int
    total: int
    before: str
    after: str
    description: str


def place(participant: Participant, user: User, listed: str, now: dt.datetime) -> Place:
    """Find a participant in the list that a query string of the trial's page describes. One query, of study ids."""
    filters = trial_overview_filters.parse_filters(Entered(QueryDict(listed)))
    people = trial_overview_filters.of_trial(participant.trial, user, filters)
    if filters.search:
        matching = trial_overview_filters.matching(people, filters, now)
        ids = list(trial_overview_filters.ordered(matching, filters.sort).values_list("study_id", flat=True))
    else:
        ids = stored.ids_of(filters.show, filters.sort).rows(people=People.of(people), now=now)
    description = list_description(filters)
    if participant.study_id not in ids:
        return Place(0, len(ids), "", "", description)
    at = ids.index(participant.study_id)
    before, after = ids[at - 1] if at else "", ids[at + 1] if at + 1 < len(ids) else ""
    return Place(at + 1, len(ids), before, after, description)


def list_description(filters: trial_overview_filters.ParticipantFilters) -> str:
    """Description of a list's filters: "Needs attention", "Low wear", "Search: AX-00"; empty for everybody."""
    parts = []
    if filters.show == trial_overview_filters.NEED_ATTENTION:
        parts.append(gettext("Needs attention"))
    elif filters.show:
        parts.append(BADGES[trial_overview_filters.SHOWS[filters.show]].label)
    if filters.site:
        parts.append(gettext("site {site}").format(site=filters.site))
    if filters.search:
        parts.append(f"“{filters.search}”")
    return ", ".join(parts)
