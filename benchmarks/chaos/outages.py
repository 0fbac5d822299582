"""The outages: how each is made and ended, and by what it must be seen."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import redis

from benchmarks.chaos.installation import Installation


def nothing(_: Installation) -> None:
    """There is nothing to be done."""


@dataclass(frozen=True, slots=True)
class Outage:
    """`part`: of /health/ready, that must show it; `alerts`: of which one must fire. `hold`: seconds at least.

    `part` empty: nothing is away that anybody would notice, and nothing need be seen.
    """

    name: str
    part: str
    alerts: frozenset[str]
    begin: Callable[[Installation], None]
    end: Callable[[Installation], None]
    hold: float = 12.0
    keep: Callable[[Installation], None] = nothing  # again and again while it lasts
    quick: bool = False  # part of the short run
    needs_small_disk: bool = False


def killed(*names: str, number: int = signal.SIGKILL) -> tuple[Callable[..., None], Callable[..., None]]:
    return (
        lambda made: made.kill(*names, number=number),
        lambda made: made.let_up(*names),
    )


def flush(made: Installation) -> None:
    with redis.Redis.from_url(made.redis.url) as client:
        client.flushall()


def leading_scheduler(made: Installation) -> None:
    """Kill the one that holds the lease; its successor waits already."""
    from django.db import connection

    from ingestion.heartbeats import SCHEDULER
    from ingestion.models import Heartbeat

    holder = Heartbeat.objects.get(name=SCHEDULER).holder
    connection.close()
    for name in ("beat-1", "beat-2"):
        process = made.children[name].process
        if process and f":{process.pid}:" in holder:
            made.kill(name)


def vendor(profile: str, made: Installation) -> None:
    made.vendor.sim("faults", profile=profile)


def free_disk(made: Installation) -> None:
    made.ballast.unlink()


def outages(hour: float) -> list[Outage]:
    """In their order. `hour`: the seconds in which the vendor's hour is played."""
    database = frozenset({"DatabaseNotReady", "DatabaseDown"})
    return [
        Outage("PostgreSQL restarted", "database", database, *killed("postgres", number=signal.SIGINT)),
        Outage("PostgreSQL killed", "database", database, *killed("postgres"), quick=True),
        Outage("Redis flushed", "redis", frozenset({"RedisNotReady"}), flush, nothing, hold=1),
        Outage("Redis killed, 20 s", "redis", frozenset({"RedisNotReady"}), *killed("redis"), hold=20, quick=True),
        Outage("disk full", "storage", frozenset({"StorageNotWritable"}), Installation.fill_disk, free_disk,
               keep=Installation.fill_disk, quick=True, needs_small_disk=True),
        Outage("both workers killed", "workers", frozenset({"WorkersSilent"}), *killed("worker-1", "worker-2"),
               quick=True),
        Outage("one web server killed", "no answer", frozenset({"StateUnknown"}), *killed("web-1")),
        Outage("leading scheduler killed", "", frozenset(), leading_scheduler,
               lambda made: made.let_up("beat-1", "beat-2"), hold=6),
        Outage("both schedulers killed", "scheduler", frozenset({"SchedulerSilent"}), *killed("beat-1", "beat-2")),
        Outage("vendor gone for an hour", "vendor", frozenset({"VendorFailing"}), partial(vendor, "gone"),
               partial(vendor, "mild"), hold=hour, quick=True),
    ]  # fmt: skip
