"""Webhooks: subscribers, verification in two steps, signed notifications, retries until 204."""

from __future__ import annotations

import base64
import hashlib
import heapq
import itertools
import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ingestion.providers.google_health.simulator.accounts import Account
from ingestion.providers.google_health.simulator.faults import Faults
from ingestion.providers.google_health.simulator.records import civil_object, stamp
from ingestion.providers.google_health.simulator.state import State
from ingestion.providers.google_health.simulator.types import DataType
from metrics.batch import MICROSECOND, instant

log = logging.getLogger(__name__)

AGENT = {"User-Agent": "Google-Health-API-Webhooks", "Content-Type": "application/json"}
SIGNATURE = "GOOGLE-HEALTH-API-SIGNATURE"
MOST_TOGETHER = 99
GIVEN_UP_AFTER = 7 * 86_400  # seconds
LONGEST_WAIT = 3600  # seconds between attempts
WORKERS = 4


class SigningKey:
    """Key (P-256) made from the seed, and its public half in Tink's form."""

    def __init__(self, seed: int, name: str = "published") -> None:
        digest = hashlib.sha256(f"webhook key {seed} {name}".encode()).digest()
        self.id = int.from_bytes(digest[:4], "big") | 0x40000000
        self._private = ec.derive_private_key(int.from_bytes(digest[:31], "big"), ec.SECP256R1())

    def sign(self, body: bytes) -> str:
        """Signature of a raw body: Tink's prefix (0x01 and the key's id) before a DER signature, in base64."""
        der = self._private.sign(body, ec.ECDSA(hashes.SHA256()))
        return base64.b64encode(b"\x01" + self.id.to_bytes(4, "big") + der).decode()

    def keyset(self) -> dict[str, Any]:
        numbers = self._private.public_key().public_numbers()
        # Protobuf by hand: params (hash SHA256, curve P-256, DER), then x and y with the leading zero Tink writes.
        params = bytes([0x08, 3, 0x10, 2, 0x18, 2])
        value = bytes([0x12, len(params)]) + params
        for tag, number in ((0x1A, numbers.x), (0x22, numbers.y)):
            value += bytes([tag, 33]) + number.to_bytes(33, "big")
        data = {
            "typeUrl": "type.googleapis.com/google.crypto.tink.EcdsaPublicKey",
            "value": base64.b64encode(value).decode(),
            "keyMaterialType": "ASYMMETRIC_PUBLIC",
        }
        key = {"keyId": self.id, "status": "ENABLED", "outputPrefixType": "TINK", "keyData": data}
        return {"primaryKeyId": self.id, "key": [key]}


@dataclass(order=True)
class _WebhookDelivery:
    """Notifications to be sent to one subscriber, by when they are due."""

    due: float
    order: int
    subscriber: str = field(compare=False)
    notes: list[dict[str, Any]] = field(compare=False)
    attempt: int = field(compare=False, default=0)
    since: float = field(compare=False, default_factory=time.time)


