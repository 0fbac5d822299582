"""Health probes: the state of each part of the installation, for load balancers, monitoring and people on call.

A server that hangs must not hang the response: each kind of server is asked in a thread of its own, and what has not
answered in time is said not to have. What was found is kept for some seconds, so that nobody can wear the database
out by asking.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from redis import RedisError

from config.health import checks, sql

log = logging.getLogger(__name__)

FRESH_SECONDS = 3.0
# The check that writes is made less often.
STORAGE_SECONDS = 10.0
DEADLINE_SECONDS = 2.5
# Without these nothing can be answered; with any other part away, some of it can.
NEEDED = ("database", "migrations")
NO_ANSWER = f"No answer within {DEADLINE_SECONDS:g} seconds."
UNKNOWN = "Not known: the database does not answer."


@dataclass(frozen=True, slots=True)
class Part:
    """Part of the installation. `says`: what is wrong, for people; empty where it is well."""

    ok: bool
    milliseconds: float
    says: str = ""


Parts = dict[str, Part]


def parts() -> Parts:
    """Every part, as it was at most some seconds ago. Takes no longer than DEADLINE_SECONDS, whatever is away."""
    until = time.monotonic() + DEADLINE_SECONDS
    for probe in PROBES:
        probe.begin()
    merged: Parts = {}
    for probe in PROBES:
        merged |= probe.read(until)
    return merged


def status(health: Mapping[str, Part]) -> str:
    """ready; degraded: some of it works; unready: send nobody here."""
    if not all(health[name].ok for name in NEEDED):
        return "unready"
    return "ready" if all(part.ok for part in health.values()) else "degraded"


def database_checks() -> dict[str, Callable[[checks.Cursor], str]]:
    """Checks of the database by part, in this order; without the parts that are not set up."""
    by_part: dict[str, Callable[[checks.Cursor], str]] = {
        "database": checks.database,
        "migrations": checks.migrations,
        "scheduler": checks.beats("scheduler", "scheduler"),
        "workers": checks.beats("sync", "worker"),
        "exports": checks.beats("exports", "worker for exports"),
    }
    if settings.LIVE_PROVIDERS:
        by_part["vendor"] = checks.vendor
    if settings.EMAIL_HOST:
        by_part["mail"] = checks.mail
    return by_part


def run_checks(connection: psycopg.Connection[Any], part_checks: Mapping[str, Callable[[checks.Cursor], str]]) -> Parts:
    """Each check in a transaction of its own, so that one that fails is the only one."""
    results: Parts = {}
    for name, check in part_checks.items():
        began = time.perf_counter()
        try:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(sql.STATEMENT_TIMEOUT, [f"{1000 * checks.PATIENCE:.0f}ms"])
                says = check(cursor)
        except psycopg.Error as error:
            says = _database_fault(error)
        results[name] = Part(not says, _since(began), says)
        if connection.closed:
            break
    return results


def _database_fault(error: psycopg.Error) -> str:
    """Sentence for a database error, by its kind: its own text may name hosts and users."""
    match error:
        case psycopg.errors.DiskFull():
            return "The database's disk is full: nothing can be stored."
        case psycopg.errors.ReadOnlySqlTransaction():
            return "The database takes no writes."
        case psycopg.errors.QueryCanceled():
            return f"No answer within {checks.PATIENCE:g} seconds."
        case psycopg.errors.UndefinedTable():
            return "The database's tables are older than the program: run `manage.py migrate`."
        case psycopg.OperationalError():
            return "The database cannot be reached."
        case _:
            return f"The database refused the check ({type(error).__name__})."


def _since(began: float) -> float:
    return round(1000 * (time.perf_counter() - began), 1)


def _of_database() -> Parts:
    began = time.perf_counter()
    part_checks = database_checks()
    results: Parts = {}
    try:
        with checks.connect() as connection:
            results = run_checks(connection, part_checks)
    except psycopg.Error as error:
        results.setdefault("database", Part(False, _since(began), _database_fault(error)))
    return {name: results.get(name, Part(False, _since(began), UNKNOWN)) for name in part_checks}


def _of_storage() -> Parts:
    began = time.perf_counter()
    try:
        with checks.connect() as connection:
            return run_checks(connection, {"storage": checks.storage})
    except psycopg.Error:
        return {"storage": Part(False, _since(began), UNKNOWN)}


def _simple(name: str, check: Callable[[], str], faults: type[Exception], away: str) -> Callable[[], Parts]:
    def probe() -> Parts:
        began = time.perf_counter()
        try:
            says = check()
        except faults:
            says = away
        return {name: Part(not says, _since(began), says)}

    return probe


class Probe:
    """Probe of one server, in a thread: at most one at a time, however long it takes."""

    def __init__(self, names: Callable[[], list[str]], ask: Callable[[], Parts], fresh: float = FRESH_SECONDS) -> None:
        self._names, self._ask, self._fresh = names, ask, fresh
        self._lock = threading.Lock()
        self._found: Parts = {}
        self._at = float("-inf")
        self._asking: threading.Thread | None = None
        self._began = 0.0

    def begin(self) -> None:
        """Ask, unless the last answer is fresh or still awaited."""
        with self._lock:
            if self._asking or time.monotonic() - self._at < self._fresh:
                return
            self._began = time.monotonic()
            self._asking = threading.Thread(target=self._run, daemon=True, name="health")
            self._asking.start()

    def _run(self) -> None:
        try:
            results = self._ask()
        except Exception:  # whatever it is, the response must say that it failed, and the log why
            log.exception("a health check failed")
            results = {name: Part(False, 0.0, "The check itself failed; the log says why.") for name in self._names()}
        with self._lock:
            self._found, self._at, self._asking = results, time.monotonic(), None

    def read(self, until: float) -> Parts:
        """Results of the probe, awaited until an instant of the monotonic clock."""
        with self._lock:
            thread, began = self._asking, self._began
        if thread is None:
            return self._found
        thread.join(max(0.0, min(until, began + DEADLINE_SECONDS) - time.monotonic()))
        if not thread.is_alive():
            return self._found
        waited = 1000 * (time.monotonic() - began)
        return {name: Part(False, round(waited, 1), NO_ANSWER) for name in self._names()}


PROBES = (
    Probe(lambda: list(database_checks()), _of_database),
    Probe(lambda: ["storage"], _of_storage, STORAGE_SECONDS),
    Probe(lambda: ["redis"], _simple("redis", checks.redis_answers, RedisError, "Redis cannot be reached.")),
    Probe(lambda: ["disk"], _simple("disk", checks.disk, OSError, "The folder of exports cannot be looked at.")),
)
