"""One form of an address for lookups, limits and storage: no other way to write it passes the lock-out."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from participants.accounts import emails
from participants.accounts import services as accounts_services
from participants.audit import hash_chain
from participants.models import AuditEntry, Trial, User
from participants.user_input import canonical_address
from tests.factories import MembershipFactory
from tests.participants.accounts.conftest import PASSWORD, person, sign_in, text
from tests.paths import ROOT

ADDRESS = "kim.sissi@example.org"
# PostgreSQL's UPPER or Python's lower() makes these letters of the address; some make no letter of it at all.
WRITTEN = [
    "KIM.SISSI@EXAMPLE.ORG",
    " kim.sissi@example.org ",
    "kim.ſissi@example.org",
    "kim.siſſi@example.org",
    "kım.sissi@example.org",
    "kİm.sissi@example.org",
    "\u212aim.sissi@example.org",
    "ｋｉｍ.sissi@example.org",
    "kim.sissi@example.org".replace("m", "ｍ"),
]


@pytest.fixture
def kim() -> User:
    return person(ADDRESS)


@given(st.text())
def test_the_same_again_is_itself(written: str) -> None:
    assert canonical_address(canonical_address(written)) == canonical_address(written)


@given(st.emails())
def test_capitals_and_space_around_make_no_difference(address: str) -> None:
    assert canonical_address(f" {address.upper()}\n") == canonical_address(address.lower())


@pytest.mark.parametrize("written", WRITTEN)
def test_no_way_to_write_an_address_passes_the_lock_out(client: Client, kim: User, written: str) -> None:
    for _ in range(6):
        sign_in(client, ADDRESS, "wrong")
    sign_in(client, written)
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("written", WRITTEN)
def test_what_opens_an_account_is_counted_as_that_account(client: Client, kim: User, written: str) -> None:
    sign_in(client, written)
    opens = "_auth_user_id" in client.session
    client.logout()
    for _ in range(6):
        sign_in(client, written, "wrong")
    locked = "Too many attempts" in text(sign_in(client, ADDRESS))
    assert locked == opens


def test_another_port_or_name_of_the_site_begins_no_new_count(client: Client, kim: User, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    for host in ("a.test", "a.test:1", "a.test:2", "b.test", "b.test:3"):
        client.post(reverse("login"), {"login": ADDRESS, "password": "wrong"}, headers={"Host": host})
    answer = client.post(reverse("login"), {"login": ADDRESS, "password": PASSWORD}, headers={"Host": "c.test"})
    assert "Too many attempts" in text(answer)


@pytest.mark.parametrize("written", WRITTEN)
def test_requests_for_a_new_password_are_counted_for_the_account(client: Client, kim: User, written: str) -> None:
    for _ in range(3):
        assert client.post(reverse("account_reset_password"), {"email": ADDRESS}).status_code == 302
    before = len(mail.outbox)
    client.post(reverse("account_reset_password"), {"email": written})
    assert len(mail.outbox) == before


def test_addresses_are_stored_as_accounts_are_found_by_them() -> None:
    assert User.objects.create_user("KIM.Sissi@Example.ORG").email == ADDRESS
    assert User.objects.get_by_natural_key("Kim.Sissi@example.org").email == ADDRESS
    other = User.objects.create(email="Other@Example.org")
    assert User.objects.get(email="other@example.org") == other


def test_staff_cannot_give_two_accounts_one_address(client: Client, kim: User) -> None:
    other = person("other@example.org")
    other.email = "Kim.ſissi@example.org"
    with pytest.raises(ValidationError, match="already exists"):
        other.full_clean()


def test_an_invitation_goes_to_the_address_of_the_account(kim: User, manager: User, trial: Trial) -> None:
    MembershipFactory.create(trial=trial, user=kim)
    with pytest.raises(ValidationError, match="member there already"):
        accounts_services.colleague_invite(
            trial=trial, email="KIM.siſsi@example.org", role="viewer", site=None, by=manager
        )


def test_a_new_password_goes_to_nobody_else(kim: User) -> None:
    emails.send_reset("kım.sissi@example.org")
    assert mail.outbox == []
    emails.send_reset(" KIM.sissi@example.org")
    assert mail.outbox[0].to == [ADDRESS]


def test_no_lookup_of_an_account_ignores_case() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for app in ("participants", "metrics", "ingestion", "dashboards", "config")
        for file in (ROOT / app).rglob("*.py")
        for line in file.read_text().splitlines()
        if re.search(r"email__(iexact|icontains|iregex)|email\.lower\(\)", line)
    ]
    assert found == []


def written_before(email: str, **more: Any) -> User:
    """An account as an older version stored it."""
    user = person(f"{timezone.now().timestamp()}@example.org")
    User.objects.filter(pk=user.pk).update(email=email, **more)
    user.refresh_from_db()
    return user


def upgrade() -> None:
    importlib.import_module("participants.migrations.0014_canonical_addresses").make_canonical(apps, None)


def test_the_upgrade_stores_addresses_as_accounts_are_found_by_them(client: Client) -> None:
    user = written_before("Kim.Sissi@Example.org")
    upgrade()
    assert sign_in(client, ADDRESS).status_code == 302
    entry = AuditEntry.objects.get(action="user.change")
    assert (entry.thing, entry.detail.old, entry.detail.new) == (
        f"user:{user.pk}",
        {"email": "Kim.Sissi@Example.org"},
        {"email": ADDRESS},
    )
    hash_chain.checkpoint()
    assert list(hash_chain.faults()) == []


def test_of_two_accounts_of_one_address_the_one_used_last_keeps_it(capsys: Any) -> None:
    now = timezone.now()
    unused = written_before(ADDRESS)
    closed = written_before("KIM.sissi@example.org", is_active=False, last_login=now)
    used = written_before("Kim.Sissi@example.org", last_login=now)
    upgrade()
    for user in (unused, closed, used):
        user.refresh_from_db()
    assert used.email == ADDRESS
    assert {unused.email, closed.email} == {f"duplicate-{user.pk}@duplicate.invalid" for user in (unused, closed)}
    assert str(unused.pk) in capsys.readouterr().out
