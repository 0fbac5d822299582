"""A stored answer is given again to those alone who would be let in now, and to the token that wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from participants import services
from participants.models import AuditEntry, IdempotencyKey, Membership, Participant, Trial, User
from participants.privacy.contacts import contact_store
from participants.privacy.erasure import remove
from tests.api.conftest import Bring
from tests.factories import AlertFactory, MembershipFactory, ParticipantFactory, SiteFactory

pytestmark = pytest.mark.django_db
ROLE = Membership.Role
KEY = {"Idempotency-Key": "a-key-of-the-test"}
BASE = "/api/v1/trials/STRIDE-2"
PERSON = f"{BASE}/participants/AX-1"
# Each kind of right, by a write that needs it.
WRITES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "led": ("patch", BASE, {"title": "Another"}),
    "enrols": ("post", f"{BASE}/participants", {"study_id": "NEW-1", "site": "here"}),
    "managed": ("put", f"{PERSON}/contact", {"name": "Jo Example", "email": "jo@example.org"}),
    "alert": ("post", f"{BASE}/alerts/77/acknowledge", {}),
    "visible": ("post", f"{BASE}/exports", {"format": "daily"}),
}


@pytest.fixture(autouse=True)
def person(trial: Trial) -> Participant:
    site = SiteFactory.create(trial=trial, code="here")
    made: Participant = ParticipantFactory.create(trial=trial, study_id="AX-1", site=site)
    AlertFactory.create(pk=77, participant=made)
    return made


def send(client: Client, name: str) -> Any:
    method, address, body = WRITES[name]
    return getattr(client, method)(address, body, content_type="application/json", headers=KEY)


def end(user: User, trial: Trial) -> None:
    trial.memberships.filter(user=user).update(ended_at=timezone.now())


def become(role: str) -> Callable[[User, Trial], None]:
    def change(user: User, trial: Trial) -> None:
        services.membership_change(trial.memberships.get(user=user, ended_at=None), role=role)

    return change


@pytest.mark.parametrize("name", WRITES)
def test_who_may_still_do_it_gets_the_first_answer(writer: Client, name: str) -> None:
    first, again = send(writer, name), send(writer, name)
    assert first.status_code < 300
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("name", WRITES)
def test_who_is_a_member_no_more_gets_nothing(writer: Client, manager: User, trial: Trial, name: str) -> None:
    send(writer, name)
    end(manager, trial)
    again = send(writer, name)
    assert (again.status_code, "Idempotency-Replayed" in again.headers) == (404, False)


@pytest.mark.parametrize("name", ["led", "enrols", "managed", "alert"])
def test_who_may_act_no_more_gets_nothing(writer: Client, manager: User, trial: Trial, name: str) -> None:
    send(writer, name)
    become(ROLE.VIEWER)(manager, trial)
    again = send(writer, name)
    assert (again.status_code, "Idempotency-Replayed" in again.headers) == (403, False)


def test_a_coordinator_of_another_site_now_gets_nothing(bring: Bring, trial: Trial, person: Participant) -> None:
    member = MembershipFactory.create(trial=trial, role=ROLE.COORDINATOR, site=person.site)
    client = bring(member.user, can_write=True)
    assert send(client, "managed").status_code == 200
    Participant.objects.update(site=SiteFactory.create(trial=trial, code="there"))
    assert send(client, "managed").status_code == 404


@pytest.mark.parametrize("name", WRITES)
def test_a_token_of_another_trial_gets_nothing(writer: Client, manager: User, bring: Bring, name: str) -> None:
    send(writer, name)
    elsewhere = MembershipFactory.create(user=manager, role=ROLE.MANAGER).trial
    again = send(bring(manager, can_write=True, trials=[elsewhere]), name)
    assert (again.status_code, "Idempotency-Replayed" in again.headers) == (404, False)


def test_another_token_of_the_same_user_has_keys_of_its_own(writer: Client, manager: User, bring: Bring) -> None:
    send(writer, "led")
    again = send(bring(manager, can_write=True), "led")
    assert "Idempotency-Replayed" not in again.headers
    assert IdempotencyKey.objects.count() == 2


def test_a_session_has_keys_of_its_own(writer: Client, manager: User) -> None:
    send(writer, "led")
    page = Client()
    page.force_login(manager)
    assert "Idempotency-Replayed" not in send(page, "led").headers
    assert send(page, "led").headers["Idempotency-Replayed"] == "true"


def test_that_it_was_read_again_is_recorded(writer: Client, manager: User, person: Participant) -> None:
    send(writer, "managed")
    send(writer, "managed")
    entry = AuditEntry.objects.get(action="answer.replay")
    assert (entry.actor, entry.trial, entry.participant, entry.via) == (manager, person.trial, person, "api")
    assert entry.token is not None
    assert "jo@example.org" not in str(entry.detail.new)


def test_a_refused_repeat_is_not_recorded_as_read(writer: Client, manager: User, trial: Trial) -> None:
    send(writer, "managed")
    end(manager, trial)
    send(writer, "managed")
    assert not AuditEntry.objects.filter(action="answer.replay").exists()


def test_one_of_an_older_version_is_not_done_again(writer: Client, manager: User) -> None:
    send(writer, "led")
    IdempotencyKey.objects.update(token=None, rights=[])
    assert send(writer, "led").status_code == 409


@pytest.mark.parametrize("name", ["enrols", "managed", "alert"])
def test_an_erasure_removes_answers_about_the_participant(writer: Client, trial: Trial, name: str) -> None:
    send(writer, name)
    about = trial.participants.get(study_id="NEW-1" if name == "enrols" else "AX-1")
    contact_store(about)
    remove(about, "00000000-0000-0000-0000-000000000000")
    assert not IdempotencyKey.objects.exists()
