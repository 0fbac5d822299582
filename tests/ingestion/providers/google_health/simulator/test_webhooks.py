"""Subscribers and deliveries, seen from the endpoint's side."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ingestion.providers.google_health.simulator.messages import Response
from tests.ingestion.providers.google_health.simulator.conftest import Google

SECRET = "Bearer long-random-value"
DAY = {"user": "4", "start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z"}


@dataclass
class Endpoint:
    """Takes deliveries; `refuse` answers so many notifications with 500 first."""

    address: str = ""
    refuse: int = 0
    checks: bool = True
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, headers: dict[str, str], body: bytes) -> int:
        if self.checks and headers.get("Authorization") != SECRET:
            return 401
        if json.loads(body) == {"type": "verification"}:
            return 201
        self.got.append((headers, body))
        self.refuse -= 1
        return 500 if self.refuse >= 0 else 204

    def notes(self) -> list[dict[str, Any]]:
        said = [json.loads(body) for _, body in self.got]
        return [note["data"] for one in said for note in (one if isinstance(one, list) else [one])]


def waited(condition: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(made.answer(dict(self.headers), body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def administer(google: Google, method: str, path: str = "", body: Any = None, **query: str) -> Response:
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "signed"}
    token = json.loads(google.call("POST", "/token", form=grant).body)["access_token"]
    path = f"/v4/projects/123456789/subscribers{path}"
    return google.call(method, path, headers={"Authorization": f"Bearer {token}"}, body=body, query=query)


def subscribed(google: Google, endpoint: Endpoint, policy: str = "AUTOMATIC") -> Response:
    body = {
        "endpointUri": endpoint.address,
        "subscriberConfigs": [
            {"dataTypes": ["heart-rate", "sleep", "steps"], "subscriptionCreatePolicy": policy},
        ],
        "endpointAuthorization": {"secret": SECRET},
    }
    return administer(google, "POST", body=body, subscriberId="study-hooks")


def test_an_endpoint_is_verified_and_its_secret_never_shown(google: Google, endpoint: Endpoint) -> None:
    said = json.loads(subscribed(google, endpoint).body)
    assert said["done"]
    assert said["response"]["state"] == "ACTIVE"
    assert SECRET not in administer(google, "GET").body.decode()


def test_an_endpoint_that_takes_anything_is_refused(google: Google, endpoint: Endpoint) -> None:
    endpoint.checks = False
    refused = subscribed(google, endpoint)
    assert json.loads(refused.body)["error"]["status"] == "FAILED_PRECONDITION"


def test_the_same_subscriber_cannot_be_made_twice(google: Google, endpoint: Endpoint) -> None:
    subscribed(google, endpoint)
    assert subscribed(google, endpoint).status == 409


def test_a_users_token_may_not_administer(google: Google) -> None:
    token = google.tokens()["access_token"]
    path = "/v4/projects/123456789/subscribers"
    assert google.call("GET", path, headers={"Authorization": f"Bearer {token}"}).status == 403


def test_a_subscriber_can_be_changed_and_removed(google: Google, endpoint: Endpoint) -> None:
    subscribed(google, endpoint)
    config = {"subscriberConfigs": [{"dataTypes": ["sleep"], "subscriptionCreatePolicy": "AUTOMATIC"}]}
    changed = administer(google, "PATCH", "/study-hooks", config, updateMask="subscriberConfigs")
    assert json.loads(changed.body)["response"]["subscriberConfigs"][0]["dataTypes"] == ["sleep"]
    assert administer(google, "DELETE", "/study-hooks", force="true").status == 200
    assert json.loads(administer(google, "GET").body) == {}


def test_a_restated_day_is_announced_and_signed(google: Google, endpoint: Endpoint) -> None:
    subscribed(google, endpoint)
    google.simulator.start()
    assert google.control("restate", {**DAY, "type": "heart-rate"}) == {"told": 1}
    assert waited(lambda: bool(endpoint.got))
    headers, body = endpoint.got[0]
    (note,) = endpoint.notes()
    assert (note["dataType"], note["operation"]) == ("heart-rate", "UPSERT")
    assert note["intervals"][0]["physicalTimeInterval"] == {"startTime": DAY["start"], "endTime": DAY["end"]}
    assert verified(google, headers, body)


def verified(google: Google, headers: dict[str, str], body: bytes) -> bool:
    keyset = json.loads(google.call("GET", "/webhooks_public_keyset.json").body)
    said = {name.upper(): value for name, value in headers.items()}["GOOGLE-HEALTH-API-SIGNATURE"]
    signature = base64.b64decode(said)
    (entry,) = keyset["key"]
    assert signature[:5] == b"\x01" + entry["keyId"].to_bytes(4, "big")
    value = base64.b64decode(entry["keyData"]["value"])
    x, y = value[10:43], value[45:78]
    public = ec.EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()
    ).public_key()
    try:
        public.verify(signature[5:], body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def test_notices_are_tried_until_204(google: Google, endpoint: Endpoint) -> None:
    subscribed(google, endpoint)
    endpoint.refuse = 1
    google.simulator.start()
    google.control("restate", {**DAY, "type": "heart-rate"})
    assert waited(lambda: len(endpoint.got) == 2)
    assert endpoint.got[0][1] == endpoint.got[1][1]


def test_forged_signatures_do_not_verify(google: Google, endpoint: Endpoint) -> None:
    subscribed(google, endpoint)
    google.faulty(hook_forged=1.0)
    google.simulator.start()
    google.control("restate", {**DAY, "type": "heart-rate"})
    assert waited(lambda: len(endpoint.got) == 2)
    assert [verified(google, *one) for one in endpoint.got] == [False, True]


def test_duplicates_come_when_asked_for(google: Google, endpoint: Endpoint) -> None:
    subscribed(google, endpoint)
    google.faulty(hook_twice=1.0)
    google.simulator.start()
    google.control("restate", {**DAY, "type": "heart-rate"})
    assert waited(lambda: len(endpoint.notes()) == 2)


def test_a_deleted_night_is_named_with_its_civil_interval_alone(google: Google, endpoint: Endpoint) -> None:
    subscribed(google, endpoint)
    google.simulator.start()
    google.control("delete", {**DAY, "type": "sleep"})
    assert waited(lambda: bool(endpoint.got))
    (note,) = endpoint.notes()
    assert note["operation"] == "DELETE"
    assert note["recordId"].isdecimal()
    assert set(note["intervals"][0]) == {"civilIso8601TimeInterval"}


def test_uploads_are_announced_to_subscribers(google: Google, endpoint: Endpoint) -> None:
    subscribed(google, endpoint)
    google.tokens(4)
    google.simulator.events.announce_uploads()
    google.control("clock", {"advance": 3600})
    google.simulator.events.announce_uploads()
    google.simulator.start()
    assert waited(lambda: {"heart-rate", "steps"} <= {note["dataType"] for note in endpoint.notes()})


def test_manual_subscriptions_cover_their_users_only(google: Google, endpoint: Endpoint) -> None:
    subscribed(google, endpoint, "MANUAL")
    assert google.control("restate", {**DAY, "type": "heart-rate"}) == {"told": 0}
    body = {"user": "users/7100000000000000004", "dataTypes": ["heart-rate"]}
    assert administer(google, "POST", "/study-hooks/subscriptions", body, subscriptionId="one").status == 200
    assert google.control("restate", {**DAY, "type": "heart-rate"}) == {"told": 1}
    assert google.control("restate", {**DAY, "user": "5", "type": "heart-rate"}) == {"told": 0}


def test_types_without_notifications_cannot_be_subscribed(google: Google, endpoint: Endpoint) -> None:
    body = {"endpointUri": endpoint.address, "subscriberConfigs": [{"dataTypes": ["oxygen-saturation"]}]}
    assert administer(google, "POST", body=body, subscriberId="study-hooks").status == 400
