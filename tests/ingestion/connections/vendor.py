"""The scripted vendor as one meets it on the way to a connection: a consent screen, an account, its devices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import ClassVar
from urllib.parse import urlencode

from ingestion.providers.base.live import (
    AccountSettings,
    DataType,
    DeviceKind,
    DeviceState,
    Grant,
    Identity,
    NoticeOrigin,
)
from metrics.batch import Sessions
from tests.ingestion.sync.fake import FakeVendor

ACCESS, REFRESH = "access-token-that-nobody-may-see", "refresh-token-that-nobody-may-see"
CODE = "code-that-nobody-may-see"
HEART, MOVES, NIGHTS, GEAR = "scope/heart", "scope/moves", "scope/nights", "scope/gear"
ALL = frozenset({HEART, MOVES, NIGHTS, GEAR})


def device(percent: int = 80) -> DeviceState:
    return DeviceState(
        "dev-1", "Inspire 3", DeviceKind.TRACKER, percent, "High", dt.datetime(2026, 11, 23, 6, tzinfo=dt.UTC)
    )


class Vendor(FakeVendor):
    """The scripted vendor with a consent screen. `fault` is raised by the exchange, `account_fault` by what asks for
    the account. It has no data.
    """

    slug = "vendor"
    name = "Vendor Health"
    source_provider = "vendor"
    synthetic = False
    scopes = (HEART, MOVES, NIGHTS, GEAR)
    data_types: ClassVar[Mapping[str, DataType]] = {
        "heart": DataType(
            code="heart", metrics=("heart_rate",), scope=HEART, window=dt.timedelta(hours=1), fingerprinted=True
        ),
        "moves": DataType(code="moves", metrics=("steps",), scope=MOVES, fingerprinted=True),
        "nights": DataType(code="nights", metrics=(), scope=NIGHTS, sessions=Sessions.SLEEP),
        "outings": DataType(code="outings", metrics=(), scope=MOVES, sessions=Sessions.EXERCISE),
    }

    def __init__(self) -> None:
        super().__init__()
        self.granted = ALL
        self.refresh_token: str | None = REFRESH
        self.user_id = "user-1"
        self.owned = [device()]
        self.fault: Exception | None = None
        self.account_fault: Exception | None = None
        self.exchanged: list[tuple[str, str, str]] = []
        self.origin: NoticeOrigin | Exception = NoticeOrigin.GENUINE
        self.proofs: list[tuple[str | None, bytes]] = []

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

    def identity(self, access_token: str) -> Identity:
        if self.account_fault:
            raise self.account_fault
        return Identity(self.user_id, None)

    def devices(self, access_token: str) -> list[DeviceState]:
        return self.owned

    def settings(self, access_token: str) -> AccountSettings:
        return AccountSettings(None, None)

    def notice_origin(self, headers: Mapping[str, str], body: bytes) -> NoticeOrigin:
        self.proofs.append((headers.get("Authorization"), body))
        if isinstance(self.origin, Exception):
            raise self.origin
        return self.origin
