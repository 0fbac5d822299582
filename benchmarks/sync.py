"""Benchmark of the sync, a day of everybody: a simulated vendor, HTTP, Redis, Celery workers, PostgreSQL.

    python -m benchmarks.sync [--participants 200] [--workers 2] [--restated-only]

Everybody is connected and every worker answers, then the workers are let loose; the clock runs from the first request
until the last window is done. What it costs is told as points a second of processor time, of the workers alone and of
workers and PostgreSQL. The simulator's points are made beforehand, as a vendor's would be: its own work is measured
beside it. Then the price of restated data: one hour five days back, found and stored, against a full read of the week.
"""

from __future__ import annotations

import argparse
import datetime as dt
import threading
import time
from typing import Any

from benchmarks import bench, stack
from config.embedded.processes import Child

NO_LIMITS = {"VENDOR_REQUESTS_PER_MINUTE": "10000000", "VENDOR_REQUESTS_PER_MINUTE_EACH": "1000000"}


class Watch:
    """Processor time of the children, of PostgreSQL's processes, and the workers' highest memory."""

    def __init__(self, children: list[Child]) -> None:
        self._children = children
        self._before = self._now()
        self._began = time.monotonic()

    def spent(self) -> dict[str, float]:
        """Seconds of processor time since the beginning, by process."""
        return {name: seconds - self._before.get(name, 0.0) for name, seconds in self._now().items()}

    def _now(self) -> dict[str, float]:
        seconds = {child.name: stack.cpu_seconds(child.process.pid) for child in self._children if child.process}
        return seconds | {"postgres": postgres_seconds()}

    def report(self) -> list[list[str]]:
        took = time.monotonic() - self._began
        rows = []
        for name, spent in self.spent().items():
            child = next((other for other in self._children if other.name == name), None)
            memory = f"{stack.peak_megabytes(child.process.pid):,.0f}" if child and child.process else ""
            rows.append([name, f"{spent:,.1f}", f"{100 * spent / took:,.0f} %", memory])
        return rows


