"""Which values count: the ranges in Python and SQL, and that what lies outside is kept and counts for nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from math import inf, isnan, nan, nextafter
from typing import Any

import numpy as np
import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.batch import OffsetChange, Payload, Replaced, SampleBatch
from metrics.maintenance.retention import cutoff_for, retain
from metrics.models import (
    DayRollup,
    Gap,
    HourRollup,
    ImplausibleCount,
    Measurement,
    MinuteRollup,
    ParticipantDay,
    ParticipantStatusSummary,
    Revision,
)
from metrics.monitoring.day_inputs import neighbours
from metrics.monitoring.gaps import Neighbours
from metrics.reading import queries as reading_queries
from metrics.registry import BY_CODE, HEART_RATE, METRICS, RANGES_SINCE, RANGES_VERSION, STEPS, Kind, Metric
from metrics.selection.plausible_range import counted, per_minute, plausible, range_text
from metrics.storage.stored_days import kept_days
from metrics.writing import retention_filter
from metrics.writing.retention_filter import MARGIN
from metrics.writing.writer import recompute, store
from participants.models import Participant
from tests.factories import ParticipantFactory, TrialFactory
from tests.metrics.samples import CHARGE, NOON, NOW, PHONE, batch, deliver
from tests.paths import ROOT

MONDAY = dt.date(2026, 5, 4)
MIDNIGHT = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)  # in Amsterdam
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
INTERVALS = [metric for metric in METRICS if metric.kind is Kind.INTERVAL]
PER_MINUTE = {"steps", "distance", "energy", "active_zone_minutes"}


def just(bound: float, towards: float) -> float:
    return nextafter(float(bound), towards)


def edges(metric: Metric) -> tuple[list[float], list[float]]:
    """Values on the bounds and just inside; and just outside."""
    low, high = map(float, metric.plausible)
    return [low, just(low, inf), just(high, -inf), high], [just(low, -inf), just(high, inf)]


def in_sql(metrics: Sequence[int], values: Sequence[float], seconds: Sequence[int | None]) -> list[bool]:
    statement = f"""
        SELECT {counted("m")} FROM unnest(%s::int2[], %s::float8[], %s::int4[])
            WITH ORDINALITY AS m(metric_id, value, seconds, place) ORDER BY place
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(metrics), list(values), list(seconds)])
        return [row[0] for row in cursor.fetchall()]


# --- the rule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.code)
def test_a_value_on_a_bound_counts_and_just_outside_it_does_not(db: None, metric: Metric) -> None:
    inside, outside = edges(metric)
    values = np.array([*inside, *outside, nan, inf, -inf])
    expected = [True] * 4 + [False] * 5
    assert plausible(metric, values).tolist() == expected
    assert in_sql([metric.id] * 9, values.tolist(), [None] * 9) == expected


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.code)
@pytest.mark.parametrize("seconds", [1, 30, 60, 300, 900, 3600, 86_400])
def test_only_the_range_of_a_sum_of_an_interval_grows_with_its_length(db: None, metric: Metric, seconds: int) -> None:
    assert per_minute(metric) == (metric.code in PER_MINUTE)
    low, high = map(float, metric.plausible)
    most = high * max(seconds, 60) / 60 if metric.code in PER_MINUTE else high
    values = np.array([low, most, just(low, -inf), just(most, inf)])
    lengths = np.full(4, seconds, dtype=np.int32)
    assert plausible(metric, values, lengths).tolist() == [True, True, False, False]
    assert in_sql([metric.id] * 4, values.tolist(), [seconds] * 4) == [True, True, False, False]


def test_an_hour_of_4000_steps_is_plausible_and_a_minute_of_them_is_not() -> None:
    assert plausible(STEPS, np.array([4000.0, 4000.0]), np.array([3600, 60])).tolist() == [True, False]


