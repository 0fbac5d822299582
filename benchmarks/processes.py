"""Cost of each kind of process while it works: memory, and connections to PostgreSQL and Redis.

    python -m benchmarks.processes [--participants 10] [--clients 32]

An installation at work: web servers under as many clients as threads and more, workers that sync, one that writes
exports, a scheduler. Connections are counted as PostgreSQL sees them, again and again; the highest number stands.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import re
import threading
import time
from collections import Counter
from pathlib import Path

import httpx

from benchmarks import bench, stack
from config.embedded.processes import Child

KINDS = {
    "web": "gunicorn, 4 processes of 4 threads",
    "worker": "Celery, --concurrency 2",
    "exports": "Celery, --queues exports --concurrency 1",
    "beat": "Celery beat",
}


def family(pid: int) -> list[int]:
    """A process and all below it."""
    pids = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                pids += family(int(child))
    return pids


def megabytes(pid: int) -> float:
    """Proportional set size: what several share is counted once among them."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        match = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(match[1]) / 1024 if match else 0.0
    return 0.0


class Watch(threading.Thread):
    """The most that was seen of each kind."""

    def __init__(self, children: dict[str, Child]) -> None:
        super().__init__(daemon=True)
        self.children = children
        self.memory: Counter[str] = Counter()
        self.processes: Counter[str] = Counter()
        self.connections: Counter[str] = Counter()
        self.over = threading.Event()

    def run(self) -> None:
        from django.db import connection

        while not self.over.wait(0.25):
            self.sample()
        connection.close()

    def sample(self) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1")
            for name, n in cursor.fetchall():
                self.connections[name] = max(self.connections[name], n)
        for name, child in self.children.items():
            if child.process:
                pids = family(child.process.pid)
                self.processes[name] = max(self.processes[name], len(pids))
                self.memory[name] = max(self.memory[name], round(sum(map(megabytes, pids))))


def signed_in() -> dict[str, str]:
    """The cookie of somebody who sees the trial."""
    from django.test import Client

    from participants.models import Membership, Trial, User

    user = User.objects.create_user("manager@example.org")
    Membership.objects.create(user=user, trial=Trial.objects.get(), role=Membership.Role.MANAGER)
    client = Client()
    client.force_login(user)
    return {name: morsel.value for name, morsel in client.cookies.items()}


def read(address: str, over: threading.Event, clients: int) -> None:
    """So many clients ask for the trial's page, until it is over."""
    cookies = signed_in()

    def one() -> None:
        with httpx.Client(timeout=60, cookies=cookies) as http:
            while not over.is_set():
                http.get(f"{address}/trials/BENCH/").raise_for_status()

    for _ in range(clients):
        threading.Thread(target=one, daemon=True).start()


def start(made: stack.Stack, name: str, *command: str) -> Child:
    made.environment["PGAPPNAME"] = name
    return made.start(name, "-m", *command)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--participants", type=int, default=10)
    arguments.add_argument("--clients", type=int, default=32)
    given = arguments.parse_args()
    simulator = ("--participants", str(given.participants * 2), "--user-limit", "0")
    with stack.stack(*simulator, SECOND_FACTOR="optional") as made:
        from ingestion import tasks
        from ingestion.models import SyncWindow

        yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
        stack.connect_all(made, given.participants, yesterday)
        celery = ("celery", "-A", "config")
        made.environment["PGAPPNAME"] = "web"
        children = {
            "web": made.web(),
            "worker": start(made, "worker", *celery, "worker", "--concurrency", "2", "-n", "w@bench"),
            "exports": start(made, "exports", *celery, "worker", "--queues", "exports", "--concurrency", "1",
                             "-n", "e@bench"),
            "beat": start(made, "beat", *celery, "beat"),
        }  # fmt: skip
        watch = Watch(children)
        watch.start()
        tasks.tick.delay()
        read(made.environment["PUBLIC_URL"], watch.over, given.clients)
        deadline = time.monotonic() + 240
        done = SyncWindow.objects.filter(state=SyncWindow.State.DONE)
        while (not done.exists() or SyncWindow.objects.exclude(pk__in=done).exists()) and time.monotonic() < deadline:
            time.sleep(0.5)
        watch.over.set()
        watch.join()
        rows = [
            [KINDS[name], str(watch.processes[name]), str(watch.memory[name]), str(watch.connections[name])]
            for name in KINDS
        ]
        head = ["", "processes", "MB in all", "connections at most"]
        bench.table(f"{made.tier}: {given.clients} clients, {given.participants} participants synced", head, rows)


if __name__ == "__main__":
    main()
