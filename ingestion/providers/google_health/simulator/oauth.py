"""OAuth of Google: the consent page, codes, tokens, revocation, userinfo. Token times run on the real clock."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ingestion.providers.google_health.simulator import consent
from ingestion.providers.google_health.simulator.accounts import Account, Accounts
from ingestion.providers.google_health.simulator.errors import GoogleError
from ingestion.providers.google_health.simulator.faults import Faults
from ingestion.providers.google_health.simulator.messages import Request, Response, json_response
from ingestion.providers.google_health.simulator.state import State
from ingestion.providers.google_health.simulator.tokens import ACCESS, CODE, REFRESH, Signer
from ingestion.providers.google_health.simulator.types import CLOUD_PLATFORM

CODE_SECONDS = 600
PASSED_ON = ("client_id", "redirect_uri", "scope", "state", "access_type", "code_challenge", "login_hint", "prompt")


@dataclass(frozen=True, slots=True)
class Client:
    """Registered client. No redirect addresses registered: any is taken. `refresh_days` 7 plays Testing mode."""

    id: str
    secret: str
    redirects: tuple[str, ...] = ()
    refresh_days: float = 0


class OAuthError(Exception):
    """Error of the token endpoint."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


@dataclass(frozen=True, slots=True)
class Bearer:
    """Account that an access token speaks for; `account` None for a service account."""

    account: Account | None
    scopes: frozenset[str]


