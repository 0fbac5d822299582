"""The demo's password stands in its documents: it opens a demo, and nothing that is real."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import Client

from config import checks
from ingestion.demo import trial as demo_trial
from participants import services
from participants.models import ApiToken, AuditEntry, SignIn, Trial, User
from participants.services import published_password
from tests import factories
from tests.api.conftest import token_key
from tests.participants.accounts.conftest import sign_in

pytestmark = pytest.mark.django_db
DEFAULT = ["default"]


@pytest.fixture
def staff(settings: Any) -> User:
    """The superuser of a demo, as `make demo` makes it."""
    settings.DEMO = True
    settings.SECOND_FACTOR = "optional"
    trial = factories.TrialFactory.create(code="DEMO", is_demo=True)
    demo_trial.demo_users_ensure(trial, factories.SiteFactory.create(trial=trial), None)
    user: User = User.objects.get(email=demo_trial.STAFF)
    return user


def opens(client: Client, user: User) -> bool:
    sign_in(client, user.email, published_password.PASSWORD)
    return "_auth_user_id" in client.session


def test_it_opens_a_demo(client: Client, staff: User) -> None:
    assert opens(client, staff)
    assert checks.published_password(None, databases=DEFAULT) == []


def test_it_opens_nothing_where_the_site_is_no_demo(client: Client, staff: User, settings: Any) -> None:
    settings.DEMO = False
    assert not opens(client, staff)
    assert SignIn.objects.get(user=staff).outcome == SignIn.Outcome.FAILED


@pytest.mark.parametrize("status", Trial.Status.values)
def test_it_opens_nothing_beside_a_real_trial(client: Client, staff: User, status: str) -> None:
    factories.TrialFactory.create(is_demo=False, status=status)
    assert not opens(client, staff)


def test_it_opens_nobody_elses_account_either(client: Client, settings: Any) -> None:
    settings.SECOND_FACTOR = "optional"
    somebody = User(email="somebody@example.org", is_staff=True, is_superuser=True)
    somebody.set_password(published_password.PASSWORD)
    somebody.save()
    assert not opens(client, somebody)


def test_another_password_of_the_demos_people_goes_on(client: Client, staff: User, settings: Any) -> None:
    settings.DEMO = False
    staff.set_password("a-long-test-password")
    staff.save()
    sign_in(client, staff.email)
    assert "_auth_user_id" in client.session


def test_no_account_takes_it(staff: User) -> None:
    with pytest.raises(ValidationError, match="published"):
        password_validation.validate_password(published_password.PASSWORD)


@pytest.mark.parametrize("demo_mode", [True, False])
def test_a_site_that_became_real_does_not_start(staff: User, settings: Any, demo_mode: bool) -> None:
    settings.DEMO = demo_mode
    factories.TrialFactory.create(is_demo=False)
    [found] = checks.published_password(None, databases=DEFAULT)
    assert (found.id, found.is_serious(), demo_trial.STAFF in found.msg) == ("config.E003", True, True)
    with pytest.raises(SystemCheckError, match="close_demo_accounts"):
        call_command("check", "--database", "default")


def test_a_site_with_nothing_real_that_is_not_run_as_a_demo_is_warned(staff: User, settings: Any) -> None:
    settings.DEMO = False
    [found] = checks.published_password(None, databases=DEFAULT)
    assert (found.id, found.is_serious()) == ("config.W009", False)


def test_a_member_of_the_demo_under_another_address_is_found(staff: User, settings: Any) -> None:
    settings.DEMO = False
    User.objects.filter(pk=staff.pk).update(email="boss@example.org")
    assert "boss@example.org" in published_password.accounts().values()


def test_no_first_real_trial_is_made_while_it_opens_an_account(staff: User) -> None:
    with pytest.raises(ValidationError, match="close_demo_accounts"):
        services.trial_create(code="REAL", title="Real")
    trial = Trial.objects.get(code="DEMO")
    with pytest.raises(ValidationError, match="close_demo_accounts"):
        services.trial_update(trial, is_demo=False)
    assert services.trial_create(code="MORE", title="Another demo", is_demo=True).is_demo


def test_closing_ends_accounts_sessions_and_tokens(client: Client, staff: User, settings: Any) -> None:
    assert opens(client, staff)
    key = token_key(staff)
    settings.DEMO = False
    call_command("close_demo_accounts")
    assert not User.objects.filter(email__in=published_password.ADDRESSES, is_active=True).exists()
    assert client.get("/trials/DEMO/").status_code == 302
    assert Client(headers={"Authorization": f"Bearer {key}"}).get("/api/v1/me").status_code == 401
    assert ApiToken.objects.get().revoked_at is not None
    assert AuditEntry.objects.filter(action="account.close").count() == 3
    assert checks.published_password(None, databases=DEFAULT) == []
    assert services.trial_create(code="REAL", title="Real").code == "REAL"


def test_a_demo_is_not_closed(staff: User) -> None:
    call_command("close_demo_accounts")
    assert User.objects.filter(email__in=published_password.ADDRESSES, is_active=True).count() == 3


def test_what_was_closed_opens_again_with_the_demo_and_not_beside_a_real_trial(staff: User, settings: Any) -> None:
    trial, site = Trial.objects.get(code="DEMO"), Trial.objects.get(code="DEMO").sites.get()
    settings.DEMO = False
    published_password.close()
    demo_trial.demo_users_ensure(trial, site, None)
    assert not User.objects.get(pk=staff.pk).is_active
    settings.DEMO = True
    demo_trial.demo_users_ensure(trial, site, None)
    assert User.objects.get(pk=staff.pk).is_active
    published_again = published_password.accounts()
    factories.TrialFactory.create(is_demo=False)
    assert published_password.close() == list(published_again.values())
    demo_trial.demo_users_ensure(trial, site, None)
    assert not User.objects.get(pk=staff.pk).is_active


def test_a_deployment_that_says_it_is_a_demo_is_warned(settings: Any) -> None:
    assert checks.demo_in_deployment(None) == []
    settings.DEMO = True
    assert [found.id for found in checks.demo_in_deployment(None)] == ["config.W008"]
