"""Benchmark of the monitoring pages: time on the server, for a trial of 1,000 participants and for one of 10,000.

    python -m benchmarks.monitoring [--participants 1000 10000] [--days 365] [--requests 15]

Both trials lie in one database; their pages are asked for in turns, through Django's test client: middleware, session,
queries and templates, no network. What is not counted: the first requests, which fill caches.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks import bench

# Milliseconds that a page may take with 1,000 participants; with ten times as many, three times as long.
TARGETS = {"trial page": 200, "heat map, 8 weeks": 400, "heat map, whole trial": 400, "participant page": 200}
MORE = 3
PAGE_KB = 300


@dataclass
class Measured:
    """Of one page of one trial: milliseconds of each request, kilobytes, queries."""

    times: list[float] = field(default_factory=list)
    size: float = 0
    queries: int = 0


def addresses(code: str, size: int, turn: int) -> dict[str, str]:
    """Each page; of participants another one at each turn."""
    trial = f"/trials/{code}/"
    return {
        "trial page": trial,
        "trial page, searched": f"{trial}?q=harbour+battery&sort=adherence",
        "trial page, nothing new": trial,
        "heat map, 8 weeks": f"{trial}heatmap/?sort=adherence",
        "heat map, whole trial": f"{trial}heatmap/?span=trial",
        "participant page": f"{trial}participants/AX-{turn * 37 % size + 1:04d}/",
    }


def sign_in(trials: list[Any]) -> Any:
    """A client of somebody who manages all the trials."""
    from django.test import Client

    from participants.models import Membership, User

    user = User.objects.create_user("manager@example.org", "only-for-this-benchmark")
    for trial in trials:
        Membership.objects.create(user=user, trial=trial, role=Membership.Role.MANAGER)
    client = Client()
    client.force_login(user)
    return client


def timed_request(client: Any, name: str, path: str) -> tuple[float, int, int]:
    """Milliseconds, bytes and queries of a request; raises SystemExit where the page is not what it should be."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    headers, expected = {}, 200
    if name.endswith("nothing new"):
        digest = client.get(path).content.decode().split("seen=")[1].split('"')[0]
        path, headers, expected = f"{path}?seen={digest}", {"HX-Request": "true"}, 204
    began = time.perf_counter()
    answer = client.get(path, headers=headers)
    taken = (time.perf_counter() - began) * 1000
    if answer.status_code != expected:
        if expected == 204 and answer.status_code == 200:  # the minute has turned in between
            return timed_request(client, name, path.split("?")[0])
        raise SystemExit(f"{answer.status_code} for {path}")
    with CaptureQueriesContext(connection) as queries:
        client.get(path, headers=headers)
    return taken, len(answer.content), len(queries)


def run(sizes: list[int], days: int, requests: int) -> None:
    from benchmarks.monitoring_data import fill

    trials = []
    for size in sizes:
        began = time.perf_counter()
        trials.append(fill(f"BENCH-{size}", size, days, now=dt.datetime.now(dt.UTC)))
        print(f"Made {size:,} participants x {days} days in {time.perf_counter() - began:.0f} s", flush=True)
    client = sign_in(trials)
    names = list(addresses("", 1, 0))
    measured = {(name, size): Measured() for name in names for size in sizes}
    for turn in range(-3, requests):
        for size in sizes:
            for name, path in addresses(f"BENCH-{size}", size, turn + 3).items():
                taken, length, queries = timed_request(client, name, path)
                if turn >= 0:
                    page = measured[name, size]
                    page.times.append(taken)
                    page.size, page.queries = max(page.size, length / 1024), max(page.queries, queries)
    report(names, sizes, measured, days, requests)


def report(
    names: list[str], sizes: list[int], measured: dict[tuple[str, int], Measured], days: int, requests: int
) -> None:
    rows, missed = [], []
    first, last = sizes[0], sizes[-1]
    for name in names:
        medians = [bench.median(measured[name, size].times) for size in sizes]
        target = TARGETS.get(name)
        heaviest = max(measured[name, size].size for size in sizes)
        rows.append(
            [
                name,
                *(f"{value:.0f}" for value in medians),
                f"{medians[-1] / medians[0]:.2f}",
                f"{target} / {target * MORE}" if target else "",
                f"{heaviest:.0f}",
                " / ".join(dict.fromkeys(str(measured[name, size].queries) for size in sizes)),
            ]
        )
        if target and (medians[0] > target or medians[-1] > target * MORE):
            missed.append(name)
        if heaviest > PAGE_KB:
            missed.append(f"{name}: weight")
    heads = [*(f"{size:,}: ms" for size in sizes), f"{last:,}/{first:,}", "may: ms", "kB", "queries"]
    bench.table(f"Server time, medians of {requests} requests, {days} days", ["page", *heads], rows)
    print(f"\n{'Missed: ' + ', '.join(missed) if missed else 'All within what they may take.'}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--participants", type=int, nargs="+", default=[1000, 10_000])
    arguments.add_argument("--days", type=int, default=365)
    arguments.add_argument("--requests", type=int, default=15)
    given = arguments.parse_args()
    with bench.database() as tier:
        from django.conf import settings
        from django.test import override_settings

        print(f"Server: {tier}")
        # Static files by their own names: the hashed ones exist only where they were collected.
        plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        with override_settings(
            STORAGES={**settings.STORAGES, "staticfiles": plain},
            ALLOWED_HOSTS=["testserver"],
            SECURE_SSL_REDIRECT=False,
        ):
            run(given.participants, given.days, given.requests)


if __name__ == "__main__":
    main()
