"""The page on which managers put right what was entered or connected by mistake."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from ingestion.models import Connection
from metrics.corrections.data_deletion import deletion_run
from metrics.corrections.data_moves import move_run
from metrics.models import DataMove, Measurement, Source, SourceDeletion
from participants.models import Participant
from participants.services import participant_withdraw
from tests.dashboards.measured import NOON, heart_rate, store
from tests.factories import MembershipFactory, ParticipantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> Participant:
    return ParticipantFactory(study_id="AX-1")


@pytest.fixture
def client(person: Participant) -> Client:
    return manager(person)


def manager(person: Participant, role: str = "manager") -> Client:
    client = Client()
    client.force_login(MembershipFactory(trial=person.trial, role=role).user)
    return client


def path(person: Participant, verb: str = "") -> str:
    return f"/trials/{person.trial.code}/participants/{person.study_id}/corrections/{verb + '/' if verb else ''}"


def post(client: Client, person: Participant, verb: str, **values: str) -> str:
    return client.post(path(person, verb), values, follow=True).content.decode()


def test_a_withdrawal_is_undone_by_two_managers(person: Participant, client: Client) -> None:
    participant_withdraw(person, on=dt.date(2026, 5, 4))
    assert "Type AX-1 to confirm" in post(client, person, "reinstate", reason="a mistake", confirm="no")
    assert "Another manager" in post(client, person, "reinstate", reason="a mistake", confirm="AX-1")
    assert "Another person than the one who asked" in post(client, person, "approve")
    assert "The withdrawal is undone" in post(manager(person), person, "approve")
    person.refresh_from_db()
    assert person.status == Participant.Status.INVITED


def test_a_reason_is_asked_for(person: Participant, client: Client) -> None:
    assert "Say why" in post(client, person, "zone", zone="America/New_York", reason=" ")


def test_a_time_zone_is_corrected(person: Participant, client: Client) -> None:
    assert "America/New_York now" in post(client, person, "zone", zone="America/New_York", reason="they live there")
    assert "not an IANA time zone" in post(client, person, "zone", zone="Nowhere", reason="x")


def test_an_ended_account_is_released_and_a_connected_one_is_not(person: Participant, client: Client) -> None:
    row = Connection.objects.create(
        participant=person, trial=person.trial, provider="fake", status="active", external_user_id="u"
    )
    assert "disconnect it first" in post(client, person, "release", provider="fake", reason="x")
    Connection.objects.filter(pk=row.pk).update(status="revoked")
    assert "The account is released" in post(client, person, "release", provider="fake", reason="x")
    row.refresh_from_db()
    assert row.external_user_id == ""


def test_data_move_to_another_study_id_after_a_look(person: Participant, client: Client) -> None:
    store(person, heart_rate(NOON, 30))
    other = ParticipantFactory(trial=person.trial, study_id="AX-2")
    looked = post(client, person, "look", to="ax-2")
    assert "To AX-2" in looked
    assert "180 × heart rate" in looked
    assert "no participant of this study id" in post(client, person, "look", to="AX-3")
    moved = post(client, person, "move", to="AX-2", reason="one person", confirm="AX-1")
    assert "being moved to AX-2" in moved
    move_run(DataMove.objects.get().pk)
    assert Measurement.objects.filter(participant=other).count() == 180
    assert "done, 180 samples" in client.get(path(person)).content.decode()


def test_what_a_live_account_would_bring_again_does_not_move(person: Participant, client: Client) -> None:
    ParticipantFactory(trial=person.trial, study_id="AX-2")
    Connection.objects.create(participant=person, trial=person.trial, provider="fake", status="active")
    told = post(client, person, "move", to="AX-2", reason="one person", confirm="AX-1")
    assert "disconnect it first" in told
    assert not DataMove.objects.exists()


def test_coordinators_cannot(person: Participant) -> None:
    assert manager(person, "coordinator").get(path(person)).status_code == 403


# --- deleting what one source brought ----------------------------------------------------------------------------


def test_what_a_source_brought_is_deleted_after_it_was_told(client: Client, person: Participant) -> None:
    store(person, heart_rate(NOON, 60, step=60))
    source = Source.objects.get()
    asked = {"source": source.pk, "what": "", "first": "", "last": ""}
    page = client.post(path(person, "look-source"), asked).content.decode()
    assert "60 × heart rate" in page
    assert Measurement.objects.count() == 60
    assert client.post(path(person, "delete"), {**asked, "reason": "not theirs", "confirm": "AX-1"}).status_code == 303
    deletion_run(SourceDeletion.objects.get(participant=person).pk)
    assert not Measurement.objects.exists()
    assert "deleted, 60 rows" in client.get(path(person)).content.decode()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"confirm": "AX-2"}, "Type AX-1 to confirm"),
        ({"reason": ""}, "Say why"),
        ({"source": "0"}, "Choose a source"),
        ({"what": "pulse"}, "no metric"),
        ({"first": "2026-02-31"}, "Give the day"),
    ],
)
def test_a_deletion_that_is_not_meant_or_makes_no_sense_is_refused(
    client: Client, person: Participant, given: dict[str, str], says: str
) -> None:
    store(person, heart_rate(NOON, 60, step=60))
    asked = {"source": str(Source.objects.get().pk), "what": "", "reason": "not theirs", "confirm": "AX-1", **given}
    answer = client.post(path(person, "delete"), asked)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert Measurement.objects.exists()


def test_only_managers_delete(person: Participant) -> None:
    store(person, heart_rate(NOON, 60, step=60))
    asked = {"source": Source.objects.get().pk, "reason": "not theirs", "confirm": "AX-1"}
    assert manager(person, "coordinator").post(path(person, "delete"), asked).status_code == 403
    assert Measurement.objects.exists()
