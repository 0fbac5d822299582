"""What the writer takes and what it turns away: each bound of the collection interval on both sides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from metrics.batch import ExerciseRecord, OffsetChange, Payload, Replaced, Sessions, SleepRecord
from metrics.models import (
    DayRollup,
    ExerciseSession,
    HourRollup,
    Measurement,
    MinuteRollup,
    OffsetPeriod,
    ParticipantDay,
    Revision,
    SleepSession,
)
from metrics.writing.collection_filter import OUTSIDE
from metrics.writing.writer import Counts, Frozen, store
from participants.models import Consent, Participant, Pause, Protocol, Trial
from participants.privacy import consent
from participants.services import participant_withdraw, trial_update
from tests.actors import another_user
from tests.factories import ParticipantFactory, TrialFactory
from tests.metrics.samples import CHARGE, NOW, batch, deliver

pytestmark = pytest.mark.django_db

MAY_4, ONE_DAY, MINUTE = dt.date(2026, 5, 4), dt.timedelta(days=1), dt.timedelta(minutes=1)
# In Amsterdam 4 May begins at 22:00 UTC of the day before.
BEGINS = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)
ENDS = BEGINS + ONE_DAY


def on_may_4() -> Participant:
    return ParticipantFactory(monitoring_starts_on=MAY_4, monitoring_ends_on=MAY_4)


def in_a_trial_of_may_4() -> Participant:
    return ParticipantFactory(trial=TrialFactory(starts_on=MAY_4, ends_on=MAY_4))


def between_pauses() -> Participant:
    person = ParticipantFactory()
    Pause.objects.create(participant=person, starts_on=MAY_4 - 5 * ONE_DAY, ends_on=MAY_4 - ONE_DAY, reason="away")
    Pause.objects.create(participant=person, starts_on=MAY_4 + ONE_DAY, reason="away")
    Protocol.objects.update(collect_in_pauses=False)
    return person


@pytest.fixture(params=[on_may_4, in_a_trial_of_may_4, between_pauses])
def person(request: Any) -> Participant:
    """Somebody of whom the trial may have 4 May."""
    made: Participant = request.param()
    return made


def minutes(start: dt.datetime, count: int) -> Payload:
    return deliver(batch([70.0] * count, start=start, step=60))


def times() -> list[dt.datetime]:
    return list(Measurement.objects.order_by("time").values_list("time", flat=True))


def test_of_samples_across_the_first_midnight_those_from_it_on_are_stored(person: Participant) -> None:
    counts = store(person, minutes(BEGINS - 3 * MINUTE, 5), now=NOW)
    assert times() == [BEGINS, BEGINS + MINUTE]
    assert (counts.new, counts.rejected) == (2, {OUTSIDE: 3})


def test_of_samples_across_the_last_midnight_those_before_it_are_stored(person: Participant) -> None:
    counts = store(person, minutes(ENDS - 2 * MINUTE, 5), now=NOW)
    assert times() == [ENDS - 2 * MINUTE, ENDS - MINUTE]
    assert (counts.new, counts.rejected) == (2, {OUTSIDE: 3})


def test_nothing_is_derived_of_what_was_turned_away(person: Participant) -> None:
    store(person, minutes(ENDS, 90), now=NOW)
    for model in (Measurement, MinuteRollup, HourRollup, DayRollup):
        assert not model._default_manager.exists()
    assert not ParticipantDay.objects.filter(date=MAY_4 + ONE_DAY).exists()


def test_lengths_of_intervals_stay_with_their_samples(person: Participant) -> None:
    steps = batch([1.0, 2.0, 3.0, 4.0], start=BEGINS - 2 * MINUTE, step=60, metric="steps", seconds=60)
    store(person, deliver(steps), now=NOW)
    assert list(Measurement.objects.order_by("time").values_list("value", "seconds")) == [(3.0, 60), (4.0, 60)]


@pytest.mark.parametrize(("wakes", "stored"), [
    (BEGINS - MINUTE, False), (BEGINS, True), (ENDS - MINUTE, True), (ENDS, False),
])  # fmt: skip
def test_a_night_is_taken_by_its_date_of_waking(person: Participant, wakes: dt.datetime, stored: bool) -> None:
    night = SleepRecord(CHARGE, "n1", wakes - 8 * 60 * MINUTE, wakes, ())
    counts = store(person, Payload(sleep=[night]), now=NOW)
    assert SleepSession.objects.exists() is stored
    assert counts.rejected == ({} if stored else {OUTSIDE: 1})


@pytest.mark.parametrize(("starts", "stored"), [
    (BEGINS - MINUTE, False), (BEGINS, True), (ENDS - MINUTE, True), (ENDS, False),
])  # fmt: skip
def test_exercise_is_taken_by_its_start(person: Participant, starts: dt.datetime, stored: bool) -> None:
    walk = ExerciseRecord(CHARGE, "e1", starts, starts + 40 * MINUTE, "walking")
    counts = store(person, Payload(exercise=[walk]), now=NOW)
    assert ExerciseSession.objects.exists() is stored
    assert counts.rejected == ({} if stored else {OUTSIDE: 1})


def test_a_clock_that_moved_outside_is_not_kept(person: Participant) -> None:
    moved = [OffsetChange(at, 3600) for at in (BEGINS - MINUTE, BEGINS + MINUTE, ENDS + 3 * 60 * MINUTE)]
    store(person, Payload(offsets=moved), now=NOW)
    assert list(OffsetPeriod.objects.values_list("starts_at", flat=True)) == [BEGINS + MINUTE]


def test_the_clock_that_came_with_the_data_tells_where_their_day_ends() -> None:
    person = on_may_4()
    west = Payload(offsets=[OffsetChange(BEGINS + MINUTE, -5 * 3600)])
    west.samples = minutes(ENDS + 6 * 60 * MINUTE, 120).samples
    counts = store(person, west, now=NOW)
    assert times()[-1] == ENDS + 7 * 60 * MINUTE - MINUTE
    assert counts.rejected == {OUTSIDE: 60}


def test_what_lies_outside_changes_nothing_that_is_stored(person: Participant) -> None:
    Participant.objects.update(monitoring_starts_on=None, monitoring_ends_on=None)
    Trial.objects.update(starts_on=None, ends_on=None)
    Pause.objects.all().delete()
    store(person, minutes(BEGINS - 3 * MINUTE, 3), now=NOW)
    Participant.objects.update(monitoring_starts_on=MAY_4)
    restated = batch([90.0] * 3, start=BEGINS - 3 * MINUTE, step=60)
    assert store(person, deliver(restated), now=NOW).rejected == {OUTSIDE: 3}
    assert (Measurement.objects.filter(value=70.0).count(), Revision.objects.count()) == (3, 0)


def test_without_dates_everything_is_taken() -> None:
    counts = store(ParticipantFactory(), minutes(BEGINS - 3 * MINUTE, 1500), now=NOW)
    assert counts == Counts(new=1500)


def test_the_participants_zone_is_read_under_the_lock() -> None:
    stale = on_may_4()
    Participant.objects.update(time_zone="America/New_York")
    store(stale, minutes(BEGINS, 1), now=NOW)
    assert times() == []


# --- nothing more is taken ---------------------------------------------------------------------------------------


def withdrawn(person: Participant) -> None:
    participant_withdraw(person, on=MAY_4 + 9 * ONE_DAY)


def consent_gone(person: Participant) -> None:
    document = consent.document_add(person.trial, version="1", title="Consent", effective_on=MAY_4)
    consent.consent_give(person, document, how=Consent.How.PAPER)
    consent.consent_withdraw(person, on=MAY_4 + 9 * ONE_DAY)


def closed(person: Participant) -> None:
    trial_update(person.trial, status=Trial.Status.CLOSED)


def erased(person: Participant) -> None:
    Participant.objects.update(status=Participant.Status.ERASED)


@pytest.mark.parametrize("act", [withdrawn, consent_gone, closed, erased])
def test_once_it_is_over_nothing_is_stored_whatever_its_time(act: Callable[[Participant], None]) -> None:
    person = ParticipantFactory()
    stale = Participant.objects.select_related("trial").get()
    act(person)
    replaced = [Replaced("testvendor", Sessions.SLEEP, BEGINS, ENDS)]
    with pytest.raises(Frozen):
        store(stale, Payload(samples=minutes(BEGINS, 2).samples, replaces=replaced), now=NOW)
    assert times() == []


def test_a_trial_that_was_opened_again_takes_data_again() -> None:
    person = ParticipantFactory()
    closed(person)
    trial_update(person.trial, status=Trial.Status.RUNNING)
    assert store(person, minutes(BEGINS, 2), now=NOW).new == 2


@pytest.mark.django_db(transaction=True)
def test_who_closes_a_trial_waits_for_what_is_being_stored() -> None:
    """Else a sample from after the closing could come in with a payload that had looked before it."""
    person = ParticipantFactory()
    with transaction.atomic():
        store(person, minutes(BEGINS, 2), now=NOW)
        with pytest.raises(Exception, match="lock timeout"):
            another_user(lambda: closed(person))
    closed(person)
    assert Measurement.objects.count() == 2
