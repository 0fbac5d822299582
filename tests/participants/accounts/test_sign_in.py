"""Sign-in: passwords, what is said to whom, lock-out, the history of it."""

from __future__ import annotations

from typing import Any, ClassVar

import time_machine
from django.contrib.auth.hashers import MD5PasswordHasher, ScryptPasswordHasher, identify_hasher
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config import settings as product
from participants.models import AuditDetail, AuditEntry, SignIn, User
from tests.participants.accounts.conftest import PASSWORD, person, sign_in, text

WRONG = "E-mail and password do not match."


def test_passwords_are_hashed_with_scrypt(settings: Any) -> None:
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS
    user = person("new@example.org")
    assert isinstance(identify_hasher(user.password), ScryptPasswordHasher)


def test_a_password_hashed_the_old_way_is_taken_over_at_the_next_sign_in(client: Client, settings: Any) -> None:
    settings.PASSWORD_HASHERS = [product.PASSWORD_HASHERS[1]]
    user = person("old@example.org")
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS
    sign_in(client, user.email)
    user.refresh_from_db()
    assert user.password.startswith("scrypt$")


def test_who_sees_no_contact_data_gets_in_with_the_password(client: Client, viewer: User) -> None:
    assert sign_in(client, "Viewer@Example.org").headers["Location"] == "/"
    assert client.get("/").status_code == 200


def test_a_closed_account_is_told_what_a_wrong_password_is(client: Client, viewer: User) -> None:
    User.objects.update(is_active=False)
    assert WRONG in text(sign_in(client, viewer.email))


def test_nobody_signs_up(client: Client) -> None:
    assert client.get("/account/signup/").status_code == 404
    assert client.get("/accounts/signup/").status_code == 404


def test_after_five_failures_even_the_right_password_waits(client: Client, viewer: User) -> None:
    for _ in range(5):
        assert WRONG in text(sign_in(client, viewer.email, "wrong"))
    assert "Too many attempts" in text(sign_in(client, viewer.email))
    assert not client.session.get("_auth_user_id")


def test_the_lock_out_is_of_one_account(client: Client, viewer: User) -> None:
    person("other@example.org")
    for _ in range(6):
        sign_in(client, viewer.email, "wrong")
    assert sign_in(client, "other@example.org").status_code == 302


def test_the_lock_out_ends_after_a_quarter_of_an_hour(client: Client, viewer: User) -> None:
    for _ in range(6):
        sign_in(client, viewer.email, "wrong")
    with time_machine.travel("2099-01-01T00:00Z", tick=True):
        assert sign_in(client, viewer.email).status_code == 302


def test_unknown_addresses_are_locked_out_alike(client: Client, viewer: User) -> None:
    answers = [[text(sign_in(client, email, "wrong")) for _ in range(6)] for email in (viewer.email, "no@example.org")]
    told = [[WRONG in one for one in each] for each in answers]
    assert told[0] == told[1] == [True] * 5 + [False]


def test_one_address_cannot_try_many_accounts(client: Client) -> None:
    answers = [text(sign_in(client, f"guess{number}@example.org", "wrong")) for number in range(22)]
    assert "Too many attempts" in answers[-1]


class Counting(MD5PasswordHasher):
    """Hash that notes the passwords that it was given."""

    algorithm = "counting"
    hashed: ClassVar[list[str]] = []

    def encode(self, password: str, salt: str) -> str:
        self.hashed.append(password)
        return super().encode(password, salt)


def test_an_unknown_address_costs_a_hash_too(client: Client, settings: Any) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
    Counting.hashed.clear()
    sign_in(client, "nobody@example.org", "wrong")
    assert Counting.hashed == ["wrong"]


def test_the_history_tells_when_from_where_and_how(client: Client, viewer: User) -> None:
    client.post(
        reverse("login"),
        {"login": viewer.email, "password": PASSWORD},
        REMOTE_ADDR="203.0.113.77",
        headers={"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"},
    )
    one = SignIn.objects.get()
    assert (one.outcome, one.method, one.address, one.browser) == (
        "ok",
        "password",
        "203.0.113.0/24",
        "Firefox, Windows",
    )
    page = text(client.get(reverse("dashboards:sign-ins")))
    assert "203.0.113.0/24" in page
    assert "203.0.113.77" not in page


def test_failures_stand_in_the_history_of_whose_account_it_is(client: Client, viewer: User) -> None:
    sign_in(client, viewer.email, "wrong")
    sign_in(client, "nobody@example.org", "wrong")
    assert [(one.user, one.outcome) for one in SignIn.objects.all()] == [(viewer, "failed")]


def test_the_audit_trail_knows_failures_without_password_or_unknown_address(client: Client, viewer: User) -> None:
    sign_in(client, viewer.email, "a-wrong-password")
    sign_in(client, "nobody@example.org", "a-wrong-password")
    entries = AuditEntry.objects.filter(action="account.sign_in_failed").order_by("pk")
    assert entries[0].thing == f"user:{viewer.pk}"
    assert entries[1].thing.startswith("unknown:")
    said = str(list(AuditDetail.objects.values())) + str(list(entries.values()))
    assert "a-wrong-password" not in said
    assert "nobody" not in said


def test_signing_in_and_out_is_in_the_audit_trail(client: Client, viewer: User) -> None:
    sign_in(client, viewer.email)
    client.post(reverse("logout"))
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "actor_id")) == [
        ("account.sign_in", viewer.pk),
        ("account.sign_out", viewer.pk),
    ]


def test_an_address_that_was_changed_opens_nothing(client: Client, viewer: User) -> None:
    User.objects.update(email="new@example.org")
    assert WRONG in text(sign_in(client, "viewer@example.org"))
    assert sign_in(client, "new@example.org").status_code == 302


def test_the_administration_has_the_same_sign_in(client: Client) -> None:
    answer = client.get("/admin/")
    assert client.get(answer.headers["Location"]).headers["Location"].startswith("/login/?next=")


def test_staff_see_sign_ins_and_no_secret(admin_client: Client, viewer: User, settings: Any) -> None:
    settings.SECOND_FACTOR = "optional"
    SignIn.objects.create(user=viewer, outcome="failed", method="password", address="203.0.113.0/24")
    assert "203.0.113.0/24" in text(admin_client.get(reverse("admin:participants_signin_changelist")))
    assert admin_client.get("/admin/mfa/authenticator/").status_code == 404


def test_no_link_to_another_site_is_followed(client: Client, viewer: User) -> None:
    asked = {"login": viewer.email, "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post(reverse("login"), asked).headers["Location"] == "/"


def test_counting_failures_needs_no_redis(client: Client, viewer: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        sign_in(client, viewer.email, "wrong")
    assert any("django_cache" in query["sql"] for query in queries.captured_queries)
