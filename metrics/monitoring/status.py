"""Who needs attention now: the word for each participant's standing, said by the database at the moment of asking.

The words and their order are the product's (docs/data-model.md): the most urgent one that is true is the
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


class Word(models.IntegerChoices):
    """A participant's status, the most urgent first: its number sorts."""

    CRITICAL = 1, "Critical"
    RECONNECT = 2, "Reconnect"
    UNCONNECTED = 3, "Unconnected"
    SILENT = 4, "Silent"
    LOW_WEAR = 5, "Low wear"
    LOW_SLEEP = 6, "Low sleep"
    WAITING = 7, "Waiting"
    PAUSED = 8, "Paused"
    WELL = 9, "Well"
    COMPLETED = 10, "Completed"
    WITHDRAWN = 11, "Withdrawn"


# Those in which somebody has something to do.
ATTENTION = (
    Word.CRITICAL,
    Word.RECONNECT,
    Word.UNCONNECTED,
    Word.SILENT,
    Word.LOW_WEAR,
    Word.LOW_SLEEP,
)


def conditions(now: dt.datetime) -> dict[Word, Q]:
    """What makes each word true of a participant at an instant; several may be true of one. Over Participant."""
    monitored = Q(standing__excused="")
    heard = monitored & Q(standing__waiting=False)
    return {
        Word.CRITICAL: heard & Q(standing__critical_at__lte=now),
        Word.RECONNECT: monitored & Q(standing__access__in=[Access.DEAD, Access.PARTIAL]),
        Word.UNCONNECTED: monitored & Q(standing__access=Access.NEVER),
        Word.SILENT: heard & Q(standing__silent_at__lte=now, standing__critical_at__gt=now),
        Word.LOW_WEAR: monitored & Q(standing__low_wear=True),
        Word.LOW_SLEEP: monitored & Q(standing__low_sleep__gt=0),
        Word.WAITING: (monitored & Q(standing__waiting=True)) | Q(standing=None),
        Word.PAUSED: Q(standing__excused=Exclusion.PAUSED),
        Word.COMPLETED: Q(standing__excused=Exclusion.AFTER_END),
        Word.WITHDRAWN: Q(standing__excused=Exclusion.WITHDRAWN),
    }


def no_news(now: dt.datetime) -> Q:
    """Of whom no message tells: whose only need is low wear that comes of days being counted anew. Over Participant."""
    true = conditions(now)
    others = Q(pk__in=[])
    for word in ATTENTION:
        if word is not Word.LOW_WEAR:
            others |= true[word]
    return Q(standing__recounted=True) & true[Word.LOW_WEAR] & ~others


def with_word(people: QuerySet[Participant], now: dt.datetime) -> QuerySet[Any]:
    """Participants annotated with `word`, a Word's number. Before their monitoring begins, a person is well."""
    whens = [When(condition, then=Value(word.value)) for word, condition in conditions(now).items()]
    return people.annotate(word=Case(*whens, default=Value(Word.WELL.value), output_field=models.SmallIntegerField()))


def most_urgent_first(people: QuerySet[Any]) -> QuerySet[Any]:
    """People with their word, in the order in which they need somebody: of one word, the longest without data first."""
    return people.order_by("word", F("standing__last_sample_at").asc(nulls_first=True), "study_id")


class Counts(dict[Word, int]):
    """How many people each word is true of; WELL: those of whom none is. `attention`: those who need somebody."""

    attention: int = 0
    everybody: int = 0


def counts(people: QuerySet[Participant], now: dt.datetime) -> Counts:
    """Count these people by condition. One query."""
    found = _COUNTS.of(people, now)
    by_word = Counts({word: found[f"n{word.value}"] for word in conditions(now)})
    by_word[Word.WELL] = found["well"]
    by_word.attention, by_word.everybody = found["attention"], found["everybody"]
    return by_word


def _count(people: QuerySet[Any], now: dt.datetime, _: dt.date) -> dict[str, Any]:
    counted = {f"n{word.value}": models.Count("pk", filter=condition) for word, condition in conditions(now).items()}
    found: dict[str, Any] = with_word(people, now).aggregate(
        **counted,
        well=models.Count("pk", filter=Q(word=Word.WELL)),
        attention=models.Count("pk", filter=Q(word__in=ATTENTION)),
        everybody=models.Count("pk"),
    )
    return found


