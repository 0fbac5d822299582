"""Which source of several a metric is read from: the protocol's order, then the one with most data. Never a sum."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from metrics import sql_reads
from metrics.models import Source
from metrics.registry import Metric
from participants.models import Participant, Protocol


def sources_by_series(
    people: Iterable[Participant], metrics: Sequence[Metric], first: dt.date, last: dt.date
) -> dict[tuple[int, int], list[Source]]:
    """Sources that have data, by (participant, metric), the one to use first: the protocol's order, then most data."""
    people = list(people)
    parameters: dict[str, Any] = {
        "participants": [person.pk for person in people],
        "metrics": [metric.id for metric in metrics],
        "first": first,
        "last": last,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql_reads.SOURCES, parameters)
        rows = cursor.fetchall()
    sources = Source.objects.in_bulk({row[2] for row in rows})
    found: dict[tuple[int, int], list[tuple[Source, int]]] = {}
    for pid, metric, source, n in rows:
        found.setdefault((pid, metric), []).append((sources[source], int(n)))
    trial_of = {person.pk: person.trial_id for person in people}
    several = {trial_of[pid] for (pid, _), candidates in found.items() if len(candidates) > 1}
    priority = {trial: priority_of(trial) for trial in several}
    return {
        key: [source for source, _ in sorted(candidates, key=rank_by(priority.get(trial_of[key[0]], [])))]
        for key, candidates in found.items()
    }


def priority_of(trial_id: int) -> list[str]:
    """The source order of the trial's protocol in force."""
    protocol = Protocol.objects.filter(trial_id=trial_id).in_force(timezone.now().date()).first()
    return list(protocol.source_priority) if protocol else []


def rank_by(priority: Sequence[str]) -> Any:
    def rank(candidate: tuple[Source, int]) -> tuple[int, int, int]:
        source, n = candidate
        names = (source.device_model, source.platform, source.provider)
        place = next((i for i, name in enumerate(priority) if name in names), len(priority))
        return place, -n, source.pk

    return rank
