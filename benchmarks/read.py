"""Benchmark of charts: how fast a chart's data comes back over HTTP, beside sending every stored sample of the span as
the seed did.

    python -m benchmarks.read [--participants 20] [--days 90] [--requests 30]

A real web server (gunicorn, as in production) on loopback, a signed-in manager, spans of 1, 7, 30 and 90 days of
heart rate of changing participants. The spans run in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import orjson
from django.db import connection

from benchmarks import bench

ROOT = Path(__file__).resolve().parent.parent
EVERY_SAMPLE = """
SELECT time, value FROM metrics_measurement
WHERE participant_id = %s AND metric_id = 1 AND time >= %s AND time < %s ORDER BY time
"""


def load(participants: int, days: int) -> list[Any]:
    """A trial with synthetic heart rates, and how long that took."""
    from metrics.batch import Payload
    from metrics.writing.writer import store
    from participants.services import participant_enrol, trial_create

    trial = trial_create(code="BENCH", title="Benchmark", is_demo=True, status="running")
    people = [participant_enrol(trial=trial, study_id=f"B-{i:03d}", status="active") for i in range(participants)]
    began, rows = time.perf_counter(), 0
    for participant in people:
        for day in range(days):
            rows += store(participant, Payload(samples=[bench.heart_rate_day(participant.pk, day)])).new
    taken = time.perf_counter() - began
    print(f"Loaded {rows:,} heart rates of {participants} participants x {days} days in {taken:.0f} s")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return people


def session_cookie(trial: Any) -> str:
    """A manager of the trial, signed in."""
    from django.conf import settings
    from django.test import Client

    from participants.models import Membership, User

    user = User.objects.create_user("manager@example.org", "only-for-this-benchmark")
    Membership.objects.create(user=user, trial=trial, role=Membership.Role.MANAGER)
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


@contextlib.contextmanager
def web_server() -> Iterator[int]:
    """gunicorn on a free port of loopback, on the benchmark's database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    parts = urlsplit(os.environ["DATABASE_URL"])
    url = urlunsplit(parts._replace(path="/" + quote(str(connection.settings_dict["NAME"]))))
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "config.wsgi"],
        env={**os.environ, "DATABASE_URL": url, "PORT": str(port), "HOST": "127.0.0.1", "DEBUG": "False"},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.1):
                break
            time.sleep(0.05)
        else:
            raise SystemExit("The web server did not start.")
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)


def timed_request(http_connection: http.client.HTTPConnection, path: str, cookie: str) -> tuple[float, bytes]:
    began = time.perf_counter()
    http_connection.request("GET", path, headers={"Cookie": cookie})
    answer = http_connection.getresponse()
    body = answer.read()
    taken = time.perf_counter() - began
    if answer.status != 200:
        raise SystemExit(f"{answer.status} for {path}: {body[:300]!r}")
    return taken, body


def seeds_way(participant: Any, start: dt.datetime, end: dt.datetime) -> tuple[float, int]:
    """Every sample of the span as JSON, without the HTTP around it."""
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(EVERY_SAMPLE, [participant.pk, start, end])
        rows = cursor.fetchall()
    orjson.dumps([{"time": at, "value": value} for at, value in rows])
    return time.perf_counter() - began, len(rows)


def run(participants: int, days: int, requests: int) -> None:
    people = load(participants, days)
    cookie = session_cookie(people[0].trial)
    spans = [span for span in (1, 7, 30, 90) if span <= days]
    times: dict[int, list[float]] = {span: [] for span in spans}
    seed: dict[int, list[float]] = {span: [] for span in spans}
    facts: dict[int, tuple[int, int, str]] = {}
    raw: dict[int, int] = {}
    last = bench.FIRST_DAY + dt.timedelta(days=days)
    with web_server() as port:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for turn in range(-4, requests):  # the first few warm the server up and are not counted
            for span in spans:
                participant = people[turn % len(people)]
                start = last - dt.timedelta(days=span)
                query = urlencode({"metric": "heart_rate", "start": start.isoformat(), "end": last.isoformat()})
                taken, body = timed_request(
                    link, f"/trials/BENCH/participants/{participant.study_id}/series.json?{query}", cookie
                )
                if turn < 0:
                    continue
                times[span].append(taken * 1000)
                answer = orjson.loads(body)
                facts[span] = (len(answer["t"]), len(body), str(answer["meta"]["width_seconds"]))
                if turn < 5:
                    alone, raw[span] = seeds_way(participant, start, last)
                    link.close()  # by now the server may have hung up; the next request connects anew
                    seed[span].append(alone * 1000)
    first = bench.median(times[spans[0]])
    rows = []
    for span in spans:
        ours, theirs = bench.median(times[span]), bench.median(seed[span])
        points, size, width = facts[span]
        rows.append(
            [
                f"{span} days",
                f"{ours:.1f}",
                f"{ours / first:.2f}",
                f"{points:,}",
                f"{width} s",
                f"{size / 1024:.0f}",
                f"{theirs:.1f}",
                f"{raw[span]:,}",
                f"{theirs / ours:.1f}",
            ]
        )
    bench.table(
        f"Heart rate of one participant over HTTP, medians of {requests} requests; beside them every sample as JSON",
        ["span", "ms", "to 1 day", "points", "width", "kB", "all: ms", "all: samples", "all/ours"],
        rows,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--participants", type=int, default=20)
    arguments.add_argument("--days", type=int, default=90)
    arguments.add_argument("--requests", type=int, default=30)
    given = arguments.parse_args()
    with bench.database() as tier:
        print(f"Server: {tier}")
        run(given.participants, given.days, given.requests)


if __name__ == "__main__":
    main()
