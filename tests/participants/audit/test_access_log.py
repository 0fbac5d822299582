"""Reads count: every page that shows a participant's record leaves an entry, and changes leave theirs."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from participants.models import AuditEntry, Participant, User
from participants.privacy.contacts import contact_open, contact_store
from tests.factories import MembershipFactory, ParticipantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> Participant:
    person: Participant = ParticipantFactory.create(status="active")
    return person


@pytest.fixture
def manager(person: Participant) -> User:
    user: User = MembershipFactory.create(trial=person.trial, role="manager").user
    return user


@pytest.fixture
def page(client: Client, manager: User, person: Participant) -> str:
    client.force_login(manager)
    return f"/trials/{person.trial.code}/participants/{person.study_id}/"


def actions(person: Participant | None = None) -> list[str]:
    mine = AuditEntry.objects.filter(participant=person) if person else AuditEntry.objects.all()
    return list(mine.order_by("pk").values_list("action", flat=True))


def test_opening_a_participants_page_is_a_look(client: Client, page: str, person: Participant, manager: User) -> None:
    client.get(page)
    entry = AuditEntry.objects.get(participant=person)
    assert (entry.action, entry.actor, entry.via) == ("participant.view", manager, "page")


def test_opening_it_again_is_another_look(client: Client, page: str, person: Participant) -> None:
    client.get(page)
    client.get(page)
    assert actions(person) == ["participant.view"] * 2


def test_data_asked_for_without_the_page_are_a_view_too(client: Client, page: str, person: Participant) -> None:
    client.get(f"{page}series.json?metric=steps&start=2026-11-01&end=2026-11-02")
    assert actions(person) == ["participant.view"]


def test_the_charts_of_an_open_page_are_part_of_it(client: Client, page: str, person: Participant) -> None:
    client.get(page)
    client.get(f"{page}series.json?metric=steps&start=2026-11-01&end=2026-11-02")
    assert actions(person) == ["participant.view"]


def test_who_may_not_see_them_leaves_no_look(client: Client, person: Participant) -> None:
    client.force_login(MembershipFactory.create().user)
    client.get(f"/trials/{person.trial.code}/participants/{person.study_id}/")
    assert actions(person) == []


@pytest.mark.parametrize(
    ("address", "action"),
    [
        ("", "trial.view"),
        ("heatmap/", "trial.view"),
        ("adherence/", "trial.view"),
        ("?format=csv", "trial.download"),
        ("heatmap/?format=csv", "trial.download"),
        ("adherence/?format=csv", "trial.download"),
    ],
)
def test_pages_and_lists_of_a_trial_are_views(
    client: Client, page: str, person: Participant, address: str, action: str
) -> None:
    client.get(f"/trials/{person.trial.code}/{address}")
    assert action in actions()


def test_contact_data_are_recorded_as_opened_and_never_written_down(person: Participant, settings: Any) -> None:
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]
    contact_store(person, name="Ada Example", email="ada@example.org", phone="+31 20 1234567")
    contact_open(person)
    assert actions(person) == ["contact.store", "contact.open"]
    told = [vars(entry) | vars(getattr(entry, "detail", entry)) for entry in AuditEntry.objects.all()]
    assert not any(secret in str(told) for secret in ("Ada", "ada@", "1234567"))


def test_a_note_and_an_alert_that_was_acknowledged_are_recorded(client: Client, page: str, person: Participant) -> None:
    from tests.factories import AlertFactory

    alert = AlertFactory.create(participant=person)
    client.post(f"{page}notes/", {"text": "called back"})
    client.post(f"/trials/{person.trial.code}/alerts/{alert.pk}/acknowledge/")
    assert actions(person) == ["note.add", "alert.change"]
