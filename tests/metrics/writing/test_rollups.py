"""Minutes, hours and days made of the rows beneath them: which of them, of which interval, and of whose."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from metrics.batch import Payload, SampleBatch, SleepRecord
from metrics.models import (
    DayRollup,
    HourRollup,
    ImplausibleCount,
    Measurement,
    MinuteRollup,
    OffsetPeriod,
    ParticipantDay,
    SleepSession,
)
from metrics.participant_calendars import calendar_of
from metrics.registry import BY_CODE
from metrics.writing.fresh_rollups import minutes_of
from metrics.writing.rollups import (
    FROM_MINUTES,
    FROM_SAMPLES,
    SeriesKey,
    bucket_intervals,
    rebuild_days,
    rebuild_from_samples,
    recount,
    refresh,
    refresh_days,
)
from metrics.writing.writer import source_for, store
from participants.models import Participant
from tests.factories import ParticipantFactory
from tests.metrics.samples import CHARGE, NOW, PHONE, batch, deliver

SECOND = 1_000_000
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
MONDAY, ONE_DAY = dt.date(2026, 5, 4), dt.timedelta(days=1)
# In Calcutta the Monday begins at half past six in the evening of Sunday, UTC.
BEGINS = dt.datetime(2026, 5, 3, 18, 30, tzinfo=dt.UTC)
BEFORE = dt.timedelta(microseconds=1)


@pytest.fixture
def person(db: None) -> Participant:
    return ParticipantFactory(time_zone="Asia/Kolkata")


def series(person: Participant, metric: str = "heart_rate") -> SeriesKey:
    return SeriesKey(person.pk, BY_CODE[metric], source_for(CHARGE).pk)


def measured(of: SeriesKey, values: dict[dt.datetime, float]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Rows alone, as if nothing had been made of them. Their times in microseconds."""
    for at, value in values.items():
        Measurement.objects.create(
            participant_id=of.participant, metric_id=of.metric.id, source_id=of.source, time=at, value=value
        )
    return np.array(sorted(int(at.timestamp() * SECOND) for at in values), dtype=np.int64)


def buckets(model: Any) -> dict[dt.datetime, tuple[int, float]]:
    return {row.bucket: (row.n, row.total) for row in model.objects.all()}


def days() -> dict[dt.date, tuple[int, int, float]]:
    return {row.date: (row.minutes, row.n, row.total) for row in DayRollup.objects.all()}


def marks() -> dict[dt.date, int]:
    return dict(ImplausibleCount.objects.values_list("date", "n"))


# --- Intervals and minutes in memory ---


def test_minutes_are_kept_of_metrics_that_come_more_often() -> None:
    assert BY_CODE["heart_rate"].id in FROM_MINUTES
    assert BY_CODE["steps"].id in FROM_SAMPLES
    assert not set(FROM_MINUTES) & set(FROM_SAMPLES)


def test_no_times_have_no_interval() -> None:
    assert bucket_intervals(np.zeros(0, dtype=np.int64), HOUR) == []


def test_an_interval_is_of_whole_buckets() -> None:
    for last in (0, 1, HOUR - 1):
        assert bucket_intervals(np.array([5 * HOUR, 5 * HOUR + last]), HOUR) == [(5 * HOUR, 6 * HOUR)]
    assert bucket_intervals(np.array([5 * HOUR - 1, 6 * HOUR]), HOUR) == [(4 * HOUR, 7 * HOUR)]
    assert bucket_intervals(np.array([5 * HOUR + 61 * SECOND]), MINUTE) == [(5 * HOUR + MINUTE, 5 * HOUR + 2 * MINUTE)]


def test_times_up_to_six_hours_apart_are_one_interval() -> None:
    first, second = 5 * HOUR, 5 * HOUR + 6 * HOUR
    assert bucket_intervals(np.array([first, second]), HOUR) == [(first, second + HOUR)]
    assert bucket_intervals(np.array([first, second + 1]), HOUR) == [(first, first + HOUR), (second, second + HOUR)]
    third = second + 7 * HOUR
    assert bucket_intervals(np.array([first, second, third]), HOUR) == [(first, second + HOUR), (third, third + HOUR)]


