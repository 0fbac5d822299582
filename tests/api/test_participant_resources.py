"""Participants over the API: enrolled, read, changed, paused, done; and how they are reached."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from participants.models import AuditEntry, Membership, Participant, Site, Trial, User
from participants.privacy import contacts
from tests.api.conftest import Bring
from tests.factories import EvaluatedSummaryFactory, MembershipFactory, ParticipantFactory, SiteFactory

pytestmark = pytest.mark.django_db
PEOPLE = "/api/v1/trials/STRIDE-2/participants"
PERSON = f"{PEOPLE}/P-1"


@pytest.fixture
def site(trial: Trial) -> Site:
    made: Site = SiteFactory.create(trial=trial, code="AMS")
    return made


@pytest.fixture
def participant(trial: Trial, site: Site) -> Participant:
    made: Participant = ParticipantFactory.create(trial=trial, study_id="P-1", site=site, arm="walk")
    return made


def post(client: Client, address: str, body: dict[str, Any], **headers: str) -> Any:
    return client.post(address, body, content_type="application/json", headers=headers)


def patch(client: Client, address: str, body: dict[str, Any], **headers: str) -> Any:
    return client.patch(address, body, content_type="application/json", headers=headers)


def study_ids(client: Client, query: str = "") -> list[str]:
    answer = client.get(PEOPLE + query)
    assert answer.status_code == 200, answer.content
    return [one["study_id"] for one in answer.json()["results"]]


def test_a_participant_is_told_with_how_they_stand(reader: Client, participant: Participant) -> None:
    EvaluatedSummaryFactory.create(participant=participant)
    told = reader.get(PERSON).json()
    assert (told["study_id"], told["site"], told["arm"]) == ("P-1", "AMS", "walk")
    assert told["standing"]["adherence"] == 1.0
    assert told["condition"] in {"well", "silent", "critical"}
    assert "id" not in told
    assert AuditEntry.objects.filter(action="participant.view", participant=participant, via="api").count() == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?site=AMS&arm=walk&status=active&study_id=P-", True),
        ("?study_id=Q", False),
        ("?site=ROT", False),
        ("?status=withdrawn", False),
        ("?condition=waiting", True),
        ("?condition=silent", False),
    ],
)
def test_participants_are_narrowed(reader: Client, participant: Participant, query: str, found: bool) -> None:
    assert bool(study_ids(reader, query)) is found


def test_wrong_parameters_are_named(reader: Client) -> None:
    errors = reader.get(f"{PEOPLE}?status=erased&condition=bored&name=Ann").json()["errors"]
    assert set(errors) == {"status", "condition", "name"}


def test_other_trials_and_sites_are_not_there(trial: Trial, participant: Participant, bring: Bring) -> None:
    stranger = bring(MembershipFactory.create().user, can_write=True)
    elsewhere = bring(MembershipFactory.create(trial=trial, site=SiteFactory.create(trial=trial)).user, can_write=True)
    assert stranger.get(PEOPLE).status_code == 404
    assert study_ids(elsewhere) == []
    for client in (stranger, elsewhere):
        assert client.get(PERSON).status_code == 404
        assert client.get(f"{PERSON}/contact").status_code == 404
        assert patch(client, PERSON, {"arm": "x"}).status_code == 404
        assert post(client, f"{PERSON}/withdraw", {"on": "2026-11-01"}).status_code == 404


def test_enrolling_answers_where_they_are(writer: Client, site: Site) -> None:
    answer = post(writer, PEOPLE, {"study_id": "P-9", "site": "AMS", "arm": "walk"})
    assert answer.status_code == 201, answer.content
    assert answer.headers["Location"] == f"{PEOPLE}/P-9"
    assert (answer.json()["status"], answer.json()["time_zone"]) == ("invited", "Europe/Amsterdam")
    assert AuditEntry.objects.filter(action="participant.enrol", via="api").count() == 1


def test_enrolling_twice_with_one_key_enrols_once(writer: Client, trial: Trial) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (post(writer, PEOPLE, {"study_id": "P-9"}, **key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.content == first.content
    assert trial.participants.count() == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "study_id"),
        ({"study_id": "no spaces"}, "study_id"),
        ({"study_id": "P-9", "site": "ROT"}, "site"),
        ({"study_id": "P-9", "time_zone": "Mars"}, "time_zone"),
        ({"study_id": "P-9", "status": "withdrawn"}, "status"),
        ({"study_id": "P-9", "name": "Ann"}, "name"),
        ({"study_id": "P-1"}, "study_id"),
        ({"study_id": "p-1"}, "study_id"),
    ],
)
def test_what_is_wrong_with_an_enrolment_is_named(
    writer: Client, participant: Participant, body: dict[str, Any], named: str
) -> None:
    answer = post(writer, PEOPLE, body)
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {named}
    assert Participant.objects.count() == 1


def test_nobody_is_enrolled_in_a_closed_trial(writer: Client, trial: Trial) -> None:
    Trial.objects.update(status=Trial.Status.CLOSED)
    assert post(writer, PEOPLE, {"study_id": "P-9"}).status_code == 409


def test_a_sites_coordinator_enrols_at_that_site_only(trial: Trial, site: Site, bring: Bring) -> None:
    SiteFactory.create(trial=trial, code="ROT")
    member = MembershipFactory.create(trial=trial, site=site, role=Membership.Role.COORDINATOR)
    client = bring(member.user, can_write=True)
    assert post(client, PEOPLE, {"study_id": "P-9"}).status_code == 403
    assert post(client, PEOPLE, {"study_id": "P-9", "site": "ROT"}).status_code == 400
    assert post(client, PEOPLE, {"study_id": "P-9", "site": "AMS"}).status_code == 201
    assert patch(client, f"{PEOPLE}/P-9", {"site": None}).status_code == 403


@pytest.mark.parametrize("role", [Membership.Role.ANALYST, Membership.Role.VIEWER])
def test_those_who_may_only_look_change_nothing(
    trial: Trial, participant: Participant, bring: Bring, role: str
) -> None:
    client = bring(MembershipFactory.create(trial=trial, role=role).user, can_write=True)
    assert study_ids(client) == ["P-1"]
    assert client.get(f"{PERSON}/contact").status_code == 403
    assert post(client, PEOPLE, {"study_id": "P-9"}).status_code == 403
    assert patch(client, PERSON, {"arm": "x"}).status_code == 403
    assert post(client, f"{PERSON}/withdraw", {"on": "2026-11-01"}).status_code == 403
    assert list(Participant.objects.values_list("study_id", "arm", "status")) == [("P-1", "walk", "active")]


def test_a_read_only_token_changes_nothing_and_opens_no_contact(reader: Client, participant: Participant) -> None:
    assert patch(reader, PERSON, {"arm": "x"}).status_code == 403
    assert post(reader, PEOPLE, {"study_id": "P-9"}).status_code == 403
    assert reader.get(f"{PERSON}/contact").status_code == 403


def test_a_change_keeps_old_and_new_value(writer: Client, participant: Participant) -> None:
    answer = patch(writer, PERSON, {"arm": "rest", "site": None, "reason": "moved"})
    assert (answer.json()["arm"], answer.json()["site"]) == ("rest", None)
    entry = AuditEntry.objects.get(action="participant.update")
    assert entry.detail.old == {"arm": "walk", "site": "AMS"}
    assert entry.detail.reason == "moved"


def test_a_change_meant_for_another_state_is_refused(writer: Client, participant: Participant) -> None:
    etag = writer.get(PERSON).headers["ETag"]
    assert patch(writer, PERSON, {"arm": "rest"}, **{"If-Match": etag}).status_code == 200
    assert patch(writer, PERSON, {"arm": "swim"}, **{"If-Match": etag}).status_code == 412
    participant.refresh_from_db()
    assert participant.arm == "rest"


def test_pausing_and_going_on(writer: Client, participant: Participant) -> None:
    pause = {"starts_on": "2026-11-01", "reason": "holiday"}
    assert post(writer, f"{PERSON}/pause", pause).json()["pauses"][0]["ends_on"] is None
    assert post(writer, f"{PERSON}/pause", pause).status_code == 409
    answer = post(writer, f"{PERSON}/resume", {"ends_on": "2026-11-05"})
    assert answer.json()["pauses"][0]["ends_on"] == "2026-11-05"
    assert post(writer, f"{PERSON}/resume", {"ends_on": "2026-11-05"}).status_code == 409


def test_withdrawing_once(writer: Client, participant: Participant) -> None:
    answer = post(writer, f"{PERSON}/withdraw", {"on": "2026-11-01", "reason": "on request"})
    assert (answer.json()["status"], answer.json()["withdrawn_on"]) == ("withdrawn", "2026-11-01")
    assert post(writer, f"{PERSON}/withdraw", {"on": "2026-11-02"}).status_code == 409
    assert post(writer, f"{PERSON}/complete", {"on": "2026-11-02"}).status_code == 409


def test_completing(writer: Client, participant: Participant) -> None:
    answer = post(writer, f"{PERSON}/complete", {"on": "2026-11-01"})
    assert (answer.json()["status"], answer.json()["monitoring_ends_on"]) == ("completed", "2026-11-01")


def test_each_look_at_contact_data_is_recorded(writer: Client, manager: User, participant: Participant) -> None:
    contacts.contact_store(participant, name="Ann Other", email="ann@example.org", phone="1", language="nl")
    answer = writer.get(f"{PERSON}/contact")
    assert (answer.json()["email"], answer.json()["language"]) == ("ann@example.org", "nl")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert AuditEntry.objects.filter(action="contact.open", actor=manager, participant=participant).count() == 1


def test_contact_data_stand_nowhere_else(writer: Client, participant: Participant) -> None:
    contacts.contact_store(participant, name="Ann Other", email="ann@example.org", phone="0612")
    for address in (PEOPLE, PERSON, f"{PERSON}/connections", f"{PEOPLE.removesuffix('/participants')}/contacts"):
        content = writer.get(address).content
        assert b"Other" not in content
        assert b"ann@" not in content


def test_contact_data_are_stored(writer: Client, participant: Participant) -> None:
    said = {"name": "Ann Other", "email": "ann@example.org", "language": "de"}
    answer = writer.put(f"{PERSON}/contact", said, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert contacts.contact_open(participant).name == "Ann Other"
    wrong = writer.put(f"{PERSON}/contact", {"email": "x", "language": "fr"}, content_type="application/json")
    assert set(wrong.json()["errors"]) == {"email", "language"}


def test_a_list_takes_as_many_queries_for_many_as_for_one(reader: Client, trial: Trial, site: Site) -> None:
    EvaluatedSummaryFactory.create(participant=ParticipantFactory.create(trial=trial, site=site))
    reader.get(PEOPLE)
    with CaptureQueriesContext(connection) as one:
        reader.get(PEOPLE)
    for _ in range(5):
        EvaluatedSummaryFactory.create(participant=ParticipantFactory.create(trial=trial, site=site))
    with CaptureQueriesContext(connection) as many:
        reader.get(PEOPLE)
    assert len(many) == len(one)


@pytest.mark.parametrize("wrong", [{"study_id": 79}, {"study_id": True}, {"study_id": "AX-9", "arm": 1.5}])
def test_a_number_is_no_text(writer: Client, trial: Trial, wrong: dict[str, object]) -> None:
    answer = writer.post(f"/api/v1/trials/{trial.code}/participants", wrong, content_type="application/json")
    assert answer.status_code == 400
    assert "Must be a text." in str(answer.json()["errors"])
