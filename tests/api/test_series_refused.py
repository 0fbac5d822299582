"""What series answer to a wrong request, and to somebody who may not see what they ask for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from participants.models import Membership, Participant, Trial, User
from tests.api.conftest import Bring
from tests.api.test_series import SERIES, ask
from tests.factories import MembershipFactory, ParticipantFactory, SiteFactory, TrialFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(trial: Trial) -> Participant:
    person: Participant = ParticipantFactory(trial=trial, study_id="AX-001")
    return person


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"trial": None}, {"trial"}),
        ({"trial": "", "metrics": "", "start": None, "end": None}, {"trial", "metrics", "start", "end"}),
        ({"metrics": "mood,steps"}, {"metrics"}),
        ({"metrics": "heart_rate\0"}, {"metrics"}),
        ({"start": "yesterday"}, {"start"}),
        ({"start": "2026-02-30"}, {"start"}),
        ({"start": "1066-10-14"}, {"start"}),
        ({"start": "2026-05-04T10:00"}, {"start"}),
        ({"start": "2026-05-04T99:00Z"}, {"start"}),
        ({"end": "9999-12-31"}, {"end"}),
        ({"end": "9999-12-31T23:59:59-12:00"}, {"end"}),
        ({"end": "2026-05-03"}, {"start", "end"}),
        ({"start": "2026-05-04T10:00:00Z", "end": "2026-05-04T10:00:00Z"}, {"start", "end"}),
        ({"resolution": "5m"}, {"resolution"}),
        ({"max_points": "1"}, {"max_points"}),
        ({"max_points": "-5"}, {"max_points"}),
        ({"max_points": "99999999999999999999"}, {"max_points"}),
        ({"time": "solar"}, {"time"}),
        ({"statistics": "mean,median"}, {"statistics"}),
        ({"missing": "zero"}, {"missing"}),
        ({"source": "0"}, {"source"}),
        ({"format": "xlsx"}, {"format"}),
        ({"reslution": "1h"}, {"reslution"}),
        ({"start": ["2026-05-03", "2026-05-04"]}, {"start"}),
        ({"resolution": "1h", "max_points": "100"}, {"resolution", "max_points"}),
        ({"resolution": "raw", "statistics": "mean"}, {"resolution", "statistics"}),
        ({"resolution": "raw", "missing": "omit"}, {"resolution", "missing"}),
        ({"limit": "10"}, {"resolution", "limit"}),
        ({"resolution": "1h", "cursor": "x"}, {"resolution", "cursor"}),
        ({"resolution": "raw", "limit": "10", "format": "csv"}, {"format", "limit"}),
        ({"resolution": "raw", "cursor": "x"}, {"cursor"}),
        ({"resolution": "raw", "cursor": "é"}, {"cursor"}),
        ({"resolution": "raw", "cursor": "A" * 3000}, {"cursor"}),
        ({"resolution": "1m", "start": "2020-01-01"}, {"resolution", "start", "end"}),
    ],
)
def test_every_wrong_parameter_is_named(
    reader: Client, person: Participant, asked: dict[str, Any], named: set[str]
) -> None:
    problem = ask(reader, 400, **asked)
    assert set(problem["errors"]) == named
    assert all(texts and texts[0].endswith(".") for texts in problem["errors"].values())


def test_a_plus_sign_that_became_a_space_is_forgiven(reader: Client, person: Participant) -> None:
    assert ask(reader, start="2026-05-04T10:00:00 02:00")["start"] == "2026-05-04T08:00:00Z"


def test_too_many_series_are_refused(reader: Client, person: Participant) -> None:
    ids = ",".join(f"X-{i}" for i in range(5001))
    answer = reader.get(
        SERIES, {"trial": "STRIDE-2", "metrics": "all", "start": "2026-05-04", "end": "2026-05-04", "participants": ids}
    )
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"participants"}


def test_a_participant_who_is_not_there_is_not_found(reader: Client, person: Participant) -> None:
    assert "AX-999" in ask(reader, 404, participants="AX-001,AX-999")["detail"]


def test_another_trial_is_as_if_it_were_not_there(reader: Client, person: Participant) -> None:
    theirs = ParticipantFactory(trial=TrialFactory(code="OTHER"), study_id="OX-1")
    seen = ask(reader, 404, trial="OTHER", participants=theirs.study_id)
    assert seen == ask(reader, 404, trial="NONE", participants=theirs.study_id)
    ask(reader, 404, participants=theirs.study_id)


def test_a_member_of_a_site_sees_its_people_only(trial: Trial, person: Participant, bring: Bring) -> None:
    site = SiteFactory(trial=trial)
    ParticipantFactory(trial=trial, site=site, study_id="AX-777")
    user: User = MembershipFactory.create(trial=trial, site=site, role=Membership.Role.VIEWER).user
    client = bring(user)
    assert [one["participant"] for one in ask(client)["series"]] == ["AX-777"]
    ask(client, 404, participants=person.study_id)


def test_a_token_of_another_trial_opens_nothing_here(manager: User, person: Participant, bring: Bring) -> None:
    other = MembershipFactory.create(user=manager).trial
    client = bring(manager, trials=[other])
    ask(client, 404)
    assert ask(client, trial=other.code)["series"] == []


def test_nobody_is_let_in_without_a_token(client: Client, person: Participant) -> None:
    ask(client, 401)


def test_an_erased_participant_is_gone(reader: Client, person: Participant) -> None:
    Participant.objects.filter(pk=person.pk).update(status=Participant.Status.ERASED)
    assert ask(reader)["series"] == []
    ask(reader, 404, participants=person.study_id)


def test_a_membership_that_has_ended_opens_nothing(reader: Client, manager: User, person: Participant) -> None:
    manager.memberships.update(ended_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    ask(reader, 404)
