"""Attention status of participants at an instant: who needs attention and why.

The statuses and their order are the product's (docs/data-model.md): the most urgent one that is true is the
participant's; counters count each that is true. The status summaries hold what lasts and from when on the others are
true (metrics.models.attention), so what is said here of an instant is true of it, whenever the rows were written.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import models
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Right, Substr

from metrics.models import AttentionStatus
from metrics.models.attention import LASTING, bit
from metrics.monitoring import day_codes, sql
from participants.compiled_sql import Query, Written, compiled
from participants.conditions_sql import DATE, INSTANT, PEOPLE, Among, People
from participants.models import Participant

__all__ = [
    "ATTENTION",
    "AttentionStatus",
    "Counts",
    "Middle",
    "Summary",
    "by_trial",
    "conditions",
    "counts",
    "day_code_of",
    "most_urgent_first",
    "no_news",
    "summary",
    "with_attention_status",
]


# Those that need an action of the team.
ATTENTION = (
    AttentionStatus.CRITICAL,
    AttentionStatus.RECONNECT,
    AttentionStatus.UNCONNECTED,
    AttentionStatus.SILENT,
    AttentionStatus.LOW_WEAR,
    AttentionStatus.LOW_SLEEP,
)


def _over_participants(condition: Q) -> Q:
    """A condition on status summaries as one on their participants."""
    children = [
        _over_participants(child) if isinstance(child, Q) else (f"status_summary__{child[0]}", child[1])
        for child in condition.children
        if isinstance(child, Q | tuple)
    ]
    return Q(*children, _connector=condition.connector, _negated=condition.negated)


_LASTING = {attention_status: _over_participants(condition) for attention_status, condition in LASTING.items()}
# Of whom nothing is known yet, data have still to be read.
_LASTING[AttentionStatus.WAITING] |= Q(status_summary=None)


def _critical(now: dt.datetime) -> Q:
    return Q(status_summary__critical_from__lte=now)


def _silent(now: dt.datetime) -> Q:
    return Q(status_summary__silent_from__lte=now, status_summary__critical_from__gt=now)


def conditions(now: dt.datetime) -> dict[AttentionStatus, Q]:
    """Conditions, over Participant, of each status at an instant; several may be true of one participant."""
    known = {**_LASTING, AttentionStatus.CRITICAL: _critical(now), AttentionStatus.SILENT: _silent(now)}
    return {attention_status: known[attention_status] for attention_status in sorted(known)}


def no_news(now: dt.datetime) -> Q:
    """Condition, over Participant, of no news: the only need is low wear that comes of days being counted anew."""
    true = conditions(now)
    others = Q(pk__in=[])
    for attention_status in ATTENTION:
        if attention_status is not AttentionStatus.LOW_WEAR:
            others |= true[attention_status]
    return Q(status_summary__recounted=True) & true[AttentionStatus.LOW_WEAR] & ~others


def with_attention_status(people: QuerySet[Participant], now: dt.datetime) -> QuerySet[Any]:
    """Participants annotated with `attention_status`, its number."""
    more_urgent = Q(status_summary__lasting_status__gt=AttentionStatus.SILENT.value)
    return people.annotate(
        attention_status=Case(
            When(_critical(now), then=Value(AttentionStatus.CRITICAL.value)),
            When(_silent(now) & more_urgent, then=Value(AttentionStatus.SILENT.value)),
            default=Coalesce("status_summary__lasting_status", Value(AttentionStatus.WAITING.value)),
            output_field=models.SmallIntegerField(),
        )
    )


def most_urgent_first(people: QuerySet[Any]) -> QuerySet[Any]:
    """Participants with their attention status, most urgent first; of one status, the longest without data first."""
    return people.order_by("attention_status", F("status_summary__last_sample_at").asc(nulls_first=True), "study_id")


class Counts(dict[AttentionStatus, int]):
    """Participants of whom each status is true; WELL: those of whom none is. `attention`: those who need it.

    `newest`: when the newest sample of any of them is from.
    """

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(AttentionStatus, 0))
        self.attention = self.everybody = 0
        self.newest: dt.datetime | None = None

    def add(self, group: _Group) -> None:
        """Count the people of a group."""
        true = [attention_status for attention_status in AttentionStatus if group.bits & bit(attention_status)]
        for attention_status in true or (AttentionStatus.WELL,):
            self[attention_status] += group.people
        self.everybody += group.people
        if true and true[0] in ATTENTION:
            self.attention += group.people
        self.newest = max((at for at in (self.newest, group.newest) if at), default=None)


class _Group(NamedTuple):
    """People of a trial of whom the same statuses are true (bits), their number and newest sample."""

    trial_id: int
    bits: int
    people: int
    newest: dt.datetime | None


_GROUPS = Written(sql.ATTENTION_GROUPS, people=PEOPLE, now=INSTANT)


def _as_people(people: People | QuerySet[Participant]) -> People:
    return people if isinstance(people, People) else People.of(people)


def counts(people: People | QuerySet[Participant], now: dt.datetime) -> Counts:
    """Count these people by condition. One query."""
    everybody = Counts()
    for group in _GROUPS.rows(people=_as_people(people), now=now):
        everybody.add(_Group(*group))
    return everybody


def by_trial(people: People | QuerySet[Participant], now: dt.datetime) -> dict[int, Counts]:
    """Trial's row id -> these people of it, counted by condition. One query."""
    trials: dict[int, Counts] = defaultdict(Counts)
    for group in _GROUPS.rows(people=_as_people(people), now=now):
        trials[group[0]].add(_Group(*group))
    return trials


