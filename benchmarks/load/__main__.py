"""Load test of pages while a full day comes in: the whole product on this machine, and 200 managers at once.

    python -m benchmarks.load [--participants 1000] [--managers 200] [--minutes 12] [--workers 2]

One machine runs all of it: the vendor's simulator, PostgreSQL, Redis, the web server with the settings of production,
the workers and beat as the supervisor starts them, and locust with the managers. Everybody is connected and has a
history; the managers are signed in. Then the clock runs: a quiet minute, after which a day of everybody is due and the
workers fetch it, until all of it is in or the minutes are over. Printed: every kind of request in both parts, and
their ratio; what came in; processor time; the target.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks import bench, stack
from benchmarks.load import report, scene
from benchmarks.load.report import Phase
from benchmarks.load.usage import Usage
from benchmarks.sync import NO_LIMITS
from config.embedded import static_files
from config.embedded.environment import ROOT
from config.embedded.processes import WORK_AFTER_PAGES, Child

IN_LOCUST = [sys.executable, "deploy/bootstrap.py", "--lock", "load", "--"]
# A pass that reads the last day in full, and nothing else.
ONE_DAY = {"SYNC_FRESH_HOURS": "24", "SYNC_WATCH_DAYS": "1"}
LIKE_PRODUCTION = {"DEBUG": "False", "SECOND_FACTOR": "required", "LOG_LEVEL": "WARNING", "API_RATE": "600/minute"}
ARRIVING = 25  # seconds in which the managers come, not counted
PAUSE = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class LoadOptions:
    """Options of the command line. `quiet`: seconds of the quiet part; `thinks`: from and to, seconds."""

    participants: int
    managers: int
    minutes: float
    quiet: int
    days: int
    workers: int
    thinks: tuple[float, float]


def collect() -> None:
    """Static files under the names that they have in production, where they are not there yet."""
    if static_files.stale():
        command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--clear", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "DEBUG": "False"})
        static_files.stamp()


def work(made: stack.Stack, workers: int) -> list[Child]:
    """The workers and beat, as the supervisor starts them."""
    command = ("-m", "celery", "-A", "config", "worker", "--concurrency", str(workers), "--loglevel", "WARNING")
    worker = made.start("worker", *command, "--without-gossip", "--without-mingle", nice=WORK_AFTER_PAGES)
    return [
        worker,
        made.start("beat", "-m", "celery", "-A", "config", "beat", "--loglevel", "WARNING", "--pidfile", ""),
    ]


@contextlib.contextmanager
def load(made: stack.Stack, options: LoadOptions, who: dict[str, object]) -> Iterator[Child]:
    """The managers at work; yields locust. Each of their requests is told in told.tsv."""
    file, requests = made.folder / "who.json", made.folder / "told.tsv"
    file.write_text(json.dumps(who))
    requests.touch()
    environment = {name: value for name, value in made.environment.items() if name != "VIRTUAL_ENV"}
    environment |= {"WHO": str(file), "TOLD": str(requests)}
    environment |= dict(zip(("THINKS_FROM", "THINKS_TO"), map(str, options.thinks), strict=True))
    longest = int(ARRIVING + options.quiet + options.minutes * 60 + 60)
    locust = ["-m", "locust", "--headless", "--locustfile", "benchmarks/load/managers.py", "--only-summary"]
    how = [
        "--users",
        str(options.managers),
        "--spawn-rate",
        str(max(options.managers / 10, 1)),
        "--run-time",
        f"{longest}s",
    ]
    child = Child("locust", [*IN_LOCUST, *locust, *how], environment, made.folder / "locust.log", directory=ROOT)
    child.stop_signals = ((signal.SIGTERM, 15.0),)
    child.start()
    made.children.append(child)
    try:
        yield child
    finally:
        made.stop([child])


def day_due(made: stack.Stack, connections: list[int]) -> None:
    """A day of everybody is due, as it is after the vendor was away for a day. Beat's next minute is not waited for."""
    from django.utils import timezone

    from ingestion import tasks
    from ingestion.models import Connection

    Connection.objects.filter(pk__in=connections).update(next_due_at=timezone.now())
    tasks.tick.delay()


def left(connections: list[int], since: dt.datetime) -> int:
    """Connections whose day is not in yet: not planned, or with windows that wait or are being read."""
    from django.db.models import Exists, OuterRef, Q

    from ingestion.models import Connection, SyncWindow

    open_states = (SyncWindow.State.DUE, SyncWindow.State.CLAIMED)
    open_windows = SyncWindow.objects.filter(connection=OuterRef("pk"), state__in=open_states)
    waiting = Q(next_due_at__lte=dt.datetime.now(dt.UTC)) | Q(last_pull_at__lt=since) | Q(Exists(open_windows))
    return Connection.objects.filter(waiting, pk__in=connections).count()


