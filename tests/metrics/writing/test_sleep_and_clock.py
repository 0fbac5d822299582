"""Nights and the participant's clock: which local day things belong to."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from metrics.batch import OffsetChange, Payload, Replaced, Sessions, SleepRecord, SleepTotals, SourceKey, Stage
from metrics.models import DayRollup, OffsetPeriod, ParticipantDay, SleepSession
from metrics.writing.writer import Counts, recompute, store
from participants.models import Participant
from tests.factories import ParticipantFactory
from tests.metrics.samples import CHARGE, NOW, batch, deliver

pytestmark = pytest.mark.django_db

BED = dt.datetime(2026, 5, 4, 21, 30, tzinfo=dt.UTC)  # 23:30 in Amsterdam


@pytest.fixture
def person() -> Participant:
    return ParticipantFactory(time_zone="Europe/Amsterdam")


def night(external_id: str = "n1", *, start: dt.datetime = BED, hours: float = 8, **extra: object) -> SleepRecord:
    third = int(hours * 1200)
    stages = tuple(
        Stage(start + dt.timedelta(seconds=i * third), third, stage)
        for i, stage in enumerate(("light", "deep", "awake"))
    )
    return SleepRecord(CHARGE, external_id, start, start + dt.timedelta(hours=hours), stages, **extra)  # type: ignore[arg-type]


def test_a_night_belongs_to_the_local_day_of_waking(person: Participant) -> None:
    assert store(person, Payload(sleep=[night()]), now=NOW) == Counts(sleep_new=1)
    session = SleepSession.objects.get()
    assert session.date == dt.date(2026, 5, 5)
    assert (session.asleep_minutes, session.awake_minutes, session.deep_minutes, session.rem_minutes) == (
        320,
        160,
        160,
        None,
    )
    assert ParticipantDay.objects.get(participant=person).asleep_minutes == 320


def test_the_same_night_again_changes_nothing(person: Participant) -> None:
    store(person, Payload(sleep=[night()]), now=NOW)
    assert store(person, Payload(sleep=[night()]), now=NOW) == Counts(sleep_unchanged=1)
    assert SleepSession.objects.count() == 1


def test_a_revised_night_replaces_what_was_known(person: Participant) -> None:
    store(person, Payload(sleep=[night(processed=False)]), now=NOW)
    assert store(person, Payload(sleep=[night(hours=9)]), now=NOW) == Counts(sleep_changed=1)
    session = SleepSession.objects.get()
    assert session.processed
    assert session.ends_at == BED + dt.timedelta(hours=9)


def test_where_the_source_does_not_say_the_longest_sleep_of_the_day_is_the_main_one(person: Participant) -> None:
    nap = night("n2", start=dt.datetime(2026, 5, 5, 12, tzinfo=dt.UTC), hours=1)
    store(person, Payload(sleep=[nap]), now=NOW)
    assert SleepSession.objects.get().is_main
    store(person, Payload(sleep=[night()]), now=NOW)
    assert dict(SleepSession.objects.values_list("external_id", "is_main")) == {"n1": True, "n2": False}
    assert store(person, Payload(sleep=[nap, night()]), now=NOW) == Counts(sleep_unchanged=2)


def test_a_nap_that_its_source_calls_a_nap_is_no_main_sleep(person: Participant) -> None:
    store(person, Payload(sleep=[night(is_main=False)]), now=NOW)
    assert ParticipantDay.objects.get(participant=person).asleep_minutes is None


def manual(external_id: str = "m1", *, hours: float = 9, **extra: object) -> SleepRecord:
    """A log of the same night by hand: when, and no stages."""
    start = BED - dt.timedelta(minutes=20)
    return SleepRecord(CHARGE, external_id, start, start + dt.timedelta(hours=hours), **extra)  # type: ignore[arg-type]


def mains() -> dict[str, bool]:
    return dict(SleepSession.objects.values_list("external_id", "is_main"))


@pytest.mark.parametrize("claim", [True, None])
@pytest.mark.parametrize("first", ["automatic", "manual"])
def test_of_two_logs_of_one_night_the_one_with_stages_is_the_main_sleep_in_any_order(
    person: Participant, claim: bool | None, first: str
) -> None:
    logs = [night(is_main=claim), manual(is_main=claim)]
    for log in logs if first == "automatic" else reversed(logs):
        store(person, Payload(sleep=[log]), now=NOW)
    assert mains() == {"n1": True, "m1": False}
    assert ParticipantDay.objects.get(participant=person).asleep_minutes == 320
    for log in logs:
        assert store(person, Payload(sleep=[log]), now=NOW) == Counts(sleep_unchanged=1)


def test_of_two_logs_alike_in_detail_the_longer_is_the_main_sleep(person: Participant) -> None:
    store(person, Payload(sleep=[manual("m1", hours=7, is_main=True), manual("m2", is_main=True)]), now=NOW)
    assert mains() == {"m1": False, "m2": True}


def test_two_sleeps_apart_are_told_apart_by_length_and_not_by_stages(person: Participant) -> None:
    nap = night("nap", start=dt.datetime(2026, 5, 5, 12, tzinfo=dt.UTC), hours=2)
    store(person, Payload(sleep=[nap, manual()]), now=NOW)
    assert mains() == {"nap": False, "m1": True}


def test_what_a_source_calls_the_main_sleep_comes_before_a_longer_one(person: Participant) -> None:
    store(person, Payload(sleep=[night(hours=5, is_main=True), manual(is_main=False)]), now=NOW)
    assert mains() == {"n1": True, "m1": False}


def test_two_sources_have_a_main_sleep_each(person: Participant) -> None:
    other = replace(night("o1"), source=SourceKey("othervendor", "Band"))
    store(person, Payload(sleep=[night(), other]), now=NOW)
    assert mains() == {"n1": True, "o1": True}


def test_where_the_main_sleep_is_withdrawn_the_other_log_takes_its_place(person: Participant) -> None:
    store(person, Payload(sleep=[night(is_main=True), manual(hours=8.1, is_main=True)]), now=NOW)
    gone = Replaced("testvendor", Sessions.SLEEP, BED + dt.timedelta(hours=7.9), BED + dt.timedelta(days=1))
    store(person, Payload(replaces=[gone]), now=NOW)
    assert mains() == {"m1": True}
    assert ParticipantDay.objects.get(participant=person).asleep_minutes == 486


def test_a_corrected_zone_that_brings_two_nights_to_one_date_leaves_one_main_sleep(person: Participant) -> None:
    early = night("n0", start=BED - dt.timedelta(hours=12), hours=6, is_main=True)  # wakes at 17:30 on the 4th
    store(person, Payload(sleep=[early, night(is_main=True)]), now=NOW)
    assert mains() == {"n0": True, "n1": True}
    person.time_zone = "Pacific/Auckland"
    person.save()
    recompute(person, BED, BED + dt.timedelta(hours=9), now=NOW)
    assert set(SleepSession.objects.values_list("date", flat=True)) == {dt.date(2026, 5, 5)}
    assert mains() == {"n0": False, "n1": True}


def test_totals_stand_in_for_stages_that_are_not_told(person: Participant) -> None:
    totals = SleepTotals(asleep=400, awake=20, light=250, deep=60, rem=90)
    store(person, Payload(sleep=[manual(totals=totals)]), now=NOW)
    session = SleepSession.objects.get()
    assert (session.asleep_minutes, session.awake_minutes, session.deep_minutes) == (400, 20, 60)


@pytest.mark.parametrize("first", ["stages", "totals"])
def test_of_files_that_tell_of_one_episode_the_finest_stays_in_any_order(person: Participant, first: str) -> None:
    fine = night(finest_stays=True)
    coarse = replace(fine, stages=(), totals=SleepTotals(asleep=300), is_main=True)
    for record in (fine, coarse) if first == "stages" else (coarse, fine):
        store(person, Payload(sleep=[record]), now=NOW)
    session = SleepSession.objects.get()
    assert (session.asleep_minutes, len(session.stages), session.claimed_main) == (320, 3, True)
    for record in (fine, coarse):
        assert store(person, Payload(sleep=[record]), now=NOW) == Counts(sleep_unchanged=1)


@pytest.mark.parametrize("first", ["fragment", "whole"])
def test_stages_of_a_fragment_do_not_make_a_night_shorter_than_its_log(person: Participant, first: str) -> None:
    start = BED + dt.timedelta(minutes=30)
    ends_at = start + dt.timedelta(minutes=1)
    fragment = SleepRecord(CHARGE, "n1", start, ends_at, (Stage(start, 60, "deep"),), finest_stays=True)
    whole = replace(night(), stages=(), totals=SleepTotals(asleep=400), finest_stays=True)
    for record in (fragment, whole) if first == "fragment" else (whole, fragment):
        store(person, Payload(sleep=[record]), now=NOW)
    session = SleepSession.objects.get()
    assert (session.starts_at, session.asleep_minutes, session.stages) == (BED, 400, [[1800, 60, "deep"]])
    for record in (fragment, whole):
        assert store(person, Payload(sleep=[record]), now=NOW) == Counts(sleep_unchanged=1)


def test_a_night_that_ends_before_it_starts_is_rejected(person: Participant) -> None:
    broken = SleepRecord(CHARGE, "n1", BED, BED - dt.timedelta(hours=1))
    assert store(person, Payload(sleep=[broken]), now=NOW) == Counts(rejected={"sleep ends before it starts": 1})


def test_a_night_without_stages_counts_as_asleep_throughout(person: Participant) -> None:
    store(person, Payload(sleep=[SleepRecord(CHARGE, "n1", BED, BED + dt.timedelta(hours=7))]), now=NOW)
    assert SleepSession.objects.get().asleep_minutes == 420


def test_what_the_device_says_of_its_clock_moves_days_already_stored(person: Participant) -> None:
    late_evening = dt.datetime(2026, 5, 6, 1, tzinfo=dt.UTC)  # 03:00 in Amsterdam, 21:00 the day before in New York
    store(person, deliver(batch([60, 61], start=late_evening)), now=NOW)
    assert DayRollup.objects.get().date == dt.date(2026, 5, 6)
    away = OffsetChange(dt.datetime(2026, 5, 5, 18, tzinfo=dt.UTC), -4 * 3600)
    home = OffsetChange(dt.datetime(2026, 5, 12, 18, tzinfo=dt.UTC), None)
    store(person, Payload(offsets=[away, home]), now=NOW)
    assert DayRollup.objects.get().date == dt.date(2026, 5, 5)
    assert ParticipantDay.objects.get().date == dt.date(2026, 5, 5)


def test_the_same_offsets_again_change_nothing(person: Participant) -> None:
    away = OffsetChange(dt.datetime(2026, 5, 5, 18, tzinfo=dt.UTC), -4 * 3600)
    for _ in range(2):
        store(person, Payload(offsets=[away]), now=NOW)
    assert OffsetPeriod.objects.count() == 1


def test_a_corrected_zone_moves_days_and_nights(person: Participant) -> None:
    store(person, Payload(samples=[batch([60, 61], start=BED)], sleep=[night()]), now=NOW)
    person.time_zone = "Asia/Tokyo"
    person.save()
    recompute(person, BED, BED + dt.timedelta(hours=9), now=NOW)
    assert DayRollup.objects.get().date == dt.date(2026, 5, 5)
    assert SleepSession.objects.get().date == dt.date(2026, 5, 5)
    assert dict(ParticipantDay.objects.values_list("date", "asleep_minutes")) == {dt.date(2026, 5, 5): 320}


def test_a_night_that_its_vendor_withdrew_is_taken_away(person: Participant) -> None:
    store(person, Payload(sleep=[night(), night("n2", start=BED + dt.timedelta(days=1))]), now=NOW)
    gone = Replaced("testvendor", Sessions.SLEEP, BED, BED + dt.timedelta(days=1))
    assert store(person, Payload(replaces=[gone]), now=NOW) == Counts(sleep_removed=1)
    assert SleepSession.objects.get().external_id == "n2"
    # The day holds nothing any more and lies before the first data: it is none of the participant's.
    assert [day.date for day in ParticipantDay.objects.all()] == [dt.date(2026, 5, 6)]
