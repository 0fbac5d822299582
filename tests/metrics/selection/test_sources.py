"""Which source counts: of each local day one, by the protocol of that day, then by most data, whoever asks."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries

from metrics.batch import SampleBatch, SourceKey, microseconds
from metrics.models import OffsetPeriod, ParticipantDay, Source
from metrics.monitoring.adherence import Adherence, adherence_by_steps
from metrics.participant_calendars import calendar_of
from metrics.reading import queries as reading_queries
from metrics.registry import BY_CODE, BY_ID
from metrics.selection.readable_series import readable
from metrics.selection.source_choice import (
    UNCOUNTED,
    UNRANKED,
    Chosen,
    Pinned,
    Priorities,
    chosen_sources,
    counting,
    place,
)
from metrics.time_buckets import Span
from metrics.writing.writer import source_for, store
from participants.models import Participant, Protocol
from tests.factories import ParticipantFactory, ProtocolFactory, TrialFactory
from tests.metrics.samples import NOW, deliver
from tests.paths import SHARED

MONDAY = dt.date(2026, 5, 4)
ONE_DAY = dt.timedelta(days=1)
A, B, C = (SourceKey("testvendor", "watch", model) for model in ("Charge 6", "Sense 2", "Pixel Watch"))
CASE = SHARED / "cases/01-device-swap/steps_2026-11-01.csv"


@pytest.fixture
def person(db: None) -> Participant:
    return ParticipantFactory()


def day_of(
    person: Participant, date: dt.date, source: SourceKey, minutes: int, *, metric: str = "steps", value: float = 1.0,
    a_minute: int = 1, first: int = 0,
) -> None:  # fmt: skip
    """So many minutes of a local day from a source, each with so many samples of this value."""
    midnight = microseconds(calendar_of(person).midnight(date))
    places = np.arange(minutes * a_minute, dtype=np.int64)
    time = midnight + (first + places // a_minute) * 60_000_000 + places % a_minute * 1_000_000
    store(person, deliver(SampleBatch(metric, source, time, np.full(len(time), value))), now=NOW)


def read(
    person: Participant, first: dt.date, last: dt.date, *, metric: str = "steps", resolution: str = "1d"
) -> reading_queries.Series:
    calendar = calendar_of(person)
    span = calendar.midnight(first), calendar.midnight(last + ONE_DAY)
    return reading_queries.series([person.pk], [metric], *span, resolution=resolution)[0]


def totals(person: Participant, first: dt.date, last: dt.date, **how: str) -> dict[dt.date, float]:
    """Sums by local date, from buckets of any width."""
    found: dict[dt.date, float] = {}
    series, calendar = read(person, first, last, **how), calendar_of(person)
    for day, total in zip(calendar.dates(series.time).tolist(), series.total.tolist(), strict=True):
        date = dt.date(1970, 1, 1) + day * ONE_DAY
        found[date] = found.get(date, 0) + total
    return found


def models(series: reading_queries.Series) -> list[tuple[dt.date, str]]:
    return [(one.date, one.source.device_model) for one in series.sources]


def test_of_the_same_place_most_minutes_count_then_most_samples_then_the_lowest_id() -> None:
    rows = {
        "more minutes, fewer samples": (1, 7, 60, 60),
        "more samples in fewer minutes": (1, 5, 59, 900),
        "more samples": (2, 7, 60, 61),
        "fewer samples": (2, 5, 60, 60),
        "the lower id": (3, 5, 60, 60),
        "the higher id": (3, 7, 60, 60),
    }
    group, source, minutes, n = np.array(list(rows.values())).T
    counts = counting(group, np.zeros(6, dtype=np.int64), source, minutes, n)
    assert [word for word, one in zip(rows, counts, strict=True) if one] == [
        "more minutes, fewer samples",
        "more samples",
        "the lower id",
    ]


def test_the_place_in_the_protocols_order_comes_before_the_amount() -> None:
    group, places, source, minutes = np.array([[1, 0, 7, 1], [1, 1, 5, 1440], [2, UNRANKED, 5, 9], [2, 3, 7, 8]]).T
    assert counting(group, places, source, minutes).tolist() == [True, False, False, True]


def test_a_source_is_named_by_its_model_its_platform_or_its_provider() -> None:
    source = Source(provider="vendor", platform="phone", device_model="Charge 6")
    orders: tuple[list[str], ...] = (["x", "Charge 6"], ["phone"], ["x", "y", "vendor"], ["charge 6"], [])
    assert [place(source, order) for order in orders] == [1, 0, 2, UNRANKED, UNRANKED]


def test_a_source_of_no_order_comes_behind_any_that_an_order_could_name_and_one_without_values_behind_all() -> None:
    assert (UNRANKED, UNCOUNTED) == (2**15 - 1, 2**15)


def test_of_equals_in_any_order_of_the_rows_the_lowest_id_counts_whatever_the_group() -> None:
    group, source = np.array([[2, 9], [1, 9], [2, 5], [1, 5], [3, 9]]).T
    zero = np.zeros(5, dtype=np.int64)
    assert counting(group, zero, source, zero).tolist() == [False, False, True, True, True]
    assert counting(zero[:0], zero[:0], zero[:0]).tolist() == []


def days_since_1970(*days: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([(MONDAY + n * ONE_DAY - dt.date(1970, 1, 1)).days for n in days], dtype=np.int64)


def test_places_are_by_each_row_s_own_trial_date_and_source(db: None) -> None:
    mine, other = TrialFactory(protocol=None), TrialFactory(protocol=None)
    ProtocolFactory(trial=mine, effective_on=MONDAY, source_priority=["a", "b"])
    ProtocolFactory(trial=mine, version=2, effective_on=MONDAY + ONE_DAY, source_priority=["b"])
    ProtocolFactory(trial=other, effective_on=MONDAY, source_priority=["b", "a"])
    sources = {5: Source(pk=5, provider="a"), 7: Source(pk=7, provider="b")}
    trial = np.array([mine.pk, other.pk, mine.pk, other.pk, mine.pk, mine.pk])
    date, source = days_since_1970(0, 0, 1, 1, 1, -9), np.array([7, 7, 7, 5, 5, 5])
    priorities = Priorities({mine.pk, other.pk}, sources)
    assert priorities.places(trial, date, source).tolist() == [1, 0, 0, 1, UNRANKED, 0]
    # of a trial that was not asked for, or that has no protocol, nothing is known
    assert Priorities({other.pk}, sources).places(trial, date, source).tolist() == [
        UNRANKED, 0, UNRANKED, 1, UNRANKED, UNRANKED,
    ]  # fmt: skip


@pytest.mark.skipif(not CASE.exists(), reason="the case's file is not here")
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Pacific/Kiritimati"])
def test_a_device_that_was_replaced_leaves_no_day_blank(db: None, zone: str) -> None:
    trial = TrialFactory(code="CASES")
    person = ParticipantFactory(trial=trial, study_id="SWAP-1", time_zone="UTC")
    call_command("import_data", "CASES", str(CASE), "--participant", "SWAP-1", "--timezone", "UTC")
    first, last = dt.date(2026, 11, 1), dt.date(2026, 11, 22)
    assert totals(person, first, last) == dict.fromkeys((first + n * ONE_DAY for n in range(22)), 480.0)
    assert totals(person, dt.date(2026, 11, 13), last)[dt.date(2026, 11, 13)] == 480
    found = read(person, first, last)
    assert models(found) == [(first, "Charge 5"), (dt.date(2026, 11, 13), "Pixel Watch 3")]
    assert found.others == []
    table = reading_queries.day_tables(person, ["steps"], first, last)["steps"]
    assert [row.total for row in table] == [480] * 22


@pytest.mark.parametrize("resolution", ["1d", "1h", "1m", "raw"])
@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "Asia/Kolkata", "Pacific/Kiritimati", "America/St_Johns"])
def test_a_change_of_source_is_the_same_in_every_resolution(db: None, zone: str, resolution: str) -> None:
    person = ParticipantFactory(time_zone=zone)
    day_of(person, MONDAY, A, 1440, value=2)
    day_of(person, MONDAY + ONE_DAY, A, 1439, value=2)
    day_of(person, MONDAY + ONE_DAY, B, 1440, value=3)
    day_of(person, MONDAY + 2 * ONE_DAY, B, 1440, value=3)
    found = read(person, MONDAY, MONDAY + 3 * ONE_DAY, resolution=resolution).total
    assert found.sum() == 1440 * (2 + 3 + 3)
    if resolution == "1h" and zone in ("Asia/Kolkata", "America/St_Johns"):
        # One hour begins on a day of one source and ends on a day of the other: of each its half.
        assert sorted(set(found.tolist())) == [60, 90, 120, 150, 180]
        return
    days = totals(person, MONDAY, MONDAY + 3 * ONE_DAY, resolution=resolution)
    assert days == {MONDAY: 2880, MONDAY + ONE_DAY: 4320, MONDAY + 2 * ONE_DAY: 4320}
    series = read(person, MONDAY, MONDAY + 3 * ONE_DAY, resolution=resolution)
    assert models(series) == [(MONDAY, "Charge 6"), (MONDAY + ONE_DAY, "Sense 2")]
    assert series.sources[1].at == microseconds(calendar_of(person).midnight(MONDAY + ONE_DAY))


@pytest.mark.parametrize("date", [dt.date(2026, 3, 29), dt.date(2026, 10, 25)])
@pytest.mark.parametrize("resolution", ["1d", "1h", "raw"])
def test_a_change_of_source_on_a_day_of_changed_clocks(person: Participant, date: dt.date, resolution: str) -> None:
    hours = 23 if date.month == 3 else 25
    day_of(person, date - ONE_DAY, A, 1440, value=2)
    day_of(person, date, B, hours * 60, value=3)
    day_of(person, date + ONE_DAY, A, 1440, value=2)
    found = totals(person, date - ONE_DAY, date + ONE_DAY, resolution=resolution)
    assert found == {date - ONE_DAY: 2880, date: hours * 180, date + ONE_DAY: 2880}


def test_days_follow_the_devices_clock_where_it_said_so(person: Participant) -> None:
    # The device stood at UTC-8 from before the Tuesday on: its days begin nine hours after those of the zone.
    OffsetPeriod.objects.create(
        participant=person, starts_at=dt.datetime(2026, 5, 5, 6, tzinfo=dt.UTC), utc_offset=-8 * 3600
    )
    day_of(person, MONDAY + ONE_DAY, A, 60, value=2)
    day_of(person, MONDAY + 2 * ONE_DAY, B, 60, value=3)
    for resolution in ("1h", "raw"):
        found = totals(person, MONDAY, MONDAY + 3 * ONE_DAY, resolution=resolution)
        assert found == {MONDAY + ONE_DAY: 120, MONDAY + 2 * ONE_DAY: 180}


def test_a_wide_bucket_holds_what_each_source_has_of_its_part(person: Participant) -> None:
    day_of(person, MONDAY, A, 60, value=2, first=23 * 60)
    day_of(person, MONDAY + ONE_DAY, B, 60, value=3)
    start = calendar_of(person).midnight(MONDAY) + dt.timedelta(hours=21)
    (found,) = reading_queries.series([person.pk], ["steps"], start, start + 30 * ONE_DAY, max_points=200)
    assert found.width == 6 * 3600
    assert found.total.tolist() == [120 + 180]


def test_the_preferred_source_counts_though_another_has_more(person: Participant) -> None:
    Protocol.objects.update(source_priority=["Sense 2"])
    day_of(person, MONDAY, A, 600)
    day_of(person, MONDAY, B, 5, value=7)
    day_of(person, MONDAY + ONE_DAY, A, 600)
    assert totals(person, MONDAY, MONDAY + ONE_DAY) == {MONDAY: 35, MONDAY + ONE_DAY: 600}


def test_each_day_goes_by_the_protocol_that_is_in_force_on_it(person: Participant) -> None:
    trial = person.trial
    Protocol.objects.filter(trial=trial).update(effective_on=MONDAY, source_priority=["Charge 6"])
    ProtocolFactory(trial=trial, version=2, effective_on=MONDAY + 2 * ONE_DAY, source_priority=["Sense 2"])
    ProtocolFactory(trial=trial, version=3, effective_on=MONDAY + 4 * ONE_DAY, source_priority=["watch"])
    # Another trial's protocol says nothing here.
    ProtocolFactory(effective_on=MONDAY, source_priority=["Pixel Watch"])
    for n in range(-1, 6):
        day_of(person, MONDAY + n * ONE_DAY, A, 10, value=1)
        day_of(person, MONDAY + n * ONE_DAY, B, 10, value=2)
        day_of(person, MONDAY + n * ONE_DAY, C, 20, value=3)
    found = totals(person, MONDAY - ONE_DAY, MONDAY + 5 * ONE_DAY)
    # Before the first version it is the first; the third ranks all alike, so that most data decide.
    assert list(found.values()) == [10, 10, 10, 20, 20, 60, 60]


def test_a_version_that_takes_effect_tomorrow_changes_nothing_today(person: Participant) -> None:
    Protocol.objects.update(source_priority=["Charge 6"])
    ProtocolFactory(trial=person.trial, version=2, effective_on=MONDAY + ONE_DAY, source_priority=["Sense 2"])
    for n in range(2):
        day_of(person, MONDAY + n * ONE_DAY, A, 10, value=1)
        day_of(person, MONDAY + n * ONE_DAY, B, 10, value=2)
    assert totals(person, MONDAY, MONDAY) == {MONDAY: 10}
    assert totals(person, MONDAY, MONDAY + ONE_DAY) == {MONDAY: 10, MONDAY + ONE_DAY: 20}


def test_of_two_versions_of_one_date_the_later_one_counts(person: Participant) -> None:
    Protocol.objects.update(effective_on=MONDAY, source_priority=["Charge 6"])
    ProtocolFactory(trial=person.trial, version=2, effective_on=MONDAY, source_priority=["Sense 2"])
    day_of(person, MONDAY, A, 10, value=1)
    day_of(person, MONDAY, B, 10, value=2)
    assert totals(person, MONDAY, MONDAY) == {MONDAY: 20}


def test_each_metric_has_its_own_source(person: Participant) -> None:
    day_of(person, MONDAY, A, 20, metric="steps", value=1)
    day_of(person, MONDAY, B, 10, metric="steps", value=5)
    day_of(person, MONDAY, A, 10, metric="heart_rate", value=60)
    day_of(person, MONDAY, B, 20, metric="heart_rate", value=70)
    start = calendar_of(person).midnight(MONDAY)
    steps, heart = reading_queries.series([person.pk], ["steps", "heart_rate"], start, start + ONE_DAY, resolution="1d")
    assert (steps.total.tolist(), heart.mean.tolist()) == ([20], [70])
    assert [str(source) for source in heart.others] == ["testvendor · watch · Charge 6"]


def test_people_do_not_choose_for_each_other(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial, time_zone="Asia/Kolkata")
    day_of(person, MONDAY, A, 20, value=1)
    day_of(person, MONDAY, B, 10, value=5)
    day_of(other, MONDAY, A, 10, value=1)
    day_of(other, MONDAY, B, 20, value=5)
    assert totals(person, MONDAY, MONDAY) == {MONDAY: 20}
    assert totals(other, MONDAY, MONDAY) == {MONDAY: 100}
    start = calendar_of(person).midnight(MONDAY)
    found = reading_queries.series([person.pk, other.pk], ["steps"], start, start + ONE_DAY, resolution="1d")
    assert [one.total.tolist() for one in found] == [[20], [100]]


def test_a_source_that_counts_on_no_day_is_named_beside(person: Participant) -> None:
    day_of(person, MONDAY, A, 20)
    day_of(person, MONDAY, B, 10)
    found = read(person, MONDAY, MONDAY)
    assert models(found) == [(MONDAY, "Charge 6")]
    assert [source.device_model for source in found.others] == ["Sense 2"]
    day_of(person, MONDAY + ONE_DAY, B, 10)
    assert read(person, MONDAY, MONDAY + ONE_DAY).others == []
    # What lies beside the span is not in it.
    assert models(read(person, MONDAY + ONE_DAY, MONDAY + ONE_DAY)) == [(MONDAY + ONE_DAY, "Sense 2")]


def test_a_source_of_nothing_but_impossible_values_does_not_count(person: Participant) -> None:
    Protocol.objects.update(source_priority=["Charge 6"])
    day_of(person, MONDAY, A, 600, metric="heart_rate", value=0)
    day_of(person, MONDAY, B, 60, metric="heart_rate", value=70)
    day_of(person, MONDAY + ONE_DAY, A, 600, metric="heart_rate", value=0)
    found = read(person, MONDAY, MONDAY + ONE_DAY, metric="heart_rate")
    assert (found.mean.tolist(), models(found)) == ([70], [(MONDAY, "Sense 2")])
    # Who reads every sample gets them where nothing else is.
    span = Span(*(microseconds(calendar_of(person).midnight(MONDAY + n * ONE_DAY)) for n in (0, 2)))
    held = readable([person], [BY_CODE["heart_rate"]], {person.pk: span}, every_sample=True)
    (one,) = held.values()
    assert [(run.first, run.last, run.source.device_model) for run in one.runs] == [
        (MONDAY, MONDAY, "Sense 2"),
        (MONDAY + ONE_DAY, MONDAY + ONE_DAY, "Charge 6"),
    ]


def test_of_versions_the_latest_in_force_counts_whatever_their_numbers(db: None) -> None:
    trial, source = TrialFactory(protocol=None), {5: Source(pk=5, provider="a")}
    for version, day, order in ((1, 0, ["a"]), (2, 2, ["x", "a"]), (3, 1, ["x", "y", "a"])):
        ProtocolFactory(trial=trial, version=version, effective_on=MONDAY + day * ONE_DAY, source_priority=order)
    rows = np.full(4, trial.pk), days_since_1970(0, 1, 2, 3), np.full(4, 5)
    assert Priorities({trial.pk}, source).places(*rows).tolist() == [0, 2, 1, 1]


Told = tuple[list[tuple[str, int, int]], list[str]]


def chosen(
    *people: Participant, first: int = 0, last: int = 6, metrics: tuple[str, ...] = ("steps",), **how: Any
) -> dict[tuple[int, str], Told]:
    """Runs (model, and first and last date as days after the Monday) and others, by participant and metric."""
    dates = {person.pk: [(MONDAY + first * ONE_DAY, MONDAY + last * ONE_DAY)] for person in people}
    found = chosen_sources(
        {person.pk: person.trial_id for person in people}, dates, [BY_CODE[code].id for code in metrics], **how
    )
    return {(pid, BY_ID[metric].code): told(one) for (pid, metric), one in found.items()}


def told(one: Chosen) -> Told:
    runs = [(run.source.device_model, (run.first - MONDAY).days, (run.last - MONDAY).days) for run in one.runs]
    return runs, [source.device_model for source in one.others]


def ids(*keys: SourceKey) -> list[int]:
    return [source_for(key).pk for key in keys]


def test_where_nothing_is_asked_or_there_are_no_data_nothing_is_chosen(person: Participant) -> None:
    assert chosen_sources({}, {}, [1]) == {}
    assert chosen_sources({person.pk: person.trial_id}, {person.pk: []}, [1]) == {}
    assert chosen(person) == {}


def test_of_one_source_the_run_is_from_its_first_to_its_last_date_that_is_asked_for(person: Participant) -> None:
    for n in (0, 1, 5):
        day_of(person, MONDAY + n * ONE_DAY, A, 5)
    key = person.pk, "steps"
    assert chosen(person) == {key: ([("Charge 6", 0, 5)], [])}
    assert chosen(person, first=1, last=4) == {key: ([("Charge 6", 1, 1)], [])}
    assert chosen(person, first=1, last=5) == {key: ([("Charge 6", 1, 5)], [])}
    assert chosen(person, metrics=("heart_rate",)) == {}


def test_runs_change_with_the_source_and_not_with_a_day_without_data(person: Participant) -> None:
    for n in (0, 1, 4, 5, 6):
        day_of(person, MONDAY + n * ONE_DAY, A, 5)
    for n in (4, 6):
        day_of(person, MONDAY + n * ONE_DAY, B, 6)
    assert chosen(person)[person.pk, "steps"] == (
        [("Charge 6", 0, 1), ("Sense 2", 4, 4), ("Charge 6", 5, 5), ("Sense 2", 6, 6)],
        [],
    )
    assert chosen(person, first=4, last=4)[person.pk, "steps"] == ([("Sense 2", 4, 4)], ["Charge 6"])


def test_several_series_of_several_sources_are_told_apart(person: Participant) -> None:
    """People with neighbouring places and dates, and the same winner at the seam: no run reaches into the next."""
    other = ParticipantFactory(trial=person.trial)
    for who, first in ((person, 1), (other, 0)):
        for n, (more, less) in enumerate(((A, B), (B, A)) if who == person else ((B, A), (A, B))):
            for metric in ("steps", "spo2"):
                day_of(who, MONDAY + (first + n) * ONE_DAY, more, 9, metric=metric, value=90)
                day_of(who, MONDAY + (first + n) * ONE_DAY, less, 8, metric=metric, value=90)
    mine = [("Charge 6", 1, 1), ("Sense 2", 2, 2)], list[str]()
    theirs = [("Sense 2", 0, 0), ("Charge 6", 1, 1)], list[str]()
    assert chosen(person, other, metrics=("steps", "spo2")) == {
        (person.pk, "steps"): mine, (person.pk, "spo2"): mine,
        (other.pk, "steps"): theirs, (other.pk, "spo2"): theirs,
    }  # fmt: skip


def test_of_people_in_several_trials_each_goes_by_their_own_protocol(person: Participant) -> None:
    other = ParticipantFactory()
    Protocol.objects.filter(trial=person.trial).update(source_priority=["Sense 2"])
    Protocol.objects.filter(trial=other.trial).update(source_priority=["Charge 6"])
    for who in (person, other):
        day_of(who, MONDAY, A, 5)
        day_of(who, MONDAY, B, 5)
    assert chosen(person, other) == {
        (person.pk, "steps"): ([("Sense 2", 0, 0)], ["Charge 6"]),
        (other.pk, "steps"): ([("Charge 6", 0, 0)], ["Sense 2"]),
    }


def test_one_minute_of_the_first_source_is_enough(person: Participant) -> None:
    Protocol.objects.update(source_priority=["Sense 2"])
    day_of(person, MONDAY, A, 5)
    day_of(person, MONDAY, B, 1)
    assert chosen(person)[person.pk, "steps"] == ([("Sense 2", 0, 0)], ["Charge 6"])


def test_of_named_sources_alone_one_is_chosen(person: Participant) -> None:
    for source, minutes in ((A, 9), (B, 8), (C, 7)):
        day_of(person, MONDAY, source, minutes)
    key = person.pk, "steps"
    assert chosen(person, among=ids(B, C)) == {key: ([("Sense 2", 0, 0)], ["Charge 6", "Pixel Watch"])}
    assert chosen(person, among=ids(C)) == {key: ([("Pixel Watch", 0, 0)], ["Charge 6", "Sense 2"])}
    assert chosen(person, among=[]) == {key: ([], ["Charge 6", "Sense 2", "Pixel Watch"])}
    assert chosen(person) == {key: ([("Charge 6", 0, 0)], ["Sense 2", "Pixel Watch"])}


def test_of_sources_without_a_value_that_counts_the_first_by_the_order_is_read(person: Participant) -> None:
    Protocol.objects.update(source_priority=["Sense 2"])
    day_of(person, MONDAY, A, 20, value=-1)
    day_of(person, MONDAY, B, 10, value=-1)
    key = person.pk, "steps"
    assert chosen(person) == {}
    assert chosen(person, every_sample=True) == {key: ([("Sense 2", 0, 0)], ["Charge 6"])}
    # One that no order names and that has values that count comes before.
    day_of(person, MONDAY, C, 1)
    assert chosen(person, every_sample=True)[key][0] == [("Pixel Watch", 0, 0)]


def test_a_source_is_pinned_for_one_series_on_one_date(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial)
    Protocol.objects.update(source_priority=["Charge 6"])
    for who in (person, other):
        for metric in ("steps", "spo2"):
            for n in range(3):
                day_of(who, MONDAY + n * ONE_DAY, A, 9, metric=metric, value=90)
                day_of(who, MONDAY + n * ONE_DAY, B, 8, metric=metric, value=90)
    (b,) = ids(B)
    pinned = Pinned({person.pk: MONDAY + ONE_DAY}, {(person.pk, BY_CODE["steps"].id): b})
    always = [("Charge 6", 0, 2)], ["Sense 2"]
    found = chosen(person, other, metrics=("steps", "spo2"), pinned=pinned)
    assert found.pop((person.pk, "steps")) == (
        [("Charge 6", 0, 0), ("Sense 2", 1, 1), ("Charge 6", 2, 2)],
        [],
    )
    assert list(found.values()) == [always] * 3
    # A source of a series whose participant stands nowhere is not pinned, nor one without data on the date.
    nowhere = Pinned({}, {(person.pk, BY_CODE["steps"].id): b})
    assert chosen(person, pinned=nowhere)[person.pk, "steps"] == always
    gone = Pinned({person.pk: MONDAY + ONE_DAY}, {(person.pk, BY_CODE["steps"].id): ids(C)[0]})
    assert chosen(person, pinned=gone)[person.pk, "steps"] == always


def test_coverage_is_that_of_the_source_that_counts(person: Participant) -> None:
    Protocol.objects.update(expected_metrics=["steps", "heart_rate", "resting_heart_rate"])
    day_of(person, MONDAY, A, 60)
    day_of(person, MONDAY, B, 600)
    # More samples in fewer minutes are less.
    day_of(person, MONDAY, A, 100, metric="heart_rate", value=70, a_minute=10)
    day_of(person, MONDAY, B, 101, metric="heart_rate", value=70)
    assert ParticipantDay.objects.get(date=MONDAY).coverage == {
        "steps": 600,
        "heart_rate": 101,
        "resting_heart_rate": 0,
    }
    Protocol.objects.update(source_priority=["Charge 6"])
    day_of(person, MONDAY, A, 61)
    assert ParticipantDay.objects.get(date=MONDAY).coverage["steps"] == 61


def test_worn_minutes_are_those_of_all_sources_together(person: Participant) -> None:
    day_of(person, MONDAY, A, 60, metric="heart_rate", value=70)
    day_of(person, MONDAY, B, 60, metric="heart_rate", value=70, first=30)
    assert ParticipantDay.objects.get(date=MONDAY).worn_minutes == 90


def test_on_a_day_in_several_intervals_each_is_worn(person: Participant) -> None:
    # A journey over the date line: the Tuesday begins, is left at noon UTC, and comes again the day after.
    noon = dt.datetime(2026, 5, 5, 12, tzinfo=dt.UTC)
    OffsetPeriod.objects.create(participant=person, starts_at=noon, utc_offset=-11 * 3600)
    OffsetPeriod.objects.create(participant=person, starts_at=noon - ONE_DAY / 2, utc_offset=13 * 3600)
    spans = calendar_of(person).spans([MONDAY + ONE_DAY])
    assert len(spans) == 2
    for span in spans:
        time = span.starts_at + np.arange(360, dtype=np.int64) * 60_000_000
        store(person, deliver(SampleBatch("heart_rate", A, time, np.full(360, 60.0))), now=NOW)
    assert ParticipantDay.objects.get(date=MONDAY + ONE_DAY).worn_minutes == 720


def test_the_number_of_statements_does_not_grow(
    person: Participant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    people: list[Participant] = [person, *(ParticipantFactory(trial=person.trial) for _ in range(3))]
    for one in people:
        for n in range(4):
            day_of(one, MONDAY + n * ONE_DAY, (A, B, C)[n % 3], 20)
            day_of(one, MONDAY + n * ONE_DAY, A, 10, metric="heart_rate", value=70)
    start = calendar_of(person).midnight(MONDAY)
    # people, clocks, what is collected (4), sources (2) and, of several, their days and protocols; buckets of each kind
    with django_assert_num_queries(9):
        reading_queries.series(
            [one.pk for one in people], ["steps", "heart_rate"], start, start + 4 * ONE_DAY, resolution="1d"
        )


ZONES = ["Europe/Amsterdam", "Asia/Kolkata", "America/St_Johns", "Pacific/Auckland", "Pacific/Kiritimati", "UTC"]
# Around both changes of clocks and nowhere near one.
STARTS = [dt.date(2026, 3, 27), dt.date(2026, 10, 23), dt.date(2026, 4, 3), MONDAY]
DAYS = 5
VALUES = (1.0, 31.0, 299.0)  # up to 30 of one are never as much as some of another


class DaysOfSeveralSources(TestCase):
    """Any days of any sources: a day's value is a day's value."""

    @settings(deadline=None, max_examples=20)
    @given(
        zone=st.sampled_from(ZONES),
        start=st.sampled_from(STARTS),
        worn=st.lists(st.tuples(*[st.integers(0, DAYS - 1), st.integers(0, 2), st.integers(1, 30)]), max_size=10),
        orders=st.lists(
            st.tuples(st.integers(-1, DAYS), st.lists(st.sampled_from(["Charge 6", "Sense 2", "watch"]), max_size=2)),
            max_size=2,
        ),
    )
    def test_a_days_value_does_not_depend_on_what_else_is_asked_for(
        self,
        zone: str,
        start: dt.date,
        worn: list[tuple[int, int, int]],
        orders: list[tuple[int, list[str]]],
    ) -> None:
        person = ParticipantFactory(time_zone=zone)
        for version, (day, order) in enumerate(orders, 2):
            ProtocolFactory(
                trial=person.trial, version=version, effective_on=start + day * ONE_DAY, source_priority=order
            )
        for day, source, minutes in worn:
            # A later payload of the same minutes changes nothing.
            day_of(person, start + day * ONE_DAY, (A, B, C)[source], minutes, value=VALUES[source], first=600)
        whole = totals(person, start, start + DAYS * ONE_DAY)
        assert set(whole) == {start + day * ONE_DAY for day, _, _ in worn}
        for first, last in ((0, 0), (1, 1), (2, 3), (1, 4), (4, 4)):
            dates = start + first * ONE_DAY, start + last * ONE_DAY
            inside = {date: total for date, total in whole.items() if dates[0] <= date <= dates[1]}
            assert totals(person, *dates) == inside
        table = reading_queries.day_tables(person, ["steps"], start, start + DAYS * ONE_DAY)["steps"]
        assert {row.date: row.total for row in table} == whole
        for resolution in ("1h", "1m", "raw"):
            assert totals(person, start, start + DAYS * ONE_DAY, resolution=resolution) == whole
        for date, total in whole.items():
            mine = {source: minutes for day, source, minutes in sorted(worn) if start + day * ONE_DAY == date}
            assert total == _expected(person, date, mine)


def _expected(person: Participant, date: dt.date, minutes: dict[int, int]) -> float:
    """The rule said once more, simply. `minutes`: by source, the most that were delivered."""
    versions = sorted(Protocol.objects.filter(trial=person.trial), key=lambda p: (p.effective_on, p.version))
    order = ([p for p in versions if p.effective_on <= date] or versions[:1])[-1].source_priority
    names = [{"Charge 6", "watch"}, {"Sense 2", "watch"}, {"Pixel Watch", "watch"}]
    ids = {source.device_model: source.pk for source in Source.objects.all()}

    def rank(source: int) -> tuple[int, int, int]:
        places = [n for n, name in enumerate(order) if name in names[source]]
        return min(places, default=99), -minutes[source], ids[(A, B, C)[source].device_model]

    best = min(minutes, key=rank)
    return minutes[best] * VALUES[best]


def steps_of(person: Participant, limit: int) -> Adherence:
    return adherence_by_steps(Participant.objects.filter(pk=person.pk), limit)[person.pk]


@pytest.fixture
def monitored(person: Participant) -> Participant:
    """Monitored on Monday and Tuesday, with a heart rate on both: two days that are over and count."""
    Participant.objects.filter(pk=person.pk).update(
        monitoring_starts_on=MONDAY, monitoring_ends_on=MONDAY + ONE_DAY, time_zone="Europe/Amsterdam"
    )
    person.refresh_from_db()
    for n in range(2):
        day_of(person, MONDAY + n * ONE_DAY, A, 60, metric="heart_rate", value=70)
    return person


def test_a_day_is_valid_by_the_steps_of_the_source_that_counts(monitored: Participant) -> None:
    day_of(monitored, MONDAY, A, 100, value=10)
    day_of(monitored, MONDAY, B, 50, value=100)
    # The second source counted more steps in fewer minutes: it is not the one that counts.
    assert (steps_of(monitored, 1000).valid, steps_of(monitored, 1001).valid) == (1, 0)
    assert steps_of(monitored, 1000).adherence == 0.5
    Protocol.objects.update(source_priority=["Sense 2"])
    assert (steps_of(monitored, 5000).valid, steps_of(monitored, 5001).valid) == (1, 0)


def test_a_day_is_valid_by_daily_totals_alone(monitored: Participant) -> None:
    day_of(monitored, MONDAY, A, 1, metric="steps_24h", value=8000)
    assert (steps_of(monitored, 8000).valid, steps_of(monitored, 8001).valid) == (1, 0)
    assert steps_of(monitored, 8000).counted == 2


def test_without_steps_no_day_is_valid_by_steps(monitored: Participant) -> None:
    assert steps_of(monitored, 1) == Adherence(monitored.pk, valid=0, counted=2)