def day_comes_in(connections: list[int], minutes: float) -> tuple[float, int]:
    """Wait for the day; returns seconds and how many are not in when the time is up."""
    began, since, printed_at = time.monotonic(), dt.datetime.now(dt.UTC), 0.0
    while (open_ones := left(connections, since)) and time.monotonic() - began < minutes * 60:
        if time.monotonic() - printed_at > 30:
            printed_at = time.monotonic()
            print(
                f"  {printed_at - began:4.0f} s: {len(connections) - open_ones:,} of {len(connections):,} are in",
                flush=True,
            )
        time.sleep(PAUSE)
    return time.monotonic() - began, open_ones


def run(made: stack.Stack, options: LoadOptions) -> None:
    from metrics.models import Measurement

    began = time.monotonic()
    connections = scene.people(made, options.participants, options.days)
    print(
        f"{made.tier}\n{options.participants:,} people of {options.days} days: {time.monotonic() - began:.0f} s",
        flush=True,
    )
    scene.warm(made, options.participants)
    who: dict[str, object] = scene.managers(options.managers) | {"site": made.environment["PUBLIC_URL"]}
    today = dt.datetime.now(dt.UTC).date()
    who["month"] = f"start={today - dt.timedelta(days=30)}&end={today}"
    web = made.web()
    groups = {"the vendor": made.simulator, "web": web}
    groups |= {child.name: child for child in work(made, options.workers)}
    print(f"Ready after {time.monotonic() - began:.0f} s; {options.managers} managers come", flush=True)
    rows_before = Measurement.objects.count()
    with load(made, options, who) as locust:
        time.sleep(ARRIVING)
        pids = {name: child.process.pid for name, child in {**groups, "locust": locust}.items() if child.process}
        usage, at = Usage(pids), time.time()
        time.sleep(options.quiet)
        quiet, quiet_usage = Phase("Quiet: managers alone", at, time.time()), usage.rows()
        usage, at = Usage(pids), time.time()
        day_due(made, connections)
        took, open_ones = day_comes_in(connections, options.minutes)
        busy, busy_usage = Phase("A day of everybody comes in", at, time.time()), usage.rows()
        if not locust.running:
            raise SystemExit((made.folder / "locust.log").read_text())
    points = Measurement.objects.count() - rows_before
    requests = report.read(made.folder / "told.tsv")
    conclude(options, (quiet, quiet_usage), (busy, busy_usage), requests, points)
    done = f"complete in {took:.0f} s" if not open_ones else f"{open_ones:,} of {len(connections):,} missing"
    report.target_table(busy.of(requests), f"{done}, {points / took:,.0f} points/s")


def conclude(
    options: LoadOptions,
    quiet: tuple[Phase, list[list[str]]],
    busy: tuple[Phase, list[list[str]]],
    requests: list[report.Request],
    points: int,
) -> None:
    thinks = f"{options.thinks[0]:g} to {options.thinks[1]:g} s"
    print(f"\n{options.managers} managers, {thinks} between their actions; {os.cpu_count()} cores for all of it")
    for phase, usage in (quiet, busy):
        report.requests_table(phase, phase.of(requests))
        bench.table("", ["processes", "CPU s", "cores"], usage)
    report.ratio_table(quiet[0].of(requests), busy[0].of(requests))
    took = busy[0].seconds
    rows = [["points stored", f"{points:,}", f"{points / took:,.0f}"]]
    bench.table(f"The day of {options.participants:,} participants", ["", "number", "a second"], rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--participants", type=int, default=1000)
    arguments.add_argument("--managers", type=int, default=200)
    arguments.add_argument("--minutes", type=float, default=12, help="at most for the day to come in")
    arguments.add_argument("--quiet", type=int, default=60, help="seconds without a sync")
    arguments.add_argument("--days", type=int, default=60, help="of history")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--thinks", type=float, nargs=2, default=(5.0, 20.0), help="seconds between two actions")
    given = vars(arguments.parse_args())
    options = LoadOptions(**{**given, "thinks": tuple(given["thinks"])})
    subprocess.run([*IN_LOCUST, "-c", ""], cwd=ROOT, check=True)  # before the clock: it may have to be installed
    collect()
    world = int(options.participants * scene.ACCOUNTS) + 5
    simulator = ("--participants", str(world), "--history-days", "3", "--all-well", "--user-limit", "0")
    limits = ("--project-limit", "0", "--cache-days", str(4 * world))
    with stack.stack(*simulator, *limits, **NO_LIMITS, **ONE_DAY, **LIKE_PRODUCTION) as made:
        run(made, options)


if __name__ == "__main__":
    main()
