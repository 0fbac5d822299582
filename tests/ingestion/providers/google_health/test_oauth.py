"""Consent, tokens and revocation."""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qs, urlsplit

import pytest

from ingestion.providers.base.errors import (
    AccessGone,
    BrokenResponse,
    ClientMisconfigured,
    VendorBusy,
    VendorError,
)
from ingestion.providers.google_health.client import GoogleHealth
from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.data_types import SCOPES
from tests.ingestion.providers.google_health.conftest import NOW
from tests.ingestion.providers.google_health.server import CannedResponse, FakeGoogle

REDIRECT = "https://trial.example.org/connect/callback"
TOKENS = {
    "access_token": "ya29.EXAMPLE",
    "expires_in": 3599,
    "refresh_token": "1//EXAMPLE",
    "scope": f"{SCOPES[0]} openid",
    "token_type": "Bearer",
}


def test_consent_is_asked_for_offline_anew_and_with_a_challenge(provider: GoogleHealth) -> None:
    url = urlsplit(provider.authorize_url("state-1", "challenge-1", REDIRECT, SCOPES, "p@example.org"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://accounts.google.com/o/oauth2/v2/auth"
    assert {name: values[0] for name, values in parse_qs(url.query).items()} == {
        "client_id": "client-1",
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": " ".join(SCOPES),
        "state": "state-1",
        "access_type": "offline",
        "prompt": "consent",
        "code_challenge": "challenge-1",
        "code_challenge_method": "S256",
        "login_hint": "p@example.org",
    }


def test_a_code_is_exchanged_for_a_grant(google: FakeGoogle, provider: GoogleHealth) -> None:
    google.on("/token", CannedResponse(TOKENS))
    grant = provider.exchange("code-1", "verifier-1", REDIRECT)
    assert (grant.access_token, grant.refresh_token) == ("ya29.EXAMPLE", "1//EXAMPLE")
    assert grant.expires_at == NOW + dt.timedelta(seconds=3599)
    assert grant.scopes == frozenset({SCOPES[0], "openid"})
    assert google.asked[0].form == {
        "grant_type": "authorization_code",
        "code": "code-1",
        "code_verifier": "verifier-1",
        "redirect_uri": REDIRECT,
        "client_id": "client-1",
        "client_secret": "very-secret",
    }


def test_a_code_is_offered_a_single_time(google: FakeGoogle, provider: GoogleHealth) -> None:
    google.on("/token", CannedResponse({}, 500))
    with pytest.raises(BrokenResponse):
        provider.exchange("code-1", "verifier-1", REDIRECT)
    assert len(google.asked) == 1


def test_a_refresh_keeps_what_google_does_not_say_again(google: FakeGoogle, provider: GoogleHealth) -> None:
    google.on("/token", CannedResponse({}, 503), CannedResponse({"access_token": "ya29.NEW", "expires_in": 3599}))
    grant = provider.refresh("1//EXAMPLE")
    assert (grant.refresh_token, grant.scopes) == (None, None)
    assert google.asked[1].form["grant_type"] == "refresh_token"


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (CannedResponse({"error": "invalid_grant"}, 400), AccessGone, AccessGone.EXPIRED_GRANT),
        (
            CannedResponse({"error": "invalid_grant", "error_subtype": "invalid_rapt"}, 400),
            AccessGone,
            AccessGone.REAUTHENTICATION,
        ),
        (CannedResponse({"error": "invalid_client"}, 401), ClientMisconfigured, "invalid_client"),
        (CannedResponse({"error": "unauthorized_client"}, 400), ClientMisconfigured, "unauthorized_client"),
        (CannedResponse({"error": "invalid_request"}, 400), BrokenResponse, "invalid_request"),
        (CannedResponse({}, 429, {"Retry-After": "5"}), VendorBusy, "rate_limit"),
        (CannedResponse(b"<html>", 500), BrokenResponse, "http_500"),
        (CannedResponse(b"{}"), BrokenResponse, "unexpected_shape"),
        (CannedResponse(b"<html>"), BrokenResponse, "not_json"),
        (CannedResponse({"error": "invalid_grant"}), BrokenResponse, "unexpected_shape"),
        (CannedResponse({"access_token": "", "expires_in": 3599}), BrokenResponse, "unexpected_shape"),
    ],
)
def test_a_refused_refresh_says_whose_fault_it_is(
    google: FakeGoogle, provider: GoogleHealth, answer: CannedResponse, kind: type[VendorError], code: str
) -> None:
    google.on("/token", answer)
    with pytest.raises(VendorError) as caught:
        provider.refresh("1//EXAMPLE")
    assert type(caught.value) is kind
    assert caught.value.code == code


def test_a_replayed_code_is_told_from_a_dead_grant(google: FakeGoogle, provider: GoogleHealth) -> None:
    google.on("/token", CannedResponse({"error": "invalid_grant"}, 400))
    with pytest.raises(AccessGone) as caught:
        provider.exchange("code-1", "verifier-1", REDIRECT)
    assert caught.value.code == AccessGone.CODE_REFUSED


def test_revoking_what_is_dead_already_is_no_error(google: FakeGoogle, provider: GoogleHealth) -> None:
    google.on("/revoke", CannedResponse({}), CannedResponse({"error": "invalid_token"}, 400))
    provider.revoke("1//EXAMPLE")
    provider.revoke("1//EXAMPLE")
    assert [asked.form for asked in google.asked] == [{"token": "1//EXAMPLE"}] * 2


def test_a_revocation_that_fails_is_an_error(google: FakeGoogle, provider: GoogleHealth) -> None:
    google.on("/revoke", CannedResponse({"error": "invalid_request"}, 400))
    with pytest.raises(BrokenResponse):
        provider.revoke("1//EXAMPLE")


def test_secrets_show_in_no_representation(google: FakeGoogle, provider: GoogleHealth, config: GoogleConfig) -> None:
    google.on("/token", CannedResponse(TOKENS))
    grant = provider.refresh("1//EXAMPLE")
    assert "EXAMPLE" not in repr(grant)
    assert "very-secret" not in repr(config)
