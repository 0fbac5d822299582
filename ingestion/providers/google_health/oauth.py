"""OAuth 2.0 of Google for one participant at a time: consent, tokens, revocation. Tokens never enter a message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

import httpx
from msgspec import Struct
from msgspec.json import Decoder

from ingestion.providers.base.errors import AccessGone, BrokenResponse, ClientMisconfigured
from ingestion.providers.base.live import Grant
from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.errors import oauth_error
from ingestion.providers.google_health.listing import decoded
from ingestion.providers.google_health.transport import Transport


class _Tokens(Struct):
    access_token: str
    expires_in: float
    refresh_token: str = ""
    scope: str | None = None


_TOKENS = Decoder(_Tokens, strict=False)
REFUSED_ASSERTION = "service_account_refused"


class OAuth:
    """OAuth client of Google. `clock` tells the present, aware."""

    def __init__(self, config: GoogleConfig, transport: Transport, clock: Callable[[], dt.datetime]) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock

    def authorize_url(
        self, state: str, code_challenge: str, redirect_uri: str, scopes: Iterable[str], login_hint: str | None
    ) -> str:
        """Address of the consent screen. It asks for offline access anew each time: Google gives a refresh token at the
        first consent only, else."""
        parameters = {
            "client_id": self._config.client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(scopes),
            "state": state,
            "access_type": "offline",
            "prompt": "consent",
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        if login_hint:
            parameters["login_hint"] = login_hint
        return str(httpx.URL(self._config.auth_url).copy_merge_params(parameters))

    def exchange(self, code: str, code_verifier: str, redirect_uri: str) -> Grant:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": code_verifier,
            "redirect_uri": redirect_uri,
        }
        return self._grant(form, refused=AccessGone.CODE_REFUSED, once=True)

    def refresh(self, refresh_token: str) -> Grant:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._grant(form, refused=AccessGone.EXPIRED_GRANT, once=False)

    def token_of_service(self, assertion: str) -> str:
        """Access token for a service account's signed assertion. Raises ClientMisconfigured if it is refused."""
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        try:
            return self._tokens(form, refused=REFUSED_ASSERTION, once=False).access_token
        except AccessGone as error:
            raise ClientMisconfigured(error.code) from error

    def _grant(self, form: dict[str, str], *, refused: str, once: bool) -> Grant:
        form |= {"client_id": self._config.client_id, "client_secret": self._config.client_secret}
        asked_at = self._clock()
        tokens = self._tokens(form, refused=refused, once=once)
        return Grant(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token or None,
            expires_at=asked_at + dt.timedelta(seconds=tokens.expires_in),
            scopes=None if tokens.scope is None else frozenset(tokens.scope.split()),
        )

    def _tokens(self, form: dict[str, str], *, refused: str, once: bool) -> _Tokens:
        response = self._transport.send(self._transport.request("POST", self._config.token_url, data=form), once=once)
        if response.status_code != 200:
            raise oauth_error(response, self._clock(), refused=refused)
        tokens = decoded(_TOKENS, response.content)
        if not tokens.access_token or tokens.expires_in <= 0:
            raise BrokenResponse("unexpected_shape")
        return tokens

    def revoke(self, token: str) -> None:
        response = self._transport.send(self._transport.request("POST", self._config.revoke_url, data={"token": token}))
        if response.status_code == 200:
            return
        error = oauth_error(response, self._clock(), refused=AccessGone.EXPIRED_GRANT)
        if error.code != "invalid_token":  # that one was dead already
            raise error
