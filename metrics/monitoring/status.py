"""Attention status of participants: who needs attention now and why, computed by the database when it is asked for.

The statuses and their order are the product's (docs/data-model.md): the most urgent one that is true is the
participant's; counters count each that is true.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Right, Substr

from metrics.models import Access, Exclusion
from metrics.monitoring import day_codes
from metrics.monitoring.prepared_sql import Prepared
from participants.models import Participant


class AttentionStatus(models.IntegerChoices):
    """Whether a participant needs attention and why, the most urgent first: its number sorts."""

    CRITICAL = 1, "Critical"
    RECONNECT = 2, "Reconnect"
    UNCONNECTED = 3, "Unconnected"
    SILENT = 4, "No data"
    LOW_WEAR = 5, "Low wear"
    LOW_SLEEP = 6, "Low sleep"
    WAITING = 7, "Technical delay"
    PAUSED = 8, "Paused"
    WELL = 9, "Well"
    COMPLETED = 10, "Completed"
    WITHDRAWN = 11, "Withdrawn"


# Those that need an action of the team.
ATTENTION = (
    AttentionStatus.CRITICAL,
    AttentionStatus.RECONNECT,
    AttentionStatus.UNCONNECTED,
    AttentionStatus.SILENT,
    AttentionStatus.LOW_WEAR,
    AttentionStatus.LOW_SLEEP,
)


def conditions(now: dt.datetime) -> dict[AttentionStatus, Q]:
    """Conditions, over Participant, of each status at an instant; several may be true of one participant."""
    monitored = Q(status_summary__excused="")
    heard = monitored & Q(status_summary__waiting=False)
    return {
        AttentionStatus.CRITICAL: heard & Q(status_summary__critical_at__lte=now),
        AttentionStatus.RECONNECT: monitored & Q(status_summary__access__in=[Access.DEAD, Access.PARTIAL]),
        AttentionStatus.UNCONNECTED: monitored & Q(status_summary__access=Access.NEVER),
        AttentionStatus.SILENT: heard & Q(status_summary__silent_at__lte=now, status_summary__critical_at__gt=now),
        AttentionStatus.LOW_WEAR: monitored & Q(status_summary__low_wear=True),
        AttentionStatus.LOW_SLEEP: monitored & Q(status_summary__low_sleep__gt=0),
        AttentionStatus.WAITING: (monitored & Q(status_summary__waiting=True)) | Q(status_summary=None),
        AttentionStatus.PAUSED: Q(status_summary__excused=Exclusion.PAUSED),
        AttentionStatus.COMPLETED: Q(status_summary__excused=Exclusion.AFTER_END),
        AttentionStatus.WITHDRAWN: Q(status_summary__excused=Exclusion.WITHDRAWN),
    }


def no_news(now: dt.datetime) -> Q:
    """Condition, over Participant, of no news: the only need is low wear that comes of days being counted anew."""
    true = conditions(now)
    others = Q(pk__in=[])
    for attention_status in ATTENTION:
        if attention_status is not AttentionStatus.LOW_WEAR:
            others |= true[attention_status]
    return Q(status_summary__recounted=True) & true[AttentionStatus.LOW_WEAR] & ~others


def with_attention_status(people: QuerySet[Participant], now: dt.datetime) -> QuerySet[Any]:
    """Participants annotated with `attention_status`, its number. Before their monitoring begins, they are well."""
    whens = [
        When(condition, then=Value(attention_status.value)) for attention_status, condition in conditions(now).items()
    ]
    return people.annotate(
        attention_status=Case(
            *whens, default=Value(AttentionStatus.WELL.value), output_field=models.SmallIntegerField()
        )
    )


def most_urgent_first(people: QuerySet[Any]) -> QuerySet[Any]:
    """Participants with their attention status, most urgent first; of one status, the longest without data first."""
    return people.order_by("attention_status", F("status_summary__last_sample_at").asc(nulls_first=True), "study_id")


class Counts(dict[AttentionStatus, int]):
    """Participants of whom each status is true; WELL: those of whom none is. `attention`: those who need it."""

    attention: int = 0
    everybody: int = 0


def counts(people: QuerySet[Participant], now: dt.datetime) -> Counts:
    """Count these people by condition. One query."""
    row = _COUNTS.of(people, now)
    by_status = Counts({attention_status: row[f"n{attention_status.value}"] for attention_status in conditions(now)})
    by_status[AttentionStatus.WELL] = row["well"]
    by_status.attention, by_status.everybody = row["attention"], row["everybody"]
    return by_status


def _count(people: QuerySet[Any], now: dt.datetime, _: dt.date) -> dict[str, Any]:
    counted = {
        f"n{attention_status.value}": models.Count("pk", filter=condition)
        for attention_status, condition in conditions(now).items()
    }
    row: dict[str, Any] = with_attention_status(people, now).aggregate(
        **counted,
        well=models.Count("pk", filter=Q(attention_status=AttentionStatus.WELL)),
        attention=models.Count("pk", filter=Q(attention_status__in=ATTENTION)),
        everybody=models.Count("pk"),
    )
    return row


_COUNTS = Prepared(_count)


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


def summary(people: QuerySet[Participant], now: dt.datetime, day: dt.date) -> Summary:
    """Sum these people up; `day`: the local date whose statuses are counted. One query, of status summaries alone."""
    row = _SUMMARY.of(people, now, day)
    new = {attention_status: row.pop(f"new{attention_status.value}") for attention_status in _since(now)}
    return Summary(**row, new=new)


def _sum_up(people: QuerySet[Any], now: dt.datetime, day: dt.date) -> dict[str, Any]:
    recent = {
        attention_status: condition & Q(**{f"{since}__gt": now - dt.timedelta(days=1)})
        for attention_status, (condition, since) in _since(now).items()
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
    row: dict[str, Any] = people.annotate(day_code=day_code_of(day)).aggregate(**aggregates, **new)
    return row


def _since(now: dt.datetime) -> dict[AttentionStatus, tuple[Q, str]]:
    """Statuses that say since when they are true: their condition, and the field of the instant."""
    true = conditions(now)
    instants = {
        AttentionStatus.CRITICAL: "status_summary__critical_at",
        AttentionStatus.SILENT: "status_summary__silent_at",
        AttentionStatus.RECONNECT: "status_summary__access_since",
        AttentionStatus.UNCONNECTED: "status_summary__access_since",
    }
    return {attention_status: (true[attention_status], instant) for attention_status, instant in instants.items()}


def day_code_of(day: dt.date) -> Case:
    """Over Participant: the day code of a recent local date, cut from the end; empty if there is none.

    Day codes end on each participant's today, which is within a day of anybody's.
    """
    ends = [
        When(
            status_summary__day_codes_until=day + dt.timedelta(days=back),
            status_summary__day_codes_from__lte=day,
            then=Substr(Right("status_summary__day_codes", back + 1), 1, 1),
        )
        for back in range(3)
    ]
    return Case(*ends, default=Value(""), output_field=models.CharField())


_SUMMARY = Prepared(_sum_up)


def by_trial(people: QuerySet[Participant], now: dt.datetime) -> dict[int, tuple[int, int, dt.datetime | None]]:
    """Trial's row id -> how many of these people it has, how many need attention, their newest sample. One query."""
    counted = (
        with_attention_status(people.order_by(), now)
        .values("trial_id")
        .annotate(
            n=models.Count("pk"),
            attention=models.Count("pk", filter=Q(attention_status__in=ATTENTION)),
            newest=models.Max("status_summary__last_sample_at"),
        )
    )
    return {row["trial_id"]: (row["n"], row["attention"], row["newest"]) for row in counted}
