"""Consent, codes, tokens, and what ends them."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ingestion.providers.google_health.simulator.messages import Response
from ingestion.providers.google_health.simulator.oauth import Client
from ingestion.providers.google_health.simulator.types import CLOUD_PLATFORM, SCOPES
from tests.ingestion.providers.google_health.simulator.conftest import Google, MakeGoogle, reason

BACK = "http://127.0.0.1:8000/back"
VERIFIER = "a-verifier-that-is-long-enough-to-be-one-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "client_id": "sim-client",
    "redirect_uri": BACK,
    "response_type": "code",
    "scope": f"{SCOPES['H']} {SCOPES['S']}",
    "state": "kept & safe",
    "access_type": "offline",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
CLIENT = {"client_id": "sim-client", "client_secret": "sim-secret"}


def answered(response: Response) -> dict[str, str]:
    assert response.status == 302, response.body
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def consented(google: Google, **changes: str) -> dict[str, str]:
    return answered(google.call("GET", "/o/oauth2/v2/auth", query={**ASKED, "auto": "approve", **changes}))


def exchanged(google: Google, code: str, **changes: str) -> Response:
    form = {**CLIENT, "grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    return google.call("POST", "/token", form={**form, "code_verifier": VERIFIER, **changes})


def refreshed(google: Google, token: str, **changes: str) -> Response:
    return google.call(
        "POST", "/token", form={**CLIENT, "grant_type": "refresh_token", "refresh_token": token, **changes}
    )


def error(response: Response) -> str:
    said: dict[str, Any] = json.loads(response.body)
    return str(said["error"])


def tokens(google: Google) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(exchanged(google, consented(google)["code"]).body)
    return said


def test_the_page_lets_a_person_choose_and_untick(google: Google) -> None:
    page = google.call("GET", "/o/oauth2/v2/auth", query=ASKED).body.decode()
    form = {**ASKED, "asked": ASKED["scope"], "scope": SCOPES["S"], "account": "4", "decision": "allow"}
    assert "sim0004@example.com" in page
    assert answered(google.call("POST", "/o/oauth2/v2/auth", form=form))["scope"] == SCOPES["S"]


def test_the_page_escapes_what_it_was_given(google: Google) -> None:
    page = google.call("GET", "/o/oauth2/v2/auth", query={**ASKED, "state": '"><script>'}).body.decode()
    assert "<script>" not in page


def test_denial_comes_back_with_the_state(google: Google) -> None:
    assert consented(google, auto="deny") == {"error": "access_denied", "state": "kept & safe"}


def test_partial_consent_grants_less_than_was_asked(google: Google) -> None:
    assert consented(google, auto="partial")["scope"] == SCOPES["H"]


def test_the_hint_chooses_the_account(google: Google) -> None:
    code = consented(google, login_hint="sim0009@example.com")["code"]
    token = json.loads(exchanged(google, code).body)["access_token"]
    assert json.loads(google.ask("identity", token=token).body)["healthUserId"] == "7100000000000000009"


@pytest.mark.parametrize("changes", [{"client_id": "other"}, {"response_type": "token"}, {"redirect_uri": "ftp://x"}])
def test_a_wrong_request_is_not_sent_back(google: Google, changes: dict[str, str]) -> None:
    assert google.call("GET", "/o/oauth2/v2/auth", query={**ASKED, "auto": "approve", **changes}).status == 400


def test_redirect_addresses_must_be_the_registered_ones(make_google: MakeGoogle) -> None:
    google = make_google(client=Client("sim-client", "sim-secret", ("http://127.0.0.1:8000/other",)))
    assert google.call("GET", "/o/oauth2/v2/auth", query=ASKED).status == 400


def test_a_code_works_once(google: Google) -> None:
    code = consented(google)["code"]
    assert exchanged(google, code).status == 200
    assert error(exchanged(google, code)) == "invalid_grant"


def test_a_code_needs_its_verifier(google: Google) -> None:
    assert error(exchanged(google, consented(google)["code"], code_verifier="wrong")) == "invalid_grant"


def test_a_wrong_secret_is_the_clients_fault(google: Google) -> None:
    refused = refreshed(google, tokens(google)["refresh_token"], client_secret="wrong")
    assert (refused.status, error(refused)) == (401, "invalid_client")


def test_refreshing_gives_no_new_refresh_token(google: Google) -> None:
    said = json.loads(refreshed(google, tokens(google)["refresh_token"]).body)
    assert "refresh_token" not in said
    assert google.ask("identity", token=said["access_token"]).status == 200


def test_refreshes_are_counted_by_user(google: Google) -> None:
    refreshed(google, google.tokens(4)["refresh_token"])
    assert google.control("stats")["refreshes"] == {"4": 1}


def test_without_offline_access_there_is_no_refresh_token(google: Google) -> None:
    code = consented(google, access_type="online")["code"]
    assert "refresh_token" not in json.loads(exchanged(google, code).body)


def test_revoking_ends_access_and_refresh(google: Google) -> None:
    mine = tokens(google)
    assert google.call("POST", "/revoke", form={"token": mine["refresh_token"]}).status == 200
    assert google.ask("identity", token=mine["access_token"]).status == 401
    assert error(refreshed(google, mine["refresh_token"])) == "invalid_grant"
    assert error(google.call("POST", "/revoke", form={"token": mine["refresh_token"]})) == "invalid_token"


def test_an_expired_token_is_refused_and_its_refresh_works(google: Google) -> None:
    mine = google.tokens(4)
    google.control("expire", {"user": "4"})
    refused = google.ask("identity", token=mine["access_token"])
    assert (refused.status, reason(refused)) == (401, "ACCESS_TOKEN_EXPIRED")
    again = json.loads(refreshed(google, mine["refresh_token"]).body)["access_token"]
    assert google.ask("identity", token=again).status == 200


def test_a_grant_of_testing_mode_ends(make_google: MakeGoogle) -> None:
    google = make_google(client=Client("sim-client", "sim-secret", refresh_days=-1.0))
    assert error(refreshed(google, tokens(google)["refresh_token"])) == "invalid_grant"


def test_a_forged_token_is_refused(google: Google) -> None:
    token = google.tokens(4)["access_token"]
    assert google.ask("identity", token=token[:-1] + ("A" if token[-1] != "A" else "B")).status == 401


def test_revocations_and_used_codes_outlive_a_restart(make_google: MakeGoogle, tmp_path: Path) -> None:
    first = make_google(state=tmp_path)
    code = consented(first, login_hint="4")["code"]
    kept = json.loads(exchanged(first, code).body)["refresh_token"]
    gone = first.tokens(6)["refresh_token"]
    first.control("revoke", {"user": "6"})
    second = make_google(state=tmp_path)
    assert refreshed(second, kept).status == 200
    assert error(refreshed(second, gone)) == "invalid_grant"
    assert error(exchanged(second, code)) == "invalid_grant"


def test_scopes_open_their_own_types_only(google: Google) -> None:
    token = google.tokens(4, [SCOPES["S"]])["access_token"]
    refused = google.ask("dataTypes/heart-rate/dataPoints", token=token)
    assert google.ask("dataTypes/sleep/dataPoints", token=token).status == 200
    assert (refused.status, reason(refused)) == (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT")


def test_cloud_scopes_may_not_be_mixed_in(google: Google) -> None:
    token = google.tokens(4, [SCOPES["S"], CLOUD_PLATFORM])["access_token"]
    assert reason(google.ask("identity", token=token)) == "DISALLOWED_OAUTH_SCOPES"


def test_no_token_at_all_says_so(google: Google) -> None:
    refused = google.call("GET", "/v4/users/me/identity")
    assert (refused.status, reason(refused)) == (401, "CREDENTIALS_MISSING")


def test_an_account_without_a_fitbit_is_not_linked(google: Google) -> None:
    never = next(a for a in google.simulator.accounts if not a.linked)
    refused = google.ask("identity", user=never.number)
    assert (refused.status, reason(refused)) == (400, "ACCOUNT_NOT_LINKED")
    assert json.loads(refused.body)["error"]["status"] == "FAILED_PRECONDITION"


def test_the_numeric_user_is_refused_without_a_reason(google: Google) -> None:
    token = google.tokens(4)["access_token"]
    path = "/v4/users/7100000000000000004/identity"
    refused = google.call("GET", path, headers={"Authorization": f"Bearer {token}"})
    assert "details" not in json.loads(refused.body)["error"]


def test_userinfo_tells_the_address_to_who_may_know_it(google: Google) -> None:
    token = google.tokens(4, ["openid", "email"])["access_token"]
    said = google.call("GET", "/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert json.loads(said.body)["email"] == "sim0004@example.com"
