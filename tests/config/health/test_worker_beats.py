"""Workers say that they live, and stop saying so when they are told to end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from config.health.heartbeats import Beats
from ingestion import heartbeats
from ingestion.models import Heartbeat
from tests import database

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _the_connection_is_the_tests(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(connection, "close", lambda: None)
        yield


@pytest.fixture(autouse=True)
def _no_beats_of_before(db: None) -> None:
    """The probe of /health/ready writes on a connection of its own: a test that asked it has left its row."""
    Heartbeat.objects.all().delete()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("queues", "kinds"),
    [({"celery"}, ["sync"]), ({"exports"}, ["exports"]), ({"celery", "exports", "more"}, ["exports", "sync"])],
)
def test_a_worker_beats_for_each_kind_of_queue(queues: set[str], kinds: list[str]) -> None:
    Beats("w1@host", queues)._tell(stopping=False)
    assert sorted(Heartbeat.objects.values_list("kind", flat=True)) == kinds
    assert [heartbeats.live(kind, MINUTE) for kind in kinds] == [1] * len(kinds)


@pytest.mark.django_db
def test_a_second_beat_renews_the_first() -> None:
    beats = Beats("w1@host", {"celery"})
    beats._tell(stopping=False)
    Heartbeat.objects.update(beaten_at=timezone.now() - 3 * MINUTE)
    assert heartbeats.live("sync", MINUTE) == 0
    beats._tell(stopping=False)
    assert heartbeats.live("sync", MINUTE) == 1
    assert Heartbeat.objects.count() == 1


@pytest.mark.django_db
def test_one_that_ends_is_not_missed() -> None:
    beats = Beats("w1@host", {"celery"})
    beats._tell(stopping=False)
    beats._tell(stopping=True)
    assert not Heartbeat.objects.exists()


@pytest.mark.django_db
def test_a_new_worker_forgets_those_long_gone_but_never_the_lease() -> None:
    heartbeats.lease_take("a", MINUTE)
    Beats("old@host", {"celery"})._tell(stopping=False)
    Heartbeat.objects.update(beaten_at=timezone.now() - dt.timedelta(days=2))
    Beats("new@host", {"celery"})._tell(stopping=False)
    assert sorted(Heartbeat.objects.values_list("holder", flat=True)) == ["a", "new@host"]


def test_a_database_that_is_away_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    with database.failing("ingestion_heartbeat", OperationalError("the database is away")):
        Beats("w1@host", {"celery"})._tell(stopping=False)
    assert "the heartbeat could not be written" in caplog.text