def test_minutes_in_memory_say_first_instant_number_sum_lowest_and_highest() -> None:
    time = np.array([0, 1, MINUTE - 1, MINUTE, 3 * MINUTE, 4 * MINUTE - 1])
    found = minutes_of(time, np.array([60.0, 50.0, 70.0, 80.0, 90.0, 91.0]))
    assert [column.tolist() for column in found.columns] == [
        [0, MINUTE, 3 * MINUTE],
        [1, 1, 1],
        [3, 1, 2],
        [180, 80, 181],
        [50, 80, 90],
        [70, 80, 91],
    ]


# --- What a write touches ---


def test_where_nothing_was_touched_nothing_is_made(person: Participant) -> None:
    measured(series(person), {BEGINS: 60})
    assert refresh(series(person), np.zeros(0, dtype=np.int64), calendar_of(person)) == set()
    assert (buckets(MinuteRollup), days()) == ({}, {})


def test_what_was_touched_is_made_and_its_local_dates_are_told(person: Participant) -> None:
    touched = measured(series(person), {BEGINS - BEFORE: 50, BEGINS: 60, BEGINS + dt.timedelta(hours=9): 70})
    assert refresh(series(person), touched, calendar_of(person)) == {MONDAY - ONE_DAY, MONDAY}
    assert buckets(MinuteRollup) == {
        BEGINS - dt.timedelta(minutes=1): (1, 50),
        BEGINS: (1, 60),
        BEGINS + dt.timedelta(hours=9): (1, 70),
    }
    assert buckets(HourRollup) == {
        dt.datetime(2026, 5, 3, 18, tzinfo=dt.UTC): (2, 110),
        dt.datetime(2026, 5, 4, 3, tzinfo=dt.UTC): (1, 70),
    }
    assert days() == {MONDAY - ONE_DAY: (1, 1, 50), MONDAY: (2, 2, 130)}


def test_of_a_metric_without_minutes_hours_and_days_are_made_of_samples(person: Participant) -> None:
    of = series(person, "steps")
    touched = measured(of, {BEGINS: 10, BEGINS + dt.timedelta(seconds=30): 20, BEGINS + dt.timedelta(minutes=1): 5})
    assert refresh(of, touched, calendar_of(person)) == {MONDAY}
    assert buckets(MinuteRollup) == {}
    assert buckets(HourRollup) == {BEGINS - dt.timedelta(minutes=30): (3, 35)}
    assert days() == {MONDAY: (2, 3, 35)}


def test_minutes_that_were_written_with_the_rows_are_not_made_again(person: Participant) -> None:
    touched = measured(series(person), {BEGINS: 60})
    MinuteRollup.objects.create(
        participant=person, metric_id=1, source_id=series(person).source, bucket=BEGINS, n=9, total=99, low=1, high=20
    )
    refresh(series(person), touched, calendar_of(person), minutes_done=True)
    assert buckets(MinuteRollup) == {BEGINS: (9, 99)}
    assert (list(buckets(HourRollup).values()), days()) == ([(9, 99)], {MONDAY: (1, 9, 99)})
    refresh(series(person), touched, calendar_of(person))
    assert (buckets(MinuteRollup), days()) == ({BEGINS: (1, 60)}, {MONDAY: (1, 1, 60)})


def test_values_that_do_not_count_are_queried_unless_there_can_be_none(person: Participant) -> None:
    of, calendar = series(person), calendar_of(person)
    touched = measured(of, {BEGINS: 60, BEGINS + dt.timedelta(minutes=1): 0})
    refresh(of, touched, calendar, implausible=False)
    assert marks() == {}
    refresh(of, touched, calendar)
    assert marks() == {MONDAY: 1}
    # those that are known of are counted anew in any case
    more = measured(of, {BEGINS + dt.timedelta(minutes=2): 0})
    refresh(of, more, calendar, implausible=False)
    assert marks() == {MONDAY: 2}
    Measurement.objects.filter(value=0).delete()
    refresh(of, touched, calendar, implausible=False)
    assert (marks(), days()) == ({}, {MONDAY: (1, 1, 60)})


