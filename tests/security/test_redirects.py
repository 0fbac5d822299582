"""Answers of a vendor that lead elsewhere: nothing follows them, so no token goes where an answer says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest

from ingestion import live_providers, prometheus
from ingestion.providers.base.errors import VendorError
from ingestion.providers.google_health.client import GoogleHealth
from tests.ingestion.providers.google_health.test_webhooks import KEY, signed

pytestmark = pytest.mark.django_db  # where the cache of keys may be

INSIDE = "http://169.254.169.254/latest/meta-data/"
OPTIONS = {"client_id": "a", "client_secret": "b", "webhook_secret": "c"}


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def google(asked: list[str], monkeypatch: pytest.MonkeyPatch, settings: Any) -> GoogleHealth:
    """As `live` sets it up, but that every answer is a redirect into the own network."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": INSIDE})

    made: list[httpx.Client] = []
    real = prometheus.TimedClient

    def client(slug: str, **options: Any) -> httpx.Client:
        made.append(real(slug, **options, transport=httpx.MockTransport(answer)))
        return made[-1]

    monkeypatch.setattr(prometheus, "TimedClient", client)
    settings.LIVE_PROVIDERS = {"google_health": OPTIONS}
    live_providers.provider.cache_clear()
    found = live_providers.provider("google_health")
    live_providers.provider.cache_clear()
    assert found.slug == "google_health"
    return cast(GoogleHealth, found)


CALLS: dict[str, Callable[[GoogleHealth], object]] = {
    "exchange": lambda google: google.exchange("code", "verifier", "https://here.example/"),
    "refresh": lambda google: google.refresh("refresh"),
    "identity": lambda google: google.identity("access"),
    "devices": lambda google: google.devices("access"),
    "keys": lambda google: google.notice_origin(
        {"Authorization": "c", "GOOGLE-HEALTH-API-SIGNATURE": signed(1, KEY)}, b"{}"
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_redirect_is_a_broken_answer(name: str, google: GoogleHealth, asked: list[str]) -> None:
    with pytest.raises(VendorError):
        CALLS[name](google)
    assert asked
    assert all(host.endswith(("googleapis.com", "gstatic.com")) for host in asked)
