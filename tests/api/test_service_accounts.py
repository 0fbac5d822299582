"""A service account belongs to one trial: nobody brings it into another, and its tokens reach its own alone."""

from __future__ import annotations

import datetime as dt
import importlib
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from dashboards.alerts import digests
from participants import services
from participants.accounts import emails
from participants.accounts import services as accounts_services
from participants.accounts.service_accounts import service_account_create, service_accounts
from participants.audit import hash_chain
from participants.models import ApiToken, AuditEntry, Membership, Participant, Trial, User
from participants.services.api_tokens import token_create
from tests.api.conftest import Bring, token_key
from tests.factories import MembershipFactory, ParticipantFactory, TrialFactory, UserFactory
from tests.programs import brought_into, program

pytestmark = pytest.mark.django_db
ROLE = Membership.Role


@pytest.fixture
def other() -> Trial:
    """Another trial, whose program an intruder of STRIDE-2 would like to have."""
    trial: Trial = TrialFactory.create(code="OTHER")
    ParticipantFactory.create(trial=trial, study_id="OT-1")
    return trial


@pytest.fixture
def theirs(other: Trial) -> User:
    return program(other)


@pytest.fixture
def page(client: Client, manager: User) -> Client:
    client.force_login(manager)
    return client


@pytest.fixture
def superuser(client: Client) -> Client:
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    return client


# --- Nobody brings it into another trial ---


def test_the_api_answers_as_if_its_address_were_nobodys(writer: Client, trial: Trial, theirs: User) -> None:
    members = f"/api/v1/trials/{trial.code}/members"
    said = {"role": "viewer"}
    refused = writer.post(members, said | {"email": theirs.email}, content_type="application/json")
    unknown = writer.post(members, said | {"email": "nobody@service.invalid"}, content_type="application/json")
    assert (refused.status_code, refused.json()["errors"]) == (400, unknown.json()["errors"])
    assert not trial.memberships.filter(user=theirs).exists()


def test_its_own_trial_may_give_it_a_site_too(writer: Client, trial: Trial) -> None:
    mine = program(trial)
    site = trial.sites.create(code="here", name="Here")
    said = {"role": "viewer", "email": mine.email, "site": site.code}
    answer = writer.post(f"/api/v1/trials/{trial.code}/members", said, content_type="application/json")
    assert answer.status_code == 201


def test_the_service_refuses_it(trial: Trial, theirs: User) -> None:
    with pytest.raises(ValidationError, match="its own trial"):
        services.membership_grant(user=theirs, trial=trial, role=ROLE.VIEWER)


def test_the_database_refuses_it_whatever_asks(trial: Trial, theirs: User, manager: User) -> None:
    with pytest.raises(IntegrityError, match="its own trial"), transaction.atomic():
        Membership.objects.create(user=theirs, trial=trial, role=ROLE.VIEWER)
    with pytest.raises(IntegrityError, match="its own trial"), transaction.atomic():
        trial.memberships.filter(user=manager).update(user=theirs)
    with pytest.raises(IntegrityError, match="its own trial"), transaction.atomic():
        theirs.memberships.update(trial=trial)


def test_the_database_takes_the_first_membership_as_its_trial(trial: Trial) -> None:
    made = UserFactory.create(is_service=True)
    MembershipFactory.create(user=made, trial=trial, role=ROLE.VIEWER)
    made.refresh_from_db()
    assert made.service_trial == trial


def test_the_admins_forms_refuse_it(superuser: Client, trial: Trial, theirs: User) -> None:
    said = {"user": theirs.pk, "trial": trial.pk, "role": "viewer", "audit_reason": ""}
    assert "its own trial only" in superuser.post("/admin/participants/membership/add/", said).content.decode()
    inline = {
        "code": trial.code, "title": trial.title, "status": trial.status, "time_zone": trial.time_zone,
        "sites-TOTAL_FORMS": 0, "sites-INITIAL_FORMS": 0,
        "protocols-TOTAL_FORMS": 0, "protocols-INITIAL_FORMS": 0,
        "memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0,
        "memberships-0-user": theirs.pk, "memberships-0-role": "viewer",
    }  # fmt: skip
    answer = superuser.post(f"/admin/participants/trial/{trial.pk}/change/", inline)
    assert "its own trial only" in answer.content.decode()
    assert not trial.memberships.filter(user=theirs).exists()


