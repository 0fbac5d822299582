"""Benchmark of series: how fast they come back over the API inside Django, and how much memory a stream of raw samples
takes.

    python -m benchmarks.series [--requests 25] [--million 3]

One participant over 1 day, 30 days, 1 year and 2 years in `auto` (heart rate about every 5.8 s for the last 30 days,
rollups of the whole two years), and 100 participants' daily steps over a year in one request: the view with its
token, audit entries and JSON, called by Django's test client, without a network. Beside each, in the same turn, a
bare SQL read of the rows that it is made of, by the same connection. The stream is read to its end and thrown away;
what Python holds at most meanwhile is measured over a third of it and over all of it: it must not grow.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import time
import tracemalloc
from typing import Any

import numpy as np
from django.db import connection

from benchmarks import bench
from metrics.batch import MICROSECOND, Payload, SampleBatch, microseconds

PEOPLE, YEAR = 100, 365
LAST = bench.FIRST_DAY + dt.timedelta(days=30)
BARE = {
    "minute": "SELECT bucket, n, total, low, high FROM metrics_minuterollup"
    " WHERE participant_id = ANY(%s) AND metric_id = %s AND bucket >= %s AND bucket < %s",
    "hour": "SELECT bucket, n, total, low, high FROM metrics_hourrollup"
    " WHERE participant_id = ANY(%s) AND metric_id = %s AND bucket >= %s AND bucket < %s",
    "day": "SELECT participant_id, date, n, total, low, high FROM metrics_dayrollup"
    " WHERE participant_id = ANY(%s) AND metric_id = %s AND date >= %s AND date < %s",
}
RAW = "SELECT time, value, seconds FROM metrics_measurement WHERE participant_id = ANY(%s) AND metric_id = %s"


def load(million: float) -> list[Any]:
    """A trial of 100: the first with heart rates of two years (30 days in full), all with a year of minute steps."""
    from metrics.writing.writer import store
    from participants.services import participant_enrol, trial_create

    trial = trial_create(code="BENCH", title="Benchmark", is_demo=True, status="running")
    people = [participant_enrol(trial=trial, study_id=f"B-{i:03d}", status="active") for i in range(PEOPLE)]
    began, rows = time.perf_counter(), 0
    hours = microseconds(LAST) - np.arange(1, 730 * 24 + 1, dtype=np.int64)[::-1] * 3600 * MICROSECOND
    old = hours[: -30 * 24]
    rows += store(
        people[0], Payload([SampleBatch("heart_rate", bench.SOURCE, old, (60 + old % 7).astype(np.float64))])
    ).new
    for day in range(30):
        rows += store(people[0], Payload([bench.heart_rate_day(people[0].pk, day)])).new
    walks = (hours[-YEAR * 24 :, None] + np.arange(0, 60, 30) * 60 * MICROSECOND).ravel()
    lengths = np.full(len(walks), 60, dtype=np.int32)
    for participant in people:
        steps = np.random.default_rng(participant.pk).integers(0, 120, len(walks)).astype(float)
        rows += store(participant, Payload([SampleBatch("steps", bench.SOURCE, walks, steps, lengths)])).new
    for participant in people[1 : 1 + round(million * 1e6 / 30 / 14_800)]:
        for day in range(30):
            rows += store(participant, Payload([bench.heart_rate_day(participant.pk, day)])).new
    print(f"Loaded {rows:,} samples in {time.perf_counter() - began:.0f} s")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return people


def client(trial: Any) -> Any:
    """A client that brings a manager's token."""
    from django.test import Client
    from django.utils import timezone

    from participants.models import Membership, User
    from participants.services.api_tokens import token_create

    user = User.objects.create_user("bench@example.org")
    Membership.objects.create(user=user, trial=trial, role=Membership.Role.MANAGER)
    _, key = token_create(user=user, name="bench", expires_at=timezone.now() + dt.timedelta(days=1))
    return Client(headers={"Authorization": f"Bearer {key}"})