def test_days_that_are_made_look_for_values_that_do_not_count(person: Participant) -> None:
    measured(series(person), {BEGINS: 0})
    refresh_days(series(person), {MONDAY}, calendar_of(person))
    assert marks() == {MONDAY: 1}


def test_what_is_made_of_samples_stays_from_before_those_that_are_kept(person: Participant) -> None:
    calendar = calendar_of(person)
    dates = {MONDAY - ONE_DAY, MONDAY, MONDAY + ONE_DAY}
    for metric in ("heart_rate", "steps"):
        of = series(person, metric)
        touched = measured(of, {BEGINS + n * ONE_DAY: 70 for n in (-1, 0, 1)})
        measured(of, {BEGINS + n * ONE_DAY + dt.timedelta(hours=2): -1 for n in (-1, 0, 1)})
        refresh(of, touched, calendar)
    DayRollup.objects.update(total=1)
    ImplausibleCount.objects.update(n=9)
    for metric in ("heart_rate", "steps"):
        refresh_days(series(person, metric), dates, calendar, samples_from=MONDAY)
    told = dict.fromkeys(dates, 70.0)
    totals = DayRollup.objects.values_list("date", "total")
    assert dict(totals.filter(metric__code="heart_rate")) == told
    assert dict(totals.filter(metric__code="steps")) == told | {MONDAY - ONE_DAY: 1}
    for metric in ("heart_rate", "steps"):
        counts = ImplausibleCount.objects.filter(metric__code=metric).values_list("date", "n")
        assert dict(counts) == {MONDAY - ONE_DAY: 9, MONDAY: 1, MONDAY + ONE_DAY: 1}


# --- Whole days anew ---


@pytest.mark.parametrize("metric", ["heart_rate", "steps"])
def test_a_recount_makes_every_bucket_that_a_local_day_touches(person: Participant, metric: str) -> None:
    """The Monday's first and last hour belong half to its neighbours, whose days stay as they are."""
    of, ends = series(person, metric), BEGINS + ONE_DAY
    half = dt.timedelta(minutes=15)
    values = {BEGINS - half: 60.0, BEGINS: 61.0, ends - BEFORE: 62.0, ends + half: 63.0, ends - half: 0.0}
    refresh(of, measured(of, values), calendar_of(person))
    before = buckets(MinuteRollup), buckets(HourRollup), days(), marks()
    for model in (MinuteRollup, HourRollup):
        model.objects.update(total=1)
    DayRollup.objects.filter(date=MONDAY).update(total=1)
    recount(of, {MONDAY}, calendar_of(person))
    assert (buckets(MinuteRollup), buckets(HourRollup), days(), marks()) == before
    if metric == "heart_rate":
        assert before[2] == {MONDAY - ONE_DAY: (1, 1, 60), MONDAY: (2, 2, 123), MONDAY + ONE_DAY: (1, 1, 63)}
        assert before[3] == {MONDAY: 1}


@pytest.mark.parametrize("metric", ["heart_rate", "steps"])
def test_a_recount_makes_no_other_bucket(person: Participant, metric: str) -> None:
    """The Monday's hours are those from 18:00 to 19:00 of the day after, UTC."""
    of, first = series(person, metric), BEGINS - dt.timedelta(minutes=30)
    last = first + dt.timedelta(hours=25)
    refresh(of, measured(of, dict.fromkeys((first - BEFORE, first, last - BEFORE, last), 60.0)), calendar_of(person))
    for model in (MinuteRollup, HourRollup, DayRollup):
        model._default_manager.update(total=1)
    recount(of, {MONDAY}, calendar_of(person))
    assert [total for _, (_, total) in sorted(buckets(HourRollup).items())] == [1, 60, 60, 1]
    if metric == "heart_rate":
        assert [total for _, (_, total) in sorted(buckets(MinuteRollup).items())] == [1, 60, 60, 1]


