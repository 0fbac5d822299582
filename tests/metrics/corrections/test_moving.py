"""Data of one study id that belong to another: moved whole, merged where both have some, never twice or nowhere."""

from __future__ import annotations

import datetime as dt

import pytest

from metrics.batch import SleepRecord, Stage
from metrics.corrections import data_moves
from metrics.maintenance import data_check
from metrics.models import DataMove, DayRollup, Measurement, ParticipantDay, SleepSession
from metrics.writing.writer import store
from participants.models import AuditEntry, Participant, Trial
from tests.factories import ParticipantFactory, UserFactory
from tests.metrics.samples import CHARGE, batch, deliver

pytestmark = pytest.mark.django_db
START = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)
MONDAY = dt.date(2026, 5, 4)
ONE_DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
NOW = START + 30 * ONE_DAY


def day(n: int, value: float = 70.0, hours: float = 11) -> object:
    return batch([value] * round(hours * 60), start=START + n * ONE_DAY + 6 * HOUR, step=60)


@pytest.fixture
def giver() -> Participant:
    """Nine days over two weeks, steps and a night."""
    person: Participant = ParticipantFactory(study_id="ZERO-1b")
    payload = deliver(*[day(n) for n in range(9)])  # type: ignore[arg-type]
    payload.samples.append(batch([30.0] * 60, start=START + 9 * HOUR, step=60, metric="steps", seconds=60))
    at = START + ONE_DAY
    payload.sleep = [SleepRecord(CHARGE, "night", at, at + 6 * HOUR, (Stage(at, 21_600, "asleep"),))]
    store(person, payload, now=NOW)
    return person


@pytest.fixture
def receiver(giver: Participant) -> Participant:
    person: Participant = ParticipantFactory(trial=giver.trial, study_id="ZERO-1")
    store(person, deliver(day(0, 90.0, hours=5)), now=NOW)  # type: ignore[arg-type]
    return person


def move(giver: Participant, receiver: Participant) -> DataMove:
    row = data_moves.move_start(giver, receiver, by=UserFactory(), reason="one person, two ids")
    data_moves.move_run(row.pk)
    row.refresh_from_db()
    return row


def test_everything_becomes_the_others_and_their_own_values_stay(giver: Participant, receiver: Participant) -> None:
    row = move(giver, receiver)
    assert row.finished_at
    assert not row.error
    assert (row.samples, row.nights) == (9 * 660 + 60, 1)
    assert not Measurement.objects.filter(participant=giver).exists()
    assert not DayRollup.objects.filter(participant=giver).exists()
    assert Measurement.objects.filter(participant=receiver, metric=1).count() == 9 * 660
    assert Measurement.objects.filter(participant=receiver, metric=1, value=90.0).count() == 300
    assert SleepSession.objects.get().participant == receiver
    valid = ParticipantDay.objects.filter(participant=receiver, status="v").values_list("date", flat=True)
    assert sorted(valid) == [MONDAY + n * ONE_DAY for n in range(9)]
    people = Participant.objects.filter(pk__in=[giver.pk, receiver.pk]).select_related("trial")
    assert list(data_check.check(people)) == []


def test_a_preview_says_what_would_move(giver: Participant, receiver: Participant) -> None:
    seen = data_moves.preview(giver, receiver)
    assert seen.samples == {"Heart rate": 9 * 660, "Steps": 60}
    assert (seen.nights, seen.exercise, seen.shared, seen.outside) == (1, 0, 1, 0)
    assert (seen.first, seen.last) == (MONDAY, MONDAY + 8 * ONE_DAY)


def test_what_is_outside_the_others_collection_interval_stays(giver: Participant, receiver: Participant) -> None:
    Participant.objects.filter(pk=receiver.pk).update(monitoring_ends_on=MONDAY + 3 * ONE_DAY)
    assert data_moves.preview(giver, receiver).outside == 5
    move(giver, receiver)
    assert DayRollup.objects.filter(participant=giver, metric=1).count() == 5
    assert DayRollup.objects.filter(participant=receiver, metric=1).count() == 4
    assert Measurement.objects.filter(metric=1).count() == 9 * 660


def test_a_move_that_was_broken_off_goes_on(giver: Participant, receiver: Participant) -> None:
    row = data_moves.move_start(giver, receiver, by=UserFactory(), reason="x")
    assert data_moves.move_step(row.pk)
    assert Measurement.objects.filter(participant=giver).exists()
    assert Measurement.objects.filter(metric=1).count() == 9 * 660
    data_moves.move_run(row.pk)
    assert Measurement.objects.filter(participant=receiver, metric=1).count() == 9 * 660


def test_both_records_tell_of_it(giver: Participant, receiver: Participant) -> None:
    move(giver, receiver)
    told = AuditEntry.objects.filter(action="data.move").values_list("participant", flat=True)
    assert set(told) == {giver.pk, receiver.pk}


@pytest.mark.parametrize("status", ["withdrawn", "erased"])
@pytest.mark.parametrize("whose", ["giver", "receiver"])
def test_nothing_moves_from_or_to_a_participant_who_left(
    giver: Participant, receiver: Participant, status: str, whose: str
) -> None:
    Participant.objects.filter(pk=(giver if whose == "giver" else receiver).pk).update(status=status)
    with pytest.raises(data_moves.MoveRefused, match="does not change"):
        data_moves.move_start(giver, receiver, by=UserFactory(), reason="x")


def test_nothing_moves_to_another_trial_or_to_themselves_or_from_days_whose_samples_were_deleted(
    giver: Participant, receiver: Participant
) -> None:
    for other in (giver, ParticipantFactory()):
        with pytest.raises(data_moves.MoveRefused):
            data_moves.move_start(giver, other, by=UserFactory(), reason="x")
    Trial.objects.filter(pk=giver.trial_id).update(raw_removed_before=START)
    with pytest.raises(data_moves.MoveRefused, match="deleted"):
        data_moves.move_start(giver, receiver, by=UserFactory(), reason="x")