def test_ranges_are_said_as_text() -> None:
    words = {code: range_text(BY_CODE[code]) for code in ("heart_rate", "steps", "hrv_rmssd", "steps_24h")}
    assert words == {
        "heart_rate": "25 to 240 /min",
        "steps": "0 to 300 {steps} a minute",
        "hrv_rmssd": "1 to 300 ms",
        "steps_24h": "0 to 100000 {steps}",
    }


def near_bounds(metric: Metric) -> st.SearchStrategy[float]:
    marks = [float(m) * factor for m in metric.plausible for factor in (1, 5, 15, 60)]
    close = st.sampled_from(marks).flatmap(lambda m: st.sampled_from([m, just(m, inf), just(m, -inf)]))
    return close | st.floats(allow_nan=True, allow_infinity=True)


ROWS = st.lists(
    st.sampled_from(METRICS).flatmap(
        lambda metric: st.tuples(
            st.just(metric),
            near_bounds(metric),
            st.none() | st.sampled_from([0, 1, 59, 60, 61, 300, 900, 3600]) | st.integers(0, 2**31 - 1),
        )
    ),
    min_size=1,
    max_size=60,
)


@pytest.mark.django_db
@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_python_and_sql_say_the_same_of_any_value(rows: list[tuple[Metric, float, int | None]]) -> None:
    told = in_sql([m.id for m, _, _ in rows], [v for _, v, _ in rows], [s for _, _, s in rows])
    for (metric, value, seconds), says in zip(rows, told, strict=True):
        length = None if seconds is None else np.array([seconds], dtype=np.int32)
        assert plausible(metric, np.array([value]), length).tolist() == [says]
        assert not (says and isnan(value))


# --- what is counted ---------------------------------------------------------------------------------------------


@pytest.fixture
def person(db: None) -> Participant:
    return ParticipantFactory(
        time_zone="Europe/Amsterdam", monitoring_starts_on=MONDAY, monitoring_ends_on=MONDAY + 27 * DAY
    )


def buckets(model: Any, metric: Metric = HEART_RATE) -> list[tuple[Any, ...]]:
    rows = model.objects.filter(metric_id=metric.id).order_by("bucket")
    return list(rows.values_list("n", "total", "low", "high"))


def days(metric: Metric = HEART_RATE) -> list[tuple[Any, ...]]:
    rows = DayRollup.objects.filter(metric_id=metric.id).order_by("date")
    return list(rows.values_list("date", "minutes", "n", "total", "low", "high"))


def marked() -> list[tuple[dt.date, int]]:
    return list(ImplausibleCount.objects.order_by("date").values_list("date", "n"))


def whole_day(value: float, *, start: dt.datetime = MIDNIGHT, step: float = 60) -> Payload:
    return deliver(batch([value] * round(86_400 / step), start=start, step=step))


@pytest.mark.parametrize("value", [0.0, -1.0, 3.0, 24.999, 240.001, 255.0, 65_535.0])
def test_a_day_of_impossible_heart_rates_is_kept_and_is_not_worn(person: Participant, value: float) -> None:
    counts = store(person, whole_day(value), now=NOW)
    assert (counts.new, counts.flagged) == (1440, 1440)
    assert Measurement.objects.count() == 1440
    for model in (MinuteRollup, HourRollup, DayRollup):
        assert not model.objects.exists()
    assert marked() == [(MONDAY, 1440)]
    day = ParticipantDay.objects.get(date=MONDAY)
    assert (day.status, day.worn_minutes, day.coverage.get("heart_rate")) == ("i", 0, 0)
    gaps = [(gap.starts_at, gap.ends_at) for gap in Gap.objects.filter(date=MONDAY)]
    assert (gaps[0][0], sum((end - start for start, end in gaps), dt.timedelta())) == (MIDNIGHT, DAY)
    for resolution in ("raw", "1m", "1h", "1d"):
        (found,) = reading_queries.series([person.pk], ["heart_rate"], MIDNIGHT, MIDNIGHT + DAY, resolution=resolution)
        assert len(found) == 0


