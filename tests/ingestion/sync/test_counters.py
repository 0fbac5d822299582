"""What syncing counts for Prometheus: what was committed, and what the vendor answered, by kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from django.db import transaction
from pytest_django import Settings

from ingestion import live_providers, prometheus
from ingestion.connections import services as connections_services
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import (
    AccessGone,
    BrokenResponse,
    ClientMisconfigured,
    TokenExpired,
    VendorBusy,
    VendorError,
)
from ingestion.sync.run import run_sync
from metrics.models import Measurement
from tests.config.observability.growth import Growth
from tests.ingestion.sync.fake import FakeVendor

MakeWindow = Callable[..., SyncWindow]
Committing = Callable[..., Any]
STORED, UNCHANGED = "wearable_points_stored_total", "wearable_points_unchanged_total"
FINISHED = "wearable_sync_windows_finished_total"


def fill(vendor: FakeVendor, window: SyncWindow) -> None:
    for minute in range(0, 60, 10):
        vendor.points["pulse"][window.starts_at + dt.timedelta(minutes=minute)] = 60.0


def test_counters_say_what_was_stored(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, django_capture_on_commit_callbacks: Committing
) -> None:
    stored, unchanged = Growth(STORED, provider="fake"), Growth(UNCHANGED, provider="fake")
    done = Growth(FINISHED, state="done")
    fill(vendor, window())
    with django_capture_on_commit_callbacks(execute=True):
        run_sync(connection.pk)
    assert (stored(), unchanged(), done()) == (Measurement.objects.count(), 0, 1) == (6, 0, 1)
    SyncWindow.objects.update(state="due")
    with django_capture_on_commit_callbacks(execute=True):
        run_sync(connection.pk)
    assert (stored(), unchanged() in (0, 6), done()) == (6, True, 2)


def test_what_was_rolled_back_is_not_counted(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, django_capture_on_commit_callbacks: Committing
) -> None:
    stored, done = Growth(STORED, provider="fake"), Growth(FINISHED, state="done")
    fill(vendor, window())
    with django_capture_on_commit_callbacks(execute=True), suppress(ZeroDivisionError), transaction.atomic():
        run_sync(connection.pk)
        raise ZeroDivisionError
    assert (stored(), done(), Measurement.objects.count()) == (0, 0, 0)


def test_a_window_that_failed_for_good_is_counted_as_failed(
    connection: Connection,
    vendor: FakeVendor,
    window: MakeWindow,
    settings: Settings,
    django_capture_on_commit_callbacks: Committing,
) -> None:
    settings.SYNC_ATTEMPTS = 1
    failed = Growth(FINISHED, state="failed")
    vendor.script.append(BrokenResponse("truncated"))
    window()
    with django_capture_on_commit_callbacks(execute=True):
        run_sync(connection.pk)
    assert failed() == 1


def test_a_grant_that_ended_is_counted_once(
    connection: Connection, django_capture_on_commit_callbacks: Committing, now: dt.datetime
) -> None:
    lost = Growth("wearable_token_failures_total", provider="fake")
    with django_capture_on_commit_callbacks(execute=True):
        connections_services.lost(connection, AccessGone.EXPIRED_GRANT, now=now)
        connections_services.lost(connection, AccessGone.EXPIRED_GRANT, now=now)
    assert lost() == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AccessGone(AccessGone.DENIED), "gone"),
        (VendorBusy("rate_limit", 1), "busy"),
        (BrokenResponse("timeout"), "broken"),
        (ClientMisconfigured("invalid_client"), "broken"),
    ],
)
def test_refusals_are_counted_by_kind(error: VendorError, kind: str) -> None:
    grown, vendor = Growth("wearable_vendor_errors_total", provider="fake", kind=kind), FakeVendor()
    vendor.refresh_error = error
    with pytest.raises(type(error)):
        prometheus.counted(vendor).refresh("refresh-0")
    assert grown() == 1


def test_a_token_that_ran_out_is_no_error() -> None:
    vendor = FakeVendor()
    vendor.refresh_error = TokenExpired("expired")
    grown = [Growth("wearable_vendor_errors_total", provider="fake", kind=kind) for kind in ("gone", "busy", "broken")]
    with pytest.raises(TokenExpired):
        prometheus.counted(vendor).refresh("refresh-0")
    assert [growth() for growth in grown] == [0, 0, 0]


def test_requests_to_the_vendor_are_timed_by_what_was_asked(settings: Settings) -> None:
    settings.LIVE_PROVIDERS = {
        "google_health": {"client_id": "a", "client_secret": "b", "simulator_url": "http://127.0.0.1:1"}
    }
    made: Any = live_providers.provider.__wrapped__("google_health")
    timed = Growth("wearable_vendor_request_seconds_count", provider="google_health", kind="refresh")
    made._transport._pause = lambda seconds: None
    with pytest.raises(BrokenResponse):
        made.refresh("refresh-0")
    assert timed() == made._config.attempts


def test_the_proxy_of_the_environment_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    with prometheus.TimedClient("fake") as client:
        transport: Any = client._transport_for_url(httpx.URL("https://vendor.test/"))
        assert type(transport._pool).__name__ == "HTTPProxy"


def test_a_provider_is_itself_beneath_its_counting() -> None:
    vendor = FakeVendor()
    assert prometheus.counted(vendor).slug == "fake"
    assert prometheus.counted(vendor).scopes == vendor.scopes
