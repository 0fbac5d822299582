"""Who sent a notice, and what it says."""

from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.cache.backends.base import BaseCache

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.base.live import NoticeOrigin, Notification
from ingestion.providers.google_health import signing_keys
from ingestion.providers.google_health.client import GoogleHealth
from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.signing_keys import KeySet
from ingestion.providers.google_health.transport import Transport
from ingestion.providers.google_health.webhooks import received, secret_matches, signature_matches, unsigned
from tests.ingestion.providers.google_health.server import CannedResponse, FakeGoogle

KEY = ec.derive_private_key(7, ec.SECP256R1())
OTHER = ec.derive_private_key(8, ec.SECP256R1())
BODY = b'{"data":{"healthUserId":"71","dataType":"steps"}}'


def published(key_id: int, key: ec.EllipticCurvePrivateKey, *, padded: bool = False, **more: str) -> dict[str, Any]:
    """A key as Tink writes it: protobuf members version 0, params, x and y."""
    numbers = key.public_key().public_numbers()
    size = 33 if padded else 32
    edges = [number.to_bytes(size, "big") for number in (numbers.x, numbers.y)]
    params = bytes([0x08, 3, 0x10, 2, 0x18, 2])
    message = b"".join(
        [b"\x08\x00", b"\x12", bytes([len(params)]), params, b"\x1a", bytes([size]), edges[0], b"\x22", bytes([size])]
    )
    data = {"typeUrl": signing_keys.KEY_TYPE, "value": base64.b64encode(message + edges[1]).decode()}
    return {"keyId": key_id, "status": "ENABLED", "outputPrefixType": "TINK", "keyData": data} | more


def key_set(*keys: dict[str, Any]) -> CannedResponse:
    return CannedResponse({"primaryKeyId": 1, "key": list(keys)})


def signed(key_id: int, key: ec.EllipticCurvePrivateKey, body: bytes = BODY) -> str:
    signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    return base64.b64encode(b"\x01" + key_id.to_bytes(4, "big") + signature).decode()


@pytest.fixture
def keys(config: GoogleConfig, http: httpx.Client, cache: BaseCache) -> KeySet:
    return KeySet(config.keyset_url, Transport(http, attempts=1, timeout=5), cache)


@pytest.mark.parametrize(
    ("expected", "given", "match"),
    [
        ("s3cret", "s3cret", True),
        ("s3cret", "S3cret", False),
        ("s3cret", None, False),
        ("", "", False),
        ("é", "é", True),
    ],
)
def test_a_secret_matches_exactly_and_none_matches_nothing(expected: str, given: str | None, match: bool) -> None:
    assert secret_matches(expected, given) is match


@pytest.mark.parametrize("padded", [False, True])
def test_googles_signature_over_the_raw_bytes_is_taken(google: FakeGoogle, keys: KeySet, padded: bool) -> None:
    google.on("/keys", key_set(published(0xFFFFFFFE, KEY, padded=padded)))
    assert signature_matches(signed(0xFFFFFFFE, KEY), BODY, keys)
    assert not signature_matches(signed(0xFFFFFFFE, KEY), BODY + b" ", keys)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "not base64!",
        base64.b64encode(b"\x01\x00\x00\x00\x01").decode(),
        base64.b64encode(b"\x00\x00\x00\x00\x01" + b"x" * 70).decode(),
        base64.b64encode(b"\x01\x00\x00\x00\x01" + b"x" * 70).decode(),
        signed(1, OTHER),
    ],
    # Named: a signature is another at each start, and processes that share the tests compare their names.
    ids=["none", "empty", "not-base64", "too-short", "unknown-version", "no-signature", "of-another-key"],
)
def test_any_other_signature_is_not(google: FakeGoogle, keys: KeySet, signature: str | None) -> None:
    google.on("/keys", key_set(published(1, KEY)))
    assert not signature_matches(signature, BODY, keys)


def test_keys_are_fetched_once_and_kept(google: FakeGoogle, keys: KeySet) -> None:
    google.on("/keys", key_set(published(1, KEY), published(2, OTHER)))
    assert signature_matches(signed(1, KEY), BODY, keys)
    assert signature_matches(signed(2, OTHER), BODY, keys)
    assert len(google.asked) == 1