def test_it_is_not_invited_as_a_colleague(trial: Trial, manager: User, theirs: User) -> None:
    with pytest.raises(ValidationError, match="program"):
        accounts_services.colleague_invite(trial=trial, email=theirs.email, role=ROLE.VIEWER, site=None, by=manager)


def test_it_never_becomes_a_manager(trial: Trial, writer: Client) -> None:
    member = service_account_create(trial=trial, name="cron", role=ROLE.VIEWER)
    with pytest.raises(ValidationError, match="coordinator, analyst or viewer"):
        services.membership_change(member, role=ROLE.MANAGER)
    address = f"/api/v1/trials/{trial.code}/members/{member.pk}"
    assert writer.patch(address, {"role": "manager"}, content_type="application/json").status_code == 400


def test_one_that_is_a_manager_all_the_same_leads_nothing(trial: Trial) -> None:
    made = program(trial)
    made.memberships.update(role=ROLE.MANAGER)
    assert not Trial.objects.led_by(made).exists()
    assert not Trial.objects.led_by(made, reading=True).exists()


# --- Its tokens reach its own trial, whatever its memberships ---


def test_its_token_reaches_its_own_trial_alone(trial: Trial, other: Trial, theirs: User, bring: Bring) -> None:
    ParticipantFactory.create(trial=trial, study_id="AX-1")
    brought_into(theirs, trial)
    brings = bring(theirs, can_write=True)
    assert [one["code"] for one in brings.get("/api/v1/trials").json()["results"]] == [other.code]
    assert [one["trial"] for one in brings.get("/api/v1/me").json()["memberships"]] == [other.code]
    assert brings.get("/api/v1/trials/STRIDE-2/participants/AX-1").status_code == 404
    assert brings.get("/api/v1/trials/STRIDE-2/participants/AX-1/contact").status_code == 404
    assert brings.get("/api/v1/trials/OTHER/participants/OT-1/contact").status_code == 200


@pytest.mark.parametrize("role", [ROLE.MANAGER, ROLE.COORDINATOR, ROLE.VIEWER])
def test_each_queryset_of_who_sees_whom_says_so(trial: Trial, other: Trial, theirs: User, role: str) -> None:
    person = ParticipantFactory.create(trial=trial, site=trial.sites.create(code="here", name="Here"))
    brought_into(theirs, trial, role=role)
    assert list(Trial.objects.visible_to(theirs)) == [other]
    assert list(Trial.objects.visible_whole_to(theirs)) == [other]
    assert not Trial.objects.led_by(theirs).exists()
    assert list(Trial.objects.enrolled_by(theirs)) == [other]
    assert list(Trial.objects.enrolled_by(theirs, person.site)) == [other]
    assert person not in Participant.objects.visible_to(theirs)
    assert person not in Participant.objects.managed_by(theirs)
    assert not trial.sites.visible_to(theirs).exists()


def test_no_token_for_the_other_trial_can_be_made(trial: Trial, theirs: User) -> None:
    brought_into(theirs, trial)
    with pytest.raises(ValidationError, match="that its user sees"):
        token_key(theirs, trials=[trial])


# --- Nobody elsewhere makes keys for it, revokes them or ends it ---


def test_the_page_of_another_trial_does_not_know_it(page: Client, trial: Trial, theirs: User) -> None:
    membership = brought_into(theirs, trial)
    address = f"/trials/{trial.code}/service-accounts/"
    assert not service_accounts(trial).exists()
    page.post(address, {"account": membership.pk, "name": "stolen", "days": "90"})
    assert not ApiToken.objects.exists()
    assert page.post(f"{address}{membership.pk}/end/").status_code == 404
    theirs.refresh_from_db()
    assert theirs.is_active


def test_its_token_is_not_revoked_from_another_trial(page: Client, trial: Trial, theirs: User) -> None:
    brought_into(theirs, trial)
    token_key(theirs)
    assert page.post(f"/account/tokens/{ApiToken.objects.get().pk}/revoke/").status_code == 404
    assert ApiToken.objects.get().revoked_at is None


