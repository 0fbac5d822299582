"""Open alerts of a trial: which count, and how many of them nobody has seen, the number beside "Alerts"."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from dashboards.models import Alert
from participants.compiled_sql import Query, compiled
from participants.conditions_sql import ID, IDS, INSTANT
from participants.models import Participant, Trial, User
from participants.querysets import Reach, seen_by


def awake(now: dt.datetime) -> Q:
    """Alerts that are open and not snoozed at an instant."""
    return Q(resolved_at=None) & (Q(snoozed_until=None) | Q(snoozed_until__lte=now))


def open_count(trial: Trial, user: User, now: dt.datetime | None = None) -> int:
    """Number of open alerts, of participants whom the user may see, neither acknowledged nor snoozed. One query."""
    moment = now or timezone.now()
    if (seen := seen_by(user)) is not None:
        return int(_open.first(trial=trial.pk, now=moment, **seen.values())["n"])
    people = Participant.objects.visible_to(user).filter(trial=trial)
    return Alert.objects.filter(awake(moment), participant__in=people, acknowledged_at=None).count()


def open_queries(trial: Trial, user: User, now: dt.datetime) -> list[Query]:
    """What `open_count` asks, to be run together with others."""
    seen = seen_by(user)
    return [] if seen is None else [_open.with_values(trial=trial.pk, now=now, **seen.values())]


@compiled(trial=ID, now=INSTANT, whole=IDS, trials=IDS, sites=IDS)
def _open(trial: Any, now: Any, **reach: Any) -> Any:
    people = Participant.objects.reached(Reach(**reach)).filter(trial=trial)
    return Alert.objects.filter(awake(now), participant__in=people, acknowledged_at=None).aggregate(n=Count("pk"))