@pytest.mark.parametrize("value", [25.0, 240.0])
def test_a_day_of_heart_rates_on_a_bound_is_worn(person: Participant, value: float) -> None:
    store(person, whole_day(value), now=NOW)
    day = ParticipantDay.objects.get(date=MONDAY)
    assert (day.status, day.worn_minutes, marked()) == ("v", 1440, [])


def test_impossible_values_still_prove_that_the_device_handed_its_data_on(person: Participant) -> None:
    """Monday, of which nothing came, was not worn: the zeros of Tuesday show that it would have come."""
    now = MIDNIGHT + 2 * DAY + HOUR
    store(person, whole_day(0.0, start=MIDNIGHT + DAY), now=now)
    newest = MIDNIGHT + 2 * DAY - dt.timedelta(minutes=1)
    summary = ParticipantStatusSummary.objects.get(participant=person)
    assert (summary.last_sample_at, summary.arrived_at) == (newest, now)
    assert ParticipantDay.objects.get(date=MONDAY).status == "i"
    assert ParticipantDay.objects.get(date=MONDAY + DAY).last_sample_at == newest


@pytest.mark.parametrize("again", [False, True], ids=["new data", "data where there are some"])
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.code)
def test_minutes_hours_and_days_hold_what_lies_on_the_bounds_and_nothing_outside(
    person: Participant, metric: Metric, again: bool
) -> None:
    inside, outside = edges(metric)
    values = [v for pair in zip([*inside, inside[0], inside[0]], [*outside] * 3, strict=True) for v in pair]
    if again:
        store(person, deliver(batch([inside[0]], metric=metric.code, step=1)), now=NOW)
    assert store(person, deliver(batch(values, metric=metric.code, step=1)), now=NOW).flagged == 6
    kept = [*inside, inside[0], inside[0]]
    told: tuple[Any, ...] = (6, pytest.approx(sum(kept)), min(kept), max(kept))
    assert buckets(MinuteRollup, metric) == ([told] if metric.subminute else [])
    assert buckets(HourRollup, metric) == [told]
    assert days(metric) == [(MONDAY, 1, *told)]
    assert marked() == [(MONDAY, 6)]


@pytest.mark.parametrize("metric", INTERVALS, ids=lambda metric: metric.code)
def test_the_length_of_an_interval_counts_in_the_rollups_too(person: Participant, metric: Metric) -> None:
    high = float(metric.plausible[1])
    most = high * 15 if metric.code in PER_MINUTE else high
    values = batch([most, just(most, inf)], metric=metric.code, step=900, seconds=900)
    assert store(person, deliver(values), now=NOW).flagged == 1
    assert buckets(HourRollup, metric) == [(1, most, most, most)]
    assert [day[2] for day in days(metric)] == [1]
    (series,) = reading_queries.series([person.pk], [metric.code], NOON, NOON + HOUR, resolution="1m")
    assert series.total.tolist() == [most]
    (series,) = reading_queries.series([person.pk], [metric.code], NOON, NOON + HOUR, resolution="raw")
    assert series.total.tolist() == [most]


def test_a_minute_with_both_is_made_of_what_counts(person: Participant) -> None:
    store(person, deliver(batch([0, 60, 255, 70, 0, 0], step=15)), now=NOW)
    assert buckets(MinuteRollup) == [(2, 130, 60, 70)]
    assert buckets(HourRollup) == [(2, 130, 60, 70)]
    assert days() == [(MONDAY, 1, 2, 130, 60, 70)]
    assert ParticipantDay.objects.get(date=MONDAY).worn_minutes == 1


