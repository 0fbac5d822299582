"""A small vendor that answers what a test tells it to, in place of the live providers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlencode

from ingestion.providers.base.live import (
    AccountSettings,
    DataType,
    DeviceKind,
    DeviceState,
    Fingerprint,
    Grant,
    Identity,
    NoticeOrigin,
    Notification,
    Pulled,
)
from metrics.batch import Sessions

ACCESS, REFRESH = "access-token-that-nobody-may-see", "refresh-token-that-nobody-may-see"
CODE = "code-that-nobody-may-see"
HEART, MOVES, NIGHTS, GEAR = "scope/heart", "scope/moves", "scope/nights", "scope/gear"
ALL = frozenset({HEART, MOVES, NIGHTS, GEAR})


def device(percent: int = 80) -> DeviceState:
    return DeviceState(
        "dev-1", "Inspire 3", DeviceKind.TRACKER, percent, "High", dt.datetime(2026, 11, 23, 6, tzinfo=dt.UTC)
    )


@dataclass
class Vendor:
    """A LiveProvider. `fault` is raised by the exchange, `account_fault` by what asks for the account."""

    slug: ClassVar[str] = "vendor"
    name: ClassVar[str] = "Vendor Health"
    granted: frozenset[str] = ALL
    refresh_token: str | None = REFRESH
    user_id: str = "user-1"
    owned: list[DeviceState] = field(default_factory=lambda: [device()])
    fault: Exception | None = None
    account_fault: Exception | None = None
    revoke_fault: Exception | None = None
    revoked: list[str] = field(default_factory=list)
    exchanged: list[tuple[str, str, str]] = field(default_factory=list)
    origin: NoticeOrigin | Exception = NoticeOrigin.GENUINE
    proofs: list[tuple[str | None, bytes]] = field(default_factory=list)

    source_provider: ClassVar[str] = "vendor"
    synthetic = False
    scopes: ClassVar[tuple[str, ...]] = (HEART, MOVES, NIGHTS, GEAR)
    data_types: ClassVar[Mapping[str, DataType]] = {
        "heart": DataType(
            code="heart", metrics=("heart_rate",), scope=HEART, window=dt.timedelta(hours=1), fingerprinted=True
        ),
        "moves": DataType(code="moves", metrics=("steps",), scope=MOVES, fingerprinted=True),
        "nights": DataType(code="nights", metrics=(), scope=NIGHTS, sessions=Sessions.SLEEP),
        "outings": DataType(code="outings", metrics=(), scope=MOVES, sessions=Sessions.EXERCISE),
    }

    def authorize_url(
        self, state: str, code_challenge: str, redirect_uri: str, scopes: Iterable[str], login_hint: str | None = None
    ) -> str:
        asked = {"state": state, "challenge": code_challenge, "redirect": redirect_uri, "scope": " ".join(scopes)}
        return f"https://vendor.example/consent?{urlencode(asked)}"

    def exchange(self, code: str, code_verifier: str, redirect_uri: str) -> Grant:
        self.exchanged.append((code, code_verifier, redirect_uri))
        if self.fault:
            raise self.fault
        expires_at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        return Grant(ACCESS, self.refresh_token, expires_at, self.granted)

    def refresh(self, refresh_token: str) -> Grant:
        return Grant(ACCESS, None, dt.datetime.now(dt.UTC) + dt.timedelta(hours=1), None)

    def revoke(self, token: str) -> None:
        self.revoked.append(token)
        if self.revoke_fault:
            raise self.revoke_fault

    def identity(self, access_token: str) -> Identity:
        if self.account_fault:
            raise self.account_fault
        return Identity(self.user_id, None)

    def devices(self, access_token: str) -> list[DeviceState]:
        return self.owned

    def settings(self, access_token: str) -> AccountSettings:
        return AccountSettings(None, None)

    def pull(self, *asked: Any) -> Pulled:
        raise NotImplementedError("these tests pull nothing")

    def fingerprints(self, *asked: Any) -> dict[dt.datetime, Fingerprint]:
        raise NotImplementedError("these tests pull nothing")

    def notice_origin(self, headers: Mapping[str, str], body: bytes) -> NoticeOrigin:
        self.proofs.append((headers.get("Authorization"), body))
        if isinstance(self.origin, Exception):
            raise self.origin
        return self.origin

    def notifications(self, body: bytes) -> list[Notification]:
        return []
