"""Who is paused and who has withdrawn in the demo: once, whatever its visitor does later."""

from __future__ import annotations

import datetime as dt

import pytest

from ingestion.demo.trial import PAUSED, WITHDRAWN, demo_stories_ensure
from participants.models import Participant, Pause, Trial
from tests import factories

NOW = dt.datetime(2026, 11, 24, 21, 7, tzinfo=dt.UTC)


@pytest.fixture
def trial(db: None) -> Trial:
    made: Trial = factories.TrialFactory.create(code="DEMO", is_demo=True, time_zone="Europe/Amsterdam")
    for number in (1, PAUSED, WITHDRAWN):
        factories.ParticipantFactory.create(trial=made, study_id=f"DEMO-{number:03d}", status="active")
    return made


def test_one_is_paused_and_one_has_withdrawn(trial: Trial) -> None:
    assert len(demo_stories_ensure(trial, now=NOW)) == 2
    assert [person.status for person in trial.participants.order_by("study_id")] == ["active", "paused", "withdrawn"]
    assert Pause.objects.get().starts_on == dt.date(2026, 11, 21)
    assert Participant.objects.get(status="withdrawn").withdrawn_on == dt.date(2026, 11, 18)


def test_a_second_start_changes_nothing(trial: Trial) -> None:
    demo_stories_ensure(trial, now=NOW)
    assert demo_stories_ensure(trial, now=NOW + dt.timedelta(days=1)) == []


def test_who_was_resumed_by_the_demos_user_stays_so(trial: Trial) -> None:
    demo_stories_ensure(trial, now=NOW)
    Pause.objects.update(ends_on=dt.date(2026, 11, 23))
    trial.participants.filter(status="paused").update(status="active")
    assert demo_stories_ensure(trial, now=NOW) == []