def test_a_recount_by_another_range_finds_what_counts_no_more(person: Participant) -> None:
    of = series(person)
    refresh(of, measured(of, {BEGINS: 60, BEGINS + dt.timedelta(minutes=1): 70}), calendar_of(person))
    Measurement.objects.filter(value=70).update(value=3)
    recount(of, {MONDAY}, calendar_of(person))
    assert (days(), marks()) == ({MONDAY: (1, 1, 60)}, {MONDAY: 1})
    assert buckets(MinuteRollup) == {BEGINS: (1, 60)}


def test_a_recount_leaves_other_series_alone(person: Participant) -> None:
    of = series(person)
    others = [
        SeriesKey(ParticipantFactory().pk, of.metric, of.source),
        SeriesKey(person.pk, of.metric, source_for(PHONE).pk),
        series(person, "hrv_rmssd"),
    ]
    for one in others:
        refresh(one, measured(one, {BEGINS: 60}), calendar_of(person))
    for model in (MinuteRollup, HourRollup, DayRollup):
        model._default_manager.update(total=1)
    recount(of, {MONDAY}, calendar_of(person))
    for model in (HourRollup, DayRollup):
        assert list(model._default_manager.values_list("total", flat=True)) == [1, 1, 1]


# --- Days rebuilt ---


def five_days(person: Participant) -> None:
    """A heart rate, steps and a value that does not count on each of five days around the Monday."""
    for n in range(-2, 3):
        start = BEGINS + n * ONE_DAY
        later = start + dt.timedelta(hours=1)
        store(person, deliver(batch([60, 0], start=start), batch([7], start=later, metric="steps")), now=NOW)


def spoilt() -> None:
    DayRollup.objects.update(total=1)
    ImplausibleCount.objects.update(n=9)


def told(metric: str) -> list[float]:
    return list(DayRollup.objects.filter(metric__code=metric).order_by("date").values_list("total", flat=True))


def counts() -> list[int]:
    return list(ImplausibleCount.objects.order_by("date").values_list("n", flat=True))


def test_days_are_rebuilt_from_the_first_to_the_last(person: Participant) -> None:
    five_days(person)
    spoilt()
    dates = rebuild_days(person.pk, MONDAY - ONE_DAY, MONDAY + ONE_DAY, calendar_of(person))
    assert dates == {MONDAY - ONE_DAY, MONDAY, MONDAY + ONE_DAY}
    assert told("heart_rate") == [1, 60, 60, 60, 1]
    assert told("steps") == [1, 7, 7, 7, 1]
    assert counts() == [9, 1, 1, 1, 9]


def test_days_of_which_the_samples_are_gone_are_dropped(person: Participant) -> None:
    five_days(person)
    Measurement.objects.filter(metric__code="steps").delete()
    MinuteRollup.objects.all().delete()
    rebuild_days(person.pk, MONDAY, MONDAY, calendar_of(person))
    assert (told("heart_rate"), told("steps")) == ([60] * 4, [7] * 4)
    assert not DayRollup.objects.filter(date=MONDAY).exists()


def test_from_before_the_samples_that_are_kept_only_what_is_made_of_minutes_is_rebuilt(person: Participant) -> None:
    five_days(person)
    spoilt()
    Measurement.objects.filter(time__lt=BEGINS).delete()
    first, last = MONDAY - 2 * ONE_DAY, MONDAY + 2 * ONE_DAY
    dates = rebuild_days(person.pk, first, last, calendar_of(person), samples_from=MONDAY)
    assert dates == {first + n * ONE_DAY for n in range(5)}
    assert told("heart_rate") == [60] * 5
    assert told("steps") == [1, 1, 7, 7, 7]
    assert counts() == [9, 9, 1, 1, 1]


