"""Notices that are spoilt, forged, or signed and absurd: refused, or stored and then handled without a fault."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.db import transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from ingestion.models import Connection, WebhookDelivery
from ingestion.providers.google_health.setup import build
from ingestion.sync import notifications
from participants.privacy import encryption
from tests.conftest import SetUpProviders
from tests.factories import ParticipantFactory
from tests.ingestion.providers.google_health.test_webhooks import KEY, key_set, published, signed
from tests.security.fuzz.conftest import SECRETS, Watch
from tests.security.fuzz.mutations import chances, counted, fuzzed, spoilt, texts

pytestmark = pytest.mark.django_db

USER = "7100000000000000001"
SECRET = str(SECRETS["WEBHOOK_SECRET"])
INTERVAL = {
    "physicalTimeInterval": {"startTime": "2026-11-22T08:00:00Z", "endTime": "2026-11-22T09:00:00Z"},
    "civilDateTimeInterval": {
        "startDateTime": {"date": {"year": 2026, "month": 11, "day": 22}, "time": {"hours": 9}},
        "endDateTime": {"date": {"year": 2026, "month": 11, "day": 22}, "time": {"hours": 10}},
    },
    "civilIso8601TimeInterval": {"startTime": "2026-11-22T09:00:00", "endTime": "2026-11-22T10:00:00"},
}
DATA = {"healthUserId": USER, "dataType": "steps", "operation": "UPSERT", "recordId": "r-1", "version": "1"}
SEEDS = [
    json.dumps(body).encode()
    for body in (
        *({"data": DATA | {"intervals": [{name: value}]}} for name, value in INTERVAL.items()),
        [{"data": DATA | {"intervals": [{name: value}]}} for name, value in INTERVAL.items()],
        {"data": DATA | {"intervals": [INTERVAL]}},
        {"data": DATA},
        {"type": "verification"},
    )
]


@pytest.fixture
def connection(settings: Any, set_up_providers: SetUpProviders) -> Iterator[Connection]:
    """A connection at Google, whose keys are at hand and who is asked for nothing else."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=key_set(published(1, KEY)).encoded())

    cache = LocMemCache("fuzz", {})
    options = {"client_id": "a", "client_secret": SECRETS["CLIENT_SECRET"], "webhook_secret": SECRET}
    google = build(httpx.Client(transport=httpx.MockTransport(answer)), cache, options)
    set_up_providers(google)
    settings.TOKEN_KEYS = SECRETS["TOKEN_KEYS"]
    person = ParticipantFactory.create()
    now = dt.datetime.now(dt.UTC)
    yield Connection.objects.create(
        participant=person,
        trial=person.trial,
        provider="google_health",
        external_user_id=USER,
        status=Connection.Status.ACTIVE,
        scopes=list(google.scopes),
        connected_at=now - dt.timedelta(days=9),
        next_due_at=now + dt.timedelta(hours=1),
        encrypted_tokens=encryption.encrypt("[]"),
    )
    cache.clear()


@fuzzed(0.15)
@given(chance=chances, seed=st.sampled_from(SEEDS))
def test_a_signed_notice_that_is_absurd_is_stored_and_handled(
    connection: Connection, watch: Watch, chance: random.Random, seed: bytes
) -> None:
    """The worst case: the vendor itself sends nonsense, or somebody has its key."""
    body = spoilt(seed, chance)
    headers = {"Authorization": SECRET, "GOOGLE-HEALTH-API-SIGNATURE": signed(1, KEY, body)}
    with watch(USER), transaction.atomic():
        client = Client(raise_request_exception=False)
        response = client.post("/webhooks/google_health/", body, content_type="application/json", headers=headers)
        assert response.status_code in (201, 204)
        for delivery in WebhookDelivery.objects.filter(handled_at=None):
            notifications.handle(delivery.pk)
            assert WebhookDelivery.objects.get(pk=delivery.pk).handled_at is not None
        transaction.set_rollback(True)
    counted("signed notices", response.status_code)


@fuzzed(0.10)
@given(
    chance=chances,
    seed=st.sampled_from(SEEDS),
    proof=st.sampled_from(["none", "secret", "signature", "both spoilt", "other body"]),
    header=texts,
    kind=st.sampled_from(["application/json", "text/plain", "multipart/form-data; boundary=x", "", "x" * 300]),
)
def test_a_notice_without_both_proofs_is_refused(
    connection: Connection, watch: Watch, chance: random.Random, seed: bytes, proof: str, header: str, kind: str
) -> None:
    body, headers = spoilt(seed, chance), {}
    header = header.encode("utf-8", "surrogateescape").decode("latin-1")  # as servers hand headers on
    signature = signed(1, KEY, body)
    if proof == "secret":
        headers = {"Authorization": SECRET, "GOOGLE-HEALTH-API-SIGNATURE": header}
    elif proof == "signature":
        headers = {"Authorization": header, "GOOGLE-HEALTH-API-SIGNATURE": signature}
    elif proof == "both spoilt":
        headers = {
            "Authorization": spoilt(SECRET.encode(), chance).decode("latin-1") + "x",
            "GOOGLE-HEALTH-API-SIGNATURE": spoilt(signature.encode(), chance).decode("latin-1") + "x",
        }
    elif proof == "other body":
        headers = {"Authorization": SECRET, "GOOGLE-HEALTH-API-SIGNATURE": signed(1, KEY, body + b" ")}
    client = Client(raise_request_exception=False)
    with watch(USER):
        response = client.post("/webhooks/google_health/", body, content_type=kind, headers=headers)
    assert response.status_code in (401, 403)
    assert not WebhookDelivery.objects.exists()
    counted("forged notices", response.status_code)
