"""Codes and tokens: signed claims, so that nothing need be stored to know them again after a restart."""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import Any

import orjson

ACCESS, REFRESH, CODE = "ya29.", "1//", "4/"


class Signer:
    """Signer of small JSON objects, with a key made from the seed."""

    def __init__(self, seed: int) -> None:
        self._key = hashlib.sha256(f"simulator {seed}".encode()).digest()
        self._opened = lru_cache(maxsize=16384)(self._open)

    def sign(self, prefix: str, value: dict[str, Any]) -> str:
        body = base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=")
        return f"{prefix}{body.decode()}.{self._mark(prefix, body)}"

    def open(self, prefix: str, token: str) -> dict[str, Any] | None:
        """Claims of a token; None if it is not one of ours."""
        return self._opened(prefix, token)

    def _open(self, prefix: str, token: str) -> dict[str, Any] | None:
        body, _, mark = token.removeprefix(prefix).rpartition(".")
        expected = self._mark(prefix, body.encode())
        if not token.startswith(prefix) or not hmac.compare_digest(mark.encode(), expected.encode()):
            return None
        claims: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims

    def _mark(self, prefix: str, body: bytes) -> str:
        digest = hmac.new(self._key, prefix.encode() + body, hashlib.sha256).digest()[:15]
        return base64.urlsafe_b64encode(digest).decode()
