"""A participant is found under their study id in whatever case, at every address that names one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from ingestion.models import ImportFile, SyncWindow
from metrics.exports import export_request
from participants.models import Participant, Trial
from tests.access import addresses
from tests.api.conftest import token_key
from tests.api.scene import CODE, STUDY_ID, scene
from tests.factories import MembershipFactory

NAMED = [route for route in addresses.routes() if STUDY_ID in addresses.address(route)]
T = f"/api/v1/trials/{CODE}"
OTHER = STUDY_ID.lower()


@pytest.fixture
def member(db: None, settings: Any) -> Client:
    """The manager of the trial with a session, who is not counted."""
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]
    member = MembershipFactory.create(trial=scene(), role="manager").user
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token_key(member)}"})
    client.force_login(member)
    return client


@pytest.mark.parametrize("route", NAMED)
def test_the_address_answers_the_same(member: Client, route: str) -> None:
    address = addresses.address(route)
    answers = [member.get(asked).status_code for asked in (address, address.replace(STUDY_ID, OTHER))]
    assert answers[0] == answers[1]


def test_there_are_pages_and_operations_among_them() -> None:
    assert len(NAMED) > 20
    assert any(route.startswith("api/") for route in NAMED)
    assert any(route.startswith("trials/") for route in NAMED)


@pytest.mark.parametrize(
    "path",
    ["alerts", "contacts", "audit-entries", "sync-windows", "imports", "participant-days", "standings", "participants"],
)
def test_a_list_is_narrowed_to_the_same(member: Client, path: str) -> None:
    SyncWindow.objects.create(
        connection_id=90_001,
        data_type="steps",
        starts_at="2026-11-18T00:00Z",
        ends_at="2026-11-19T00:00Z",
        due_at="2026-11-18T00:00Z",
        reason="manual",
    )
    ImportFile.objects.update(whose=STUDY_ID)
    member.get(f"{T}/participants/{STUDY_ID}")  # so that there is an entry of the audit trail
    name = {"participants": "study_id", "participant-days": "participants", "standings": "participants"}
    asked = name.get(path, "participant")
    exact = json.loads(member.get(f"{T}/{path}?{asked}={STUDY_ID}").content)["results"]
    other = json.loads(member.get(f"{T}/{path}?{asked}={OTHER}").content)["results"]
    assert len(exact) > 0
    assert [one.get("id") for one in exact][-1:] == [one.get("id") for one in other][-1:]


def test_an_export_of_them_is_of_the_same(member: Client) -> None:
    trial = Trial.objects.get(code=CODE)
    user = trial.memberships.get(role="manager").user
    wanted = export_request.check(user, trial, participants=[OTHER], format="csv")
    assert wanted.people == [Participant.objects.get(study_id=STUDY_ID).pk]
    assert wanted.filters == {"participants": [STUDY_ID]}
