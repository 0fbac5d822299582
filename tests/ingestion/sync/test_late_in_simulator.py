"""Uploads that are held back and come without a notice, over HTTP, row for row against the simulator's ground truth."""

from __future__ import annotations

import datetime as dt

import httpx
import pytest

from ingestion import live_providers
from ingestion.connections import services as connections_services
from ingestion.models import Connection, Device
from ingestion.providers.base.live import Grant
from ingestion.providers.google_health.simulator.server import Server
from ingestion.sync import dispatch
from metrics.models import ParticipantDay
from tests.factories import ParticipantFactory, TrialFactory
from tests.ingestion.sync.test_commands import refused, simulator, told

__all__ = ["simulator"]
HELD = dt.timedelta(days=10)


def control(simulator: Server, name: str, **said: object) -> dict[str, object]:
    found: dict[str, object] = httpx.post(f"{simulator.address}/_sim/{name}", json=said, timeout=60).json()
    return found


def pass_of_everybody() -> None:
    """A regular pass, as workers make it."""
    now = dt.datetime.now(dt.UTC)
    Connection.objects.update(next_due_at=now)
    for pk in Connection.objects.values_list("pk", flat=True):
        while dispatch.serve(pk).wait == 0:
            pass


@pytest.fixture
def held(db: None, simulator: Server) -> Server:
    """Somebody who connected while nothing had been uploaded for ten days; now all of it is, and nobody says so."""
    now = dt.datetime.now(dt.UTC)
    control(simulator, "clock", set=(now - HELD).isoformat())
    control(simulator, "late", user="3", held=True)
    control(simulator, "clock", set=now.isoformat())
    account = control(simulator, "tokens", user="3")
    scopes = frozenset(str(account["scope"]).split())
    begins = (now - HELD).date() - dt.timedelta(days=1)
    person = ParticipantFactory(trial=TrialFactory(is_demo=True), monitoring_starts_on=begins)
    provider = live_providers.provider("google_health")
    grant = Grant(str(account["access_token"]), str(account["refresh_token"]), now + dt.timedelta(hours=1), scopes)
    connections_services.connect(participant=person, provider=provider, grant=grant, now=now, invitation=None)
    pass_of_everybody()
    assert "l" in states()
    control(simulator, "late", user="3", held=False)
    return simulator


def states() -> str:
    return "".join(ParticipantDay.objects.order_by("date").values_list("status", flat=True))


@pytest.mark.usefixtures("held")
def test_the_next_pass_brings_it_for_the_device_has_synced() -> None:
    assert "missing" in refused("compare_simulator")
    pass_of_everybody()
    assert "in all" in told("compare_simulator")
    assert "l" not in states()


@pytest.mark.usefixtures("held")
def test_a_sweep_brings_it_where_the_device_tells_nothing() -> None:
    Device.objects.all().delete()
    Connection.objects.update(swept_at=dt.datetime.now(dt.UTC) - dt.timedelta(days=8))
    pass_of_everybody()
    assert "in all" in told("compare_simulator")
    assert "l" not in states()