def test_a_colleagues_token_is_not_revoked_where_there_is_a_program(page: Client, trial: Trial) -> None:
    program(trial)
    colleague = MembershipFactory.create(trial=trial, role=ROLE.VIEWER).user
    token_key(colleague)
    assert page.post(f"/account/tokens/{ApiToken.objects.get().pk}/revoke/").status_code == 404
    assert ApiToken.objects.get().revoked_at is None


def test_the_end_of_a_membership_elsewhere_leaves_the_account(
    writer: Client, trial: Trial, other: Trial, theirs: User
) -> None:
    token_key(theirs)
    membership = brought_into(theirs, trial)
    answer = writer.post(f"/api/v1/trials/{trial.code}/members/{membership.pk}/end", content_type="application/json")
    assert answer.status_code == 200
    theirs.refresh_from_db()
    assert theirs.is_active
    assert ApiToken.objects.get(user=theirs).revoked_at is None


def test_the_end_of_its_last_membership_closes_it_and_revokes_its_tokens(writer: Client, trial: Trial) -> None:
    made = program(trial)
    site = services.membership_grant(
        user=made, trial=trial, role=ROLE.VIEWER, site=trial.sites.create(code="here", name="Here")
    )
    token_key(made)
    services.membership_end(site)
    assert ApiToken.objects.get(user=made).revoked_at is None
    last = made.memberships.get(ended_at=None)
    writer.post(f"/api/v1/trials/{trial.code}/members/{last.pk}/end", content_type="application/json")
    made.refresh_from_db()
    assert not made.is_active
    assert ApiToken.objects.get(user=made).revoked_at is not None


# --- It is nobody who signs in or reads mail ---


def test_it_does_not_sign_in_though_it_was_given_a_password(client: Client, trial: Trial) -> None:
    made = program(trial)
    made.set_password("a-long-test-password")
    made.save()
    client.post("/login/", {"login": made.email, "password": "a-long-test-password"})
    assert "_auth_user_id" not in client.session


def test_no_password_is_mailed_to_it(trial: Trial) -> None:
    emails.send_reset(program(trial).email)
    assert mail.outbox == []


def test_it_has_no_digest(trial: Trial, manager: User) -> None:
    program(trial, role=ROLE.COORDINATOR)
    trial.memberships.update(started_at=timezone.now() - dt.timedelta(days=2), digest_at=dt.time(0, 0))
    due = [pk for pk, _ in digests.due(timezone.now())]
    assert due == [trial.memberships.get(user=manager).pk]


# --- What was crossed before the upgrade ---


def test_the_upgrade_ends_what_crossed_and_says_so(
    trial: Trial, other: Trial, manager: User, theirs: User, capsys: Any
) -> None:
    owner = MembershipFactory.create(trial=other, role=ROLE.MANAGER).user
    crossed = brought_into(theirs, trial)
    User.objects.update(service_trial=None)
    ends = timezone.now() + dt.timedelta(days=30)
    stolen, _ = token_create(user=theirs, name="stolen", expires_at=ends, by=manager)
    kept, _ = token_create(user=theirs, name="kept", expires_at=ends, by=owner)
    home = theirs.memberships.get(trial=other)

    importlib.import_module("participants.migrations.0008_service_trial").bring_home(apps, None)

    for row in (crossed, stolen, kept, home, theirs):
        row.refresh_from_db()
    assert theirs.service_trial == other
    assert (crossed.ended_at is None, home.ended_at is None) == (False, True)
    assert (stolen.revoked_at is None, kept.revoked_at is None) == (False, True)
    ended = AuditEntry.objects.get(action="membership.end")
    assert (ended.trial, ended.thing, ended.detail.old["user"]) == (trial, f"membership:{crossed.pk}", theirs.email)
    assert AuditEntry.objects.filter(action="token.revoke", trial=other).count() == 1
    assert "STRIDE-2" in capsys.readouterr().out
    hash_chain.checkpoint()
    assert list(hash_chain.faults()) == []
