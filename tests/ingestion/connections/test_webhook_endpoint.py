"""The endpoint for notices: proven, stored, answered; the work comes afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ingestion.models import WebhookDelivery
from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.base.live import NoticeOrigin
from tests import broker
from tests.conftest import SetUpProviders
from tests.ingestion.connections.vendor import Vendor

ADDRESS = "/webhooks/vendor/"
BODY = b'[{"data": {"healthUserId": "7100000000000000001"}}]'

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def vendor(set_up_providers: SetUpProviders) -> Vendor:
    made = Vendor()
    set_up_providers(made)
    return made


def queued() -> list[tuple[int]]:
    return broker.sent("ingestion.handle_notice")


def post(body: bytes = BODY, **headers: str) -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post(ADDRESS, body, content_type="application/json", headers=headers)


def test_a_genuine_notice_is_stored_whole_and_queued() -> None:
    assert post().status_code == 204
    delivery = WebhookDelivery.objects.get()
    assert (bytes(delivery.body), delivery.provider, delivery.handled_at) == (BODY, "vendor", None)
    assert queued() == [(delivery.pk,)]


def test_the_proofs_are_checked_over_the_very_bytes(vendor: Vendor) -> None:
    post(b'{ "a" :1}\n', Authorization="Bearer secret")
    assert vendor.proofs == [("Bearer secret", b'{ "a" :1}\n')]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (NoticeOrigin.UNPROVEN, 401),
        (NoticeOrigin.UNREADABLE, 400),
        (NoticeOrigin.FORGED, 403),
        (NoticeOrigin.VERIFICATION, 201),
    ],
)
def test_what_is_no_notice_is_answered_and_not_stored(vendor: Vendor, origin: NoticeOrigin, status: int) -> None:
    vendor.origin = origin
    assert post().status_code == status
    assert not WebhookDelivery.objects.exists()
    assert not queued()


def test_a_notice_that_cannot_be_checked_is_asked_for_again(vendor: Vendor) -> None:
    vendor.origin = BrokenResponse("timeout")
    assert post().status_code == 503
    assert not WebhookDelivery.objects.exists()


def test_without_a_broker_the_notice_is_stored_and_answered_all_the_same(
    broker_away: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert post().status_code == 204
    assert WebhookDelivery.objects.filter(handled_at=None).count() == 1
    assert "broker is away" in caplog.text
    assert "7100000000000000001" not in caplog.text


def test_a_body_over_a_mebibyte_is_refused_unread(vendor: Vendor) -> None:
    assert post(b"x" * (1024 * 1024 + 1)).status_code == 413
    assert not vendor.proofs


def test_a_body_of_a_mebibyte_is_taken() -> None:
    assert post(b"x" * (1024 * 1024)).status_code == 204


def test_an_unknown_vendor_is_not_found(vendor: Vendor) -> None:
    assert Client().post("/webhooks/nobody/", b"{}", content_type="application/json").status_code == 404


def test_only_posts_are_answered(vendor: Vendor) -> None:
    assert Client().get(ADDRESS).status_code == 405


def test_the_same_notice_twice_is_stored_twice_and_harms_nothing() -> None:
    post()
    post()
    assert len(queued()) == 2
