"""Who needs attention now: the word for each participant's standing, said by the database at the moment of asking.

The words and their order are the product's (docs/data-model.md): the most urgent one that is true is the
participant's; counters count each that is true.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import models
from django.db.models import Case, F, Q, QuerySet, Value, When

from metrics.models import Access, Exclusion
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


def with_word(people: QuerySet[Participant], now: dt.datetime) -> QuerySet[Any]:
    """Participants annotated with `word`, a Word's number. Before her monitoring begins, a person is well."""
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
    counted = {f"n{word.value}": models.Count("pk", filter=condition) for word, condition in conditions(now).items()}
    found = with_word(people.order_by(), now).aggregate(
        **counted,
        well=models.Count("pk", filter=Q(word=Word.WELL)),
        attention=models.Count("pk", filter=Q(word__in=ATTENTION)),
        everybody=models.Count("pk"),
    )
    by_word = Counts({word: found[f"n{word.value}"] for word in conditions(now)})
    by_word[Word.WELL] = found["well"]
    by_word.attention, by_word.everybody = found["attention"], found["everybody"]
    return by_word
