"""Where samples were deleted, pages, the API, exports and a participant's own copy say so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from metrics.exports import store as files
from metrics.maintenance import retention
from metrics.models import Measurement
from participants.models import Participant, User
from tests import factories
from tests.metrics.exports.scene import NOW, exported, fill, person

pytestmark = pytest.mark.django_db
SAID = "were deleted, as the trial keeps them for some time only"


@pytest.fixture
def manager(client: Client) -> User:
    user: User = factories.MembershipFactory.create(trial__code="STRIDE-2").user
    client.force_login(user)
    return user


@pytest.fixture
def participant(manager: User) -> Participant:
    """Whose samples of October were deleted in the next spring."""
    trial = manager.memberships.get().trial
    trial.retain_raw_days = 90
    trial.save()
    participant = person(trial, "AX-0001")
    fill(participant)
    retention.retain(NOW.replace(year=2027, month=4))
    participant.refresh_from_db()
    assert not Measurement.objects.exists()
    return participant


def page(client: Client, participant: Participant) -> str:
    query = {"from": "2026-10-24", "to": "2026-10-25", "start": "2026-10-24", "end": "2026-10-25"}
    return client.get(f"/trials/STRIDE-2/participants/{participant.study_id}/", query).content.decode()


def test_the_participants_page_says_it(client: Client, participant: Participant) -> None:
    assert SAID in page(client, participant)


def test_a_page_of_a_trial_that_keeps_all_does_not(client: Client, manager: User) -> None:
    participant = person(manager.memberships.get().trial, "AX-0001")
    fill(participant)
    assert SAID not in page(client, participant)


@pytest.mark.parametrize("resolution", ["1h", "raw"])
def test_the_api_says_it(client: Client, participant: Participant, resolution: str) -> None:
    asked = {"trial": "STRIDE-2", "metrics": "heart_rate", "start": "2026-10-24", "end": "2026-10-25"}
    answer: dict[str, Any] = client.get("/api/v1/series", asked | {"resolution": resolution}).json()
    assert answer["samples_removed_before"] == "2027-01-21T00:00:00Z"
    after = asked | {"start": "2027-02-01", "end": "2027-02-02"}
    assert "samples_removed_before" not in client.get("/api/v1/series", after).json()


@pytest.mark.parametrize("form", ["csv", "daily", "fhir"])
def test_an_export_says_it(manager: User, participant: Participant, form: str) -> None:
    export = exported(manager, participant.trial, format=form)
    manifest = json.loads(files.open_file(export, "manifest.json").read())
    assert manifest["samples_removed_before"] == "2027-01-21T00:00:00+00:00"
    assert b"has deleted them" in files.open_file(export, "README.txt").read()


def test_the_participants_own_copy_says_it(manager: User, participant: Participant) -> None:
    from metrics.subject_access import sections

    told = [section.about for section in sections(participant) if section.name.startswith("measurements/heart_rate")]
    assert "The study has deleted values from before 21 January 2027" in told[0]


def test_staff_set_it_and_are_warned(admin_client: Client, participant: Participant) -> None:
    content = admin_client.get(f"/admin/participants/trial/{participant.trial_id}/change/").content.decode()
    assert "Deleted samples cannot be had back" in content
    assert "keep samples for days" in content.lower()
    assert "Jan. 21, 2027" in content or "21 Jan" in content
