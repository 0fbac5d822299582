"""Answers of a vendor that lead elsewhere: nothing follows them, so no token goes where an answer says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

from ingestion import live_providers
from ingestion.providers.base.errors import VendorError
from ingestion.providers.google_health.client import GoogleHealth
from tests.ingestion.providers.google_health.test_webhooks import KEY, signed

pytestmark = pytest.mark.django_db  # where the cache of keys may be

OPTIONS = {"client_id": "a", "client_secret": "b", "webhook_secret": "c"}


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def google(asked: list[str], settings: Any) -> Iterator[GoogleHealth]:
    """As an installation sets it up, with a vendor whose every answer is a redirect; `asked`: what it was asked."""

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/inside")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            """Nothing is to be told of them."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Redirecting)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    settings.LIVE_PROVIDERS = {"google_health": {**OPTIONS, "simulator_url": address}}
    live_providers.provider.cache_clear()
    yield cast(GoogleHealth, live_providers.provider("google_health"))
    live_providers.provider.cache_clear()
    server.shutdown()
    server.server_close()


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
    assert "/inside" not in asked
