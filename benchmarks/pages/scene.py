"""Trial that the pages show: people with days, connections and alerts, and minutes of the few who are looked at."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection

CODE = "BENCH"
SEEN = 5  # participants whose pages are opened, and who have minutes
RECENT = 30  # days of minutes
# Beside the days, which benchmarks.monitoring_data makes, the minutes and hours that charts and a day's panel read.
MINUTES = """
INSERT INTO metrics_minuterollup (participant_id, metric_id, source_id, bucket, n, total, low, high)
SELECT p, 1, s, b, 12, 12 * (60 + p %% 9 + 8 * sin(extract(epoch FROM b) / 9000)), 55, 90
FROM unnest(%(people)s::int[]) p, (SELECT min(id) s FROM metrics_source) source,
    generate_series(date_trunc('hour', %(start)s::timestamptz), %(end)s, interval '1 minute') b
WHERE extract(hour FROM b) BETWEEN 5 AND 21
"""
HOURS = """
INSERT INTO metrics_hourrollup (participant_id, metric_id, source_id, bucket, n, total, low, high)
SELECT participant_id, metric_id, source_id, date_trunc('hour', bucket), sum(n), sum(total), min(low), max(high)
FROM metrics_minuterollup GROUP BY 1, 2, 3, 4
"""


def made(people: int, days: int) -> list[str]:
    """Make the trial; returns the study ids of those whose pages are opened."""
    from benchmarks.monitoring_data import fill
    from participants.models import Participant

    now = dt.datetime.now(dt.UTC)
    trial = fill(CODE, people, days, now=now)
    _connect(trial, now)
    active = Participant.objects.filter(trial=trial, status="active", connections__status="active").order_by("pk")
    seen = list(active[: 37 * SEEN : 37]) or list(active[:SEEN])
    with connection.cursor() as cursor:
        span = {"start": now - dt.timedelta(days=min(days, RECENT)), "end": now}
        cursor.execute(MINUTES, {"people": [person.pk for person in seen], **span})
        cursor.execute(HOURS)
        cursor.execute("ANALYZE")
    return [person.study_id for person in seen]


def _connect(trial: Any, now: dt.datetime) -> None:
    """Everybody who has been connected in their course, as if the vendor had been read a quarter of an hour ago."""
    from ingestion import live_providers
    from ingestion.models import Connection
    from metrics.models import Access
    from participants.models import Participant

    provider = live_providers.provider("google_health")
    states = {Access.OK: "active", Access.PARTIAL: "active", Access.DEAD: "reconnect"}
    people = Participant.objects.filter(trial=trial).select_related("status_summary")
    Connection.objects.bulk_create(
        [
            Connection(
                participant=person,
                trial=trial,
                provider="google_health",
                external_user_id=f"user-{person.pk}",
                status=states[person.status_summary.access],
                scopes=list(provider.scopes),
                connected_at=now - dt.timedelta(days=40),
                status_since=now - dt.timedelta(days=40),
                last_pull_at=now - dt.timedelta(minutes=15),
                last_data_at=person.status_summary.last_sample_at,
                swept_at=now,
                next_due_at=now + dt.timedelta(days=1),
            )
            for person in people
            if person.status_summary.access in states
        ],
        batch_size=2000,
    )
