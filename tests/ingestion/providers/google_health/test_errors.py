"""Google's refusals in our words."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
import pytest

from ingestion.providers.base.errors import (
    AccessGone,
    BrokenResponse,
    ClientMisconfigured,
    TokenExpired,
    VendorBusy,
    VendorError,
)
from ingestion.providers.google_health.errors import api_error
from tests.ingestion.providers.google_health.conftest import NOW


def refusal(
    code: int, status: str = "", *reasons: str, headers: dict[str, str] | None = None, **detail: Any
) -> httpx.Response:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason} for reason in reasons]
    if detail:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", **detail})
    error = {"code": code, "message": "of user 7100000000000000001", "status": status, "details": details}
    return httpx.Response(code, json={"error": error}, headers=headers)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refusal(400, "FAILED_PRECONDITION", "ACCOUNT_NOT_LINKED"), AccessGone, AccessGone.ACCOUNT_NOT_LINKED),
        (refusal(403, "PERMISSION_DENIED", "MISSING_OAUTH_SCOPE"), AccessGone, AccessGone.SCOPE_MISSING),
        (refusal(403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), AccessGone, AccessGone.SCOPE_MISSING),
        (refusal(403, "PERMISSION_DENIED", "RESOURCE_PERMISSION_DENIED"), AccessGone, AccessGone.DENIED),
        (refusal(403, "PERMISSION_DENIED"), AccessGone, AccessGone.DENIED),
        (refusal(403, "PERMISSION_DENIED", "SERVICE_DISABLED"), ClientMisconfigured, "service_disabled"),
        (refusal(403, "PERMISSION_DENIED", "DISALLOWED_OAUTH_SCOPES"), ClientMisconfigured, "disallowed_oauth_scopes"),
        (refusal(403, "PERMISSION_DENIED", "A_NEW_REASON"), BrokenResponse, "a_new_reason"),
        (httpx.Response(403, text="<html>a proxy's page</html>"), BrokenResponse, "http_403"),
        (refusal(401, "UNAUTHENTICATED"), TokenExpired, "unauthenticated"),
        (refusal(429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"), VendorBusy, "rate_limit"),
        (refusal(403, "RESOURCE_EXHAUSTED"), VendorBusy, "rate_limit"),
        (refusal(400, "INVALID_ARGUMENT", "INVALID_PAGE_TOKEN"), BrokenResponse, "invalid_page_token"),
        (refusal(400, "INVALID_ARGUMENT"), BrokenResponse, "invalid_argument"),
        (refusal(404, "NOT_FOUND", "RESOURCE_NOT_FOUND"), BrokenResponse, "resource_not_found"),
        (refusal(500, "INTERNAL", "INTERNAL_ERROR"), BrokenResponse, "internal_error"),
        (httpx.Response(503), BrokenResponse, "http_503"),
        (httpx.Response(302, headers={"Location": "/login"}), BrokenResponse, "http_302"),
        (httpx.Response(400, json={"error": "a text"}), BrokenResponse, "http_400"),
        (httpx.Response(410, json=[]), BrokenResponse, "http_410"),
    ],
)
def test_each_refusal_has_its_kind_and_code(answer: httpx.Response, kind: type[VendorError], code: str) -> None:
    error = api_error(answer, NOW)
    assert type(error) is kind
    assert error.code == code


def test_nothing_of_googles_own_text_stands_in_an_error() -> None:
    error = api_error(refusal(400, "user 7100000000000000001", "token ya29.EXAMPLE"), NOW)
    assert str(error) == "http_400"


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (refusal(429, headers={"Retry-After": "90"}), 90),
        (refusal(429, headers={"Retry-After": "Mon, 23 Nov 2026 12:02:00 GMT"}), 120),
        (refusal(429, headers={"Retry-After": "Mon, 23 Nov 2026 11:00:00 GMT"}), 0),
        (refusal(429, headers={"Retry-After": "soon"}), None),
        (refusal(429, retryDelay="7.5s"), 7.5),
        (refusal(429), None),
        (httpx.Response(503, headers={"Retry-After": "30"}), 30),
    ],
)
def test_a_busy_vendor_may_name_a_time(answer: httpx.Response, seconds: float | None) -> None:
    error = api_error(answer, NOW)
    assert isinstance(error, VendorBusy)
    assert error.retry_after == seconds
    assert error.until(NOW) == (None if seconds is None else NOW + dt.timedelta(seconds=seconds))