def test_markers_among_the_steps_are_not_subtracted(person: Participant) -> None:
    values = batch([-1.0] * 600 + [14.0] * 600, metric="steps", step=60, seconds=60, start=MIDNIGHT)
    store(person, deliver(values), now=NOW)
    assert [(day[2], day[3]) for day in days(STEPS)] == [(600, 8400)]
    (series,) = reading_queries.series([person.pk], ["steps"], MIDNIGHT, MIDNIGHT + DAY, resolution="1d")
    assert series.total.tolist() == [8400]


def test_impossible_neighbours_explain_no_gap(person: Participant) -> None:
    """Zero steps tell of a device off the wrist; -1 steps tell nothing."""
    start, end = NOON, NOON + HOUR
    store(person, deliver(batch([-1.0] * 30 + [0.0] * 20 + [5.0] * 10, metric="steps", step=60, seconds=60)), now=NOW)
    day = _evaluated(person)
    assert neighbours([(day, start, end)]) == [Neighbours(True, 30, 20, 50)]
    store(person, deliver(batch([-1.0] * 60, metric="steps", step=60, seconds=60)), now=NOW)
    assert neighbours([(_evaluated(person), start, end)]) == [Neighbours()]


def _evaluated(person: Participant) -> Any:
    from metrics.monitoring import day_inputs
    from metrics.participant_calendars import calendar_of
    from participants.models import Protocol

    (known,) = day_inputs.people([person.pk])
    (day,) = day_inputs.days_of(known, [MONDAY], calendar_of(person), {MONDAY: Protocol()})
    day_inputs.read([day])
    return day


def test_of_two_sources_the_impossible_values_of_one_do_not_make_it_the_one_with_most_data(
    person: Participant,
) -> None:
    broken, good = batch([0.0] * 500, source=PHONE), batch([60.0] * 100, source=CHARGE)
    store(person, deliver(broken, good), now=NOW)
    (series,) = reading_queries.series([person.pk], ["heart_rate"], MIDNIGHT, MIDNIGHT + DAY, resolution="1d")
    assert (series.source and series.source.device_model, series.n.tolist()) == ("Charge 6", [100])


# --- corrections, removal, clocks --------------------------------------------------------------------------------


def test_a_value_may_become_possible_and_impossible_again(person: Participant) -> None:
    bad, good = [0.0] * 120, [60.0] * 120
    told = [
        ([], [], [(MONDAY, 120)], "i", 0),
        ([(60, 3600, 60, 60)] * 2, [(MONDAY, 2, 120, 7200, 60, 60)], [], "i", 2),
    ]
    for turn, values in enumerate((bad, good, bad, good)):
        store(person, deliver(batch(values, step=1)), now=NOW)
        minutes, rollup, left, status, worn = told[turn % 2]
        assert (buckets(MinuteRollup), days(), marked()) == (minutes, rollup, left)
        day = ParticipantDay.objects.get(date=MONDAY)
        assert (day.status, day.worn_minutes) == (status, worn)
    assert Revision.objects.count() == 3 * 120
    assert set(Revision.objects.values_list("old_value", flat=True)) == {0.0, 60.0}


def test_one_value_among_many_may_become_impossible(person: Participant) -> None:
    store(person, deliver(batch([60.0] * 12)), now=NOW)
    store(person, deliver(batch([3.0])), now=NOW)
    assert (days(), marked()) == ([(MONDAY, 1, 11, 660, 60, 60)], [(MONDAY, 1)])
    store(person, deliver(batch([61.0])), now=NOW)
    assert (days(), marked()) == ([(MONDAY, 1, 12, 721, 60, 61)], [])


def test_the_same_impossible_values_again_change_nothing(person: Participant) -> None:
    store(person, deliver(batch([0.0, 60.0])), now=NOW)
    counts = store(person, deliver(batch([0.0, 60.0])), now=NOW)
    assert (counts.unchanged, counts.flagged, marked()) == (2, 1, [(MONDAY, 1)])


