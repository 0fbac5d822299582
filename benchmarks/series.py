"""Benchmark of series: how fast they come back over the API inside Django, and how much memory a stream of raw samples
takes.

    python -m benchmarks.series [--requests 25] [--million 3]

One participant over 1 day, 30 days, 1 year and 2 years in `auto` (heart rate about every 5.8 s for the last 30 days,
rollups of the whole two years), and 100 participants' daily steps over a year in one request: the view with its
token, audit entries and JSON, called by Django's test client, without a network. Beside each, in the same turn and by
the same connection: a bare SQL read of the rows that it is made of; and, of one participant, the seed's way, a SELECT
of all samples of the span and JSON of each. Both by the wall and by processor time of Python and PostgreSQL. The
stream is read to its end and thrown away; what Python holds at most meanwhile is measured over a third of it and over
all of it: it must not grow.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from django.db import connection

from benchmarks import bench, checkouts, processor_time
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
EVERY_SAMPLE = """
SELECT time, value FROM metrics_measurement
WHERE participant_id = ANY(%s) AND metric_id = %s AND time >= %s AND time < %s ORDER BY time
"""
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
    """Milliseconds and rows."""
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = len(cursor.fetchall())
    return (time.perf_counter() - began) * 1000, rows


def seeds_way(parameters: list[Any]) -> int:
    """Every sample of the span as the seed sent it, an object and a text for each; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(EVERY_SAMPLE, parameters)
        rows = cursor.fetchall()
    json.dumps([{"time": at.isoformat(), "value": value} for at, value in rows])
    return len(rows)


@dataclass
class Measured:
    """Of one case: by request the milliseconds of each way, and what it brought."""

    ms: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)

    def time(self, name: str, work: Callable[[], Any], *, counted: bool) -> Any:
        """Do a work and note what it took, in all and of the processors."""
        brought: list[Any] = []
        backend = processor_time.own_backend()
        began = time.perf_counter()
        cpu = processor_time.measured(lambda: brought.append(work()), backend)
        if counted:
            self.ms.setdefault(name, []).append((time.perf_counter() - began) * 1000)
            self.cpu.setdefault(name, []).append(cpu.all * 1000)
        return brought[0]

    def ratio(self, name: str) -> str:
        """Processor time of a request to that of another way, median of pairs."""
        if name not in self.cpu:
            return ""
        return (
            f"{bench.median([ours / other for ours, other in zip(self.cpu['ours'], self.cpu[name], strict=True)]):.3f}"
        )


def measure(people: list[Any], asking: Any, requests: int) -> None:
    measured: dict[str, Measured] = {}
    for turn in range(-3, requests):  # the first few warm up and are not counted
        for name, query, table, parameters in cases(people):
            one, counted = measured.setdefault(name, Measured()), turn >= 0
            whole = query | {"trial": "BENCH", "end": LAST.isoformat()}
            answer = one.time("ours", partial(asking.get, "/api/v1/series", whole), counted=counted)
            if answer.status_code != 200:
                raise SystemExit(f"{answer.status_code}: {answer.content[:300]!r}")
            _, rows = one.time("bare", partial(bare, BARE[table], parameters), counted=counted)
            if table in ("minute", "hour"):  # of the spans whose samples are all there
                one.facts["samples"] = one.time("seed", partial(seeds_way, parameters), counted=counted)
            if turn < 0:
                series = answer.json()["series"]
                points = max(len(s["time"]) for s in series)
                one.facts |= {"points": points, "width": series[0]["width_seconds"], "rows": rows}
                one.facts["bytes"] = len(answer.content)
    lines: list[list[str]] = []
    for name, one in measured.items():
        facts, ms = one.facts, {way: bench.median(times) for way, times in one.ms.items()}
        numbers = [f"{ms['ours']:.1f}", f"{max(one.ms['ours']):.1f}", f"{bench.median(one.cpu['ours']):.1f}"]
        numbers += [f"{facts['points']:,}", f"{facts['width']:,} s", f"{facts['bytes'] / 1024:,.0f}"]
        numbers += [f"{bench.median(one.cpu['bare']):.1f}", f"{facts['rows']:,}", one.ratio("bare")]
        seed = f"{bench.median(one.cpu['seed']):.1f}" if "seed" in one.cpu else ""
        numbers += [seed, f"{facts['samples']:,}" if seed else "", one.ratio("seed")]
        lines.append([name, *numbers])
    heads = ["ms", "slowest", "CPU ms", "points", "width", "kB", "bare: CPU ms", "rows", "to bare"]
    bench.table(
        f"Series inside Django, medians of {requests} requests; beside each a bare read beneath it, and the seed's way",
        ["", *heads, "seed: CPU ms", "samples", "to the seed's"],
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
    os.environ.setdefault("SECRET_KEY", "benchmarks-only")
    # Where requests are counted; without it each would wait for one that is away.
    with checkouts.redis(), bench.database() as tier:
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
