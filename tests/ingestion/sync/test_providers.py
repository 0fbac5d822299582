"""The suite of all live providers, run on the scripted vendor and on Google Health against its simulator."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator

import httpx
import pytest
from django.core.cache.backends.locmem import LocMemCache

from ingestion.providers.google_health.setup import build
from ingestion.providers.google_health.simulator.server import Options, Server, Simulator
from tests.ingestion.sync.fake import FakeVendor
from tests.ingestion.sync.provider_suite import Account, LiveProviderSuite

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


class TestScriptedVendor(LiveProviderSuite):
    @pytest.fixture
    def account(self) -> Account:
        vendor = FakeVendor()
        for minutes in range(0, 2 * 24 * 60, 20):
            vendor.points["pulse"][NOON - 2 * DAY + dt.timedelta(minutes=minutes)] = 60.0 + minutes % 7
        vendor.points["rest"][NOON - DAY] = 55.0

        def expire() -> None:
            vendor.token = "another"

        return Account(vendor, vendor.token, NOON - 2 * DAY, NOON, "Europe/Amsterdam", expire)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    simulator = Simulator(
        Options(participants=6, seed=7, clock=NOON, speed=0.0, user_limit=0, project_limit=0, all_well=True)
    )
    server = Server(simulator, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    simulator.close()
    thread.join(5)


class TestGoogleHealth(LiveProviderSuite):
    @pytest.fixture
    def account(self, server: Server) -> Iterator[Account]:
        with httpx.Client() as http:

            def control(name: str, **said: str) -> dict[str, str]:
                answer = http.post(f"{server.address}/_sim/{name}", content=json.dumps(said))
                told: dict[str, str] = answer.raise_for_status().json()
                return told

            options = {"client_id": "sim-client", "client_secret": "sim-secret", "simulator_url": server.address}
            provider = build(http, LocMemCache("providers", {}), options)
            token = control("tokens", user="3")["access_token"]
            yield Account(
                provider, token, NOON - 2 * DAY, NOON, "Europe/Amsterdam", lambda: control("expire", user="3")
            )