class Webhooks:
    """Sender of notifications, in threads of its own between `start` and `close`."""

    def __init__(self, state: State, faults: Faults, seed: int) -> None:
        self._state = state
        self._faults = faults
        self.key = SigningKey(seed)
        self._forger = SigningKey(seed, "forged")
        self._http = httpx.Client(timeout=10.0, trust_env=False)
        self._queue: list[_WebhookDelivery] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._closing = False
        self._threads: list[threading.Thread] = []
        self.answers: Counter[str] = Counter()

    def start(self) -> None:
        for number in range(WORKERS):
            thread = threading.Thread(target=self._work, name=f"webhooks-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(timeout=2)
        self._http.close()

    @property
    def pending(self) -> int:
        with self._wake:
            return len(self._queue)

    # --- verification ------------------------------------------------------------------------------------------

    def verify(self, uri: str, secret: str) -> str | None:
        """Verify an endpoint by both steps of the handshake; says what was wrong, None if nothing was."""
        body = orjson.dumps({"type": "verification"})
        try:
            known = self._http.post(uri, content=body, headers={**AGENT, "Authorization": secret})
            unknown = self._http.post(uri, content=body, headers=AGENT)
        except httpx.HTTPError as error:
            return f"The endpoint cannot be reached: {type(error).__name__}."
        if known.status_code not in (200, 201):
            return f"The endpoint answered {known.status_code} to a verification with its secret; 201 is expected."
        if unknown.status_code not in (401, 403):
            return f"The endpoint answered {unknown.status_code} without the secret; 401 or 403 is expected."
        return None

    # --- notifications -----------------------------------------------------------------------------------------

    def notify(
        self,
        account: Account,
        data_type: DataType,
        low: int,
        high: int,
        *,
        operation: str = "UPSERT",
        record_id: str | None = None,
    ) -> int:
        """Tell every subscriber that covers this user and type; returns how many there are."""
        notified = 0
        for name, subscriber in list(self._state.subscribers.items()):
            subscription = _covered(subscriber, account, data_type)
            if subscription is None:
                continue
            note = _note(account, data_type, low, high, operation, record_id)
            if subscription:
                note["clientProvidedSubscriptionName"] = subscription
            self._put(name, [{"data": note}])
            notified += 1
        return notified

    def _put(self, subscriber: str, notes: list[dict[str, Any]]) -> None:
        late = self._faults.choice(1, 8) if self._faults.strikes("hook_late") else 0
        copies = 2 if self._faults.strikes("hook_twice") else 1
        with self._wake:
            for _ in range(copies):
                heapq.heappush(self._queue, _WebhookDelivery(time.time() + late, next(self._order), subscriber, notes))
            self._wake.notify()

    def _work(self) -> None:
        while (delivery := self._next()) is not None:
            try:
                self._deliver(delivery)
            except Exception:
                log.exception("a delivery failed; the others go on")

    def _next(self) -> _WebhookDelivery | None:
        """Next delivery that is due, with others for the same subscriber; None when closing."""
        with self._wake:
            while not self._closing:
                wait = self._queue[0].due - time.time() if self._queue else 60.0
                if wait <= 0:
                    first = heapq.heappop(self._queue)
                    while self._joins(first):
                        first.notes = first.notes + heapq.heappop(self._queue).notes
                    return first
                self._wake.wait(wait)
        return None

    def _joins(self, first: _WebhookDelivery) -> bool:
        if not self._queue or first.attempt or len(first.notes) >= MOST_TOGETHER:
            return False
        other = self._queue[0]
        return other.due <= time.time() and other.subscriber == first.subscriber and not other.attempt

    def _deliver(self, delivery: _WebhookDelivery) -> None:
        subscriber = self._state.subscribers.get(delivery.subscriber)
        if subscriber is None:
            return
        # The documented body is one object, live ones are arrays: both come.
        alone = len(delivery.notes) == 1 and delivery.order % 2 == 0
        body = orjson.dumps(delivery.notes[0] if alone else delivery.notes)
        if self._faults.strikes("hook_forged"):
            self._post(subscriber, body, self.key.sign(body + b" "))
        if self._faults.strikes("hook_unknown_key"):
            self._post(subscriber, body, self._forger.sign(body))
        if self._post(subscriber, body, self.key.sign(body)) == 204:
            return
        if time.time() - delivery.since > GIVEN_UP_AFTER:
            self.answers["given up"] += 1
            return
        delivery.attempt += 1
        delivery.due = time.time() + min(2**delivery.attempt, LONGEST_WAIT)
        with self._wake:
            heapq.heappush(self._queue, delivery)
            self._wake.notify()

    def _post(self, subscriber: dict[str, Any], body: bytes, signature: str) -> int:
        """Status of the response to a POST; 0 where there was none."""
        headers = {**AGENT, "Authorization": subscriber["secret"], SIGNATURE: signature}
        try:
            status = self._http.post(subscriber["endpointUri"], content=body, headers=headers).status_code
        except httpx.HTTPError as error:
            log.warning("webhook not delivered: %s", type(error).__name__)
            status = 0
        self.answers[str(status or "no answer")] += 1
        return status


def _covered(subscriber: dict[str, Any], account: Account, data_type: DataType) -> str | None:
    """Name of the subscription ("" for the automatic ones), None where this subscriber is not to be notified."""
    if subscriber["state"] != "ACTIVE":
        return None
    for config in subscriber["subscriberConfigs"]:
        if config.get("subscriptionCreatePolicy") == "AUTOMATIC" and data_type.id in config.get("dataTypes", ()):
            return ""
    for name, subscription in subscriber["subscriptions"].items():
        if subscription["user"] == f"users/{account.health_id}" and data_type.id in subscription["dataTypes"]:
            return str(name)
    return None


def _note(
    account: Account, data_type: DataType, low: int, high: int, operation: str, record_id: str | None
) -> dict[str, Any]:
    walls = [at + account.offset_seconds(instant(at)) * MICROSECOND for at in (low, high)]
    start, end = (instant(wall).strftime("%Y-%m-%dT%H:%M:%S") for wall in walls)
    interval: dict[str, Any] = {"civilIso8601TimeInterval": {"startTime": start, "endTime": end}}
    # A deletion says no more than this; anything else comes in all three forms.
    if operation != "DELETE":
        interval["physicalTimeInterval"] = {"startTime": stamp(low), "endTime": stamp(high)}
        interval["civilDateTimeInterval"] = {
            "startDateTime": civil_object(walls[0]),
            "endDateTime": civil_object(walls[1]),
        }
    note: dict[str, Any] = {
        "version": "1",
        "healthUserId": account.health_id,
        "operation": operation,
        "dataType": data_type.id,
        "intervals": [interval],
    }
    return {**note, "recordId": record_id} if record_id else note
