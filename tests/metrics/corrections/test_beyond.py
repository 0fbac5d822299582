"""What was stored outside is found by a command, and deleted on the word of two: all of that, and nothing inside."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from metrics.batch import ExerciseRecord, Payload, SleepRecord
from metrics.corrections import outside_collection, removal_requests
from metrics.exports.service import export_create
from metrics.maintenance import data_check
from metrics.models import (
    DayRollup,
    ExerciseSession,
    Export,
    HourRollup,
    ImplausibleCount,
    Measurement,
    MinuteRollup,
    ParticipantDay,
    Removal,
    Revision,
    SleepSession,
)
from metrics.models.removals import counts_text
from metrics.selection.collection_window import collected_of
from metrics.writing.writer import store
from participants.accounts.staff_groups import staff_groups_make
from participants.models import AuditEntry, Participant, Pause, Protocol, Trial, User
from participants.services import participant_withdraw
from tests.factories import MembershipFactory, ParticipantFactory, TrialFactory, UserFactory
from tests.metrics.samples import CHARGE, NOW, batch

pytestmark = pytest.mark.django_db

MAY_4, ONE_DAY, MINUTE, HOUR = dt.date(2026, 5, 4), dt.timedelta(days=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)
# In Amsterdam 4 May begins at 22:00 UTC of the day before.
BEGINS = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)
TABLES = (Measurement, MinuteRollup, HourRollup, DayRollup, ImplausibleCount, Revision, SleepSession, ExerciseSession)


def fill(person: Participant, days: range = range(-2, 3)) -> None:
    """Each day: heart rates at four hours (a value restated, one that does not count), steps, a night, a walk."""
    for day in days:
        at = BEGINS + day * ONE_DAY
        hearts = batch([70.0, 71.0, 3.0], start=at, step=60), batch([70.0] * 90, start=at + 9 * HOUR, step=60)
        late = batch([70.0] * 30, start=at + 23 * HOUR + 30 * MINUTE, step=60)
        steps = batch([5.0] * 60, start=at + 9 * HOUR, step=60, metric="steps", seconds=60)
        night = SleepRecord(CHARGE, f"n{day}", at, at + 7 * HOUR, ())
        walk = ExerciseRecord(CHARGE, f"e{day}", at + 9 * HOUR, at + 10 * HOUR, "walking")
        store(person, Payload(samples=[*hearts, late, steps], sleep=[night], exercise=[walk]), now=NOW)
        store(person, Payload(samples=[batch([72.0], start=at, step=60)]), now=NOW)


@pytest.fixture
def trial() -> Trial:
    made: Trial = TrialFactory.create(code="STRIDE")
    return made


@pytest.fixture
def person(trial: Trial) -> Participant:
    made: Participant = ParticipantFactory.create(trial=trial, study_id="P-1")
    fill(made)
    return made


def staff(email: str) -> User:
    user: User = UserFactory.create(email=email, is_staff=True)
    staff_groups_make()
    user.groups.add(Group.objects.get(name="Trial administrators"))
    return user


@pytest.fixture
def asks() -> User:
    return staff("asks@example.org")


@pytest.fixture
def decides() -> User:
    return staff("decides@example.org")


def contents() -> dict[str, list[Any]]:
    return {model.__name__: sorted(model._default_manager.values_list(), key=str) for model in TABLES}


def remove(trial: Trial, asks: User, decides: User) -> Removal:
    row = removal_requests.removal_request(trial, by=asks, reason="the trial had ended")
    removal_requests.removal_decide(row, by=decides, approve=True)
    removal_requests.removal_run(row.pk)
    row.refresh_from_db()
    return row


def bound(person: Participant, **changes: Any) -> None:
    Participant.objects.filter(pk=person.pk).update(**changes)


def of_may_4(person: Participant) -> None:
    bound(person, monitoring_starts_on=MAY_4, monitoring_ends_on=MAY_4)


def in_a_trial_of_may_4(person: Participant) -> None:
    Trial.objects.update(starts_on=MAY_4, ends_on=MAY_4)


def between_pauses(person: Participant) -> None:
    Protocol.objects.update(collect_in_pauses=False)
    Pause.objects.create(participant=person, starts_on=MAY_4 - 9 * ONE_DAY, ends_on=MAY_4 - ONE_DAY, reason="away")
    Pause.objects.create(participant=person, starts_on=MAY_4 + ONE_DAY, reason="away")


def withdrawn_back_dated(person: Participant) -> None:
    bound(person, monitoring_starts_on=MAY_4)
    person.refresh_from_db()
    participant_withdraw(person, on=MAY_4 + ONE_DAY)


@pytest.mark.parametrize("bounds", [of_may_4, in_a_trial_of_may_4, between_pauses, withdrawn_back_dated])
def test_all_that_lies_outside_is_deleted_and_nothing_inside(
    person: Participant, trial: Trial, asks: User, decides: User, bounds: Callable[[Participant], None]
) -> None:
    bounds(person)
    person.refresh_from_db()
    inside = collected_of(person)
    kept = {
        "samples": set(Measurement.objects.filter(time__gte=BEGINS, time__lt=BEGINS + ONE_DAY).values_list()),
        "minutes": set(MinuteRollup.objects.filter(bucket__gte=BEGINS, bucket__lt=BEGINS + ONE_DAY).values_list()),
        "hours": set(HourRollup.objects.filter(bucket__gte=BEGINS, bucket__lt=BEGINS + ONE_DAY).values_list()),
        "days": set(DayRollup.objects.filter(date=MAY_4).values_list()),
    }
    report = remove(trial, asks, decides)
    assert report.state == Removal.State.DONE
    assert kept == {
        "samples": set(Measurement.objects.values_list()), "minutes": set(MinuteRollup.objects.values_list()),
        "hours": set(HourRollup.objects.values_list()), "days": set(DayRollup.objects.values_list()),
    }  # fmt: skip
    assert all(inside.covers(at) for at in Revision.objects.values_list("time", flat=True))
    assert list(SleepSession.objects.values_list("external_id", flat=True)) == ["n0"]
    assert list(ExerciseSession.objects.values_list("external_id", flat=True)) == ["e0"]
    assert set(ImplausibleCount.objects.values_list("date", flat=True)) == {MAY_4}
    assert not list(outside_collection.find(trial))
    assert not [one for one in data_check.check([person]) if one.date != MAY_4]


def test_what_is_found_and_what_is_deleted_are_counted_alike(
    person: Participant, trial: Trial, asks: User, decides: User
) -> None:
    of_may_4(person)
    row = remove(trial, asks, decides)
    each = {"heart_rate": 4 * 123, "steps": 4 * 60}
    assert row.found == {
        "participants": 1, "days": 4, "samples": each, "nights": 4, "exercise": 4, "old values": 4,
    }  # fmt: skip
    assert row.report == {"participants": 1, "samples": each, "nights": 4, "exercise": 4, "old values": 4}
    assert counts_text(row.report) == "of 1 participant 732 samples, 4 nights, 4 exercise, 4 old values"
    assert (row.done, row.total) == (1, 1)


def test_days_are_re_evaluated(person: Participant, trial: Trial, asks: User, decides: User) -> None:
    of_may_4(person)
    remove(trial, asks, decides)
    assert list(ParticipantDay.objects.values_list("date", flat=True)) == [MAY_4]


def test_after_a_closing_in_mid_day_what_came_later_is_deleted(
    person: Participant, trial: Trial, asks: User, decides: User
) -> None:
    closed_at = BEGINS + 9 * HOUR + 30 * MINUTE + dt.timedelta(seconds=30)
    Trial.objects.update(status=Trial.Status.CLOSED, closed_at=closed_at)
    (found,) = outside_collection.find(trial)
    assert found.dates == [MAY_4 + n * ONE_DAY for n in range(3)]
    remove(trial, asks, decides)
    newest = Measurement.objects.order_by("-time").values_list("time", flat=True)[0]
    assert newest == BEGINS + 9 * HOUR + 30 * MINUTE
    hour = HourRollup.objects.get(bucket=BEGINS + 9 * HOUR, metric__code="heart_rate")
    assert hour.n == 31


def test_neighbours_and_other_trials_lose_nothing(person: Participant, trial: Trial, asks: User, decides: User) -> None:
    others = [ParticipantFactory.create(trial=trial), ParticipantFactory.create()]
    for one in others:
        fill(one)
    of_may_4(person)
    before = Measurement.objects.filter(participant__in=others).count()
    report = remove(trial, asks, decides)
    assert Measurement.objects.filter(participant__in=others).count() == before
    assert (report.report["participants"], report.done) == (1, 2)


def test_dates_that_were_put_right_meanwhile_are_heeded(
    person: Participant, trial: Trial, asks: User, decides: User
) -> None:
    of_may_4(person)
    row = removal_requests.removal_request(trial, by=asks, reason="the trial had ended")
    removal_requests.removal_decide(row, by=decides, approve=True)
    bound(person, monitoring_starts_on=None, monitoring_ends_on=None)
    before = contents()
    removal_requests.removal_run(row.pk)
    row.refresh_from_db()
    assert (contents(), row.report, row.state) == (before, {}, Removal.State.DONE)


def test_a_killed_worker_is_followed_where_it_stopped(
    person: Participant, trial: Trial, asks: User, decides: User
) -> None:
    of_may_4(person)
    row = removal_requests.removal_request(trial, by=asks, reason="the trial had ended")
    removal_requests.removal_decide(row, by=decides, approve=True)
    assert removal_requests.removal_step(row.pk)
    row.refresh_from_db()
    assert 0 < sum(row.report["samples"].values()) < sum(row.found["samples"].values())
    removal_requests.removal_run(row.pk)
    row.refresh_from_db()
    assert row.report["samples"] == row.found["samples"]
    assert row.report["participants"] == 1
    assert not removal_requests.removal_step(row.pk)


def test_sums_of_samples_that_the_trial_has_deleted_go_too(
    person: Participant, trial: Trial, asks: User, decides: User
) -> None:
    Measurement.objects.all().delete()
    Revision.objects.all().delete()
    of_may_4(person)
    hours = set(HourRollup.objects.filter(bucket__gte=BEGINS, bucket__lt=BEGINS + ONE_DAY).values_list())
    row = remove(trial, asks, decides)
    assert (row.found["samples"], row.found["days"]) == ({}, 4)
    assert set(HourRollup.objects.values_list()) == hours
    assert set(DayRollup.objects.values_list("date", flat=True)) == {MAY_4}


def test_files_of_exports_that_hold_it_are_deleted(
    person: Participant, trial: Trial, asks: User, decides: User
) -> None:
    member = MembershipFactory.create(trial=trial).user
    export = export_create(member, trial)
    of_may_4(person)
    remove(trial, asks, decides)
    export.refresh_from_db()
    assert (export.state, export.error) == (Export.State.EXPIRED, outside_collection.WHY_NO_FILES)


# --- two people --------------------------------------------------------------------------------------------------


def test_nothing_is_deleted_before_another_person_approves(person: Participant, trial: Trial, asks: User) -> None:
    of_may_4(person)
    before = contents()
    row = removal_requests.removal_request(trial, by=asks, reason="the trial had ended")
    removal_requests.removal_run(row.pk)
    with pytest.raises(removal_requests.RemovalRefused, match="Another person"):
        removal_requests.removal_decide(row, by=asks, approve=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        Removal.objects.update(state=Removal.State.APPROVED, decided_by=asks)
    assert contents() == before


def test_it_is_decided_once(person: Participant, trial: Trial, asks: User, decides: User) -> None:
    of_may_4(person)
    row = removal_requests.removal_request(trial, by=asks, reason="the trial had ended")
    removal_requests.removal_decide(row, by=asks, approve=False)
    with pytest.raises(removal_requests.RemovalRefused, match="already"):
        removal_requests.removal_decide(row, by=decides, approve=True)


def test_it_is_asked_for_once_and_not_for_nothing(person: Participant, trial: Trial, asks: User) -> None:
    with pytest.raises(removal_requests.RemovalRefused, match="Nothing is stored"):
        removal_requests.removal_request(trial, by=asks, reason="the trial had ended")
    of_may_4(person)
    removal_requests.removal_request(trial, by=asks, reason="the trial had ended")
    with pytest.raises(removal_requests.RemovalRefused, match="requested already"):
        removal_requests.removal_request(trial, by=asks, reason="the trial had ended")


def test_each_step_is_in_the_audit_trail(person: Participant, trial: Trial, asks: User, decides: User) -> None:
    of_may_4(person)
    row = remove(trial, asks, decides)
    entries = AuditEntry.objects.filter(action__startswith="removal.").order_by("pk")
    assert [entry.action for entry in entries] == ["removal.ask", "removal.approve", "removal.done"]
    assert {entry.trial_id for entry in entries} == {trial.pk}
    assert entries[2].detail.new == {"removed": row.report}


# --- the command and the administration --------------------------------------------------------------------------


def said(*trials: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("collected_beyond", *trials, stdout=out, **options)
    return " ".join(out.getvalue().split())


def test_the_command_lists_and_deletes_nothing(person: Participant, trial: Trial) -> None:
    of_may_4(person)
    before = contents()
    told = said()
    assert (
        "P-1: 2026-05-02 to 2026-05-06, 4 days: 492 heart_rate, 240 steps, 4 nights, 4 exercise, 4 old values" in told
    )
    assert "STRIDE: of 1 participant 732 samples" in told
    assert "Nothing was deleted." in told
    assert (contents(), Removal.objects.count()) == (before, 0)


def test_the_command_asks_in_the_name_of_a_user_who_may(person: Participant, trial: Trial, asks: User) -> None:
    of_may_4(person)
    MembershipFactory.create(trial=trial, user=UserFactory(email="member@example.org"))
    for options in ({"ask": "member@example.org", "reason": "x"}, {"ask": asks.email}):
        with pytest.raises(CommandError):
            said("STRIDE", **options)
    assert "Another person must approve it" in said("STRIDE", ask=asks.email, reason="the trial had ended")
    assert Removal.objects.get().asked_by == asks


def test_the_command_names_a_trial_that_is_not_there(trial: Trial) -> None:
    with pytest.raises(CommandError, match="no trial NOPE"):
        said("STRIDE", "NOPE")
    assert said("STRIDE") == "STRIDE: nothing outside"


def test_in_the_administration_one_asks_and_another_approves(
    person: Participant, trial: Trial, asks: User, decides: User, client: Client
) -> None:
    of_may_4(person)
    page = "/admin/metrics/removal/"
    client.force_login(asks)
    client.post(f"{page}add/", {"trial": trial.pk, "reason": "the trial had ended"})
    row = Removal.objects.get()
    assert row.asked_by == asks
    act = {"action": "approve", "_selected_action": row.pk, "confirmed": "yes", "index": 0}
    assert "Another person than the one who asked" in client.post(page, act, follow=True).content.decode()
    client.force_login(decides)
    assert "of 1 participant 732 samples" in client.get(page).content.decode()
    client.post(page, act)
    row.refresh_from_db()
    assert (row.state, row.decided_by) == (Removal.State.APPROVED, decides)


def test_the_administration_says_that_there_is_nothing(trial: Trial, asks: User, client: Client) -> None:
    client.force_login(asks)
    answer = client.post(
        "/admin/metrics/removal/add/", {"trial": trial.pk, "reason": "the trial had ended"}, follow=True
    )
    assert "Nothing is stored of STRIDE outside what it may have." in answer.content.decode()
    assert not Removal.objects.exists()
