"""/metrics and /metrics/state: who may read them, and what they need."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from config.health import probes
from config.health.probes import Part, Probe
from tests import database
from tests.config.observability.conftest import TOKEN

BOTH = pytest.mark.parametrize("address", ["/metrics", "/metrics/state"])


@pytest.fixture(autouse=True)
def _nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No database mark on these tests: whatever asked for it would fail."""
    parts = {"database": Part(False, 1.0, "It is away.")}
    monkeypatch.setattr(probes, "PROBES", (Probe(lambda: list(parts), lambda: parts),))
    database.unreachable(monkeypatch)


@BOTH
def test_without_the_setting_there_is_no_such_address(address: str) -> None:
    assert Client().get(address, headers={"Authorization": "Bearer "}).status_code == 404


@BOTH
@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"])
def test_without_the_token_it_is_refused(address: str, given: str, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = Client().get(address, headers={"Authorization": given} if given else {})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="metrics"')
    assert b"wearable_" not in answer.content


@BOTH
def test_the_token_opens_it_without_database_session_host_or_https(
    address: str, prometheus: Client, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["trials.example.org"], True
    answer = prometheus.get(address, headers={"Host": "web:8000"})
    assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert answer["Cache-Control"] == "private, no-store"
    assert not answer.cookies


@BOTH
def test_it_is_read_and_not_written(address: str, prometheus: Client) -> None:
    assert prometheus.post(address).status_code == 405


def test_processes_hand_out_what_they_counted(prometheus: Client) -> None:
    text = prometheus.get("/metrics").content.decode()
    assert "# TYPE wearable_points_stored_total counter" in text
    assert "django_http_requests_before_middlewares_total" in text


@pytest.mark.django_db
def test_an_invented_method_makes_no_series(prometheus: Client) -> None:
    prometheus.generic("BREW", "/login/")
    text = prometheus.get("/metrics").content.decode()
    assert "BREW" not in text
    assert 'method="<invalid method>",view="login"' in text


@pytest.mark.django_db
def test_pages_are_counted_by_their_view_s_name_and_never_by_address(prometheus: Client) -> None:
    prometheus.get("/connect/a-code-that-is-a-secret/")
    text = prometheus.get("/metrics").content.decode()
    assert 'view="ingestion:connect"' in text
    assert "a-code-that-is-a-secret" not in text
