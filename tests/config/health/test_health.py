"""The answers of /health: what they say, what they need, and how long they take."""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone
from redis import RedisError

from config.embedded.redis_server import Redis, RedisFault
from config.health import checks, probes
from config.health.probes import Part, Probe
from ingestion.models import Heartbeat
from tests import database

Kind = Heartbeat.Kind


def asked(**asked: Any) -> probes.Parts:
    connection.ensure_connection()
    return probes.run_checks(connection.connection, asked or probes.database_checks())


def beat(kind: str, *, seconds_ago: float = 0) -> None:
    at = timezone.now() - dt.timedelta(seconds=seconds_ago)
    Heartbeat.objects.create(name=f"{kind}-1", kind=kind, holder="a", beaten_at=at)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> probes.Parts:
    """What the page finds, instead of what is."""
    parts = {name: Part(True, 1.0) for name in ("database", "migrations", "storage", "redis", "scheduler")}
    monkeypatch.setattr(probes, "PROBES", (Probe(lambda: list(parts), lambda: parts),))
    return parts


def test_live_asks_nothing() -> None:
    answer = Client().get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})
    assert "no-store" in answer["Cache-Control"]


def test_all_well_is_ready(found: probes.Parts) -> None:
    answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["parts"]["database"] == {"ok": True, "milliseconds": 1.0, "says": ""}


@pytest.mark.parametrize("name", ["redis", "storage", "scheduler"])
def test_a_part_away_degrades(found: probes.Parts, name: str) -> None:
    found[name] = Part(False, 1.0, "It is away.")
    answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


@pytest.mark.parametrize("name", ["database", "migrations"])
def test_without_database_or_its_tables_nobody_is_sent_here(found: probes.Parts, name: str) -> None:
    found[name] = Part(False, 1.0, "It is away.")
    answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "unready")


def test_neither_host_names_nor_https_nor_sessions_stand_in_the_way(found: probes.Parts) -> None:
    """No database mark on this test: a session or a limit that asked for it would fail."""
    with override_settings(SECURE_SSL_REDIRECT=True, ALLOWED_HOSTS=["trials.example.org"]):
        for address in ("/health/live", "/health/ready"):
            client = Client(headers={"host": "10.0.0.7:8000"})
            client.cookies["sessionid"] = "anything"
            assert client.get(address).status_code == 200


def test_they_are_only_read() -> None:
    assert Client().post("/health/live").status_code == 405


@pytest.mark.django_db
def test_the_database_its_tables_and_its_disk_are_well() -> None:
    parts = asked(database=checks.database, migrations=checks.migrations, storage=checks.storage)
    assert {name: part.says for name, part in parts.items()} == {"database": "", "migrations": "", "storage": ""}
    assert Heartbeat.objects.filter(kind=Kind.PROBE).count() == 1


@pytest.mark.django_db
def test_what_is_written_to_see_whether_there_is_room_reaches_the_disk() -> None:
    """A planner that keeps it in memory would leave a full disk unseen."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64kB'")
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS) SELECT count(*) FROM generate_series(1, 75000)")
        written = re.search(r"temp read=\d+ written=(\d+)", "\n".join(row[0] for row in cursor.fetchall()))
    assert written
    assert int(written[1]) * 8192 > 2**20


@pytest.mark.django_db
def test_a_missing_migration_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = frozenset({*checks.newest_migrations(), ("metrics", "9999_tomorrow")})
    monkeypatch.setattr(checks, "newest_migrations", lambda: newer)
    assert "migrate" in asked(migrations=checks.migrations)["migrations"].says


@pytest.mark.django_db
def test_a_database_that_takes_no_writes_is_found() -> None:
    def refused(cursor: checks.Cursor) -> str:
        cursor.execute("SET LOCAL transaction_read_only = on")
        return checks.storage(cursor)

    parts = asked(storage=refused, database=checks.database)
    assert (parts["storage"].ok, parts["storage"].says) == (False, "The database takes no writes.")
    assert parts["database"].ok, "a check that failed must not spoil the next"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("part", "kind"), [("scheduler", Kind.SCHEDULER), ("workers", Kind.SYNC), ("exports", Kind.EXPORTS)]
)
def test_who_was_not_heard_of_is_missed(part: str, kind: str) -> None:
    assert "has been heard of." in asked()[part].says
    beat(kind, seconds_ago=170)
    assert asked()[part].ok
    Heartbeat.objects.update(beaten_at=timezone.now() - dt.timedelta(seconds=240))
    assert "for 4 minutes" in asked()[part].says


@pytest.mark.django_db
def test_a_statement_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PATIENCE", 0.1)

    def hangs(cursor: checks.Cursor) -> str:
        cursor.execute("SELECT pg_sleep(5)")
        return ""

    assert asked(database=hangs)["database"].says == "No answer within 0.1 seconds."


def test_a_database_that_is_away_leaves_all_it_knows_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    database.unreachable(monkeypatch)
    parts = probes._of_database()
    assert parts["database"].says == "The database cannot be reached."
    assert parts["scheduler"].says.startswith("Not known")
    assert not any(part.ok for part in parts.values())


def test_a_server_that_hangs_does_not_hang_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "DEADLINE_SECONDS", 0.1)
    go_on = threading.Event()

    def hangs() -> probes.Parts:
        go_on.wait(5)
        return {"redis": Part(True, 0.0)}

    probe = Probe(lambda: ["redis"], hangs)
    monkeypatch.setattr(probes, "PROBES", (probe,))
    began = time.monotonic()
    assert not probes.parts()["redis"].ok
    assert not probes.parts()["redis"].ok, "and the second question waits for the same thread"
    assert time.monotonic() - began < 1
    go_on.set()
    while probe._asking:
        time.sleep(0.01)
    assert probes.parts()["redis"].ok


def test_many_requests_are_one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def ask() -> probes.Parts:
        counted.append(1)
        return {"redis": Part(True, 0.0)}

    probe = Probe(lambda: ["redis"], ask)
    monkeypatch.setattr(probes, "PROBES", (probe,))
    for _ in range(20):
        probes.parts()
    assert len(counted) == 1


def test_a_check_that_fails_by_itself_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> probes.Parts:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(probes, "PROBES", (Probe(lambda: ["disk"], broken),))
    assert "check itself failed" in probes.parts()["disk"].says


def test_room_for_exports_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    with override_settings(EXPORT_FOLDER=tmp_path / "not" / "there" / "yet"):
        assert checks.disk() == ""
        monkeypatch.setattr(checks, "LEAST_BYTES", 2**60)
        assert "are left for exports" in checks.disk()


def test_redis_away_is_said() -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        part = probes._simple("redis", checks.redis_answers, RedisError, "Redis cannot be reached.")()
    assert part["redis"].says == "Redis cannot be reached."


def test_a_redis_that_began_empty_is_told(tmp_path: Path) -> None:
    try:
        server = Redis(tmp_path / "redis", tmp_path / "redis.log")
        server.start(time.sleep)
    except RedisFault as fault:
        pytest.skip(str(fault))
    try:
        with override_settings(REDIS_URL=server.url, HEARTBEAT_STALE_SECONDS=0.5):
            assert "began empty" in checks.redis_answers()
            time.sleep(0.6)
            assert checks.redis_answers() == ""
            with redis.Redis.from_url(server.url) as client:
                client.flushall()
            assert "began empty" in checks.redis_answers()
    finally:
        server.stop()