class Middle(models.Aggregate):
    """The middle value of a column, one that occurs: of instants too. Nulls do not count."""

    function = "PERCENTILE_DISC"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"


@dataclass(frozen=True, slots=True)
class Summary:
    """Participants in a sentence. `new`: of some statuses, how many they have become true of within 24 hours."""

    total: int = 0
    valid: int = 0  # of the day asked for
    invalid: int = 0
    lost: int = 0
    pending: int = 0
    adherence: float | None = None  # the median
    last_sample_at: dt.datetime | None = None  # the median
    newest_at: dt.datetime | None = None
    arrived_at: dt.datetime | None = None
    waiting: int = 0  # through a fault of ours or the vendor's
    waiting_since: dt.datetime | None = None
    retry_at: str | None = None  # ISO, as the evidence says
    new: dict[AttentionStatus, int] = field(default_factory=dict)


DAY = dt.timedelta(days=1)


def summary(people: People | QuerySet[Participant], now: dt.datetime, day: dt.date) -> Summary:
    """Sum these people up; `day`: the local date whose statuses are counted. One query, of status summaries alone."""
    row = dict(_sums.first(**_of_summary(_as_people(people), now, day)))
    new = {attention_status: row.pop(f"new{attention_status.value}") for attention_status in INSTANTS}
    return Summary(**row, new=new)


def queries(people: People, now: dt.datetime, day: dt.date) -> list[Query]:
    """What `counts` and `summary` ask, to be run together with others."""
    return [_GROUPS.with_values(people=people, now=now), _sums.with_values(**_of_summary(people, now, day))]


def _of_summary(people: People, now: dt.datetime, day: dt.date) -> dict[str, Any]:
    return {"people": people, "now": now, "since": now - DAY, "day": day, "next": day + DAY, "last": day + 2 * DAY}


@compiled(people=PEOPLE, now=INSTANT, since=INSTANT, day=DATE, next=DATE, last=DATE)
def _sums(people: Any, now: Any, since: Any, **days: Any) -> Any:
    return _sum_up(Participant.objects.filter(Among("pk", people)), now, since, *days.values())


def _sum_up(people: QuerySet[Any], now: Any, since: Any, *days: Any) -> dict[str, Any]:
    """Sums over participants. `days`: the local date, and the two that follow."""
    true = conditions(now)
    recent = {
        attention_status: true[attention_status] & Q(**{f"{instant}__gt": since})
        for attention_status, instant in INSTANTS.items()
    }
    held = Q(status_summary__excused="", status_summary__waiting=True)
    aggregates = {
        "total": models.Count("pk"),
        "valid": models.Count("pk", filter=Q(day_code__in=day_codes.VALID)),
        "invalid": models.Count("pk", filter=Q(day_code=day_codes.INVALID)),
        "lost": models.Count("pk", filter=Q(day_code=day_codes.LOST)),
        "pending": models.Count("pk", filter=Q(day_code=day_codes.PENDING)),
        "adherence": Middle("status_summary__adherence", filter=Q(status_summary__excused="")),
        "last_sample_at": Middle("status_summary__last_sample_at", filter=Q(status_summary__excused="")),
        "newest_at": models.Max("status_summary__last_sample_at"),
        "arrived_at": models.Max("status_summary__arrived_at"),
        "waiting": models.Count("pk", filter=held),
        "waiting_since": models.Min("status_summary__cause_since", filter=held),
        "retry_at": models.Min(KeyTextTransform("next_at", "status_summary__evidence"), filter=held),
    }
    new = {
        f"new{attention_status.value}": models.Count("pk", filter=condition)
        for attention_status, condition in recent.items()
    }
    row: dict[str, Any] = people.annotate(day_code=day_code_of(*days)).aggregate(**aggregates, **new)
    return row


# Statuses that say since when they are true, by the field of the instant.
INSTANTS = {
    AttentionStatus.CRITICAL: "status_summary__critical_at",
    AttentionStatus.SILENT: "status_summary__silent_at",
    AttentionStatus.RECONNECT: "status_summary__access_since",
    AttentionStatus.UNCONNECTED: "status_summary__access_since",
}


def day_code_of(day: Any, *later: Any) -> Case:
    """Over Participant: the day code of a recent local date, cut from the end; empty if there is none.

    Day codes end on each participant's today, which is within a day of anybody's: on `day` or one of the two `later`.
    """
    ends = [
        When(
            status_summary__day_codes_until=until,
            status_summary__day_codes_from__lte=day,
            then=Substr(Right("status_summary__day_codes", back + 1), 1, 1),
        )
        for back, until in enumerate((day, *later))
    ]
    return Case(*ends, default=Value(""), output_field=models.CharField())
