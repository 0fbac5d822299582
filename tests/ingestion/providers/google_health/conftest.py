"""Google Health's provider against a server of our own on the loopback: real HTTP, invented people."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import zoneinfo
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from ingestion.providers.google_health.client import GoogleHealth
from ingestion.providers.google_health.config import GoogleConfig
from metrics.local_time import LocalCalendar
from tests.ingestion.providers.google_health.server import FakeGoogle

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    server = FakeGoogle()
    yield server
    server.stop()


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture
def config(google: FakeGoogle) -> GoogleConfig:
    return GoogleConfig(
        client_id="client-1",
        client_secret="very-secret",
        token_url=f"{google.url}/token",
        revoke_url=f"{google.url}/revoke",
        api_url=google.url,
        keyset_url=f"{google.url}/keys",
        timeout=5,
    )


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the provider wanted to wait, instead of waiting."""
    return []


@pytest.fixture
def cache() -> Iterator[BaseCache]:
    kept = LocMemCache("google_health", {})
    yield kept
    kept.clear()


@pytest.fixture
def provider(config: GoogleConfig, http: httpx.Client, cache: BaseCache, pauses: list[float]) -> GoogleHealth:
    return GoogleHealth(config, http, cache=cache, clock=lambda: NOW, pause=pauses.append)


@pytest.fixture
def calendar() -> LocalCalendar:
    return LocalCalendar(zoneinfo.ZoneInfo("Europe/Berlin"))


@pytest.fixture(scope="session")
def discovery() -> dict[str, Any]:
    """Read as a file: importing Google's library would bring its own warnings along."""
    library = importlib.metadata.distribution("google-api-python-client")
    path = library.locate_file("googleapiclient/discovery_cache/documents/health.v4.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found