def test_an_unknown_key_has_the_set_fetched_again_but_not_at_once(
    google: FakeGoogle, keys: KeySet, cache: BaseCache
) -> None:
    google.on("/keys", key_set(published(1, KEY)), key_set(published(1, KEY), published(2, OTHER)))
    assert signature_matches(signed(1, KEY), BODY, keys)
    assert not signature_matches(signed(2, OTHER), BODY, keys)
    assert len(google.asked) == 1
    cache.delete("google_health.keyset.asked")  # the gap is over
    assert signature_matches(signed(2, OTHER), BODY, keys)
    assert len(google.asked) == 2


def test_a_disabled_key_signs_nothing(google: FakeGoogle, keys: KeySet) -> None:
    google.on("/keys", key_set(published(1, KEY, status="DISABLED"), published(2, OTHER)))
    assert not signature_matches(signed(1, KEY), BODY, keys)


@pytest.mark.parametrize(
    "answer",
    [
        CannedResponse({}, 500),
        CannedResponse(b"<html>"),
        CannedResponse({"key": []}),
        key_set(published(1, KEY) | {"keyData": {"typeUrl": signing_keys.KEY_TYPE, "value": "AAAA"}}),
    ],
)
def test_without_keys_nothing_is_taken_and_the_fault_is_told(
    google: FakeGoogle, keys: KeySet, answer: CannedResponse
) -> None:
    google.on("/keys", answer)
    for _ in range(2):
        with pytest.raises(BrokenResponse):
            signature_matches(signed(1, KEY), BODY, keys)
    assert len(google.asked) == 1


def test_a_broken_set_does_not_take_the_place_of_a_good_one(google: FakeGoogle, keys: KeySet, cache: BaseCache) -> None:
    google.on("/keys", key_set(published(1, KEY)), CannedResponse(b"<html>"))
    assert signature_matches(signed(1, KEY), BODY, keys)
    cache.delete("google_health.keyset.asked")
    with pytest.raises(BrokenResponse):
        signature_matches(signed(2, OTHER), BODY, keys)
    assert signature_matches(signed(1, KEY), BODY, keys)


# --- what it says ------------------------------------------------------------------------------------------------


def message(*intervals: dict[str, Any], operation: str = "UPSERT", **more: Any) -> dict[str, Any]:
    data = {"version": "1", "healthUserId": "71", "operation": operation, "dataType": "heart-rate"}
    return {"data": data | ({"intervals": list(intervals)} if intervals else {}) | more}


PHYSICAL = {"physicalTimeInterval": {"startTime": "2026-11-20T13:00:00Z", "endTime": "2026-11-20T13:15:00Z"}}
CIVIL = {
    "civilDateTimeInterval": {
        "startDateTime": {"date": {"year": 2026, "month": 11, "day": 20}},
        "endDateTime": {"date": {"year": 2026, "month": 11, "day": 20}, "time": {"hours": 14, "minutes": 15}},
    }
}
TEXT = {"civilIso8601TimeInterval": {"startTime": "2026-11-20T14:00:00", "endTime": "2026-11-20T14:15:00"}}
AT_13 = dt.datetime(2026, 11, 20, 13, tzinfo=dt.UTC)


def read(content: Any) -> list[Notification]:
    return received(json.dumps(content).encode()).notifications


def test_instants_are_preferred_to_local_times() -> None:
    (notice,) = read(message(PHYSICAL | CIVIL | TEXT))
    assert notice == Notification("71", "heart-rate", "UPSERT", AT_13, AT_13 + dt.timedelta(minutes=15))


@pytest.mark.parametrize(("interval", "hour"), [(CIVIL, 0), (TEXT, 14)])
def test_local_times_stay_local(interval: dict[str, Any], hour: int) -> None:
    (notice,) = read(message(interval))
    assert notice.civil
    assert notice.start == dt.datetime(2026, 11, 20, hour)  # noqa: DTZ001  local by nature
    assert notice.end == dt.datetime(2026, 11, 20, 14, 15)  # noqa: DTZ001


