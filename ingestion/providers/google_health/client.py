"""Google Health as a live provider: sends requests, hands responses to the decoders, translates refusals."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import ClassVar

import httpx

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.base.live import (
    AccountSettings,
    DataType,
    DeviceState,
    Fingerprint,
    Grant,
    Identity,
    NoticeOrigin,
    Notification,
    Pulled,
)
from ingestion.providers.google_health import account, webhooks
from ingestion.providers.google_health.assembly import assemble
from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.data_types import DATA_TYPES, SCOPES
from ingestion.providers.google_health.decode import page
from ingestion.providers.google_health.errors import api_error
from ingestion.providers.google_health.exercise import assemble_exercise, exercise_page
from ingestion.providers.google_health.google_type import GoogleType, Kind
from ingestion.providers.google_health.oauth import OAuth
from ingestion.providers.google_health.pagination import all_pages
from ingestion.providers.google_health.requests import (
    Span,
    list_parameters,
    page_size,
    rollup_bodies,
    span_of,
    whole_windows,
)
from ingestion.providers.google_health.rollups import RollupPage, as_points, fingerprints, rollup_page
from ingestion.providers.google_health.signing_keys import Cache, KeySet
from ingestion.providers.google_health.sleep import assemble_sleep, sleep_page
from ingestion.providers.google_health.transport import Cost, Transport
from metrics.local_time import LocalCalendar

log = logging.getLogger(__name__)

HOUR = 3600
MAX_DEVICES = 100


def _say(unreadable: Counter[str], what: str) -> None:
    """Log records that are left out and of which no window tells: their number and reason, never their content."""
    for reason, count in unreadable.items():
        log.warning("%s %s of %s could not be read: %s", count, what, GoogleHealth.name, reason)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class GoogleHealth:
    """LiveProvider of Google Health. `http` is anyone's client (its own timeout and base address are not used)."""

    slug: ClassVar[str] = "google_health"
    name: ClassVar[str] = "Google Health"

    def __init__(
        self,
        config: GoogleConfig,
        http: httpx.Client,
        *,
        cache: Cache,
        clock: Callable[[], dt.datetime] = _now,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self._clock = clock
        self._transport = Transport(http, attempts=config.attempts, timeout=config.timeout, pause=pause)
        self._oauth = OAuth(config, self._transport, clock)
        self._keys = KeySet(config.keyset_url, self._transport, cache)

    @property
    def source_provider(self) -> str:
        return self._config.origin.provider

    @property
    def synthetic(self) -> bool:
        return self._config.synthetic

    @property
    def data_types(self) -> Mapping[str, DataType]:
        return DATA_TYPES

    @property
    def scopes(self) -> tuple[str, ...]:
        return SCOPES

    # --- consent ---

    def authorize_url(
        self, state: str, code_challenge: str, redirect_uri: str, scopes: Iterable[str], login_hint: str | None = None
    ) -> str:
        return self._oauth.authorize_url(state, code_challenge, redirect_uri, scopes, login_hint)

    def exchange(self, code: str, code_verifier: str, redirect_uri: str) -> Grant:
        return self._oauth.exchange(code, code_verifier, redirect_uri)

    def refresh(self, refresh_token: str) -> Grant:
        return self._oauth.refresh(refresh_token)

    def revoke(self, token: str) -> None:
        self._oauth.revoke(token)

    # --- the account ---

    def identity(self, access_token: str) -> Identity:
        return account.identity(self._get(access_token, "identity", Cost()))

    def settings(self, access_token: str) -> AccountSettings:
        return account.settings(self._get(access_token, "settings", Cost()))

    def devices(self, access_token: str) -> list[DeviceState]:
        devices: list[DeviceState] = []
        parameters = {"pageSize": str(MAX_DEVICES)}
        seen = {""}
        while True:
            page = account.devices(self._get(access_token, "pairedDevices", Cost(), parameters))
            devices += page.records
            _say(page.unreadable, "devices")
            if not page.token:
                return devices
            if page.token in seen:
                raise BrokenResponse("endless_pages")
            seen.add(page.token)
            parameters["pageToken"] = page.token

    # --- notices ---

    def notice_origin(self, headers: Mapping[str, str], body: bytes) -> NoticeOrigin:
        if not webhooks.secret_matches(self._config.webhook_secret, headers.get("Authorization")):
            return NoticeOrigin.UNPROVEN
        signature = next((headers[name] for name in webhooks.SIGNATURE_HEADERS if name in headers), None)
        if signature is None:
            return webhooks.unsigned(body)
        genuine = webhooks.signature_matches(signature, body, self._keys)
        return NoticeOrigin.GENUINE if genuine else NoticeOrigin.FORGED

    def notifications(self, body: bytes) -> list[Notification]:
        received = webhooks.received(body)
        if not received.notifications and received.malformed:
            raise BrokenResponse("malformed_notice")
        return received.notifications

    # --- data ---

    def pull(
        self, access_token: str, data_type: str, start: dt.datetime, end: dt.datetime, calendar: LocalCalendar
    ) -> Pulled:
        google_type, cost = DATA_TYPES[data_type], Cost()
        if google_type.kind is Kind.ROLLUP:
            pulled = self._minutes(access_token, google_type, start, end, calendar, cost)
        else:
            span = span_of(google_type, start, end, calendar)
            list_page = partial(self._list, access_token, google_type, cost)
            full, origin = page_size(google_type, self._config), self._config.origin
            if google_type.kind is Kind.SLEEP:
                nights = all_pages(span, lambda part, token: sleep_page(list_page(part, token), origin), full)
                pulled = assemble_sleep(nights)
            elif google_type.kind is Kind.SESSION:
                sessions = all_pages(span, lambda part, token: exercise_page(list_page(part, token), origin), full)
                pulled = assemble_exercise(sessions, start, end)
            else:
                pages = all_pages(span, lambda part, token: page(google_type, list_page(part, token), origin), full)
                pulled = assemble(google_type, pages, calendar)
        pulled.requests, pulled.bytes, pulled.wire_bytes = cost.requests, cost.bytes, cost.wire_bytes
        return pulled

    def fingerprints(
        self, access_token: str, data_type: str, start: dt.datetime, end: dt.datetime
    ) -> dict[dt.datetime, Fingerprint]:
        """Fingerprints by hour. Raises ValueError for a type that is not fingerprinted."""
        google_type = DATA_TYPES[data_type]
        hours = whole_windows(start, end, HOUR, outward=True)
        return fingerprints(google_type, self._rollups(access_token, google_type, *hours, HOUR, Cost()))

    def _minutes(
        self,
        access_token: str,
        google_type: GoogleType,
        start: dt.datetime,
        end: dt.datetime,
        calendar: LocalCalendar,
        cost: Cost,
    ) -> Pulled:
        """Pull a type that cannot be listed, by the vendor's own sums. A part at the end is left for later."""
        seconds = google_type.seconds or HOUR
        windows = whole_windows(start, end, seconds, outward=False)
        pages = [
            as_points(google_type, rollup, self._config.origin)
            for rollup in self._rollups(access_token, google_type, *windows, seconds, cost)
        ]
        return assemble(google_type, pages, calendar)

    def _rollups(
        self, access_token: str, google_type: GoogleType, start: dt.datetime, end: dt.datetime, seconds: int, cost: Cost
    ) -> list[RollupPage]:
        pages: list[RollupPage] = []
        url = f"{self._points(google_type)}:rollUp"
        for body in rollup_bodies(start, end, seconds, self._config):
            seen = {""}
            while True:
                response = rollup_page(google_type, self._request(access_token, "POST", url, cost, json=body))
                pages.append(response)
                _say(response.unreadable, "sums")
                if not response.token:
                    break
                if response.token in seen:
                    raise BrokenResponse("endless_pages")
                seen.add(response.token)
                body["pageToken"] = response.token
        return pages

    def _list(self, access_token: str, google_type: GoogleType, cost: Cost, span: Span, token: str) -> bytes:
        parameters = list_parameters(google_type, span, self._config)
        if token:
            parameters["pageToken"] = token
        return self._request(access_token, "GET", self._points(google_type), cost, params=parameters)

    def _get(self, access_token: str, resource: str, cost: Cost, parameters: dict[str, str] | None = None) -> bytes:
        url = f"{self._config.api_url}/v4/users/me/{resource}"
        return self._request(access_token, "GET", url, cost, params=parameters or {})

    def _points(self, google_type: GoogleType) -> str:
        return f"{self._config.api_url}/v4/users/me/dataTypes/{google_type.code}/dataPoints"

    def _request(self, access_token: str, method: str, url: str, cost: Cost, **content: object) -> bytes:
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        response = self._transport.send(self._transport.request(method, url, headers=headers, **content), cost=cost)
        if response.status_code != httpx.codes.OK:
            raise api_error(response, self._clock())
        return response.content
