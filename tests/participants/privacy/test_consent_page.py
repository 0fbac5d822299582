"""The page of a participant's consent: who may do what there."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from participants.models import Consent, Erasure, Participant, User
from participants.privacy import consent
from tests.factories import MembershipFactory, ParticipantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> Participant:
    person: Participant = ParticipantFactory.create(study_id="AX-1", status="active")
    consent.document_add(person.trial, version="1.0", title="Information", effective_on="2026-01-01")  # type: ignore[arg-type]
    return person


def member(person: Participant, role: str, **more: Any) -> User:
    user: User = MembershipFactory.create(trial=person.trial, role=role, **more).user
    return user


def post(user: User, person: Participant, verb: str, **data: str) -> Any:
    client = Client()
    client.force_login(user)
    return client.post(f"/trials/{person.trial.code}/participants/{person.study_id}/consent/{verb}/", data)


def test_the_page_says_what_is_missing(client: Client, person: Participant) -> None:
    client.force_login(member(person, "viewer"))
    page = client.get(f"/trials/{person.trial.code}/participants/AX-1/consent/").content.decode()
    assert "Version 1.0 is in force" in page
    assert "Withdraw participant" not in page


def test_a_coordinator_keeps_a_signed_consent(person: Participant) -> None:
    assert post(member(person, "coordinator"), person, "give", version="1.0", on="2026-11-01").status_code == 303
    assert Consent.objects.get().document.version == "1.0"


@pytest.mark.parametrize("on", ["", "yesterday", "2999-01-01", "2099-12-31", "0001-01-01", "1999-12-31", "9999-12-31"])
def test_a_day_that_is_none_or_to_come_is_refused(person: Participant, on: str) -> None:
    coordinator = member(person, "coordinator")
    for verb in ("give", "withdraw"):
        assert post(coordinator, person, verb, version="1.0", on=on, confirm="AX-1").status_code == 422
    assert not Consent.objects.exists()
    person.refresh_from_db()
    assert (person.status, person.withdrawn_on) == ("active", None)


def test_withdrawing_needs_the_study_id_typed(person: Participant) -> None:
    coordinator = member(person, "coordinator")
    assert post(coordinator, person, "withdraw", on="2026-11-01", confirm="AX-2").status_code == 422
    assert post(coordinator, person, "withdraw", on="2026-11-01", confirm="AX-1").status_code == 303
    person.refresh_from_db()
    assert person.status == "withdrawn"


@pytest.mark.parametrize("role", ["viewer", "analyst", "coordinator"])
def test_only_managers_of_the_trial_ask_for_an_erasure(person: Participant, role: str) -> None:
    assert post(member(person, role), person, "erase", reason="letter", confirm="AX-1").status_code == 403


def test_two_managers_erase(person: Participant, django_capture_on_commit_callbacks: Any) -> None:
    first, second = member(person, "manager"), member(person, "manager")
    assert post(first, person, "erase", reason="letter", confirm="AX-1").status_code == 303
    assert post(first, person, "approve", confirm="AX-1").status_code == 422
    assert post(second, person, "approve", confirm="AX-1").status_code == 303
    assert Erasure.objects.get().state == "approved"


def test_an_unknown_act_is_none(person: Participant) -> None:
    assert post(member(person, "manager"), person, "explode").status_code == 404
