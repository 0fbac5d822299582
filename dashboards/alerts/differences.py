"""Where alerts differ from what the protocols' rules say now: found by one statement for any number of trials."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from dashboards.alerts import sql
from dashboards.models import Alert
from participants.models import Protocol, Trial

WATCHED = (Trial.Status.RECRUITING, Trial.Status.RUNNING)


class Difference(NamedTuple):
    """A rule of a participant, its level now (0: it is not true) and the alert that is open, None where none is.

    `updated_at`: when the status summary was written that says so.
    """

    trial_id: int
    participant_id: int
    rule: str
    level: int
    alert_id: int | None
    updated_at: dt.datetime | None


class Watched(NamedTuple):
    """A trial with the rules of its protocol in force; none where nothing watches it, or no protocol is in force."""

    trial_id: int
    rules: list[str]
    never_connected: dt.timedelta


def watched(now: dt.datetime) -> list[Watched]:
    """Trials whose participants are monitored, and others in which alerts are still open: those are resolved.

    Two queries.
    """
    left = Exists(Alert.objects.filter(participant__trial=OuterRef("pk"), resolved_at=None))
    return with_rules(Trial.objects.filter(Q(status__in=WATCHED) | left).order_by("pk"), now)


def with_rules(trials: Collection[Trial], now: dt.datetime) -> list[Watched]:
    """Trials with the rules that are in force in each on its local date. One query besides that of the trials."""
    protocols: dict[int, list[Protocol]] = defaultdict(list)
    for protocol in Protocol.objects.filter(trial__in=trials).order_by("-effective_on", "-version"):
        protocols[protocol.trial_id].append(protocol)
    known = []
    for trial in trials:
        today = now.astimezone(ZoneInfo(trial.time_zone)).date()
        protocol = next((one for one in protocols[trial.pk] if one.effective_on <= today), None)
        if protocol is None or trial.status not in WATCHED:
            known.append(Watched(trial.pk, [], dt.timedelta()))
        else:
            never_connected = dt.timedelta(hours=protocol.never_connected_hours)
            known.append(Watched(trial.pk, protocol.alert_rules, never_connected))
    return known


def differences(
    trials: Collection[Watched], now: dt.datetime, people: Collection[int] | None = None
) -> list[Difference]:
    """Differences in these trials; `people`: ids of those of whom to tell, None for everybody. One query."""
    parameters: dict[str, Any] = {
        "trials": [trial.trial_id for trial in trials],
        "rules": [",".join(trial.rules) for trial in trials],
        "invited_by": [now - trial.never_connected for trial in trials],
        "people": None if people is None else list(people),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.DIFFERENCES, parameters)
        return [Difference(*row) for row in cursor.fetchall()]
