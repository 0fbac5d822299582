"""Errors of Google in our terms. Only its short reason codes are read on; its messages may quote people's ids."""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Iterable
from typing import Any

import httpx
import msgspec
from msgspec import Raw, Struct

from ingestion.providers.base.errors import (
    AccessGone,
    BrokenResponse,
    ClientMisconfigured,
    TokenExpired,
    VendorBusy,
    VendorError,
)
from ingestion.providers.google_health.listing import decoded, parts

NO_SCOPE = {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", "MISSING_OAUTH_SCOPE"}
DENIED = {"RESOURCE_PERMISSION_DENIED", "DATA_ACCESS_DENIED", "USER_PROJECT_DENIED"}
OUR_PROJECT = {
    "SERVICE_DISABLED",
    "DISALLOWED_OAUTH_SCOPES",
    "API_PRIVATE_PREVIEW_ACCESS_DENIED",
    "IAM_PERMISSION_DENIED",
}
OUR_CLIENT = {"invalid_client", "unauthorized_client", "redirect_uri_mismatch", "deleted_client", "disabled_client"}


class _Detail(Struct):
    reason: str = ""
    retryDelay: str = ""  # noqa: N815  Google's spelling


class _Error(Struct):
    status: str = ""
    details: list[Raw] = []


class _Refusal(Struct):
    error: _Error = msgspec.field(default_factory=_Error)


class _OAuthRefusal(Struct):
    error: str = ""
    error_subtype: str = ""


_DETAIL = msgspec.json.Decoder(_Detail)


def _read(shape: type[Any], body: bytes) -> Any:
    """Refusal in a body; an empty one where it holds none, as proxies' pages do."""
    try:
        return decoded(msgspec.json.Decoder(shape), body)
    except BrokenResponse:
        return shape()


def _code(candidates: Iterable[str], status: int) -> str:
    """First of these that is one of Google's codes and no prose, in small letters; else the HTTP status."""
    return next(
        (candidate.lower() for candidate in candidates if re.fullmatch(r"[A-Za-z_]{3,80}", candidate)), f"http_{status}"
    )


def api_error(response: httpx.Response, now: dt.datetime) -> VendorError:  # noqa: PLR0911  a table in order of rank
    """Error for a response of the API that is no success."""
    status, refusal = response.status_code, _read(_Refusal, response.content).error
    details, _ = parts(_DETAIL, refusal.details)
    reasons = {detail.reason for detail in details if detail.reason}
    code = _code([*sorted(reasons), refusal.status], status)
    if status == 429 or refusal.status == "RESOURCE_EXHAUSTED" or "RATE_LIMIT_EXCEEDED" in reasons:
        return VendorBusy("rate_limit", retry_after(response, now, [detail.retryDelay for detail in details]))
    if status == 503 and (wait := retry_after(response, now)) is not None:
        return VendorBusy("unavailable", wait)
    if status == 401:
        return TokenExpired(code)
    if reasons & OUR_PROJECT:
        return ClientMisconfigured(code)
    if reasons & NO_SCOPE:
        return AccessGone(AccessGone.SCOPE_MISSING)
    if "ACCOUNT_NOT_LINKED" in reasons:
        return AccessGone(AccessGone.ACCOUNT_NOT_LINKED)
    # Details may be missing. A 403 that is not in Google's own form says nothing about a participant.
    if reasons & DENIED or (not reasons and refusal.status == "PERMISSION_DENIED"):
        return AccessGone(AccessGone.DENIED)
    return BrokenResponse(code)


def oauth_error(response: httpx.Response, now: dt.datetime, *, refused: str) -> VendorError:
    """Error for a refusal of the token address; `refused` is the code for a grant that is not taken."""
    refusal = _read(_OAuthRefusal, response.content)
    if response.status_code == 429:
        return VendorBusy("rate_limit", retry_after(response, now))
    if response.status_code == 503 and (wait := retry_after(response, now)) is not None:
        return VendorBusy("unavailable", wait)
    if refusal.error == "invalid_grant":
        return AccessGone(AccessGone.REAUTHENTICATION if refusal.error_subtype == "invalid_rapt" else refused)
    code = _code([refusal.error], response.status_code)
    return ClientMisconfigured(code) if refusal.error in OUR_CLIENT else BrokenResponse(code)


def retry_after(response: httpx.Response, now: dt.datetime, delays: Iterable[str] = ()) -> float | None:
    """Seconds until the vendor may be asked again: its header (a number or a date), else its RetryInfo; else None."""
    header = response.headers.get("Retry-After", "").strip()
    for text in (header, *(delay.removesuffix("s") for delay in delays)):
        if re.fullmatch(r"\d{1,7}(\.\d{1,9})?", text):
            return float(text)
    if header:
        try:
            until = email.utils.parsedate_to_datetime(header)
        except ValueError:
            return None  # a header that says nothing is as good as none
        return max(0.0, (until - now).total_seconds()) if until.tzinfo else None
    return None
