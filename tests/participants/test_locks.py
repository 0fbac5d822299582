"""What each lock keeps others from, what it does not, and that whoever takes it sees what is stored now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection, transaction

from participants.locks import lock_participant, lock_trial_exclusive, lock_trial_shared, locked_participant
from participants.models import Participant, Pause, Trial
from tests.actors import another_user
from tests.factories import ParticipantFactory, TrialFactory

pytestmark = pytest.mark.django_db
seen_by_others = pytest.mark.django_db(transaction=True)
MAY_4 = dt.date(2026, 5, 4)
# By these numbers processes of two versions wait for each other while a deployment is upgraded.
PARTICIPANT_LOCK, TRIAL_LOCK = 1463, 1464
ALONE, SHARED = "ExclusiveLock", "ShareLock"


def advisory() -> list[tuple[int, int, str]]:
    """The advisory locks of this transaction: (number, id, mode)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT classid::int, objid::int, mode FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted ORDER BY 1, 2"
        )
        return list(cursor.fetchall())


def may_take(number: int, pk: int, *, shared: bool = False) -> bool:
    """Whether somebody else gets an advisory lock without waiting."""

    def ask() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_try_advisory_xact_lock{'_shared' if shared else ''}(%s, %s)", [number, pk])
            return bool(cursor.fetchone()[0])

    return another_user(ask)


@transaction.atomic
def lock_person(pk: int) -> None:
    Participant.objects.select_for_update(nowait=True).get(pk=pk)


@transaction.atomic
def lock_trial(pk: int) -> None:
    Trial.objects.select_for_update(nowait=True).get(pk=pk)


@pytest.mark.parametrize("take", [locked_participant, lock_participant])
def test_who_holds_a_participant_holds_their_data_alone(take: Callable[[Participant], object]) -> None:
    person, _ = ParticipantFactory.create_batch(2)
    take(person)
    assert advisory() == [(PARTICIPANT_LOCK, person.pk, ALONE)]


@pytest.mark.parametrize("given", [lambda trial: trial, lambda trial: trial.pk], ids=["a trial", "its id"])
def test_who_lets_something_in_shares_the_lock_of_one_trial(given: Callable[[Trial], Trial | int]) -> None:
    trial, _ = TrialFactory.create_batch(2)
    assert lock_trial_shared(given(trial)) == trial
    assert advisory() == [(TRIAL_LOCK, trial.pk, SHARED)]


def test_who_closes_a_trial_has_its_lock_alone() -> None:
    trial, _ = TrialFactory.create_batch(2)
    lock_trial_exclusive(trial)
    assert advisory() == [(TRIAL_LOCK, trial.pk, ALONE)]


@seen_by_others
def test_nobody_else_changes_who_is_held_or_writes_their_data() -> None:
    person, other = ParticipantFactory.create_batch(2)
    with transaction.atomic():
        locked_participant(person)
        with pytest.raises(OperationalError, match="could not obtain lock"):
            another_user(lambda: lock_person(person.pk))
        assert not may_take(PARTICIPANT_LOCK, person.pk)
        another_user(lambda: lock_person(other.pk))
        assert may_take(PARTICIPANT_LOCK, other.pk)
    another_user(lambda: lock_person(person.pk))
    assert may_take(PARTICIPANT_LOCK, person.pk)


@seen_by_others
def test_rows_that_point_at_who_is_held_are_written_meanwhile_and_the_trial_is_free() -> None:
    person = ParticipantFactory.create()
    with transaction.atomic():
        locked_participant(person)
        another_user(lambda: Pause.objects.create(participant_id=person.pk, starts_on=MAY_4, reason="away"))
        another_user(lambda: lock_trial(person.trial_id))
    assert Pause.objects.count() == 1


@seen_by_others
def test_many_are_inside_at_once_and_who_shuts_keeps_all_out() -> None:
    trial = TrialFactory.create()
    with transaction.atomic():
        lock_trial_shared(trial)
        assert may_take(TRIAL_LOCK, trial.pk, shared=True)
        assert not may_take(TRIAL_LOCK, trial.pk)
    with transaction.atomic():
        lock_trial_exclusive(trial)
        assert not may_take(TRIAL_LOCK, trial.pk, shared=True)
    assert may_take(TRIAL_LOCK, trial.pk)


def test_who_is_held_is_as_they_are_stored_now() -> None:
    person = ParticipantFactory.create(arm="A")
    stale = Participant.objects.select_related("trial").get(pk=person.pk)
    Participant.objects.filter(pk=person.pk).update(arm="B", withdrawn_on=MAY_4, time_zone="Asia/Kolkata")
    Trial.objects.update(title="Another title")
    assert stale.trial.title != "Another title"
    row = locked_participant(stale)
    assert (row.arm, stale.arm) == ("B", "A")
    lock_participant(stale)
    assert (stale.arm, stale.withdrawn_on, stale.time_zone) == ("B", MAY_4, "Asia/Kolkata")
    assert stale.trial.title == "Another title"


def test_the_trial_comes_with_who_is_held(django_assert_num_queries: Callable[[int], object]) -> None:
    row = locked_participant(ParticipantFactory.create())
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert row.trial.code


def test_who_is_gone_cannot_be_held() -> None:
    person = ParticipantFactory.create()
    Participant.objects.all().delete()
    with pytest.raises(Participant.DoesNotExist):
        locked_participant(person)


def test_who_comes_in_sees_the_trial_as_it_is_stored_now() -> None:
    trial = TrialFactory.create()
    Trial.objects.update(status=Trial.Status.CLOSED)
    assert lock_trial_shared(trial).status == Trial.Status.CLOSED
    assert trial.status == Trial.Status.RUNNING
