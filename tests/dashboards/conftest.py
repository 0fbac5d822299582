"""A trial with one participant, and a client signed in as its manager."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client

from participants.models import Participant, Trial
from tests import factories
from tests.paths import ROOT


@pytest.fixture
def _now() -> Iterator[None]:
    """Monday, 23 November 2026, 09:12 in Amsterdam."""
    with time_machine.travel(dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC), tick=False):
        yield


@pytest.fixture
def trial(db: None) -> Trial:
    made: Trial = factories.TrialFactory.create(code="STRIDE-2")
    return made


@pytest.fixture
def participant(trial: Trial) -> Participant:
    made: Participant = factories.ParticipantFactory.create(trial=trial, study_id="AX-0042")
    return made


@pytest.fixture
def manager(client: Client, trial: Trial) -> Client:
    client.force_login(factories.MembershipFactory.create(trial=trial).user)
    return client


@pytest.fixture(scope="session")
def stylesheet() -> str:
    return (ROOT / "static/css/app.css").read_text()
