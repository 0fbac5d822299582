"""One of several schedulers sends what is due; another follows it, and goes on where it stopped."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
import redis
from django.db import OperationalError, connection
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway
from kombu.messaging import Producer

from config.celery import app
from config.celery_scheduler import Lease, LeasedScheduler
from config.embedded.redis_server import Redis, RedisFault, program
from ingestion import heartbeats
from ingestion.models import Heartbeat
from tests import broker, database
from tests.paths import ROOT

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _the_connection_is_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)


def row() -> Heartbeat:
    return Heartbeat.objects.get(name=heartbeats.SCHEDULER)


# --- the lease ---


@pytest.mark.django_db
def test_the_first_takes_it_and_the_second_waits() -> None:
    assert heartbeats.lease_take("a", MINUTE) is not None
    assert heartbeats.lease_take("b", MINUTE) is None
    assert row().holder == "a"


@pytest.mark.django_db
def test_its_holder_renews_it() -> None:
    heartbeats.lease_take("a", MINUTE)
    before = row().lease_until
    assert heartbeats.lease_take("a", 2 * MINUTE) is not None
    assert before
    assert (row().lease_until or before) > before


@pytest.mark.django_db
def test_one_that_ran_out_is_taken_over_and_its_last_renewal_told() -> None:
    heartbeats.lease_take("a", MINUTE)
    last = timezone.now() - 3 * MINUTE
    Heartbeat.objects.update(beaten_at=last, lease_until=last + MINUTE)
    assert heartbeats.lease_take("b", MINUTE) == last
    assert heartbeats.lease_take("a", MINUTE) is None


@pytest.mark.django_db
def test_one_that_was_given_back_is_free_at_once() -> None:
    heartbeats.lease_take("a", MINUTE)
    heartbeats.lease_release("b")
    assert heartbeats.lease_take("b", MINUTE) is None
    heartbeats.lease_release("a")
    assert heartbeats.lease_take("b", MINUTE) is not None


@pytest.mark.django_db
def test_who_cannot_renew_is_certain_until_it_runs_out_and_no_longer() -> None:
    lease = Lease(0.3)
    assert lease.hold() is not None
    with database.failing("ingestion_heartbeat", OperationalError("the database is away")):
        time.sleep(lease.pause)
        lease.hold()
    assert lease.certain
    time.sleep(0.31)
    assert not lease.certain


@pytest.mark.django_db
def test_who_learns_that_another_has_it_stops_at_once() -> None:
    lease = Lease(0.06)
    lease.hold()
    Heartbeat.objects.update(holder="another", lease_until=timezone.now() + MINUTE)
    lease.seconds, lease._until = 60, time.monotonic() + 60
    time.sleep(lease.pause)
    lease.hold()
    assert not lease.certain


# --- the scheduler ---


def sent() -> list[str]:
    return [message.task for message in broker.messages()]


@pytest.fixture
def scheduler() -> LeasedScheduler:
    """With one entry each minute."""
    made = LeasedScheduler(app=app, schedule={})
    made.data = {name: entry for name, entry in made.data.items() if name == "tick"}
    return made


@pytest.mark.django_db
def test_what_came_due_since_the_last_renewal_is_sent_once(scheduler: LeasedScheduler) -> None:
    last = timezone.now() - 2 * MINUTE
    heartbeats.lease_take("the one before", MINUTE)
    Heartbeat.objects.update(beaten_at=last, lease_until=last + MINUTE)
    for _ in range(5):
        scheduler.tick()
    assert sent() == ["ingestion.tick"]


@pytest.mark.django_db
def test_nothing_that_the_one_before_has_sent_is_sent_again(scheduler: LeasedScheduler) -> None:
    scheduler.data["tick"].last_run_at = timezone.now() - 60 * MINUTE  # it has waited for an hour
    heartbeats.lease_take("the one before", MINUTE)
    heartbeats.lease_release("the one before")
    scheduler.tick()
    assert sent() == []


@pytest.mark.django_db
def test_who_waits_sends_nothing(scheduler: LeasedScheduler) -> None:
    heartbeats.lease_take("another", MINUTE)
    scheduler.data["tick"].last_run_at = timezone.now() - 60 * MINUTE
    assert scheduler.tick() == scheduler.lease.pause
    assert sent() == []


@pytest.mark.django_db
def test_a_lease_that_runs_out_in_the_midst_of_a_turn_stops_it(scheduler: LeasedScheduler) -> None:
    scheduler.tick()
    scheduler.lease._until = 0.0
    scheduler.apply_entry(scheduler.data["tick"])
    assert sent() == []


@pytest.mark.django_db
@pytest.mark.parametrize("connected", [False, True])
def test_what_could_not_be_sent_stays_due(
    scheduler: LeasedScheduler, connected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler.lease.hold()
    scheduler.data["tick"].last_run_at = timezone.now() - 2 * MINUTE
    with monkeypatch.context() as broken:
        if connected:
            broken.setattr(Producer, "publish", Mock(side_effect=BrokerAway("away")))
        else:
            broken.setitem(scheduler.__dict__, "connection", app.connection_for_write(broker.NOBODY))
        assert scheduler.tick() > 0, "and it is not tried without a pause"
        scheduler.tick()
    assert sent() == []
    scheduler.tick()
    assert sent() == ["ingestion.tick"]


@pytest.mark.django_db
def test_one_that_ends_leaves_the_schedule_to_the_next(scheduler: LeasedScheduler) -> None:
    scheduler.tick()
    scheduler._ticking = True
    scheduler.close()  # from a signal's handler, while the database is being asked
    assert heartbeats.lease_take("the next", MINUTE) is None
    scheduler._ticking = False
    scheduler.close()
    assert heartbeats.lease_take("the next", MINUTE) is not None


# --- two real ones ---


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    try:
        program()
    except RedisFault as fault:
        pytest.skip(str(fault))
    made = Redis(tmp_path / "redis", tmp_path / "redis.log")
    made.start(time.sleep)
    yield made
    made.stop()


@pytest.fixture
def start(server: Redis, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts one more beat on the tests' database, with a lease of 0.8 seconds."""
    found = connection.get_connection_params()
    url = f"postgresql://{found.get('user', '')}:{found.get('password', '')}@/{found['dbname']}?host={found['host']}"
    url += f"&port={found['port']}" if found.get("port") else ""
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "REDIS_URL": server.url,
        "HEARTBEAT_SECONDS": "0.4",
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
    }
    # An entry each tenth of a second, instead of the product's.
    (tmp_path / "quick.py").write_text(
        "from config.celery import app\n"
        "app.conf.beat_schedule = {'quick': {'task': 'ingestion.tick', 'schedule': 0.1}}\n"
    )
    command = [sys.executable, "-m", "celery", "-A", "quick", "beat", "--pidfile", "", "--loglevel", "INFO"]
    started: list[subprocess.Popen[bytes]] = []

    def one() -> subprocess.Popen[bytes]:
        log = (tmp_path / f"beat-{len(started)}.log").open("wb")
        started.append(subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log))
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.wait()


