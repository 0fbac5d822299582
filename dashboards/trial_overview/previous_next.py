"""Place of a participant in the list that led to their page, and who comes before and after them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.http import QueryDict

from dashboards.trial_overview import filters
from dashboards.ui.status_labels import BADGES
from participants.models import Participant, User
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
    want = filters.parse_filters(Entered(QueryDict(listed)))
    people = filters.matching(filters.of_trial(participant.trial, user, want), want, now)
    ids = list(filters.ordered(people, want.sort).values_list("study_id", flat=True))
    description = list_description(want)
    if participant.study_id not in ids:
        return Place(0, len(ids), "", "", description)
    at = ids.index(participant.study_id)
    before, after = ids[at - 1] if at else "", ids[at + 1] if at + 1 < len(ids) else ""
    return Place(at + 1, len(ids), before, after, description)


def list_description(want: filters.ParticipantFilters) -> str:
    """Description of a list's filters: "Needs attention", "Low wear", "Search: AX-00"; empty for everybody."""
    parts = []
    if want.show == filters.NEED_ATTENTION:
        parts.append("Needs attention")
    elif want.show:
        parts.append(BADGES[filters.SHOWS[want.show]].label)
    if want.site:
        parts.append(f"site {want.site}")
    if want.search:
        parts.append(f"“{want.search}”")
    return ", ".join(parts)
