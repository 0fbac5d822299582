"""The demo's people without a device, whom its visitor may invite."""

from __future__ import annotations

import datetime as dt

import pytest

from ingestion.demo import trial as demo_trial
from participants.models import Participant

NOW = dt.datetime(2026, 11, 13, 21, 7, tzinfo=dt.UTC)


@pytest.mark.django_db
def test_two_more_people_wait_to_be_invited_however_often_the_demo_starts() -> None:
    trial = demo_trial.demo_ensure(now=NOW, participants=2, days=2)
    assert demo_trial.demo_to_invite_ensure(trial, after=2) == demo_trial.demo_to_invite_ensure(trial, after=2)
    assert {
        str(word)
        for word in Participant.objects.filter(study_id__in=["DEMO-003", "DEMO-004"]).values_list(
            "status_summary__access", flat=True
        )
    } == {"never"}
    waiting = Participant.objects.filter(study_id__in=["DEMO-003", "DEMO-004"], synthetic_devices=None)
    assert [person.status for person in waiting] == ["invited", "invited"]


@pytest.mark.django_db
def test_who_never_connected_their_synthetic_device_is_said_to_be_unconnected() -> None:
    trial = demo_trial.demo_ensure(now=NOW, participants=16, days=2)
    assert trial.participants.get(study_id="DEMO-016").status_summary.access == "never"