_COUNTS = Prepared(_count)


class Middle(models.Aggregate):
    """The middle value of a column, one that occurs: of instants too. Nulls do not count."""

    function = "PERCENTILE_DISC"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"


@dataclass(frozen=True, slots=True)
class Summary:
    """People in a sentence. `new`: of some words, how many it has become true of within 24 hours."""

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
    new: dict[Word, int] = field(default_factory=dict)


def summary(people: QuerySet[Participant], now: dt.datetime, day: dt.date) -> Summary:
    """Sum these people up; `day`: the local date whose verdicts are counted. One query, of standings alone."""
    found = _SUMMARY.of(people, now, day)
    new = {word: found.pop(f"new{word.value}") for word in _since(now)}
    return Summary(**found, new=new)


def _sum_up(people: QuerySet[Any], now: dt.datetime, day: dt.date) -> dict[str, Any]:
    recent = {
        word: condition & Q(**{f"{since}__gt": now - dt.timedelta(days=1)})
        for word, (condition, since) in _since(now).items()
    }
    held = Q(standing__excused="", standing__waiting=True)
    asked = {
        "total": models.Count("pk"),
        "valid": models.Count("pk", filter=Q(letter__in=day_codes.VALID)),
        "invalid": models.Count("pk", filter=Q(letter=day_codes.INVALID)),
        "lost": models.Count("pk", filter=Q(letter=day_codes.LOST)),
        "pending": models.Count("pk", filter=Q(letter=day_codes.PENDING)),
        "adherence": Middle("standing__adherence", filter=Q(standing__excused="")),
        "last_sample_at": Middle("standing__last_sample_at", filter=Q(standing__excused="")),
        "newest_at": models.Max("standing__last_sample_at"),
        "arrived_at": models.Max("standing__arrived_at"),
        "waiting": models.Count("pk", filter=held),
        "waiting_since": models.Min("standing__cause_since", filter=held),
        "retry_at": models.Min(KeyTextTransform("next_at", "standing__evidence"), filter=held),
    }
    new = {f"new{word.value}": models.Count("pk", filter=condition) for word, condition in recent.items()}
    found: dict[str, Any] = people.annotate(letter=letter_of(day)).aggregate(**asked, **new)
    return found


def _since(now: dt.datetime) -> dict[Word, tuple[Q, str]]:
    """Words that say since when they are true: their condition, and the field of the instant."""
    true = conditions(now)
    instants = {
        Word.CRITICAL: "standing__critical_at",
        Word.SILENT: "standing__silent_at",
        Word.RECONNECT: "standing__access_since",
        Word.UNCONNECTED: "standing__access_since",
    }
    return {word: (true[word], instant) for word, instant in instants.items()}


def letter_of(day: dt.date) -> Case:
    """Over Participant: the trail's letter of a recent local date, cut from its end; empty if it has none.

    Trails end on each person's today, which is within a day of anybody's.
    """
    ends = [
        When(
            standing__trail_until=day + dt.timedelta(days=back),
            standing__trail_from__lte=day,
            then=Substr(Right("standing__trail", back + 1), 1, 1),
        )
        for back in range(3)
    ]
    return Case(*ends, default=Value(""), output_field=models.CharField())


_SUMMARY = Prepared(_sum_up)


def by_trial(people: QuerySet[Participant], now: dt.datetime) -> dict[int, tuple[int, int, dt.datetime | None]]:
    """Trial's row id -> how many of these people it has, how many need attention, their newest sample. One query."""
    counted = (
        with_word(people.order_by(), now)
        .values("trial_id")
        .annotate(
            n=models.Count("pk"),
            attention=models.Count("pk", filter=Q(word__in=ATTENTION)),
            newest=models.Max("standing__last_sample_at"),
        )
    )
    return {row["trial_id"]: (row["n"], row["attention"], row["newest"]) for row in counted}
