"""The project's webhook subscribers: the operator's set-up at Google."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ingestion.providers.base.errors import BrokenResponse, ClientMisconfigured
from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.data_types import DATA_TYPES
from ingestion.providers.google_health.subscribers import ServiceAccount, Subscriber, Subscribers
from ingestion.providers.google_health.transport import Transport
from tests.ingestion.providers.google_health.conftest import NOW
from tests.ingestion.providers.google_health.discovery import known
from tests.ingestion.providers.google_health.server import CannedResponse, FakeGoogle

PATH = "/v4/projects/123456789/subscribers"
DONE = {"name": "operations/1", "done": True, "response": {}}
HOOK = "https://trial.example.org/hooks/google"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def account(key: rsa.RSAPrivateKey) -> ServiceAccount:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    told = {"type": "service_account", "client_email": "hooks@trial.example", "private_key": pem, "token_uri": "x"}
    return ServiceAccount.read(json.dumps(told).encode())


@pytest.fixture
def subscribers(google: FakeGoogle, http: httpx.Client, config: GoogleConfig, account: ServiceAccount) -> Subscribers:
    google.on("/token", CannedResponse({"access_token": "service-token", "expires_in": 3599}))
    transport = Transport(http, attempts=2, timeout=5, pause=lambda seconds: None)
    return Subscribers(config, transport, account, "123456789", lambda: NOW)


def part(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=="))


def test_a_service_account_asks_with_a_token_it_has_signed(
    google: FakeGoogle, subscribers: Subscribers, key: rsa.RSAPrivateKey, config: GoogleConfig
) -> None:
    google.on(PATH, CannedResponse({}))
    subscribers.all()
    asked, listed = google.asked
    assert asked.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    head, claims, signature = asked.form["assertion"].split(".")
    assert part(head) == {"alg": "RS256", "typ": "JWT"}
    assert part(claims) == {
        "iss": "hooks@trial.example",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": config.token_url,
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + dt.timedelta(hours=1)).timestamp()),
    }
    raw = base64.urlsafe_b64decode(signature + "==")
    key.public_key().verify(raw, f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert listed.headers["Authorization"] == "Bearer service-token"


def test_subscribers_are_listed_over_all_pages(google: FakeGoogle, subscribers: Subscribers) -> None:
    def told(name: str) -> dict[str, Any]:
        configs = [{"dataTypes": ["steps"], "subscriptionCreatePolicy": "AUTOMATIC"}]
        return {"name": f"projects/1/subscribers/{name}", "endpointUri": HOOK, "state": "ACTIVE"} | {
            "subscriberConfigs": configs
        }

    google.on(
        PATH,
        CannedResponse({"subscribers": [told("one")], "nextPageToken": "more"}),
        CannedResponse({"subscribers": [told("two")]}),
    )
    assert subscribers.all() == [Subscriber(name, HOOK, "ACTIVE", frozenset({"steps"})) for name in ("one", "two")]


def test_a_subscriber_that_is_not_there_is_made(google: FakeGoogle, subscribers: Subscribers) -> None:
    google.on(PATH, CannedResponse({}), CannedResponse(DONE))
    assert subscribers.ensure("study-hooks", HOOK, "Bearer s3cret", ["steps", "heart-rate"])
    made = google.asked[-1]
    assert (made.method, made.query) == ("POST", {"subscriberId": "study-hooks"})
    assert made.json == {
        "endpointUri": HOOK,
        "subscriberConfigs": [{"dataTypes": ["heart-rate", "steps"], "subscriptionCreatePolicy": "AUTOMATIC"}],
        "endpointAuthorization": {"secret": "Bearer s3cret"},
    }


def test_a_subscriber_that_is_there_is_changed(google: FakeGoogle, subscribers: Subscribers) -> None:
    google.on(PATH, CannedResponse({"subscribers": [{"name": "projects/1/subscribers/study-hooks"}]}))
    google.on(f"{PATH}/study-hooks", CannedResponse(DONE))
    assert not subscribers.ensure("study-hooks", HOOK, "Bearer s3cret", ["steps"])
    changed = google.asked[-1]
    assert changed.method == "PATCH"
    assert changed.query == {"updateMask": "endpoint_uri,subscriber_configs,endpoint_authorization"}


def test_a_subscriber_is_removed_with_its_subscriptions(google: FakeGoogle, subscribers: Subscribers) -> None:
    google.on(f"{PATH}/study-hooks", CannedResponse(DONE))
    subscribers.remove("study-hooks")
    assert (google.asked[-1].method, google.asked[-1].query) == ("DELETE", {"force": "true"})


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({"name": "operations/1", "done": True, "error": {"code": 9}}, "operation_failed"),
        ({"name": "operations/1"}, "operation_pending"),
        ({}, "unexpected_shape"),
    ],
)
def test_an_operation_that_is_not_done_is_an_error(
    google: FakeGoogle, subscribers: Subscribers, operation: dict[str, Any], code: str
) -> None:
    google.on(f"{PATH}/study-hooks", CannedResponse(operation))
    with pytest.raises(BrokenResponse, match=code):
        subscribers.remove("study-hooks")


def test_an_address_that_google_cannot_verify_is_said(google: FakeGoogle, subscribers: Subscribers) -> None:
    google.on(PATH, CannedResponse({}), CannedResponse({"error": {"code": 400, "status": "FAILED_PRECONDITION"}}, 400))
    with pytest.raises(BrokenResponse, match="failed_precondition"):
        subscribers.ensure("study-hooks", HOOK, "Bearer s3cret", ["steps"])


def test_a_refused_project_is_a_fault_of_the_set_up_and_nobodys_lost_access(
    google: FakeGoogle, subscribers: Subscribers
) -> None:
    google.on(PATH, CannedResponse({"error": {"code": 403, "status": "PERMISSION_DENIED"}}, 403))
    with pytest.raises(ClientMisconfigured):
        subscribers.all()


def test_a_refused_service_account_is_a_fault_of_the_set_up(google: FakeGoogle, subscribers: Subscribers) -> None:
    google.on("/token", CannedResponse({"error": "invalid_grant"}, 400))
    with pytest.raises(ClientMisconfigured, match="service_account_refused"):
        subscribers.all()


@pytest.mark.parametrize(
    "key_file", [b"", b"{}", b'{"client_email":"a","private_key":"no key"}', b'{"installed":{"client_id":"x"}}']
)
def test_a_file_without_a_service_accounts_key_is_refused(key_file: bytes) -> None:
    with pytest.raises(ClientMisconfigured, match="no_service_account_key"):
        ServiceAccount.read(key_file)


def test_a_key_shows_in_no_representation(account: ServiceAccount) -> None:
    assert repr(account) == "ServiceAccount(email='hooks@trial.example')"


def test_a_projects_id_is_not_its_number(http: httpx.Client, config: GoogleConfig, account: ServiceAccount) -> None:
    with pytest.raises(ClientMisconfigured):
        Subscribers(config, Transport(http, attempts=1, timeout=5), account, "my-project", lambda: NOW)


@pytest.mark.parametrize("name", ["abc", "Study", "study_hooks", "1study", "s" * 37, "study-"])
def test_a_name_that_google_does_not_take_is_refused_before_asking(
    google: FakeGoogle, subscribers: Subscribers, name: str
) -> None:
    with pytest.raises(ClientMisconfigured):
        subscribers.ensure(name, HOOK, "s", ["steps"])
    assert google.asked == []


def test_what_is_asked_is_in_googles_description(
    google: FakeGoogle, subscribers: Subscribers, discovery: dict[str, Any]
) -> None:
    google.on(
        PATH,
        CannedResponse({}),
        CannedResponse(DONE),
        CannedResponse({"subscribers": [{"name": "projects/1/subscribers/hooks"}]}),
    )
    google.on(f"{PATH}/hooks", CannedResponse(DONE))
    subscribers.ensure("hooks", HOOK, "s", ["steps"])
    subscribers.ensure("hooks", HOOK, "s", ["steps"])
    subscribers.remove("hooks")
    asked = [one for one in google.asked if one.path != "/token"]
    assert [one.method for one in asked] == ["GET", "POST", "GET", "PATCH", "DELETE"]
    assert all(known(discovery, one) for one in asked)


def test_types_that_google_does_not_announce_are_marked() -> None:
    assert {code for code, one in DATA_TYPES.items() if not one.announced} == {"oxygen-saturation", "daily-vo2-max"}