@pytest.mark.parametrize("code", ["heart_rate", "spo2"])
def test_what_the_vendor_takes_back_is_found_where_nothing_else_was(person: Participant, code: str) -> None:
    store(person, deliver(batch([0.0] * 5, metric=code)), now=NOW)
    gone = Payload(replaces=[Replaced("testvendor", code, NOON, NOON + HOUR)])
    assert store(person, gone, now=NOW).removed == 5
    assert (Measurement.objects.count(), marked(), Revision.objects.count()) == (0, [], 5)
    day = ParticipantDay.objects.get(date=MONDAY)
    assert (day.status, day.last_sample_at) == ("l", None)


def test_marks_follow_the_participant_s_clock(person: Participant) -> None:
    late = MIDNIGHT + DAY - HOUR
    store(person, deliver(batch([0.0] * 3, start=late)), now=NOW)
    assert marked() == [(MONDAY, 3)]
    store(person, Payload(offsets=[OffsetChange(MIDNIGHT, 3 * 3600)]), now=NOW)
    assert marked() == [(MONDAY + DAY, 3)]
    assert ParticipantDay.objects.get(date=MONDAY + DAY).last_sample_at is not None
    assert ParticipantDay.objects.get(date=MONDAY).last_sample_at is None


def test_days_with_values_are_found_whether_these_count_or_not(person: Participant) -> None:
    store(person, deliver(batch([0.0]), batch([60.0], start=NOON + DAY), batch([96.0], metric="spo2")), now=NOW)
    assert kept_days("date", participant_id=person.pk) == {MONDAY, MONDAY + DAY}
    assert kept_days("metric_id", "date", participant_id=person.pk, date=MONDAY) == {
        (HEART_RATE.id, MONDAY),
        (BY_CODE["spo2"].id, MONDAY),
    }


# --- retention and recomputing -----------------------------------------------------------------------------------

CUTOFF = cutoff_for(100, NOW)
YOUNG = CUTOFF + MARGIN + DAY


def everything() -> list[Any]:
    columns = ("metric_id", "date", "minutes", "n", "total", "low", "high")
    return [
        sorted(DayRollup.objects.values_list(*columns)),
        sorted(ImplausibleCount.objects.values_list("metric_id", "date", "n", "newest")),
        sorted(ParticipantDay.objects.values_list("date", "status", "worn_minutes", "last_sample_at")),
    ]


def test_a_day_of_impossible_values_stays_what_it_was_when_its_samples_are_deleted(db: None) -> None:
    person = ParticipantFactory(trial=TrialFactory(retain_raw_days=100))
    store(person, deliver(batch([0.0] * 10), batch([-1.0] * 10, metric="steps", seconds=60)), now=NOW)
    store(person, deliver(batch([0.0] * 10, start=YOUNG), batch([60.0] * 10, start=YOUNG + DAY)), now=NOW)
    before = everything()
    assert len(before[1]) == 3
    retain(NOW)
    assert Measurement.objects.count() == 20
    recompute(person, NOON - 3 * DAY, NOW, now=NOW)
    assert everything() == before


def test_recomputing_makes_the_first_and_the_last_day_again_too(person: Participant) -> None:
    for n in range(3):
        start = MIDNIGHT + n * DAY
        store(person, deliver(batch([0.0, 60.0], start=start), batch([7.0], start=start, metric="steps")), now=NOW)
    before = everything()
    recompute(person, MIDNIGHT + DAY, MIDNIGHT + DAY, now=NOW)  # a day more at both ends
    assert everything() == before
    assert [len(part) for part in before[:2]] == [6, 3]


