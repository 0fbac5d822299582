"""Public keys of Google's webhooks: a Tink key set in JSON, kept for hours, fetched anew when a key is unknown.

The keys rotate about monthly. An unknown key id may be a new key or an attacker's invention, so it has the set
fetched again, but not more often than once in REFETCH_GAP over all processes that share the cache.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Raw, Struct

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.google_health.listing import decoded, parts
from ingestion.providers.google_health.transport import Transport

KEPT = 6 * 3600  # seconds
REFETCH_GAP = 60  # seconds
KEY_TYPE = "type.googleapis.com/google.crypto.tink.EcdsaPublicKey"
COORDINATE = 32  # bytes, of P-256


class Cache(Protocol):
    """Protocol of the part of Django's cache that is needed: values are bytes and integers, times are seconds."""

    def get(self, key: str) -> Any: ...

    def set(self, key: str, value: Any, timeout: int) -> Any: ...

    def add(self, key: str, value: Any, timeout: int) -> bool:
        """Set a value unless there is one; tells whether it did."""
        ...


class _KeyData(Struct):
    typeUrl: str = ""  # noqa: N815  Tink's spelling, here and below
    value: str = ""


class _Key(Struct):
    keyId: int  # noqa: N815
    status: str = ""
    outputPrefixType: str = ""  # noqa: N815
    keyData: _KeyData = msgspec.field(default_factory=_KeyData)  # noqa: N815


class _KeySet(Struct):
    key: list[Raw]


_DECODER, _KEY = msgspec.json.Decoder(_KeySet), msgspec.json.Decoder(_Key)


class KeySet:
    """Keys at an address, through a shared cache."""

    def __init__(self, url: str, transport: Transport, cache: Cache) -> None:
        self._url = url
        self._transport = transport
        self._cache = cache

    def key(self, key_id: int) -> ec.EllipticCurvePublicKey | None:
        """Key of this id, None if there is none. Raises BrokenResponse where the set cannot be had."""
        kept = self._cache.get(self._name("keys"))
        if kept is not None and (known := parse(kept).get(key_id)):
            return known
        if not self._cache.add(self._name("asked"), 1, REFETCH_GAP):
            if kept is None:
                raise BrokenResponse("keyset_unavailable")
            return None
        body = self._fetch()
        self._cache.set(self._name("keys"), body, KEPT)
        return parse(body).get(key_id)

    def _fetch(self) -> bytes:
        response = self._transport.send(self._transport.request("GET", self._url))
        if response.status_code != 200 or not parse(response.content):
            raise BrokenResponse("keyset_unavailable")
        return response.content

    def _name(self, what: str) -> str:
        return f"google_health.keyset.{what}"


def parse(body: bytes) -> dict[int, ec.EllipticCurvePublicKey]:
    """Enabled P-256 keys by id; others, and what is none, are passed over: one does not take the others with it.

    Raises BrokenResponse where a body is no key set.
    """
    keys = {}
    for key in parts(_KEY, decoded(_DECODER, body).key)[0]:
        if (key.status, key.outputPrefixType, key.keyData.typeUrl) == ("ENABLED", "TINK", KEY_TYPE):
            with contextlib.suppress(binascii.Error, KeyError, ValueError, UnsupportedAlgorithm):
                members = dict(_protobuf(base64.b64decode(key.keyData.value, validate=True)))
                keys[key.keyId] = _point(members[3], members[4])
    return keys


def _point(x: bytes, y: bytes) -> ec.EllipticCurvePublicKey:
    """Public key of big-endian coordinates, which may have leading zero bytes. ValueError for no point of P-256."""
    edges = [coordinate.lstrip(b"\0").rjust(COORDINATE, b"\0") for coordinate in (x, y)]
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + b"".join(edges))


def _protobuf(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Members of a protobuf message of known length, as (number, content). Raises ValueError if it is none."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        length, at = _varint(message, at)
        if tag & 7 == 2:  # length-delimited
            if at + length > len(message):
                raise ValueError("truncated")
            yield tag >> 3, message[at : at + length]
            at += length
        elif tag & 7 != 0:  # a varint, which has just been read
            raise ValueError("a wire type that no key has")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A base-128 number and where it ends."""
    number = 0
    for shift in range(0, 64, 7):
        if at >= len(message):
            raise ValueError("truncated")
        byte = message[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise ValueError("too long")
