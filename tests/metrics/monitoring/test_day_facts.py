"""What the store holds of local days, by value: people, worn minutes, coverage, sleep and what lies beside gaps."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from typing import Any

import pytest
from django.db.models import F
from pytest_django import DjangoAssertNumQueries

from metrics.batch import Payload, SleepRecord, SourceKey
from metrics.local_time import LocalCalendar
from metrics.models import DayRollup, OffsetPeriod, ParticipantDay, ParticipantStatusSummary, Source
from metrics.monitoring import day_inputs
from metrics.monitoring.day_inputs import Day
from metrics.monitoring.gaps import Neighbours
from metrics.participant_calendars import calendar_of
from metrics.writing.writer import store
from participants.models import Participant, Pause, Protocol
from tests.factories import ParticipantFactory, ParticipantStatusSummaryFactory
from tests.metrics.samples import batch, deliver

pytestmark = pytest.mark.django_db

# Monday, 4 May 2026, in Amsterdam.
START = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)
MONDAY = dt.date(2026, 5, 4)
HOUR, MINUTE, ONE_DAY = dt.timedelta(hours=1), dt.timedelta(minutes=1), dt.timedelta(days=1)
NOW = START + 30 * ONE_DAY
WATCH, RING, SCALE = (
    SourceKey("v", "watch", "Charge 6"),
    SourceKey("v", "ring", "Halo"),
    SourceKey("v", "scale", "Aria"),
)


@pytest.fixture
def person() -> Participant:
    return ParticipantFactory()


def on(n: int) -> dt.date:
    return MONDAY + n * ONE_DAY


def bring(
    person: Participant,
    metric: str,
    minutes: int,
    *,
    source: SourceKey = WATCH,
    at: dt.datetime = START,
    value: float = 70.0,
    seconds: int | None = None,
    step: float = 60,
) -> None:
    """A value a minute from an instant on."""
    values = [value] * minutes
    store(person, deliver(batch(values, start=at, step=step, metric=metric, source=source, seconds=seconds)), now=NOW)


def days(
    person: Participant, dates: Iterable[dt.date] = (MONDAY,), calendar: LocalCalendar | None = None, **rules: Any
) -> list[Day]:
    """Local days with what the store holds of them, by a protocol of these rules."""
    (found,) = day_inputs.people([person.pk])
    wanted = list(dates)
    rule = Protocol(trial_id=person.trial_id, **rules)
    mine = day_inputs.days_of(found, wanted, calendar or calendar_of(person), dict.fromkeys(wanted, rule))
    day_inputs.read(mine)
    return mine


# --- people -----------------------------------------------------------------------------------------------------------


def test_of_whom_nothing_is_stored_there_is_a_row_without_days(person: Participant) -> None:
    ParticipantStatusSummary.objects.all().delete()
    ParticipantDay.objects.all().delete()
    (found,) = day_inputs.people([person.pk])
    assert (found.pk, found.trial_id, found.status, found.zone) == (
        person.pk, person.trial_id, "active", "Europe/Amsterdam",
    )  # fmt: skip
    assert (found.starts_on, found.withdrawn_on, found.pauses, found.offsets) == (None, None, [], [])
    assert (found.dates.tolist(), found.states, found.reasons, found.worn.tolist(), found.minutes.tolist()) == (
        [], "", [], [], [],
    )  # fmt: skip
    assert {column.dtype.name for column in (found.dates, found.worn, found.minutes)} == {"int64"}
    assert (found.nights, found.data, found.newest, found.newest_before, found.arrived_at) == ("", "", None, None, None)
    assert (found.adherence_before, found.best_before, found.recounted) == (None, None, False)


def test_a_persons_pauses_clock_days_and_status_summary_are_read_in_order() -> None:
    person = ParticipantFactory(monitoring_starts_on=MONDAY, withdrawn_on=on(20))
    ParticipantStatusSummary.objects.filter(participant=person).delete()
    ParticipantStatusSummaryFactory(
        participant=person, last_sample_at=START, arrived_at=START + HOUR, adherence=0.5, best_adherence=0.75,
        recounted=True,
    )  # fmt: skip
    Pause.objects.create(participant=person, starts_on=on(9), reason="Surgery")
    Pause.objects.create(participant=person, starts_on=on(2), ends_on=on(3), reason="Holiday")
    OffsetPeriod.objects.create(participant=person, starts_at=START + ONE_DAY, utc_offset=None)
    OffsetPeriod.objects.create(participant=person, starts_at=START, utc_offset=-3600)
    ParticipantDay.objects.filter(participant=person).delete()
    fields: list[dict[str, Any]] = [
        {"status": "x", "reason": "paused", "worn_minutes": 0},
        {"status": "v", "worn_minutes": 700, "last_sample_at": START + HOUR, "asleep_minutes": 400},
        {"status": "i", "worn_minutes": 60, "day_minutes": 1380, "heard_at": START + 3 * HOUR,
         "last_sample_at": START + 5 * HOUR},
        {"status": "p", "last_sample_at": START + 9 * HOUR},  # a scale's
        {"status": "l", "asleep_minutes": 300},
    ]  # fmt: skip
    for n, row in reversed(list(enumerate(fields))):
        ParticipantDay.objects.create(participant=person, date=on(n), updated_at=NOW, **row)
    (found,) = day_inputs.people([person.pk])
    us = [int(one.timestamp()) * 1_000_000 for one in (START, START + ONE_DAY)]
    assert (found.starts_on, found.withdrawn_on) == (MONDAY, on(20))
    assert found.pauses == [(on(2), on(3), "Holiday"), (on(9), None, "Surgery")]
    assert found.offsets == [(us[0], -3600), (us[1], None)]
    assert [day_inputs.date_of(day) for day in found.dates.tolist()] == [on(n) for n in range(5)]
    assert (found.states, found.nights, found.data) == ("xvipl", "-n--n", "01111")
    assert found.reasons == ["paused", "", "", "", ""]
    assert (found.worn.tolist(), found.minutes.tolist()) == ([0, 700, 60, 0, 0], [1440, 1440, 1380, 1440, 1440])
    assert (found.newest, found.newest_before, found.arrived_at) == (START + 3 * HOUR, START, START + HOUR)
    assert (found.adherence_before, found.best_before, found.recounted) == (0.5, 0.75, True)
    ParticipantStatusSummary.objects.filter(participant=person).update(recounted=False)
    assert not day_inputs.people([person.pk])[0].recounted


def test_people_are_told_apart_in_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    people = ParticipantFactory.create_batch(3)
    with django_assert_num_queries(1):
        found = day_inputs.people([one.pk for one in people[:2]])
    assert {one.pk for one in found} == {one.pk for one in people[:2]}


# --- days -------------------------------------------------------------------------------------------------------------


def blank(date: dt.date = MONDAY, *, zone: str = "Europe/Amsterdam", **known: Any) -> Day:
    person: Any = None
    calendar = LocalCalendar(zoneinfo.ZoneInfo(zone))
    (day,) = day_inputs.days_of(person, [date], calendar, {date: Protocol()})
    for name, value in known.items():
        setattr(day, name, value)
    return day


def test_dates_become_days_in_order_and_a_skipped_one_becomes_none() -> None:
    person: Any = None
    dates = [dt.date(2011, 12, n) for n in (31, 29, 30)]
    rules = {date: Protocol(version=date.day) for date in dates}
    found = day_inputs.days_of(person, dates, LocalCalendar(zoneinfo.ZoneInfo("Pacific/Apia")), rules)
    assert [(day.date.day, day.protocol.version) for day in found] == [(29, 29), (31, 31)]


@pytest.mark.parametrize(
    ("date", "starts", "minutes"),
    [(MONDAY, START, 1440), (dt.date(2026, 3, 29), dt.datetime(2026, 3, 28, 23, tzinfo=dt.UTC), 1380)],
)
def test_a_day_knows_its_bounds_and_its_minutes(date: dt.date, starts: dt.datetime, minutes: int) -> None:
    day = blank(date)
    assert (day.starts_at, day.ends_at, day.minutes) == (starts, starts + minutes * MINUTE, minutes)


def test_a_day_of_two_intervals_lasts_as_long_as_both() -> None:
    back = int((START + 25 * HOUR).timestamp()) * 1_000_000  # an hour after its midnight the clock is set back by two
    calendar = LocalCalendar(zoneinfo.ZoneInfo("Europe/Amsterdam"), [(back, 0)])
    person: Any = None
    (day,) = day_inputs.days_of(person, [MONDAY], calendar, {MONDAY: Protocol()})
    assert (day.starts_at, day.ends_at, day.minutes) == (START, START + 26 * HOUR, 1500)


@pytest.mark.parametrize(
    ("known", "has_data", "heard", "slept"),
    [
        ({}, False, False, False),
        ({"series": [(1, 1, 0, 5)]}, True, False, False),
        ({"newest": START}, True, False, False),
        ({"newest": START, "heard_at": START}, True, True, False),
        ({"nights": [(1, True, 400)]}, True, True, True),
    ],
)
def test_a_day_has_data_and_was_heard_of_by_a_night_or_what_is_worn(
    known: dict[str, Any], has_data: bool, heard: bool, slept: bool
) -> None:
    day = blank(**known)
    assert (day.has_data, day.heard, day.slept) == (has_data, heard, slept)


def test_of_no_days_nothing_is_asked(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        day_inputs.read([])
        assert day_inputs.neighbours([]) == []


def test_a_day_without_data_is_missing_as_a_whole(person: Participant) -> None:
    (day,) = days(person)
    assert (day.worn_minutes, day.missing, day.series, day.nights) == (0, [(START, START + ONE_DAY)], [], [])
    assert (day.asleep_minutes, day.newest, day.heard_at, day.slept) == (None, None, None, False)


def test_minutes_with_a_heart_rate_are_worn_and_the_rest_is_missing(person: Participant) -> None:
    bring(person, "heart_rate", 60, at=START + HOUR)
    bring(person, "heart_rate", 30, at=START + 90 * MINUTE, source=RING)  # the same minutes
    bring(person, "heart_rate", 60, at=START + 130 * MINUTE, source=RING)
    bring(person, "heart_rate", 5, at=START + ONE_DAY)
    bring(person, "steps", 60, at=START + 5 * HOUR, seconds=60)
    (day,) = days(person, gap_minutes=10)
    assert day.worn_minutes == 120
    assert day.missing == [
        (START, START + HOUR), (START + 120 * MINUTE, START + 130 * MINUTE), (START + 190 * MINUTE, START + ONE_DAY),
    ]  # fmt: skip
    assert day.newest == day.heard_at == START + 5 * HOUR + 59 * MINUTE
    (day,) = days(person, gap_minutes=11)
    assert day.missing == [(START, START + HOUR), (START + 190 * MINUTE, START + ONE_DAY)]


def test_of_a_day_worn_throughout_nothing_is_missing(person: Participant) -> None:
    bring(person, "heart_rate", 1440)
    (day,) = days(person, gap_minutes=1)
    assert (day.worn_minutes, day.missing) == (1440, [])


def test_each_day_has_its_own_minutes_by_its_own_protocol(person: Participant) -> None:
    for n, minutes in enumerate((120, 60)):
        bring(person, "heart_rate", minutes, at=START + n * ONE_DAY)
    other = ParticipantFactory(trial=person.trial)
    bring(other, "heart_rate", 30)
    (mine,), (theirs,) = (day_inputs.people([one.pk]) for one in (person, other))
    calendar = calendar_of(person)
    strict, loose = Protocol(gap_minutes=1320), Protocol(gap_minutes=1321)
    both = [
        *day_inputs.days_of(mine, [on(0), on(1)], calendar, {on(0): strict, on(1): loose}),
        *day_inputs.days_of(theirs, [on(0)], calendar, {on(0): strict}),
    ]
    day_inputs.read(both)
    assert [(day.worn_minutes, len(day.missing)) for day in both] == [(120, 1), (60, 1), (30, 1)]
    assert both[0].missing == [(START + 2 * HOUR, START + ONE_DAY)]


def test_the_intervals_of_a_day_add_up(person: Participant) -> None:
    OffsetPeriod.objects.create(participant=person, starts_at=START + 25 * HOUR, utc_offset=0)
    bring(person, "heart_rate", 360, at=START)
    bring(person, "heart_rate", 50, at=START + 24 * HOUR)  # the hour between belongs to Tuesday
    bring(person, "heart_rate", 40, at=START + 25 * HOUR)
    (day,) = days(person)
    assert len(day.spans) == 2
    assert day.worn_minutes == 400
    assert day.missing == [
        (START + 6 * HOUR, START + ONE_DAY), (START + 25 * HOUR + 40 * MINUTE, START + 26 * HOUR),
    ]  # fmt: skip
    assert day.newest == START + 25 * HOUR + 39 * MINUTE


def test_what_a_scale_says_shows_no_upload_of_what_is_worn(person: Participant) -> None:
    bring(person, "heart_rate", 1, at=START + HOUR)
    bring(person, "weight", 1, at=START + 9 * HOUR, source=SCALE)
    (day,) = days(person)
    assert (day.newest, day.heard_at) == (START + 9 * HOUR, START + HOUR)


# --- coverage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [WATCH, RING])
def test_coverage_is_that_of_the_source_with_most_minutes_and_never_added(
    person: Participant, first: SourceKey
) -> None:
    second = RING if first is WATCH else WATCH
    bring(person, "steps", 60, source=first, value=1, seconds=60)
    bring(person, "steps", 600, source=second, value=1, seconds=60)
    (day,) = days(person, expected_metrics=["steps"])
    assert day.coverage == {"steps": 600}


def test_the_protocols_order_comes_before_the_minutes(person: Participant) -> None:
    bring(person, "steps", 60, source=WATCH, value=1, seconds=60)
    bring(person, "steps", 600, source=RING, value=1, seconds=60)
    (day,) = days(person, expected_metrics=["steps"], source_priority=["ring", "watch"])
    assert day.coverage == {"steps": 600}
    (day,) = days(person, expected_metrics=["steps"], source_priority=["watch", "ring"])
    assert day.coverage == {"steps": 60}


def test_each_days_and_metrics_source_is_chosen_by_itself(person: Participant) -> None:
    for n, metric, source, minutes in (
        (0, "steps", WATCH, 10), (0, "steps", RING, 20), (0, "distance", WATCH, 30), (0, "energy", RING, 40),
        (1, "steps", WATCH, 50), (1, "distance", RING, 60), (2, "heart_rate", RING, 70), (2, "steps", RING, 80),
        (0, "floors_24h", WATCH, 1), (1, "heart_rate", RING, 90),
    ):  # fmt: skip
        bring(person, metric, minutes, source=source, at=START + n * ONE_DAY, value=30, seconds=60)
    expected = ["heart_rate", "steps", "distance", "energy", "floors_24h"]
    found = days(person, [on(n) for n in range(3)], expected_metrics=expected)
    assert [list(day.coverage.values()) for day in found] == [[0, 20, 30, 40, 1], [90, 50, 60, 0, 0], [70, 80, 0, 0, 0]]
    assert list(found[0].coverage) == expected


def test_a_value_of_the_day_counts_one_and_a_metric_that_nobody_knows_is_left_out(person: Participant) -> None:
    bring(person, "steps_24h", 2, value=9000)  # at two minutes
    bring(person, "resting_heart_rate", 1, value=55)
    bring(person, "steps", 3, value=9, seconds=60)
    expected = ["resting_heart_rate", "steps_24h", "energy_24h", "no_such_metric", "steps"]
    (day,) = days(person, expected_metrics=expected)
    assert day.coverage == {"resting_heart_rate": 1, "steps_24h": 1, "energy_24h": 0, "steps": 3}
    (day,) = days(person, expected_metrics=[])
    assert day.coverage == {}


def test_without_a_choice_no_source_is_queried(
    person: Participant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bring(person, "heart_rate", 60)
    bring(person, "steps", 60, source=RING, seconds=60)
    sleep(person, WATCH, 7)
    (day,) = days(person)
    with django_assert_num_queries(2):
        day_inputs.read([day])


# --- sleep ------------------------------------------------------------------------------------------------------------


def sleep(person: Participant, source: SourceKey, hours: float, *, day: int = 0, main: bool | None = None) -> None:
    wakes = START + day * ONE_DAY + (7 if main is not False else 15) * HOUR
    night = SleepRecord(source, f"{source.platform}{wakes:%d%H}", wakes - hours * HOUR, wakes, is_main=main)
    store(person, Payload(sleep=[night]), now=NOW)


def test_the_main_sleep_of_the_source_that_counts_is_the_days(person: Participant) -> None:
    sleep(person, WATCH, 6)
    sleep(person, RING, 7)
    sleep(person, RING, 1, main=False)
    sleep(person, WATCH, 5, day=1)
    sleep(person, RING, 2, day=2, main=False)
    found = days(person, [on(n) for n in range(4)])
    assert [day.asleep_minutes for day in found] == [420, 300, None, None]
    assert [day.slept for day in found] == [True, True, True, False]
    source = Source.objects.get(platform="watch").pk
    assert found[1].nights == [(source, True, 300)]
    sleep(person, RING, 8, day=1)
    ranked = days(person, [on(0), on(1)], source_priority=["watch"])
    assert [day.asleep_minutes for day in ranked] == [360, 300]


# --- what lies beside a gap -------------------------------------------------------------------------------------------


def beside(person: Participant, *intervals: tuple[float, float], date: dt.date = MONDAY) -> list[Neighbours]:
    """What else was measured between these hours of a day."""
    (day,) = days(person, [date])
    return day_inputs.neighbours([(day, day.starts_at + a * HOUR, day.starts_at + b * HOUR) for a, b in intervals])


def test_where_nothing_else_was_measured_nothing_is_asked(
    person: Participant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bring(person, "heart_rate", 60)
    bring(person, "steps_24h", 1, value=5000)
    (day,) = days(person)
    with django_assert_num_queries(0):
        found = day_inputs.neighbours([(day, day.starts_at, day.ends_at)] * 2)
    assert found == [Neighbours(), Neighbours()]


def test_steps_are_counted_within_the_interval_its_first_instant_included(person: Participant) -> None:
    bring(person, "steps", 60, at=START, value=2, seconds=60)
    bring(person, "steps", 60, at=START + HOUR, value=0, seconds=60)
    bring(person, "steps", 60, at=START + 2 * HOUR, value=3, seconds=60)
    bring(person, "steps", 60, at=START + ONE_DAY, value=9, seconds=60)
    assert beside(person, (0, 24), (1, 2), (1.5, 2.5), (5, 6)) == [
        Neighbours(True, 180, 60, 300), Neighbours(True, 60, 60, 0), Neighbours(True, 60, 30, 90), Neighbours(),
    ]  # fmt: skip


@pytest.mark.parametrize("first", [WATCH, RING])
def test_of_two_sources_of_steps_the_one_with_more_minutes_is_asked(person: Participant, first: SourceKey) -> None:
    second = RING if first is WATCH else WATCH
    bring(person, "steps", 20, source=first, value=5, seconds=60)
    bring(person, "steps", 30, source=second, value=0, seconds=60)
    assert beside(person, (0, 1)) == [Neighbours(True, 30, 30, 0)]


def test_of_two_sources_of_as_many_minutes_the_lower_id_is_asked(person: Participant) -> None:
    for source, value in ((WATCH, 0), (RING, 5)):
        bring(person, "steps", 30, source=source, value=value, seconds=60)
    assert beside(person, (0, 1)) == [Neighbours(True, 30, 30, 0)]
    # Whichever row was written last.
    for source in (WATCH, RING):
        DayRollup.objects.filter(source__platform=source.platform).update(minutes=F("minutes"))
        assert beside(person, (0, 1)) == [Neighbours(True, 30, 30, 0)]


@pytest.mark.parametrize("order", [("spo2", "steps"), ("steps", "spo2")])
def test_whatever_else_was_measured_shows_that_the_device_was_worn(person: Participant, order: tuple[str, str]) -> None:
    for metric in order:
        bring(person, metric, 10, value=96 if metric == "spo2" else 4, seconds=60 if metric == "steps" else None)
    bring(person, "spo2", 10, value=96, at=START + 5 * HOUR)
    bring(person, "weight", 1, value=80, at=START + 9 * HOUR, source=SCALE)
    assert beside(person, (0, 1), (5, 6), (9, 10)) == [
        Neighbours(True, 10, 0, 40), Neighbours(True, 0, 0, 0), Neighbours(),
    ]  # fmt: skip


def test_heart_rates_and_values_of_the_day_are_not_what_lies_beside(person: Participant) -> None:
    bring(person, "heart_rate", 60)
    bring(person, "steps_24h", 1, value=5000)
    bring(person, "resting_heart_rate", 1, value=55)
    bring(person, "steps", 10, value=4, seconds=60, at=START + 5 * HOUR)
    assert beside(person, (0, 1), (5, 6)) == [Neighbours(), Neighbours(True, 10, 0, 40)]


def test_each_interval_is_answered_in_its_place(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial)
    bring(other, "steps", 30, value=1, seconds=60)
    bring(person, "steps", 10, value=2, seconds=60, at=START + ONE_DAY)
    bring(person, "heart_rate", 10)
    (quiet, tuesday), (theirs,) = days(person, [on(0), on(1)]), days(other)
    found = day_inputs.neighbours([(one, one.starts_at, one.ends_at) for one in (quiet, theirs, quiet, tuesday)])
    assert found == [Neighbours(), Neighbours(True, 30, 0, 30), Neighbours(), Neighbours(True, 10, 0, 20)]


def test_a_number_of_days_is_a_date() -> None:
    assert [day_inputs.date_of(n) for n in (0, 1, 20_577)] == [dt.date(1970, 1, 1), dt.date(1970, 1, 2), on(0)]
