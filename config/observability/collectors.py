"""Collectors of the installation's state: gauges, read when Prometheus asks and kept for some seconds.

Nothing here fails as a whole: of what cannot be read the gauges are missing, `wearable_state_read` says which, and
`wearable_ready` which part of the installation is to blame.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis
from django.conf import settings
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from config.health import checks, probes
from config.observability import sql
from ingestion.models import Connection, Heartbeat, SyncWindow
from ingestion.models.connections import TAKING_PART

log = logging.getLogger(__name__)

FRESH_SECONDS = 10.0
# The size of a database with many chunks is many files' sizes.
BYTES_FRESH_SECONDS = 60.0
# A statement that takes longer is given up: monitoring must not burden what it watches.
PATIENCE_MS = 2_000
# No more is asked after so long, for Prometheus waits 10 seconds for all of it.
BUDGET_SECONDS = 4.0
REDIS_PATIENCE = 1.0
QUANTILES = (0.5, 0.95, 1.0)
LEVELS = {1: "warning", 2: "critical"}
EMAIL_STATES = ("held", "sending", "failed", "bounced")
EXPORT_STATES = ("waiting", "running", "failed")

Rows = list[tuple[Any, ...]]
Gauges = Iterable[GaugeMetricFamily]


def gauge(name: str, help_text: str, value: float | None) -> GaugeMetricFamily:
    """Gauge without labels; without a sample where there is no value."""
    made = GaugeMetricFamily(f"wearable_{name}", help_text)
    if value is not None:
        made.add_metric([], float(value))
    return made


def by_label(name: str, help_text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    made = GaugeMetricFamily(f"wearable_{name}", help_text, labels=[label])
    for key, value in values:
        made.add_metric([key], float(value))
    return made


def _all_of(keys: Iterable[str], rows: Rows) -> list[tuple[str, float]]:
    """A count for each key: a gauge that is absent where it should be 0 sets off no alert."""
    counts: dict[str, float] = {row[0]: row[1] for row in rows}
    return [(key, counts.get(key, 0)) for key in keys]


def _connections(rows: Rows) -> Gauges:
    yield by_label("connections", "Connections.", "status", _all_of(Connection.Status.values, rows))


def _lag(rows: Rows) -> Gauges:
    overdue, lags = rows[0]
    yield gauge("connections_overdue", "Active connections whose pass has been due for over an hour.", overdue)
    named = zip(("0.5", "0.95", "1"), lags or (), strict=False)
    yield by_label("sync_lag_seconds", "Time since a pull of an active connection was last stored.", "quantile", named)


def _windows(rows: Rows) -> Gauges:
    states = (SyncWindow.State.DUE, SyncWindow.State.CLAIMED, SyncWindow.State.FAILED)
    yield by_label("sync_windows", "Windows that are not done.", "state", _all_of(map(str, states), rows))
    oldest = max((row[2] for row in rows if row[2] is not None), default=0.0)
    yield gauge("sync_oldest_due_seconds", "Age of the oldest due window that is no backfill.", oldest)


def _emails(rows: Rows) -> Gauges:
    yield by_label("emails", "E-mails to participants.", "state", _all_of(EMAIL_STATES, rows))


def _alerts(rows: Rows) -> Gauges:
    made = GaugeMetricFamily("wearable_trial_alerts", "Open alerts of trials.", labels=["trial", "severity"])
    for trial, level, count in rows:
        made.add_metric([trial, LEVELS[level]], count)
    yield made


def _exports(rows: Rows) -> Gauges:
    yield by_label("exports", "Exports.", "state", _all_of(EXPORT_STATES, rows))


def _workers(rows: Rows) -> Gauges:
    kinds = (Heartbeat.Kind.SYNC, Heartbeat.Kind.EXPORTS)
    yield by_label("worker_heartbeats", "Workers heard of lately.", "kind", _all_of(map(str, kinds), rows))


def _data_check(rows: Rows) -> Gauges:
    help_text = "What the newest check of the stored data found not to hold (manage.py check_data)."
    yield by_label("data_violations", help_text, "invariant", [(row[0], row[1]) for row in rows])
    when = max((row[2] for row in rows), default=None)
    yield gauge("data_check_timestamp_seconds", "When the stored data were last checked, in Unix time.", when)


def _single(name: str, help_text: str) -> Callable[[Rows], Gauges]:
    return lambda rows: [gauge(name, help_text, rows[0][0])]


@dataclass(slots=True)
class StateQuery:
    """A statement and what becomes of its rows; its response is kept for `fresh` seconds."""

    name: str
    sql: str
    shape: Callable[[Rows], Gauges]
    fresh: float = FRESH_SECONDS
    kept: list[GaugeMetricFamily] = field(default_factory=list)
    at: float = float("-inf")


def state_queries() -> list[StateQuery]:
    scheduler = "When a scheduler last said that it lives, in Unix time."
    return [
        StateQuery("connections", sql.CONNECTIONS, _connections),
        StateQuery("lag", sql.LAG, _lag),
        StateQuery("windows", sql.WINDOWS, _windows),
        StateQuery("emails", sql.EMAILS, _emails),
        StateQuery(
            "email_due", sql.EMAIL_DUE, _single("email_oldest_due_seconds", "Age of the oldest e-mail that is due.")
        ),
        StateQuery("alerts", sql.ALERTS, _alerts),
        StateQuery("exports", sql.EXPORTS, _exports),
        StateQuery("webhooks", sql.WEBHOOKS, _single("webhooks_unhandled", "Vendors' notices not handled yet.")),
        StateQuery("scheduler", sql.SCHEDULER, _single("scheduler_heartbeat_timestamp_seconds", scheduler)),
        StateQuery("workers", sql.WORKERS, _workers),
        StateQuery(
            "audit",
            sql.WITHOUT_CHECKPOINT,
            _single("audit_unsealed_seconds", "Age of the oldest entry without a checkpoint."),
        ),
        StateQuery("data", sql.DATA_CHECK, _data_check),
        StateQuery(
            "size",
            sql.DATABASE_BYTES,
            _single("database_bytes", "Size of the database."),
            fresh=BYTES_FRESH_SECONDS,
        ),
        StateQuery("sessions", sql.DATABASE_CONNECTIONS, _single("database_connections", "Sessions at the database.")),
    ]


class State(Collector):
    """prometheus_client's collector. However many ask at once, one reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries = state_queries()
        self._queues: StateQuery = StateQuery("queues", "", lambda rows: [])

    def describe(self) -> list[GaugeMetricFamily]:
        """No gauges: registration is no reason to query the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        parts = ((name, float(part.ok)) for name, part in probes.parts().items())
        yield by_label("ready", "Whether a part of the installation works (as /health/ready says).", "part", parts)
        with self._lock:
            read = self._read()
            families = [family for query in (*self._queries, self._queues) for family in query.kept]
        yield from families
        yield by_label("state_read", "Whether these gauges could be read.", "what", read)

    def forget(self) -> None:
        """Read again when Prometheus asks next."""
        with self._lock:
            for query in (*self._queries, self._queues):
                query.at = float("-inf")

    def _read(self) -> list[tuple[str, float]]:
        """Bring what is old up to date. By query, 1 where it is; what could not be read keeps nothing."""
        now = time.monotonic()
        old = [query for query in self._queries if now - query.at > query.fresh]
        for query in old:
            query.kept, query.at = [], now
        if old:
            self._query_database(old, now)
        if now - self._queues.at > FRESH_SECONDS:
            self._query_redis(now)
        return [(query.name, float(bool(query.kept))) for query in (*self._queries, self._queues)]

    @staticmethod
    def _query_database(due: list[StateQuery], now: float) -> None:
        taking_part = [str(status) for status in TAKING_PART]
        given = {
            "taking_part": taking_part,
            "quantiles": list(QUANTILES),
            "stale": settings.HEARTBEAT_STALE_SECONDS,
        }
        try:
            with checks.connect() as connection:
                for query in due:
                    if time.monotonic() - now > BUDGET_SECONDS:
                        log.warning("the database is slow: %s and what follows is left out", query.name)
                        break
                    rows = _rows(connection, query, given)
                    query.kept = [] if rows is None else list(query.shape(rows))
        except psycopg.Error as fault:
            log.warning("the state could not be read from the database: %s", type(fault).__name__)

    def _query_redis(self, now: float) -> None:
        names = queues()
        self._queues.kept, self._queues.at = [], now
        url = settings.REDIS_URL.replace("redis+socket://", "unix://")
        patience = {"socket_connect_timeout": REDIS_PATIENCE, "socket_timeout": REDIS_PATIENCE}
        try:
            with redis.Redis.from_url(url, **patience) as client:
                pipe = client.pipeline(transaction=False)
                for name in names:
                    pipe.llen(name)
                waiting = zip(names, pipe.execute(), strict=True)
        except redis.RedisError as fault:
            log.warning("the queues could not be read: %s", type(fault).__name__)
            return
        self._queues.kept = [by_label("queue_messages", "Messages that wait for a worker.", "queue", waiting)]


def queues() -> list[str]:
    """The queues that our workers serve: Celery's default, and those that tasks are routed to."""
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    return ["celery", *sorted(routed)]


def _rows(connection: psycopg.Connection[Any], query: StateQuery, given: dict[str, Any]) -> Rows | None:
    """The rows of a query; None where this one is refused or takes too long, and the others may go on."""
    try:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(sql.STATEMENT_TIMEOUT, [f"{PATIENCE_MS}ms"])
            cursor.execute(query.sql, given)
            return cursor.fetchall()
    except (psycopg.errors.QueryCanceled, psycopg.ProgrammingError) as fault:
        log.warning("%s could not be read: %s", query.name, type(fault).__name__)
        return None


COLLECTOR = State()
REGISTRY = CollectorRegistry(auto_describe=False)
REGISTRY.register(COLLECTOR)