class OAuth:
    def __init__(self, accounts: Accounts, state: State, faults: Faults, client: Client) -> None:
        self._accounts = accounts
        self._state = state
        self._faults = faults
        self._client = client
        self._signer = Signer(accounts.seed)
        self._lock = threading.Lock()
        self.refreshes: Counter[int] = Counter()  # by account

    # --- the consent page --------------------------------------------------------------------------------------

    def authorize(self, request: Request) -> Response:
        """Handle GET: the page, or with `auto` (query or header X-Sim-Auto) straight to the redirect."""
        query = {name: request.query.get(name, "") for name in PASSED_ON}
        wrong = self._wrong(request.query)
        if wrong:
            return consent.refused(wrong)
        auto = request.query.get("auto") or request.headers.get("X-Sim-Auto")
        account = self._hinted(query["login_hint"])
        if auto is None:
            return consent.page(query, self._accounts, account)
        scopes = query["scope"].split()
        granted = {"approve": scopes, "deny": [], "partial": scopes[: max(1, len(scopes) // 2)]}.get(auto)
        if granted is None:
            return consent.refused(f"auto={auto} is none of approve, deny, partial.")
        return self._decided(query, account, granted)

    def decide(self, request: Request) -> Response:
        """Handle POST: what was ticked on the page."""
        wrong = self._wrong({**request.form, "response_type": "code"})
        if wrong:
            return consent.refused(wrong)
        try:
            account = self._accounts.find(request.form.get("account", ""))
        except KeyError:
            return consent.refused("There is no such Google account here.")
        ticked = set(request.scopes_ticked) if request.form.get("decision") == "allow" else set()
        query = {name: request.form.get(name, "") for name in PASSED_ON}
        query["scope"] = request.form.get("asked", "")
        return self._decided(query, account, [scope for scope in query["scope"].split() if scope in ticked])

    def _wrong(self, query: dict[str, str]) -> str | None:
        if query.get("client_id") != self._client.id:
            return "Error 401: invalid_client. The OAuth client was not found."
        redirect = query.get("redirect_uri", "")
        if not redirect.startswith(("http://", "https://")) or (
            self._client.redirects and redirect not in self._client.redirects
        ):
            return "Error 400: redirect_uri_mismatch."
        if query.get("response_type") != "code":
            return "Error 400: invalid_request. response_type must be code."
        if query.get("code_challenge") and query.get("code_challenge_method", "S256") != "S256":
            return "Error 400: invalid_request. Only S256 is supported."
        return None

    def _hinted(self, hint: str) -> Account:
        """Account of a login_hint, else the first that has a Fitbit and has not consented yet."""
        if hint:
            try:
                return self._accounts.find(hint)
            except KeyError:
                pass  # a hint is no more than a hint: an unknown one is as good as none
        free = (a for a in self._accounts if a.linked and a.number not in self._state.grants)
        return next(free, self._accounts.account(1))

    def _decided(self, query: dict[str, str], account: Account, granted: list[str]) -> Response:
        if not granted:
            result = {"error": "access_denied", "state": query["state"]}
        else:
            code = self._signer.sign(
                CODE,
                {
                    "u": account.number, "s": granted, "r": query["redirect_uri"], "c": query["code_challenge"],
                    "o": query["access_type"] == "offline", "e": time.time() + CODE_SECONDS, "n": secrets.token_hex(8),
                },
            )  # fmt: skip
            result = {"state": query["state"], "code": code, "scope": " ".join(granted)}
        glue = "&" if "?" in query["redirect_uri"] else "?"
        return Response(302, b"", {"Location": query["redirect_uri"] + glue + urlencode(result)})

    # --- tokens ------------------------------------------------------------------------------------------------

    def token(self, request: Request) -> Response:
        form = request.form
        try:
            if self._faults.strikes("unavailable"):
                raise OAuthError(503, "internal_failure", "Try again later.")
            kind = form.get("grant_type")
            if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
                return json_response(self._access(None, [CLOUD_PLATFORM]))
            self._check_client(form)
            if kind == "authorization_code":
                return json_response(self._exchange(form))
            if kind == "refresh_token":
                return json_response(self._refresh(form))
            raise OAuthError(400, "unsupported_grant_type", f"Invalid grant_type: {kind}")
        except OAuthError as error:
            return json_response(error.body, error.status)

    def _check_client(self, form: dict[str, str]) -> None:
        secret = form.get("client_secret", "")
        right = hmac.compare_digest(secret.encode(), self._client.secret.encode())
        if form.get("client_id") != self._client.id or not right:
            raise OAuthError(401, "invalid_client", "The OAuth client was not found.")

    def _exchange(self, form: dict[str, str]) -> dict[str, Any]:
        claims = self._signer.open(CODE, form.get("code", ""))
        if claims is None or claims["e"] < time.time() or not self._state.use_code(claims["n"]):
            raise OAuthError(400, "invalid_grant", "Malformed auth code.")
        if form.get("redirect_uri") != claims["r"]:
            raise OAuthError(400, "redirect_uri_mismatch", "Bad Request")
        if claims["c"]:
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != claims["c"].rstrip("="):
                raise OAuthError(400, "invalid_grant", "Invalid code verifier.")
        return self.granted(self._accounts.account(claims["u"]), claims["s"], offline=claims["o"])

    def granted(self, account: Account, scopes: list[str], *, offline: bool = True) -> dict[str, Any]:
        """Tokens for scopes that an account has just agreed to; with a refresh token if `offline`."""
        number = account.number
        self._state.record("consent", number=number, scopes=scopes)
        tokens = self._access(number, scopes)
        if offline:
            claims = {
                "u": number,
                "s": scopes,
                "g": self._state.generation[number],
                "c": self._client.id,
                "i": time.time(),
                "n": secrets.token_hex(4),
            }
            tokens["refresh_token"] = self._signer.sign(REFRESH, claims)
            if self._client.refresh_days:
                tokens["refresh_token_expires_in"] = int(self._client.refresh_days * 86_400)
        return tokens

    def _refresh(self, form: dict[str, str]) -> dict[str, Any]:
        claims = self._signer.open(REFRESH, form.get("refresh_token", ""))
        if claims is not None:
            with self._lock:
                self.refreshes[claims["u"]] += 1
        if claims is None or claims["c"] != self._client.id or claims["g"] != self._state.generation[claims["u"]]:
            raise OAuthError(400, "invalid_grant", "Token has been expired or revoked.")
        if self._client.refresh_days and time.time() > claims["i"] + self._client.refresh_days * 86_400:
            raise OAuthError(400, "invalid_grant", "Token has been expired or revoked.")
        return self._access(claims["u"], claims["s"])

    def _access(self, number: int | None, scopes: list[str]) -> dict[str, Any]:
        issued, lasts = time.time(), self._faults.profile.expires_in
        generation = 0 if number is None else self._state.generation[number]
        claims = {
            "u": number,
            "s": scopes,
            "g": generation,
            "i": issued,
            "e": issued + lasts,
            "n": secrets.token_hex(4),
        }
        token = self._signer.sign(ACCESS, claims)
        return {"access_token": token, "expires_in": lasts, "scope": " ".join(scopes), "token_type": "Bearer"}

    def revoke(self, request: Request) -> Response:
        """Revoke the whole grant of an account, as the strictest reading of Google's behaviour has it."""
        token = request.form.get("token") or request.query.get("token", "")
        claims = self._signer.open(REFRESH, token) or self._signer.open(ACCESS, token)
        if claims is None or claims["u"] is None or claims["g"] != self._state.generation[claims["u"]]:
            return json_response({"error": "invalid_token", "error_description": "Token expired or revoked"}, 400)
        self._state.record("revoke", number=claims["u"])
        return json_response({})

    # --- who asks ----------------------------------------------------------------------------------------------

    def bearer(self, request: Request) -> Bearer:
        """Bearer of the request's access token. Raises GoogleError 401."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not token:
            raise GoogleError(401, "CREDENTIALS_MISSING", "Request is missing required authentication credential.")
        claims = self._signer.open(ACCESS, token.strip())
        if claims is None:
            raise GoogleError(401, None, "Request had invalid authentication credentials.")
        number = claims["u"]
        if number is None:
            return Bearer(None, frozenset(claims["s"]))
        if claims["g"] != self._state.generation[number]:
            raise GoogleError(401, None, "Request had invalid authentication credentials.")
        if claims["e"] < time.time() or claims["i"] < self._state.expired_before.get(number, 0):
            raise GoogleError(401, "ACCESS_TOKEN_EXPIRED", "Request had invalid authentication credentials.")
        return Bearer(self._accounts.account(number), frozenset(claims["s"]))

    def userinfo(self, request: Request) -> Response:
        bearer = self.bearer(request)
        if bearer.account is None or not bearer.scopes & {"email", "openid"}:
            raise GoogleError(401, None, "Request had invalid authentication credentials.")
        user: dict[str, Any] = {"sub": f"1{bearer.account.number:020d}"}
        if "email" in bearer.scopes:
            user |= {"email": bearer.account.email, "email_verified": True}
        return json_response(user)