def cases(people: list[Any]) -> list[tuple[str, dict[str, Any], str, list[Any]]]:
    """Name, query, the table beneath and the parameters of its bare read."""
    rows = []
    for days, table in ((1, "minute"), (30, "hour"), (YEAR, "day"), (730, "day")):
        start = LAST - dt.timedelta(days=days)
        query = {"metrics": "heart_rate", "participants": people[0].study_id, "start": start.isoformat()}
        rows.append((f"1 participant, {days} days", query, table, [[people[0].pk], 1, start, LAST]))
    start = LAST - dt.timedelta(days=YEAR)
    query = {"metrics": "steps", "resolution": "1d", "start": start.isoformat()}
    rows.append((f"{PEOPLE} participants, {YEAR} days", query, "day", [[p.pk for p in people], 2, start, LAST]))
    return rows


def bare(statement: str, parameters: list[Any]) -> tuple[float, int]:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = len(cursor.fetchall())
    return (time.perf_counter() - began) * 1000, rows


def measure(people: list[Any], asking: Any, requests: int) -> None:
    times: dict[str, list[float]] = {}
    reads: dict[str, list[float]] = {}
    facts: dict[str, tuple[int, int, int, int]] = {}
    for turn in range(-3, requests):  # the first few warm up and are not counted
        for name, query, table, parameters in cases(people):
            began = time.perf_counter()
            answer = asking.get("/api/v1/series", query | {"trial": "BENCH", "end": LAST.isoformat()})
            taken = (time.perf_counter() - began) * 1000
            if answer.status_code != 200:
                raise SystemExit(f"{answer.status_code}: {answer.content[:300]!r}")
            alone, rows = bare(BARE[table], parameters)
            if turn < 0:
                series = answer.json()["series"]
                width = series[0]["width_seconds"]
                facts[name] = (max(len(s["time"]) for s in series), width, len(answer.content), rows)
                continue
            times.setdefault(name, []).append(taken)
            reads.setdefault(name, []).append(alone)
    lines: list[list[str]] = []
    for name, (points, width, size, read) in facts.items():
        ours, alone = bench.median(times[name]), bench.median(reads[name])
        numbers = [f"{ours:.1f}", f"{max(times[name]):.1f}", f"{points:,}", f"{width:,} s", f"{size / 1024:,.0f}"]
        lines.append([name, *numbers, f"{alone:.1f}", f"{read:,}", f"{ours / alone:.1f}"])
    bench.table(
        f"Series inside Django, medians of {requests} requests; beside them a bare SQL read of the rows beneath",
        ["", "ms", "slowest", "points", "width", "kB", "bare ms", "rows", "to bare"],
        lines,
    )


def stream(people: list[Any], asking: Any) -> None:
    """Raw heart rates of all as NDJSON: time, and what Python holds at most, over a third of the days and over all."""
    rows = []
    for days in (10, 30):
        query = {
            "trial": "BENCH",
            "metrics": "heart_rate",
            "resolution": "raw",
            "format": "ndjson",
            "start": (LAST - dt.timedelta(days=days)).isoformat(),
            "end": LAST.isoformat(),
        }
        began, lines = time.perf_counter(), 0
        for part in asking.get("/api/v1/series", query).streaming_content:
            lines += part.count(b"\n")
        taken = time.perf_counter() - began
        tracemalloc.start()
        for _ in asking.get("/api/v1/series", query).streaming_content:
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append(
            [f"{days} days", f"{lines:,}", f"{taken:.1f}", f"{lines / taken:,.0f}", f"{peak / 1e6:.1f}", f"{whole:.0f}"]
        )
    alone, read = bare(RAW, [[p.pk for p in people], 1])
    bench.table(
        f"Raw heart rates as NDJSON; a bare SQL read of all {read:,}, held whole: {read / alone * 1000:,.0f} rows/s",
        ["", "samples", "s", "samples/s", "peak MB", "process MB"],
        rows,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=25)
    arguments.add_argument("--million", type=float, default=3.0, help="heart rates in the stream, in millions")
    given = arguments.parse_args()
    with bench.database() as tier:
        from django.conf import settings

        settings.API_RATE = "1000000/minute"
        settings.ALLOWED_HOSTS = ["testserver"]
        print(f"Server: {tier}")
        people = load(given.million)
        asking = client(people[0].trial)
        measure(people, asking, given.requests)
        stream(people, asking)


if __name__ == "__main__":
    main()
