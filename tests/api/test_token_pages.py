"""Tokens are made and revoked on pages; a key is shown once. Programs are members by service accounts."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from participants.accounts.service_accounts import service_account_create
from participants.models import ApiToken, AuditEntry, Membership, Trial, User
from tests.factories import MembershipFactory

pytestmark = pytest.mark.django_db
TOKENS = "/account/tokens/"


@pytest.fixture
def page(client: Client, manager: User) -> Client:
    client.force_login(manager)
    return client


def key_in(content: bytes) -> str:
    found = re.search(rb'value="(wt_[^"]+)"', content)
    assert found
    return found[1].decode()


def trials_seen(key: str) -> int:
    return len(Client(headers={"Authorization": f"Bearer {key}"}).get("/api/v1/trials").json()["results"])


def test_a_key_is_shown_once_and_works(page: Client, trial: Trial) -> None:
    answer = page.post(TOKENS, {"name": "analysis", "days": "30", "trials": [trial.pk]})
    key = key_in(answer.content)
    assert trials_seen(key) == 1
    assert key.rpartition("_")[2] not in page.get(TOKENS).content.decode()
    token = ApiToken.objects.get()
    assert (token.can_write, token.all_trials, list(token.trials.all())) == (False, False, [trial])


def test_no_trial_chosen_means_all_of_theirs(page: Client) -> None:
    page.post(TOKENS, {"name": "all", "days": "7", "can_write": "on"})
    assert ApiToken.objects.filter(all_trials=True, can_write=True).exists()


@pytest.mark.parametrize("wrong", [{"name": ""}, {"days": "9999"}, {"trials": ["0"]}, {"name": "x" * 81}])
def test_what_is_wrong_makes_nothing(page: Client, wrong: dict[str, object]) -> None:
    assert page.post(TOKENS, {"name": "x", "days": "7"} | wrong).status_code == 400
    assert not ApiToken.objects.exists()


def test_anothers_trial_cannot_be_chosen(page: Client) -> None:
    stranger = MembershipFactory.create().trial
    assert page.post(TOKENS, {"name": "x", "days": "7", "trials": [stranger.pk]}).status_code == 400


def test_revoking_asks_first(page: Client) -> None:
    page.post(TOKENS, {"name": "x", "days": "7"})
    address = f"{TOKENS}{ApiToken.objects.get().pk}/revoke/"
    assert "cannot be undone" in page.get(address).content.decode()
    assert ApiToken.objects.filter(revoked_at=None).exists()
    assert page.post(address).status_code == 303
    assert not ApiToken.objects.filter(revoked_at=None).exists()


def test_anothers_token_cannot_be_revoked(page: Client, client: Client) -> None:
    other = MembershipFactory.create().user
    client.force_login(other)
    client.post(TOKENS, {"name": "x", "days": "7"})
    token = ApiToken.objects.get()
    client.force_login(Membership.objects.exclude(user=other).get().user)
    assert client.post(f"{TOKENS}{token.pk}/revoke/").status_code == 404


def test_a_service_account_has_a_role_tokens_and_an_end(page: Client, trial: Trial) -> None:
    address = f"/trials/{trial.code}/service-accounts/"
    assert page.post(address, {"name": "Nightly analysis", "role": "analyst"}).status_code == 303
    membership = Membership.objects.get(user__is_service=True)
    assert not membership.user.has_usable_password()
    key = key_in(page.post(address, {"account": membership.pk, "name": "cron", "days": "90"}).content)
    assert trials_seen(key) == 1
    assert page.post(f"{address}{membership.pk}/end/").status_code == 303
    answer = Client(headers={"Authorization": f"Bearer {key}"}).get("/api/v1/trials")
    assert answer.status_code == 401
    said = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"service_account.create", "service_account.end", "token.create", "token.revoke"} <= said


def test_its_tokens_can_be_revoked_by_who_leads_the_trial(page: Client, trial: Trial) -> None:
    membership = service_account_create(trial=trial, name="cron", role="viewer")
    address = f"/trials/{trial.code}/service-accounts/"
    page.post(address, {"account": membership.pk, "name": "cron", "days": "90"})
    assert page.post(f"{TOKENS}{ApiToken.objects.get().pk}/revoke/").status_code == 303
    assert not ApiToken.objects.filter(revoked_at=None).exists()


def test_a_program_is_never_a_manager(trial: Trial) -> None:
    with pytest.raises(ValidationError):
        service_account_create(trial=trial, name="cron", role="manager")


def test_a_sites_manager_makes_none(client: Client, trial: Trial) -> None:
    site = trial.sites.create(code="here", name="Here")
    client.force_login(MembershipFactory.create(trial=trial, site=site).user)
    assert client.get(f"/trials/{trial.code}/service-accounts/").status_code == 404
