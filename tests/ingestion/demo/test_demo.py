"""The demo trial: made once, completed when it is not, and kept away from real trials."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from ingestion.demo import trial as demo_trial
from ingestion.models import SyntheticDevice
from metrics.models import Measurement, ParticipantDay
from participants.models import Membership, Participant, Trial, User
from tests.factories import TrialFactory

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 13, 21, 7, tzinfo=dt.UTC)


def seeded(now: dt.datetime = NOW, *, participants: int = 2, days: int = 2, password: str | None = None) -> Trial:
    trial = demo_trial.demo_ensure(now=now, participants=participants, days=days, password=password)
    for _ in demo_trial.demo_feed(trial, now=now):
        pass
    return trial


def test_the_demo_is_a_demo_with_sites_people_and_data() -> None:
    trial = seeded()
    assert trial.is_demo
    assert trial.starts_on == dt.date(2026, 11, 11)
    assert trial.protocols.count() == 1
    assert trial.sites.count() == 3
    assert list(trial.participants.values_list("study_id", flat=True)) == ["DEMO-001", "DEMO-002"]
    assert ParticipantDay.objects.exclude(last_sample_at=None).count() == 2 * 3
    assert not Measurement.objects.filter(source__synthetic=False).exists()


def test_a_second_run_adds_nothing() -> None:
    seeded()
    before = Measurement.objects.count(), User.objects.count(), Membership.objects.count()
    seeded()
    assert (Measurement.objects.count(), User.objects.count(), Membership.objects.count()) == before


def test_a_run_on_the_next_day_adds_that_day() -> None:
    trial = seeded()
    before = list(Measurement.objects.order_by("time").values_list("participant", "metric", "time", "value"))
    seeded(NOW + dt.timedelta(days=1))
    old = Measurement.objects.filter(time__lte=before[-1][2]).order_by("time")
    assert Measurement.objects.count() > len(before) + 10_000
    assert Trial.objects.get(pk=trial.pk).starts_on == trial.starts_on
    assert ParticipantDay.objects.exclude(last_sample_at=None).count() == 2 * 4
    assert old.count() >= len(before)


def test_an_interrupted_run_is_completed() -> None:
    trial = demo_trial.demo_ensure(now=NOW, participants=2, days=9)
    steps = demo_trial.demo_feed(trial, now=NOW)
    next(steps)
    steps.close()
    seeded(participants=3, days=9)
    assert trial.participants.count() == 3
    assert {d.pulled_from for d in SyntheticDevice.objects.all()} == {dt.datetime(2026, 11, 3, 23, tzinfo=dt.UTC)}


def test_everyones_newest_week_comes_before_the_older_ones() -> None:
    trial = demo_trial.demo_ensure(now=NOW, participants=2, days=9)
    order = [(step.round, step.study_id) for step in demo_trial.demo_feed(trial, now=NOW) if step.step is not None]
    assert order == [(1, "DEMO-001"), (1, "DEMO-002"), (2, "DEMO-001"), (2, "DEMO-002")]


def test_one_of_24_has_never_connected_and_is_still_invited() -> None:
    trial = demo_trial.demo_ensure(now=NOW, participants=24, days=2)
    invited = trial.participants.filter(status=Participant.Status.INVITED)
    assert list(invited.values_list("study_id", flat=True)) == ["DEMO-016"]


def test_its_users_see_what_their_role_allows() -> None:
    trial = demo_trial.demo_ensure(now=NOW, participants=6, days=1)
    manager, coordinator, staff = (
        User.objects.get(email=email) for email in (demo_trial.MANAGER, demo_trial.COORDINATOR, demo_trial.STAFF)
    )
    assert Participant.objects.visible_to(manager).count() == 6
    assert Participant.objects.visible_to(coordinator).count() == 2
    assert Participant.objects.visible_to(staff).count() == 6
    assert (staff.is_staff, staff.is_superuser, manager.is_staff, coordinator.is_staff) == (True, True, False, False)
    assert manager.check_password(demo_trial.PASSWORD)
    assert trial.memberships.count() == 3


def test_a_given_password_replaces_the_documented_one() -> None:
    demo_trial.demo_ensure(now=NOW, participants=1, days=1)
    demo_trial.demo_ensure(now=NOW, participants=1, days=1, password="another-long-password")
    assert User.objects.get(email=demo_trial.STAFF).check_password("another-long-password")


def test_a_later_run_without_a_password_leaves_it_as_it_is() -> None:
    demo_trial.demo_ensure(now=NOW, participants=1, days=1, password="another-long-password")
    demo_trial.demo_ensure(now=NOW, participants=1, days=1)
    assert User.objects.get(email=demo_trial.STAFF).check_password("another-long-password")


def test_a_real_trial_called_demo_is_left_alone() -> None:
    TrialFactory(code="DEMO", is_demo=False)
    with pytest.raises(CommandError, match="is not a demo"):
        call_command("seed_demo")
    assert not User.objects.exists()


def test_the_documented_password_never_opens_a_server_with_real_trials() -> None:
    TrialFactory(is_demo=False)
    with pytest.raises(demo_trial.DemoRefused, match="--password"):
        demo_trial.demo_ensure(now=NOW, participants=1, days=1)
    assert not Trial.objects.filter(code="DEMO").exists()
    assert demo_trial.demo_ensure(now=NOW, participants=1, days=1, password="another-long-password").is_demo


def test_the_command_prints_a_line_a_week(
    capsys: pytest.CaptureFixture[str], time_machine: object, settings: Settings
) -> None:
    settings.LIVE_PROVIDERS = {}
    time_machine.move_to(NOW, tick=False)  # type: ignore[attr-defined]
    call_command("seed_demo", "--participants=1", "--days=8")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == [
        "DEMO",
        "newest week",
        "week 2, counted back",
        "DEMO is up to date",
    ]


def test_who_was_withdrawn_gets_no_more_data() -> None:
    trial = seeded()
    trial.participants.filter(study_id="DEMO-002").update(status=Participant.Status.WITHDRAWN)
    steps = demo_trial.demo_feed(trial, now=NOW + dt.timedelta(hours=2))
    assert {progress.study_id for progress in steps} == {"DEMO-001"}


def test_a_membership_that_was_ended_stays_ended() -> None:
    trial = demo_trial.demo_ensure(now=NOW, participants=1, days=1)
    trial.memberships.update(ended_at=NOW)
    demo_trial.demo_ensure(now=NOW, participants=1, days=1)
    assert not trial.memberships.filter(ended_at=None).exists()


def test_a_closed_demo_is_not_filled_up() -> None:
    trial = demo_trial.demo_ensure(now=NOW, participants=1, days=1)
    Trial.objects.update(status=Trial.Status.CLOSED)
    with pytest.raises(demo_trial.DemoRefused, match="closed"):
        demo_trial.demo_ensure(now=NOW, participants=2, days=1)
    assert list(demo_trial.demo_feed(trial, now=NOW)) == []