def postgres_seconds() -> float:
    """Processor time of our database server's processes, those that have ended too, where it runs on this machine."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        backends = [int(row[0]) for row in cursor.fetchall()]
        cursor.execute("SELECT pg_backend_pid()")
        own = int(cursor.fetchone()[0])
    return sum(stack.cpu_seconds(pid) for pid in {*backends, own, stack.parent_of(own)})


def one_day(made: stack.Stack, people: int, workers: int) -> None:
    """Yesterday of everybody, from nothing."""
    from django.db import connection

    from ingestion.connections import queueing
    from ingestion.models import Connection, SyncWindow
    from metrics.models import Measurement
    from participants.models import Participant

    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    connections = stack.connect_all(made, people, yesterday)
    Participant.objects.update(monitoring_ends_on=yesterday)
    warm(made, people)
    children = [made.worker(number) for number in range(1, workers + 1)]
    made.wait_for_workers(children)
    made.sim("reset_stats", all=True)
    watch, began = Watch([made.simulator, *children]), time.monotonic()
    for pk in connections:
        queueing.queue_connection(pk)
    while Connection.objects.exclude(queued_at=None).exists() or not settled():
        time.sleep(0.2)
    took = time.monotonic() - began
    made.wait_until_idle(children)  # what follows from the last payloads is a part of the price
    table, spent = watch.report(), watch.spent()
    made.stop(children)
    stats, rows = made.sim("stats"), Measurement.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size = int(cursor.fetchone()[0])
    windows = SyncWindow.objects.filter(state=SyncWindow.State.DONE).count()
    bench.table(
        f"{made.tier}: one day of {len(connections)} participants, {workers} workers, {took:,.1f} s",
        ["", "number", "a second"],
        [
            ["points stored", f"{rows:,}", f"{rows / took:,.0f}"],
            ["requests", f"{stats['requests']:,}", f"{stats['requests'] / took:,.0f}"],
            ["windows done", f"{windows:,}", f"{windows / took:,.0f}"],
            ["JSON, MB", f"{stats['bytes'] / 1e6:,.0f}", f"{stats['bytes'] / 1e6 / took:,.1f}"],
            ["database, MB", f"{size / 1e6:,.0f}", ""],
        ],
    )
    alone = sum(spent[child.name] for child in children)
    whole = alone + spent["postgres"]
    bench.table(
        "Price of a day",
        ["processor time of", "s", "points a CPU second", "CPU s a million points"],
        [
            [name, f"{seconds:,.1f}", f"{rows / seconds:,.0f}", f"{seconds / rows * 1e6:.2f}"]
            for name, seconds in (("workers", alone), ("workers and PostgreSQL", whole))
        ],
    )
    bench.table("", ["process", "CPU s", "of one core", "peak MB"], table)


def settled() -> bool:
    from ingestion.models import SyncWindow

    busy = SyncWindow.objects.filter(state__in=(SyncWindow.State.DUE, SyncWindow.State.CLAIMED))
    return SyncWindow.objects.exists() and not busy.exists()


def warm(made: stack.Stack, people: int) -> None:
    """Have the simulator make everybody's days before the clock runs, four at a time."""
    now = dt.datetime.now(dt.UTC)
    span = {"start": (now - dt.timedelta(days=2)).isoformat(), "end": now.isoformat()}
    numbers = iter([account["number"] for account in made.sim("accounts")["accounts"]][: people + people // 5])
    lock = threading.Lock()

    def work() -> None:
        import httpx

        with httpx.Client(timeout=60) as http:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                for name in ("heart-rate", "steps"):
                    params = {"user": str(number), "type": name, "format": "arrow", **span}
                    http.get(f"{made.address}/_sim/truth", params=params).raise_for_status()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def restated(made: stack.Stack) -> None:
    """Bytes for one restated hour five days back, beyond what any pass costs, and for a full read of the week."""
    from django.utils import timezone

    from ingestion.models import Connection
    from ingestion.sync.run_state import Outcome
    from metrics.models import Revision

    today = dt.datetime.now(dt.UTC).date()
    pk = stack.connect_all(made, 1, today - dt.timedelta(days=9), code="RESTATED")[0]
    account = Connection.objects.get(pk=pk).external_user_id

    def one_pass(*, sweep: bool) -> tuple[Outcome, int]:
        from ingestion.sync import dispatch

        before = timezone.now() - dt.timedelta(days=30) if sweep else timezone.now()
        Connection.objects.filter(pk=pk).update(next_due_at=timezone.now(), swept_at=before, busy_until=None)
        made.sim("reset_stats", all=True)
        whole = Outcome()
        while True:
            outcome = dispatch.serve(pk)
            whole.add(outcome)
            if outcome.wait != 0:
                return whole, int(made.sim("stats")["bytes"])

    one_pass(sweep=True)
    whole, full = one_pass(sweep=True)
    _, quiet = one_pass(sweep=False)
    five = timezone.now().replace(minute=0, second=0, microsecond=0) - dt.timedelta(days=5)
    hour = {"start": five.isoformat(), "end": (five + dt.timedelta(hours=1)).isoformat()}
    made.sim("restate", user=account, type="heart-rate", delta=4, tell=False, **hour)
    changed, restated = one_pass(sweep=False)
    checks, checked = restatement_check_bytes(made, pk)
    rows: list[list[Any]] = [
        ["seven days read in full", f"{full:,}", f"{whole.requests}", ""],
        ["a pass in which nothing was restated", f"{quiet:,}", "", f"{quiet / full:.3f}"],
        ["a pass that finds the restated hour", f"{restated:,}", f"{changed.requests}", f"{restated / full:.3f}"],
        ["of it, the restated hour", f"{restated - quiet:,}", "", f"{(restated - quiet) / full:.4f}"],
        ["of it, the restatement checks that find it", f"{checked:,}", f"{checks}", f"{checked / full:.4f}"],
        [
            "checks and hour together",
            f"{restated - quiet + checked:,}",
            "",
            f"{(restated - quiet + checked) / full:.4f}",
        ],
    ]
    bench.table("One hour restated five days back", ["", "bytes of JSON", "requests", "of a full read"], rows)
    print(f"{changed.counts.changed:,} values changed, {Revision.objects.count():,} old ones kept")


def restatement_check_bytes(made: stack.Stack, pk: int) -> tuple[int, int]:
    """Requests and bytes of the restatement checks of one pass, asked for once more by themselves."""
    from ingestion import live_providers
    from ingestion.connections import services as connections_services
    from ingestion.models import Connection, SyncWindow

    connection = Connection.objects.get(pk=pk)
    provider = live_providers.provider(connection.provider)
    token = connections_services.fresh_token(connection, provider)
    checks = list(SyncWindow.objects.filter(connection=pk, kind=SyncWindow.Kind.FINGERPRINT))
    made.sim("reset_stats", all=True)
    for check in checks:
        provider.fingerprints(token, check.data_type, check.starts_at, check.ends_at)
    stats = made.sim("stats")
    return int(stats["paths"]["data"]), int(stats["bytes"])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--participants", type=int, default=200)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--restated-only", action="store_true")
    given = arguments.parse_args()
    world = str(given.participants * 6 // 5 + 5)
    simulator = ("--participants", world, "--history-days", "12", "--all-well", "--user-limit", "0")
    limits = ("--project-limit", "0", "--cache-days", str(3 * int(world)))
    with stack.stack(*simulator, *limits, **NO_LIMITS, LOG_LEVEL="WARNING") as made:
        if not given.restated_only:
            one_day(made, given.participants, given.workers)
        restated(made)


if __name__ == "__main__":
    main()