def test_what_is_made_of_samples_is_made_again_from_the_first_day_on_that_has_them_all(db: None) -> None:
    person = ParticipantFactory(trial=TrialFactory(retain_raw_days=100), time_zone="UTC")
    first = retention_filter.takes_from(CUTOFF)
    assert first is not None
    retain(NOW)
    steps = batch([7.0, -1.0, 8.0], start=first, step=60, metric="steps", seconds=60)
    daily = batch([8000.0, -1.0], start=first, step=86_400, metric="steps_24h")
    store(person, deliver(steps, daily), now=NOW)
    before = everything()
    assert [len(part) for part in before[:2]] == [2, 2]
    recompute(person, first, NOW, now=NOW)
    assert everything() == before
    # A bucket that is not made again keeps what a changed sample no longer says.
    DayRollup.objects.update(total=0)
    ImplausibleCount.objects.update(n=99)
    recompute(person, first, NOW, now=NOW)
    assert everything() == before


# --- the document ------------------------------------------------------------------------------------------------


def test_the_document_says_the_version_and_every_range() -> None:
    text = (ROOT / "docs" / "data-model.md").read_text()
    assert f"version {RANGES_VERSION}, {RANGES_SINCE}." in text
    assert f"| Metric | Counts (version {RANGES_VERSION}) |" in text
    for metric in METRICS:
        low, high = metric.plausible
        words = " a minute" if per_minute(metric) else ""
        assert f"| `{metric.code}` | {low:g} to {high:g} {metric.label}{words} |" in text


# --- in any order ------------------------------------------------------------------------------------------------

# A few instants of three minutes at the end of a local day and one after it; what is brought of each, again and again.
INSTANTS = [MIDNIGHT + DAY - dt.timedelta(minutes=2) + n * dt.timedelta(seconds=20) for n in range(9)]
BROUGHT = st.dictionaries(
    st.integers(0, len(INSTANTS) - 1), st.sampled_from([0.0, -1.0, 24.9, 25.0, 60.0, 240.0, 240.1, 255.0]), max_size=6
)
TURNS = st.lists(st.tuples(BROUGHT, st.booleans()), min_size=1, max_size=5)


@pytest.mark.django_db
@settings(deadline=None, max_examples=40)
@given(TURNS)
def test_whatever_comes_in_whatever_order_what_counts_is_counted(turns: list[tuple[dict[int, float], bool]]) -> None:
    """Payloads, each of which replaces the whole interval or adds to it: afterwards all says what the samples say."""
    person = ParticipantFactory.create(time_zone="Europe/Amsterdam", monitoring_starts_on=MONDAY)
    held: dict[int, float] = {}
    for brought, whole in turns:
        held = {**({} if whole else held), **brought}
        times = np.array([int(INSTANTS[n].timestamp()) * 1_000_000 for n in brought], dtype=np.int64)
        samples = [SampleBatch("heart_rate", CHARGE, times, np.array(list(brought.values())))] if brought else []
        replaced = [Replaced("testvendor", "heart_rate", INSTANTS[0], INSTANTS[-1] + HOUR)] if whole else []
        store(person, Payload(samples=samples, replaces=replaced), now=NOW)
    rows = Measurement.objects.filter(participant=person).order_by("time").values_list("time", "value")
    assert list(rows) == [(INSTANTS[n], held[n]) for n in sorted(held)]
    good = {n: value for n, value in held.items() if 25 <= value <= 240}
    minutes = {INSTANTS[n].replace(second=0) for n in good}
    assert set(MinuteRollup.objects.filter(participant=person).values_list("bucket", flat=True)) == minutes
    for model in (MinuteRollup, HourRollup, DayRollup):
        found = model._default_manager.filter(participant=person).values_list("n", "total")
        assert (sum(n for n, _ in found), sum(total for _, total in found)) == (len(good), sum(good.values()))
    bad = [MONDAY if n < 6 else MONDAY + DAY for n in held if n not in good]
    marks = ImplausibleCount.objects.filter(participant=person).values_list("date", "n")
    assert sorted(marks) == sorted({date: bad.count(date) for date in bad}.items())
    worn = ParticipantDay.objects.filter(participant=person, worn_minutes__gt=0).values_list("worn_minutes", flat=True)
    assert sum(worn) == len(minutes)