def test_a_list_of_messages_with_several_intervals_is_one_notice_an_interval() -> None:
    assert len(read([message(PHYSICAL, TEXT), message(PHYSICAL)])) == 3


def test_a_message_without_an_interval_names_no_times() -> None:
    (notice,) = read(message())
    assert (notice.start, notice.end) == (None, None)


def test_a_deletion_names_the_record() -> None:
    (notice,) = read(message(TEXT, operation="DELETE", recordId="625"))
    assert (notice.operation, notice.record_id) == ("DELETE", "625")


def test_an_operation_we_do_not_know_is_passed_on() -> None:
    assert read(message(PHYSICAL, operation="PURGE"))[0].operation == "PURGE"


def test_one_malformed_message_does_not_take_the_others_with_it() -> None:
    spoilt = {"physicalTimeInterval": {"startTime": "2026-11-20T13:00:00", "endTime": "2026-11-20T13:15:00"}}
    content = [message(PHYSICAL), {"data": {}}, {"else": 1}, message(spoilt), 7]
    found = received(json.dumps(content).encode())
    assert (len(found.notifications), found.malformed) == (2, 3)


@pytest.mark.parametrize("body", [b'{"type":"verification"}', b'[{"type":"verification"}]'])
def test_a_verification_is_told_from_a_notice(body: bytes) -> None:
    found = received(body)
    assert found.verification
    assert found.notifications == []


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"data":' * 100_000, b'[{"data":' * 100_000, b"hello", b"", b"[", b"{}"]
)
def test_a_body_that_is_no_message_is_unreadable_however_deep(body: bytes) -> None:
    assert unsigned(body) is NoticeOrigin.UNREADABLE


def test_a_message_without_a_signature_is_forged_and_a_trial_call_is_one() -> None:
    message = json.dumps({"data": {"healthUserId": "1", "dataType": "steps"}}).encode()
    assert unsigned(message) is NoticeOrigin.FORGED
    assert unsigned(b'{"type":"verification"}') is NoticeOrigin.VERIFICATION


def test_a_list_that_is_cut_off_is_broken() -> None:
    with pytest.raises(BrokenResponse, match="not_json"):
        received(b'[{"data":')


def test_what_is_no_json_says_nothing() -> None:
    found = received(b"hello")
    assert (found.notifications, found.malformed) == ([], 1)


def test_the_provider_refuses_a_body_that_says_nothing(provider: GoogleHealth) -> None:
    with pytest.raises(BrokenResponse):
        provider.notifications(b"hello")


@pytest.mark.parametrize(
    ("headers", "body", "origin"),
    [
        ({}, BODY, NoticeOrigin.UNPROVEN),
        ({"GOOGLE-HEALTH-API-SIGNATURE": signed(1, KEY)}, BODY, NoticeOrigin.UNPROVEN),
        ({"Authorization": "s3cret"}, BODY, NoticeOrigin.FORGED),
        ({"Authorization": "s3cret", "GOOGLE-HEALTH-API-SIGNATURE": signed(1, OTHER)}, BODY, NoticeOrigin.FORGED),
        ({"Authorization": "s3cret", "GOOGLE-HEALTH-API-SIGNATURE": signed(1, KEY)}, BODY, NoticeOrigin.GENUINE),
        ({"Authorization": "s3cret", "X-HEALTHAPI-SIGNATURE": signed(1, KEY)}, BODY, NoticeOrigin.GENUINE),
        ({"Authorization": "s3cret"}, b'{"type":"verification"}', NoticeOrigin.VERIFICATION),
        ({}, b'{"type":"verification"}', NoticeOrigin.UNPROVEN),
    ],
)
def test_a_notice_is_genuine_by_secret_and_signature_together(
    google: FakeGoogle,
    http: httpx.Client,
    config: GoogleConfig,
    cache: BaseCache,
    headers: dict[str, str],
    body: bytes,
    origin: NoticeOrigin,
) -> None:
    google.on("/keys", key_set(published(1, KEY)))
    provider = GoogleHealth(replace(config, webhook_secret="s3cret"), http, cache=cache)
    assert provider.notice_origin(headers, body) is origin
