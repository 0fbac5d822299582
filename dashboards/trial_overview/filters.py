"""A trial's participants as its address asks for them: filtered, searched, sorted. Every view of them has an address.

The trial's page, its CSV, and whatever acts on "all that match" (an e-mail to them, a call list) read the same
query string here, so that they mean the same people.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from dashboards.models import Note
from dashboards.ui.status_labels import BADGES, CAUSES
from metrics.monitoring import status
from metrics.monitoring.status import ATTENTION, AttentionStatus
from participants.models import Participant, Site, Trial, User
from participants.team_texts import gettext
from participants.user_input import Entered

PAGE_SIZE = 50

# What `show` may say: the counters, and what sentences on the page link to.
SHOWS: dict[str, AttentionStatus] = {
    "never-connected": AttentionStatus.UNCONNECTED,
    "reconnect": AttentionStatus.RECONNECT,
    "critical": AttentionStatus.CRITICAL,
    "silent": AttentionStatus.SILENT,
    "low-wear": AttentionStatus.LOW_WEAR,
    "low-sleep": AttentionStatus.LOW_SLEEP,
    "all-well": AttentionStatus.WELL,
    "waiting": AttentionStatus.WAITING,
    "paused": AttentionStatus.PAUSED,
    "completed": AttentionStatus.COMPLETED,
    "withdrawn": AttentionStatus.WITHDRAWN,
}
NEED_ATTENTION = "attention"

# What `sort` may say -> (label, fields in their natural direction). A minus before the name turns it round.
SORTS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "urgency": (gettext("most urgent"), ()),
    "id": (gettext("study id"), ()),
    "adherence": (gettext("lowest adherence"), (F("status_summary__adherence").asc(nulls_last=True),)),
    "upload": (gettext("longest without upload"), (F("status_summary__last_sample_at").asc(nulls_first=True),)),
    "salvage": (gettext("soonest data loss"), (F("status_summary__overwritten_at").asc(nulls_last=True),)),
    "battery": (gettext("lowest battery"), (F("status_summary__battery_percent").asc(nulls_last=True),)),
}
DEFAULT_SORT = "urgency"


@dataclass(frozen=True, slots=True)
class ParticipantFilters:
    """Filters that a query string asks for. Unknown values fall back to the defaults: any address shows the table."""

    search: str = ""
    site: str = ""
    show: str = ""
    sort: str = DEFAULT_SORT
    page: str = ""

    def query(self, **changes: str) -> str:
        """The canonical query string with some parameters changed; defaults are left out."""
        now = {"show": self.show, "q": self.search, "site": self.site, "sort": self.sort, "page": self.page, **changes}
        if now["sort"] == DEFAULT_SORT:
            now["sort"] = ""
        if now["page"] == "1":
            now["page"] = ""
        return urlencode({name: value for name, value in now.items() if value})

    @property
    def filtered(self) -> bool:
        return bool(self.search or self.site or self.show)


def parse_filters(values: Entered) -> ParticipantFilters:
    """Read a query string's values."""
    show, sort = values.get("show", ""), values.get("sort", DEFAULT_SORT)
    return ParticipantFilters(
        search=values.get("q", "")[:64],
        site=values.get("site", "")[:32],
        show=show if show in SHOWS or show == NEED_ATTENTION else "",
        sort=sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT,
        page=values.get("page", "")[:9],
    )


def sites(trial: Trial, user: User) -> list[Site]:
    """The trial's sites at which the user may see somebody."""
    visible = Participant.objects.visible_to(user).filter(trial=trial, site=OuterRef("pk"))
    return list(Site.objects.filter(Exists(visible), trial=trial))


def of_trial(trial: Trial, user: User, filters: ParticipantFilters) -> QuerySet[Participant]:
    """Participants of the trial whom the user may see, of the site asked for: what the counters count."""
    people: QuerySet[Participant] = Participant.objects.visible_to(user).filter(trial=trial)
    return people.filter(site__code=filters.site) if filters.site else people


def matching(people: QuerySet[Participant], filters: ParticipantFilters, now: dt.datetime) -> QuerySet[Any]:
    """Participants, of these, who match the counter and every word of the search, with their attention status."""
    true = status.conditions(now)
    matches = status.with_attention_status(people, now)
    if filters.show == NEED_ATTENTION:
        matches = matches.filter(attention_status__in=ATTENTION)
    elif filters.show:
        attention_status = SHOWS[filters.show]
        matches = (
            matches.filter(attention_status=attention_status)
            if attention_status is AttentionStatus.WELL
            else matches.filter(true[attention_status])
        )
    for term in filters.search.split():
        matches = matches.filter(_mentions(term, true))
    return matches


def number_of(show: str, counts: status.Counts) -> int:
    """How many match a counter, of people who were counted."""
    if not show:
        return counts.everybody
    return counts.attention if show == NEED_ATTENTION else counts[SHOWS[show]]


def _mentions(term: str, true: dict[AttentionStatus, Q]) -> Q:
    """Whether a participant's study id, site, device, status, cause or notes contain a word."""
    low = term.lower()
    causes = [cause for cause, (label, _) in CAUSES.items() if low in label.lower()]
    mentions = (
        Q(study_id__icontains=term)
        | Q(site__name__icontains=term)
        | Q(status_summary__device_model__icontains=term)
        | Q(status_summary__cause__in=causes)
        | Q(Exists(Note.objects.filter(participant=OuterRef("pk"), text__icontains=term)))
    )
    for attention_status, badge in BADGES.items():
        if low in badge.label.lower():
            mentions |= (
                Q(attention_status=attention_status)
                if attention_status is AttentionStatus.WELL
                else true[attention_status]
            )
    return mentions


def ordered(people: QuerySet[Any], sort: str) -> QuerySet[Any]:
    """Participants with their attention status, sorted; ties by study id, so that pages never overlap."""
    name, turned = sort.removeprefix("-"), sort.startswith("-")
    if name == "urgency":
        people = status.most_urgent_first(people)
        return people.reverse() if turned else people
    fields = SORTS[name][1]
    if turned:
        fields = tuple(_down(field) for field in fields)
    return people.order_by(*fields, "-study_id" if turned and not fields else "study_id")


def _down(field: Any) -> Any:
    """The other way round; unknown values stay where they are of use: at the end."""
    return field.expression.desc(nulls_last=True)
