"""The second factor: of whom it is required, what it keeps out, and every way through it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from participants.accounts import two_factor
from participants.models import AuditDetail, AuditEntry, Membership, SignIn, Trial, User
from tests import factories
from tests.participants.accounts.conftest import code_of, person, sign_in, text

SET_UP = "/account/second-factor/"


def set_up_app(client: Client) -> str:
    """Set the app up on its page; returns its key."""
    page = text(client.get(reverse("mfa_activate_totp")))
    found = re.search(r'id="secret" value="([A-Z2-7]+)"', page)
    assert found
    answer = client.post(reverse("mfa_activate_totp"), {"code": code_of(found[1])})
    assert answer.headers["Location"] == "/account/recovery-codes/"
    return found[1]


@pytest.mark.parametrize("address", ["/", "/trials/STRIDE-2/", "/account/", "/account/password/", "/digests/"])
def test_a_manager_without_one_reaches_nothing_but_its_set_up(client: Client, manager: User, address: str) -> None:
    sign_in(client, manager.email)
    assert client.get(address).headers["Location"] == SET_UP
    assert client.get(SET_UP).status_code == 200


def test_staff_without_one_do_not_reach_the_administration(client: Client) -> None:
    person("staff@example.org", is_staff=True)
    sign_in(client, "staff@example.org")
    assert client.get("/admin/").headers["Location"] == SET_UP


def test_the_api_refuses_a_session_without_one(client: Client, manager: User) -> None:
    sign_in(client, manager.email)
    answer = client.get("/api/v1/")
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_partial_takes_the_whole_page_there(client: Client, manager: User) -> None:
    sign_in(client, manager.email)
    answer = client.get("/trials/STRIDE-2/", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == SET_UP


@pytest.mark.parametrize(
    ("role", "asked"), [("manager", True), ("coordinator", True), ("analyst", False), ("viewer", False)]
)
def test_it_is_asked_of_roles_that_see_contact_data(trial: Trial, role: str, asked: bool) -> None:
    user = person("somebody@example.org")
    factories.MembershipFactory.create(user=user, trial=trial, role=role)
    assert two_factor.missing(user) is asked
    assert two_factor.required_of(user) is asked


def test_it_is_asked_from_the_moment_a_user_becomes_a_manager(client: Client, viewer: User) -> None:
    sign_in(client, viewer.email)
    assert client.get("/").status_code == 200
    Membership.objects.update(role="manager")
    assert client.get("/").headers["Location"] == SET_UP


def test_a_demo_may_do_without(client: Client, manager: User, settings: Any) -> None:
    settings.SECOND_FACTOR = "optional"
    sign_in(client, manager.email)
    assert client.get("/").status_code == 200


def test_setting_up_the_app_opens_the_pages_and_shows_recovery_codes_once(client: Client, manager: User) -> None:
    sign_in(client, manager.email)
    set_up_app(client)
    codes = re.findall(r"<li>(\d{8})</li>", text(client.get("/account/recovery-codes/")))
    assert len(codes) == 10
    assert codes[0] not in text(client.get("/account/recovery-codes/"))
    assert client.get("/").status_code == 200


def test_a_wrong_code_sets_nothing_up(client: Client, manager: User) -> None:
    sign_in(client, manager.email)
    client.get(reverse("mfa_activate_totp"))
    assert "not right" in text(client.post(reverse("mfa_activate_totp"), {"code": "000000"}))
    assert not Authenticator.objects.exists()


def test_the_key_is_encrypted_in_the_database(client: Client, manager: User) -> None:
    sign_in(client, manager.email)
    key = set_up_app(client)
    assert key not in str(list(Authenticator.objects.values_list("data", flat=True)))


def test_the_password_alone_does_not_sign_in(client: Client, manager: User, secret: str) -> None:
    assert sign_in(client, manager.email).headers["Location"] == "/login/code/"
    assert client.get("/").headers["Location"].startswith("/login/")


def test_the_code_signs_in_and_the_history_says_how(client: Client, manager: User, secret: str) -> None:
    sign_in(client, manager.email)
    assert client.post("/login/code/", {"code": code_of(secret)}).headers["Location"] == "/"
    assert client.get("/").status_code == 200
    assert SignIn.objects.get(outcome="ok").method == "password and authenticator app"


def test_a_code_works_once(client: Client, manager: User, secret: str) -> None:
    code = code_of(secret)
    sign_in(client, manager.email)
    client.post("/login/code/", {"code": code})
    client.post(reverse("logout"))
    sign_in(client, manager.email)
    assert "used already" in text(client.post("/login/code/", {"code": code}))


def test_wrong_codes_lock_out_too(client: Client, manager: User, secret: str) -> None:
    sign_in(client, manager.email)
    for _ in range(5):
        client.post("/login/code/", {"code": "000000"})
    assert "Too many attempts" in text(client.post("/login/code/", {"code": code_of(secret)}))
    assert SignIn.objects.filter(outcome="failed", method="authenticator app").count() == 5


def test_a_recovery_code_works_once(client: Client, manager: User, secret: str) -> None:
    codes = RecoveryCodes(Authenticator.objects.get(type="recovery_codes")).get_unused_codes()
    for again in (False, True):
        sign_in(client, manager.email)
        answer = client.post("/login/code/", {"code": codes[0]})
        assert (answer.status_code == 200) is again
        client.post(reverse("logout"))


def test_the_last_one_of_a_manager_stays(client: Client, manager: User, secret: str) -> None:
    sign_in(client, manager.email)
    client.post("/login/code/", {"code": code_of(secret)})
    client.post(reverse("mfa_deactivate_totp"))
    assert two_factor.has(manager)


@pytest.mark.django_db(transaction=True)
def test_setting_one_up_ends_other_sessions_and_is_told_and_recorded(client: Client, manager: User) -> None:
    elsewhere = Client()
    sign_in(elsewhere, manager.email)
    sign_in(client, manager.email)
    set_up_app(client)
    assert elsewhere.get("/").headers["Location"].startswith("/login/")
    assert client.get("/").status_code == 200
    assert AuditEntry.objects.filter(action="account.second_factor_set", thing=f"user:{manager.pk}").exists()


def test_an_operator_lets_a_user_in_who_lost_everything(client: Client, manager: User, secret: str) -> None:
    call_command("account_recover", manager.email, "--reason", "lost phone; seen in person")
    assert not two_factor.has(manager)
    entry = AuditEntry.objects.get(action="account.second_factor_removed")
    assert AuditDetail.objects.get(entry=entry).reason == "lost phone; seen in person"
    sign_in(client, manager.email)
    assert client.get("/").headers["Location"] == SET_UP


def test_recovering_an_account_without_one_says_so(manager: User) -> None:
    with pytest.raises(CommandError, match="no second factor"):
        call_command("account_recover", manager.email, "--reason", "a mistake")


def test_what_changes_how_one_signs_in_asks_for_the_password_again_later(
    client: Client, manager: User, secret: str
) -> None:
    sign_in(client, manager.email)
    client.post("/login/code/", {"code": code_of(secret)})
    session = client.session
    session["signed_in_at"] -= 700
    session.save()
    assert client.get(reverse("mfa_generate_recovery_codes")).headers["Location"].startswith("/account/confirm/")


@pytest.mark.django_db(transaction=True)
def test_a_new_second_factor_is_told_by_mail(client: Client, manager: User) -> None:
    sign_in(client, manager.email)
    set_up_app(client)
    assert [message.to for message in mail.outbox] == [[manager.email]]
    assert "an authenticator app was set up" in mail.outbox[0].body