@pytest.mark.parametrize(
    ("samples_from", "left"), [(None, []), (1, []), (2, ["steps"])], ids=["all are kept", "from then", "from later"]
)
def test_a_day_that_a_journey_skipped_is_dropped(
    person: Participant, samples_from: int | None, left: list[str]
) -> None:
    """What is made of samples stays where these are gone."""
    five_days(person)
    skipped = MONDAY + ONE_DAY
    for at, hours in ((BEGINS - 9 * ONE_DAY, -11), (dt.datetime(2026, 5, 5, 11, tzinfo=dt.UTC), 13)):
        OffsetPeriod.objects.create(participant=person, starts_at=at, utc_offset=hours * 3600)
    calendar = calendar_of(person)
    assert calendar.spans([skipped]) == []
    from_date = None if samples_from is None else MONDAY + samples_from * ONE_DAY
    rebuild_days(person.pk, skipped, skipped, calendar, samples_from=from_date)
    found = DayRollup.objects.filter(date=skipped).values_list("metric__code", flat=True)
    assert list(found) == left


def test_nobody_elses_days_are_rebuilt_or_told(person: Participant) -> None:
    five_days(person)
    spoilt()
    other = ParticipantFactory(time_zone="Asia/Kolkata")
    assert rebuild_days(other.pk, MONDAY, MONDAY, calendar_of(other)) == set()
    assert (told("heart_rate"), told("steps"), counts()) == ([1] * 5, [1] * 5, [9] * 5)


def test_the_dates_of_nights_and_of_days_that_were_evaluated_are_told_too(person: Participant) -> None:
    wakes = BEGINS + ONE_DAY + dt.timedelta(hours=7)
    store(person, Payload(sleep=[SleepRecord(CHARGE, "n", wakes - dt.timedelta(hours=7), wakes)]), now=NOW)
    ParticipantDay.objects.all().delete()
    ParticipantDay.objects.create(participant=person, date=MONDAY + 3 * ONE_DAY, status="v", updated_at=NOW)
    assert SleepSession.objects.get().date == MONDAY + ONE_DAY
    calendar = calendar_of(person)
    night, evaluated = MONDAY + ONE_DAY, MONDAY + 3 * ONE_DAY
    assert rebuild_days(person.pk, MONDAY, MONDAY + 5 * ONE_DAY, calendar) == {night, evaluated}
    assert rebuild_days(person.pk, night, evaluated, calendar) == {night, evaluated}
    assert rebuild_days(person.pk, night + ONE_DAY, evaluated - ONE_DAY, calendar) == set()
    other = ParticipantFactory()
    assert rebuild_days(other.pk, MONDAY, MONDAY + 5 * ONE_DAY, calendar) == set()


def test_days_of_minutes_are_made_of_samples_to_be_compared(person: Participant) -> None:
    five_days(person)
    other = ParticipantFactory(time_zone="Asia/Kolkata")
    five_days(other)
    phone = SampleBatch("heart_rate", PHONE, batch([0]).time, np.array([80.0]))
    store(person, deliver(phone), now=NOW)
    MinuteRollup.objects.all().delete()
    spoilt()
    rebuild_from_samples(person.pk, {MONDAY, MONDAY + ONE_DAY}, calendar_of(person))
    mine = DayRollup.objects.filter(participant=person, metric__code="heart_rate").order_by("date", "total")
    assert list(mine.values_list("total", flat=True)) == [1, 1, 60, 80, 60, 1]
    assert told("steps") == [1] * 10
    assert set(DayRollup.objects.filter(participant=other).values_list("total", flat=True)) == {1}


def test_no_date_is_no_interval(person: Participant) -> None:
    five_days(person)
    before = days(), marks()
    rebuild_from_samples(person.pk, set(), calendar_of(person))
    refresh_days(series(person), set(), calendar_of(person))
    assert (days(), marks()) == before


def test_instants_of_a_statement_bound_all_of_its_intervals(person: Participant) -> None:
    """Dates far apart in one call: what lies in the first and in the last is found."""
    of, calendar = series(person, "steps"), calendar_of(person)
    far = BEGINS + 40 * ONE_DAY
    measured(of, {BEGINS: 5, far: 6, far + ONE_DAY - BEFORE: 7, BEGINS + 9 * ONE_DAY: 8})
    refresh_days(of, {MONDAY, MONDAY + 40 * ONE_DAY}, calendar)
    assert days() == {MONDAY: (1, 1, 5), MONDAY + 40 * ONE_DAY: (2, 2, 13)}
