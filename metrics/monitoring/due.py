"""Who is to be evaluated though nothing of theirs came in: their time has come, or the evidence may have changed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import F, Q, QuerySet

from metrics.models import ParticipantStatusSummary
from metrics.monitoring import evidence
from participants.models import Participant, Trial

# A minute; the others come with the next.
MOST = 2_000
# Those that were taken come again after a while, should their message be lost. Their evaluation says when in truth.
AGAIN = dt.timedelta(minutes=15)


def new() -> QuerySet[Any]:
    """Participants who have no status summary."""
    return _people().filter(status_summary=None).order_by("pk")


def by_the_clock(now: dt.datetime) -> list[int]:
    """Ids of participants whose time has come, or of whom it is not known when it does; they are taken."""
    time_has_come = Q(status_summary__evaluate_at=None) | Q(status_summary__evaluate_at__lte=now)
    return _taken(_people().filter(time_has_come, status_summary__isnull=False)[:MOST], now)


def by_evidence(now: dt.datetime) -> list[int]:
    """Ids of participants of whom something may be known that was not when they were evaluated; they are taken."""
    unsettled = Q(status_summary=None) | Q(status_summary__updated_at__lt=F("trial__closed_at"))
    return _taken(_people().filter(unsettled | evidence.may_have_changed(now)), now)


def _taken(people: QuerySet[Any], now: dt.datetime) -> list[int]:
    ids = list(people.values_list("pk", flat=True))
    ParticipantStatusSummary.objects.filter(participant__in=ids).update(evaluate_at=now + AGAIN)
    return ids


def _people() -> QuerySet[Any]:
    """Participants whose days go on: of a closed trial those of whom days are open still, or not evaluated since."""
    people = Participant.objects.exclude(status=Participant.Status.ERASED)
    goes_on = ~Q(trial__status=Trial.Status.CLOSED) | Q(status_summary=None)
    unsettled = Q(status_summary__pending_days__gt=0) | Q(status_summary__updated_at__lt=F("trial__closed_at"))
    known: QuerySet[Any] = people.filter(goes_on | unsettled).annotate(evaluated=F("status_summary__updated_at"))
    return known.order_by("status_summary__updated_at", "pk")