def until(what: Callable[[], bool], seconds: float) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.django_db(transaction=True)
def test_a_killed_one_is_followed_by_the_one_that_waited(
    start: Callable[[], subprocess.Popen[bytes]], server: Redis, tmp_path: Path
) -> None:
    both = [start(), start()]
    until(lambda: Heartbeat.objects.filter(name=heartbeats.SCHEDULER).exclude(holder="").exists(), 30)
    until(lambda: all("Starting" in (tmp_path / f"beat-{n}.log").read_text() for n in (0, 1)), 30)
    with redis.Redis.from_url(server.url) as queue:
        until(lambda: queue.llen("celery") > 3, 20)
        first = row().holder
        holder = next(process for process in both if f":{process.pid}:" in first)
        other = next(process for process in both if process is not holder)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        queue.delete("celery")
        seconds = until(lambda: f":{other.pid}:" in row().holder, 5)
        assert seconds < 3
        until(lambda: queue.llen("celery") > 3, 10)
        assert f":{other.pid}:" in row().holder
    logs = Counter(
        "this scheduler sends" in line for n in (0, 1) for line in (tmp_path / f"beat-{n}.log").read_text().splitlines()
    )
    assert logs[True] == 2, "each has taken it once"
    other.send_signal(signal.SIGTERM)
    assert other.wait(60) == 0
    assert (row().lease_until or timezone.now()) <= timezone.now(), "the next need not wait"
