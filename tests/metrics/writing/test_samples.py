"""Samples that are written: what a batch changes, what is made of it, and what it says of that."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction
from django.db.models import Max, Sum
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.batch import Counts, SampleBatch
from metrics.local_time import LocalCalendar
from metrics.models import DayRollup, HourRollup, ImplausibleCount, Measurement, MinuteRollup, Revision
from metrics.participant_calendars import calendar_of
from metrics.registry import BY_CODE
from metrics.writing import stored_rows
from metrics.writing.rollups import SeriesKey, recount
from metrics.writing.row_changes import NO_SECONDS, Trace
from metrics.writing.samples import in_order, remove_absent, store_samples
from metrics.writing.writer import source_for
from tests.factories import ParticipantFactory
from tests.metrics.samples import CHARGE, NOON, NOW, PHONE

SECOND = 1_000_000
MINUTE = 60 * SECOND
UTC = LocalCalendar(zoneinfo.ZoneInfo("UTC"))
MONDAY = NOON.date()
DAY = 24 * 60 * MINUTE
ROLLUPS: tuple[Any, ...] = (MinuteRollup, HourRollup, DayRollup, ImplausibleCount)
AT = int(NOON.timestamp()) * SECOND  # the beginning of a minute


def taken(
    times: Sequence[int], values: Sequence[float], *, metric: str = "heart_rate", seconds: Sequence[int] | None = None
) -> SampleBatch:
    """Samples at microseconds after noon."""
    lengths = None if seconds is None else np.array(seconds, dtype=np.int32)
    return SampleBatch(metric, CHARGE, AT + np.array(times, dtype=np.int64), np.array(values, dtype=float), lengths)


@dataclass(frozen=True)
class Result:
    """What became of one batch: its counts, and the local dates on which something changed."""

    counts: Counts
    dates: set[dt.date]


def write(series: SeriesKey, batch: SampleBatch, trace: Trace | None = None) -> Result:
    """Write one batch of a participant who lives in UTC."""
    written = store_samples([(series, batch)], UTC, NOW, trace)
    return Result(written.counts[0], written.dates)


@pytest.fixture
def heart(db: None) -> SeriesKey:
    return SeriesKey(ParticipantFactory().pk, BY_CODE["heart_rate"], source_for(CHARGE).pk)


@pytest.fixture
def steps(heart: SeriesKey) -> SeriesKey:
    return SeriesKey(heart.participant, BY_CODE["steps"], heart.source)


def stored(series: SeriesKey) -> dict[int, tuple[float, int | None]]:
    """Value and length by microseconds after noon."""
    rows = Measurement.objects.filter(
        participant_id=series.participant, metric_id=series.metric.id, source_id=series.source
    )
    return {(at - NOON) // dt.timedelta(microseconds=1): (value, length)
            for at, value, length in rows.values_list("time", "value", "seconds")}  # fmt: skip


def minutes() -> list[tuple[int, float, float, float]]:
    return list(MinuteRollup.objects.order_by("bucket").values_list("n", "total", "low", "high"))


# --- Order ---


def ordered(times: Sequence[int], wanted: Sequence[bool] | None = None) -> tuple[list[int], list[float], int]:
    """The order of samples whose values are their places."""
    batch = taken(times, range(len(times)))
    mask = np.array([True] * len(times) if wanted is None else wanted, dtype=np.bool_)
    time, value, _, repeated = in_order(batch, mask)
    return (time - AT).tolist(), value.tolist(), repeated


@pytest.mark.parametrize(
    ("times", "sorted_times", "places", "repeated"),
    [
        ([], [], [], 0),
        ([5], [5], [0], 0),
        ([5, 6], [5, 6], [0, 1], 0),
        ([6, 5], [5, 6], [1, 0], 0),
        ([5, 5], [5], [1], 1),
        ([5, 5, 6], [5, 6], [1, 2], 1),
        ([5, 7, 6], [5, 6, 7], [0, 2, 1], 0),
        ([5, 8, 6, 7], [5, 6, 7, 8], [0, 2, 3, 1], 0),
        ([7, 5, 7, 5, 6], [5, 6, 7], [3, 4, 2], 2),
    ],
)
def test_samples_ascend_and_of_one_instant_the_last_one_stays(
    times: list[int], sorted_times: list[int], places: list[float], repeated: int
) -> None:
    assert ordered(times) == (sorted_times, places, repeated)


def test_of_many_repeats_the_last_ones_stay() -> None:
    assert ordered([n % 2 for n in range(1000)]) == ([0, 1], [998, 999], 998)


def test_what_is_not_wanted_is_left_out_before_repeats_are_counted() -> None:
    assert ordered([5, 5, 6], [True, False, True]) == ([5, 6], [0, 2], 0)
    assert ordered([6, 5, 5], [True, True, False]) == ([5, 6], [1, 0], 0)
    assert ordered([5, 6], [False, False]) == ([], [], 0)


def test_lengths_are_ordered_with_their_samples() -> None:
    batch = taken([7, 5, 7, 6], [1, 2, 3, 4], metric="steps", seconds=[10, 20, 30, 40])
    _, value, seconds, _ = in_order(batch, np.array([True, True, True, False]))
    assert seconds is not None
    assert (value.tolist(), seconds.tolist()) == ([2, 3], [20, 30])


# --- What is made of them ---


def test_a_batch_goes_in_with_its_minutes(heart: SeriesKey) -> None:
    written = write(heart, taken([0, SECOND, MINUTE], [60, 62, 70]))
    assert written == Result(Counts(new=3), {MONDAY})
    assert stored(heart) == {0: (60, None), SECOND: (62, None), MINUTE: (70, None)}
    assert minutes() == [(2, 122, 60, 62), (1, 70, 70, 70)]


@pytest.mark.parametrize("there", [-1, 0, MINUTE, 3 * MINUTE - 1, 3 * MINUTE])
def test_minutes_hours_and_days_hold_what_was_there_before(heart: SeriesKey, there: int) -> None:
    write(heart, taken([there], [90]))
    write(heart, taken([10 * SECOND, MINUTE + SECOND, 2 * MINUTE + SECOND], [61, 62, 63]))
    for model in (MinuteRollup, HourRollup, DayRollup):
        assert model._default_manager.aggregate(n=Sum("n"), total=Sum("total"), high=Max("high")) == {
            "n": 4, "total": 276, "high": 90,
        }  # fmt: skip


def test_what_comes_behind_the_last_sample_joins_its_hour_and_day(heart: SeriesKey) -> None:
    write(heart, taken([0], [60]))
    write(heart, taken([MINUTE, 61 * MINUTE], [70, 80]))
    assert list(HourRollup.objects.order_by("bucket").values_list("n", "total")) == [(2, 130), (1, 80)]
    assert list(DayRollup.objects.values_list("date", "minutes", "n", "total")) == [(MONDAY, 3, 3, 210)]


def test_a_payload_of_several_series_is_written_with_as_many_statements_as_one(
    heart: SeriesKey, steps: SeriesKey, django_assert_num_queries: Any
) -> None:
    with CaptureQueriesContext(connection) as one:
        store_samples([(heart, taken([0], [60]))], UTC, NOW)
    batches = [(heart, taken([DAY], [60])), (steps, taken([DAY], [5], metric="steps", seconds=[60]))]
    with django_assert_num_queries(len(one)):
        written = store_samples(batches, UTC, NOW)
    assert written.counts == [Counts(new=1), Counts(new=1)]
    assert (stored(heart)[DAY], stored(steps)[DAY]) == ((60, None), (5, 60))


def test_of_two_batches_of_a_series_the_later_one_stays(heart: SeriesKey) -> None:
    written = store_samples([(heart, taken([0], [60])), (heart, taken([0, 1], [70, 71]))], UTC, NOW)
    assert written.counts == [Counts(new=1), Counts(new=1, changed=1)]
    assert stored(heart) == {0: (70, None), 1: (71, None)}


BATCHES = st.lists(
    st.tuples(
        st.sampled_from(["heart_rate", "steps"]),
        st.dictionaries(st.integers(-40, 40), st.sampled_from([0.0, 5.0, 60.0, 100_000.0]), min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.django_db
@settings(max_examples=40)
@given(BATCHES)
def test_whatever_came_in_which_order_rollups_are_those_of_the_samples(
    batches: list[tuple[str, dict[int, float]]],
) -> None:
    with transaction.atomic():
        person = ParticipantFactory(time_zone="Asia/Kolkata")
        calendar, source = calendar_of(person), source_for(CHARGE).pk
        for metric, values in batches:
            series = SeriesKey(person.pk, BY_CODE[metric], source)
            times = [n * 25 * MINUTE + n % 3 for n in values]
            store_samples([(series, taken(times, list(values.values()), metric=metric))], calendar, NOW)
        made = [list(model._default_manager.order_by("pk").values_list()) for model in ROLLUPS]
        days = {calendar.date(at) for at in Measurement.objects.values_list("time", flat=True)}
        for metric in {metric for metric, _ in batches}:
            recount(SeriesKey(person.pk, BY_CODE[metric], source), days, calendar)
        assert made == [list(model._default_manager.order_by("pk").values_list()) for model in ROLLUPS]
        transaction.set_rollback(True)


@pytest.mark.parametrize("other", ["participant", "metric", "source"])
def test_samples_of_another_series_are_not_in_the_way(heart: SeriesKey, other: str) -> None:
    series = {
        "participant": lambda: SeriesKey(ParticipantFactory().pk, heart.metric, heart.source),
        "metric": lambda: SeriesKey(heart.participant, BY_CODE["steps"], heart.source),
        "source": lambda: SeriesKey(heart.participant, heart.metric, source_for(PHONE).pk),
    }[other]()
    write(series, taken([0, SECOND], [60, 61], metric=series.metric.code))
    written = write(heart, taken([0], [70]))
    assert written.counts == Counts(new=1)
    assert stored(series) == {0: (60, None), SECOND: (61, None)}
    assert Revision.objects.count() == 0


def test_what_does_not_count_is_stored_and_not_in_the_minutes(heart: SeriesKey) -> None:
    written = write(heart, taken([0, SECOND, MINUTE], [60, 0, 0]))
    assert written.counts == Counts(new=3, flagged=2)
    assert minutes() == [(1, 60, 60, 60)]
    assert list(ImplausibleCount.objects.values_list("date", "n")) == [(MONDAY, 2)]


def test_where_nothing_counts_there_are_no_minutes(heart: SeriesKey) -> None:
    written = write(heart, taken([0, SECOND], [0, 0]))
    assert (written.counts.flagged, written.dates) == (2, {MONDAY})
    assert minutes() == []


def test_what_is_no_measurement_is_counted_by_its_reason_and_leaves_the_rest(heart: SeriesKey) -> None:
    written = write(heart, taken([0, SECOND, 2 * SECOND], [60, float("nan"), float("inf")]))
    assert written.counts == Counts(new=1, rejected={"value is not a finite number": 2})
    assert sorted(stored(heart)) == [0]


def test_a_batch_of_nothing_else_changes_nothing(heart: SeriesKey) -> None:
    written = write(heart, taken([0], [float("nan")]))
    assert written.counts == Counts(rejected={"value is not a finite number": 1})
    assert written.dates == set()
    assert stored(heart) == {}


# --- What differs ---


def test_of_a_batch_that_is_read_again_what_differs_is_written_and_told(heart: SeriesKey) -> None:
    write(heart, taken([0, SECOND, 2 * SECOND, 4 * SECOND], [60, 61, 62, 64]))
    again = taken([0, SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND], [60, 71, 62, 63, 74])
    written = write(heart, again)
    assert written.counts == Counts(new=1, changed=2, unchanged=2)
    assert written.dates == {MONDAY}
    assert {at: value for at, (value, _) in stored(heart).items()} == {
        0: 60, SECOND: 71, 2 * SECOND: 62, 3 * SECOND: 63, 4 * SECOND: 74,
    }  # fmt: skip
    kept = Revision.objects.order_by("time").values_list("old_value", "old_seconds")
    assert list(kept) == [(61, None), (64, None)]


def test_a_zero_that_was_stored_is_changed_as_any_value(steps: SeriesKey) -> None:
    write(steps, taken([0, SECOND], [0, 0], metric="steps"))
    assert write(steps, taken([0, SECOND], [0, 5], metric="steps")).counts == Counts(changed=1, unchanged=1)
    assert stored(steps) == {0: (0, None), SECOND: (5, None)}
    assert list(Revision.objects.values_list("old_value", flat=True)) == [0]


def test_values_that_do_not_count_are_counted_of_a_batch_that_is_read_again_too(heart: SeriesKey) -> None:
    write(heart, taken([0], [60]))
    write(heart, taken([0, SECOND], [60, 0]))
    write(heart, taken([0, 2 * SECOND], [60, 62]))
    assert list(ImplausibleCount.objects.values_list("date", "n")) == [(MONDAY, 1)]


def test_a_value_that_is_put_right_is_no_longer_counted_as_one_that_does_not_count(heart: SeriesKey) -> None:
    write(heart, taken([0], [0]))
    write(heart, taken([0], [60]))
    assert ImplausibleCount.objects.count() == 0
    assert minutes() == [(1, 60, 60, 60)]


def test_what_was_read_again_alike_changes_nothing(heart: SeriesKey, django_assert_num_queries: Any) -> None:
    write(heart, taken([0, SECOND], [60, 61]))
    with django_assert_num_queries(1):
        written = write(heart, taken([0, SECOND], [60, 61]))
    assert written == Result(Counts(unchanged=2), set())


def test_lengths_are_written_and_compared_with_their_samples(steps: SeriesKey) -> None:
    def batch(times: Sequence[int], values: Sequence[float], seconds: Sequence[int]) -> SampleBatch:
        return taken(times, values, metric="steps", seconds=seconds)

    write(steps, batch([0, MINUTE], [1, 2], [10, 20]))
    assert stored(steps) == {0: (1, 10), MINUTE: (2, 20)}
    again = batch([0, SECOND, MINUTE, 2 * MINUTE], [1, 5, 2, 6], [10, 30, 21, 40])
    assert write(steps, again).counts == Counts(new=2, changed=1, unchanged=1)
    assert stored(steps) == {0: (1, 10), SECOND: (5, 30), MINUTE: (2, 21), 2 * MINUTE: (6, 40)}
    assert list(Revision.objects.values_list("old_value", "old_seconds")) == [(2, 20)]
    assert minutes() == []


def test_differences_are_what_the_store_lacks_and_what_it_has_otherwise(steps: SeriesKey) -> None:
    lengths = taken([0, SECOND, 2 * SECOND], [1, 2, 3], metric="steps", seconds=[10, 20, 30])
    write(steps, lengths)
    Measurement.objects.filter(value=2).update(seconds=None)
    asked = taken([0, SECOND, 2 * SECOND, 3 * SECOND], [1, 2, 9, 4], metric="steps", seconds=[10, 20, 30, 40])
    with connection.cursor() as cursor:
        rows = stored_rows.rows_at(cursor, steps, asked.time)
    found = stored_rows.compare(rows, asked.time, asked.value, asked.seconds)
    assert found.fresh.tolist() == [False, False, False, True]
    assert found.changed.tolist() == [False, True, True, False]
    old = found.there[found.changed]
    assert (rows.value[old].tolist(), rows.seconds[old].tolist()) == ([2, 3], [NO_SECONDS, 30])


# --- What a trace tells ---


def test_a_trace_of_what_went_straight_in_says_that_nothing_was_there(steps: SeriesKey) -> None:
    trace = Trace()
    write(steps, taken([MINUTE, 0], [2, 1], metric="steps", seconds=[20, 10]), trace)
    (rows,) = trace.samples
    assert rows.series == steps
    assert ((rows.time - AT).tolist(), rows.value.tolist(), rows.seconds.tolist()) == ([0, MINUTE], [1, 2], [10, 20])
    assert np.isnan(rows.before).tolist() == [True, True]
    assert rows.seconds_before.tolist() == [NO_SECONDS, NO_SECONDS]


def test_a_trace_of_what_is_read_again_says_what_was_there(steps: SeriesKey) -> None:
    trace = Trace()
    write(steps, taken([0, SECOND], [1, 2], metric="steps", seconds=[10, 20]))
    again = taken([0, SECOND, 2 * SECOND], [1, 9, 3], metric="steps", seconds=[10, 90, 30])
    write(steps, again, trace)
    (rows,) = trace.samples
    assert (rows.value.tolist(), rows.seconds.tolist()) == ([1, 9, 3], [10, 90, 30])
    assert rows.before[:2].tolist() == [1, 2]
    assert np.isnan(rows.before[2])
    assert rows.seconds_before.tolist() == [10, 20, NO_SECONDS]


def test_a_trace_of_what_changed_nothing_says_so_too(heart: SeriesKey) -> None:
    trace = Trace()
    write(heart, taken([0], [60]))
    write(heart, taken([0], [60]), trace)
    (rows,) = trace.samples
    assert (rows.before.tolist(), rows.seconds_before.tolist()) == ([60], [NO_SECONDS])


# --- What the vendor no longer has ---


def test_of_an_interval_what_no_batch_holds_is_taken_away_and_kept_as_a_revision(steps: SeriesKey) -> None:
    write(steps, taken([0, 1, 2, 3], [1, 2, 3, 4], metric="steps", seconds=[10, 20, 30, 40]))
    batches = [taken([2], [3], metric="steps"), taken([0, 2], [1, 3], metric="steps")]
    assert (remove_absent(steps, batches, AT, AT + 4) - AT).tolist() == [1, 3]
    assert stored(steps) == {0: (1, 10), 2: (3, 30)}
    kept = Revision.objects.order_by("time").values_list("old_value", "old_seconds", "source_id", "metric_id")
    assert list(kept) == [(2, 20, steps.source, steps.metric.id), (4, 40, steps.source, steps.metric.id)]


def test_an_interval_holds_its_first_instant_and_not_its_last(heart: SeriesKey) -> None:
    write(heart, taken([-1, 0, 8, 9, 10], [59, 60, 68, 69, 70]))
    assert (remove_absent(heart, [], AT, AT + 10) - AT).tolist() == [0, 8, 9]
    assert sorted(stored(heart)) == [-1, 10]


def test_what_was_kept_at_the_first_instant_stays(heart: SeriesKey) -> None:
    write(heart, taken([0, 1], [60, 61]))
    assert (remove_absent(heart, [taken([0], [60])], AT, AT + 10) - AT).tolist() == [1]


@pytest.mark.parametrize("beside", [-1, 10])
def test_what_was_kept_beside_the_interval_is_not_counted_for_it(heart: SeriesKey, beside: int) -> None:
    write(heart, taken([beside, 5], [60, 61]))
    assert (remove_absent(heart, [taken([beside], [60])], AT, AT + 10) - AT).tolist() == [5]
    assert sorted(stored(heart)) == [beside]


def test_where_all_was_kept_nothing_is_taken_away(heart: SeriesKey) -> None:
    write(heart, taken([0, 1], [60, 61]))
    assert remove_absent(heart, [taken([1, 0, 1], [60, 61, 61])], AT, AT + 10).tolist() == []
    assert remove_absent(heart, [], AT + 2, AT + 10).tolist() == []
    assert sorted(stored(heart)) == [0, 1]


@pytest.mark.parametrize("other", ["participant", "metric", "source"])
def test_other_series_lose_nothing(heart: SeriesKey, other: str) -> None:
    series = {
        "participant": lambda: SeriesKey(ParticipantFactory().pk, heart.metric, heart.source),
        "metric": lambda: SeriesKey(heart.participant, BY_CODE["steps"], heart.source),
        "source": lambda: SeriesKey(heart.participant, heart.metric, source_for(PHONE).pk),
    }[other]()
    write(series, taken([0, 1], [60, 61], metric=series.metric.code))
    write(heart, taken([0, 1], [60, 61]))
    assert len(remove_absent(heart, [taken([0], [60])], AT, AT + 10)) == 1
    assert sorted(stored(series)) == [0, 1]
