"""The writer's contract: nothing lost, nothing doubled, nothing forgotten, and rollups that agree with the rows."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import defaultdict
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.utils import timezone

from metrics.batch import Counts, Payload, Replaced, SampleBatch, SourceKey, instant
from metrics.models import DayRollup, HourRollup, Measurement, MinuteRollup, ParticipantDay, Revision
from metrics.writing import rollups_sql, writer
from metrics.writing.writer import SyntheticRefused, store
from participants.models import Participant
from tests.factories import ParticipantFactory, TrialFactory
from tests.metrics.samples import CHARGE, NOON, NOW, batch, deliver, random_day

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> Participant:
    return ParticipantFactory(time_zone="Europe/Amsterdam")


def values(person: Participant) -> list[float]:
    return list(Measurement.objects.filter(participant=person).order_by("time").values_list("value", flat=True))


def versions(person: Participant) -> list[tuple[Any, ...]]:
    """PostgreSQL's own mark of who last wrote each row: changes if a row is so much as rewritten."""
    with connection.cursor() as cursor:
        found = []
        for table in ("measurement", "minuterollup", "hourrollup", "dayrollup", "participantday"):
            cursor.execute(f"SELECT ctid::text, xmin::text FROM metrics_{table} WHERE participant_id = %s", [person.pk])  # noqa: S608
            found += sorted(cursor.fetchall())
    return found


def expected_rollups(person: Participant, width: int) -> dict[int, tuple[int, float, float, float]]:
    """Buckets straight from the rows: n, total, low, high by first second."""
    groups: dict[int, list[float]] = defaultdict(list)
    for at, value in Measurement.objects.filter(participant=person).values_list("time", "value"):
        groups[int(at.timestamp()) // width * width].append(value)
    return {bucket: (len(v), sum(v), min(v), max(v)) for bucket, v in groups.items()}


def stored_rollups(person: Participant, model: Any) -> dict[int, tuple[int, float, float, float]]:
    return {
        int(row.bucket.timestamp()): (row.n, row.total, row.low, row.high)
        for row in model.objects.filter(participant=person)
    }


def assert_rollups_agree(person: Participant) -> None:
    assert stored_rollups(person, MinuteRollup) == expected_rollups(person, 60)
    assert stored_rollups(person, HourRollup) == expected_rollups(person, 3600)
    zone, days = ZoneInfo(person.time_zone), defaultdict(list)
    for at, value in Measurement.objects.filter(participant=person).values_list("time", "value"):
        days[at.astimezone(zone).date()].append((at.replace(second=0, microsecond=0), value))
    stored = {d.date: (d.n, d.minutes, d.total) for d in DayRollup.objects.filter(participant=person)}
    assert stored == {
        date: (len(rows), len({minute for minute, _ in rows}), sum(value for _, value in rows))
        for date, rows in days.items()
    }
    worn = dict(ParticipantDay.objects.filter(participant=person).values_list("date", "worn_minutes"))
    assert worn == {date: len({minute for minute, _ in rows}) for date, rows in days.items()}


def test_new_samples_are_stored_and_counted(person: Participant) -> None:
    assert store(person, deliver(batch([60, 61, 62])), now=NOW) == Counts(new=3)
    assert values(person) == [60, 61, 62]


def test_the_same_batch_again_touches_no_row(person: Participant) -> None:
    day = random_day(1)
    store(person, deliver(day), now=NOW)
    before = versions(person)
    assert store(person, deliver(day), now=NOW) == Counts(unchanged=len(day))
    assert versions(person) == before


def test_an_overlapping_batch_adds_only_what_is_new(person: Participant) -> None:
    store(person, deliver(batch([60, 61, 62, 63])), now=NOW)
    later = batch([62, 63, 64, 65], start=NOON + dt.timedelta(seconds=10))
    assert store(person, deliver(later), now=NOW) == Counts(new=2, unchanged=2)
    assert values(person) == [60, 61, 62, 63, 64, 65]


def test_a_changed_value_is_stored_and_its_old_value_kept(person: Participant) -> None:
    store(person, deliver(batch([60, 61, 62])), now=NOW)
    assert store(person, deliver(batch([60, 99, 62])), now=NOW) == Counts(changed=1, unchanged=2)
    assert values(person) == [60, 99, 62]
    kept = Revision.objects.get(participant=person)
    assert (kept.time, kept.old_value) == (NOON + dt.timedelta(seconds=5), 61)
    assert abs(kept.changed_at - timezone.now()) < dt.timedelta(minutes=5)


def test_a_changed_interval_length_is_a_change(person: Participant) -> None:
    store(person, deliver(batch([12], metric="steps", seconds=60)), now=NOW)
    assert store(person, deliver(batch([12], metric="steps", seconds=900)), now=NOW).changed == 1
    assert Measurement.objects.get(participant=person).seconds == 900
    assert Revision.objects.get(participant=person).old_seconds == 60


def test_of_repeats_within_a_batch_the_last_one_wins(person: Participant) -> None:
    twice = SampleBatch("heart_rate", CHARGE, batch([60, 61]).time[[1, 0, 1]], np.array([70.0, 60.0, 71.0]))
    assert store(person, deliver(twice), now=NOW) == Counts(new=2, repeated=1)
    assert values(person) == [60, 71]


def test_implausible_values_are_kept_and_flagged(person: Participant) -> None:
    assert store(person, deliver(batch([60, 300, 5])), now=NOW) == Counts(new=3, flagged=2)


def test_what_is_no_measurement_is_rejected_with_its_reason(person: Participant) -> None:
    counts = store(
        person,
        deliver(
            batch([60, float("nan"), float("inf")]),
            batch([70], start=NOW + dt.timedelta(hours=1)),
            batch([70], start=dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        ),
        now=NOW,
    )
    assert counts == Counts(
        new=1,
        rejected={
            "value is not a finite number": 2,
            "time lies in the future": 1,
            "time lies before 2005": 1,
        },
    )
    assert values(person) == [60]


def test_an_empty_payload_stores_nothing(person: Participant) -> None:
    assert store(person, deliver(batch([])), now=NOW) == Counts()
    assert not ParticipantDay.objects.filter(participant=person).exists()


def test_a_payload_is_stored_whole_or_not_at_all(person: Participant) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE metrics_dayrollup ADD CONSTRAINT none CHECK (n < 0)")
    with pytest.raises(DatabaseError), transaction.atomic():
        store(person, deliver(batch([60, 61]), batch([10], metric="steps", seconds=60)), now=NOW)
    assert values(person) == []


def test_rollups_agree_with_the_rows_after_any_order_of_writes(person: Participant) -> None:
    """A first read, a re-read with changes, late data before, within and after, across two changes of days."""
    store(person, deliver(random_day(1)), now=NOW)
    again = random_day(1)
    again.value[::97] += 3
    store(person, deliver(again), now=NOW)
    store(person, deliver(random_day(2, rows=500)), now=NOW)
    store(person, deliver(random_day(3, start=NOON - dt.timedelta(hours=30))), now=NOW)
    store(person, deliver(random_day(4, start=NOON + dt.timedelta(hours=3), rows=2000)), now=NOW)
    assert_rollups_agree(person)


def test_late_samples_within_a_known_minute_restate_it(person: Participant) -> None:
    store(person, deliver(batch([60, 62], step=20)), now=NOW)
    store(person, deliver(batch([80], start=NOON + dt.timedelta(seconds=50))), now=NOW)
    assert_rollups_agree(person)
    assert MinuteRollup.objects.get(participant=person).high == 80


def test_metrics_of_a_minute_and_coarser_get_no_minute_rollup(person: Participant) -> None:
    store(person, deliver(batch([10, 20, 30], step=60, metric="steps", seconds=60)), now=NOW)
    assert not MinuteRollup.objects.filter(participant=person).exists()
    assert HourRollup.objects.get(participant=person).total == 60
    day = DayRollup.objects.get(participant=person)
    assert (day.total, day.minutes, day.n) == (60, 3, 3)


def test_days_of_changed_clocks_hold_23_and_25_hours(person: Participant) -> None:
    spring = batch([60.0] * 49, start=dt.datetime(2026, 3, 28, 22, 30, tzinfo=dt.UTC), step=3600)
    autumn = batch([60.0] * 52, start=dt.datetime(2026, 10, 24, 21, 30, tzinfo=dt.UTC), step=3600)
    store(person, deliver(spring, autumn), now=NOW)
    hours = dict(DayRollup.objects.filter(participant=person).values_list("date", "n"))
    assert hours[dt.date(2026, 3, 29)] == 23
    assert hours[dt.date(2026, 10, 25)] == 25


def test_worn_minutes_count_a_minute_once_whatever_the_number_of_sources(person: Participant) -> None:
    other = batch([70, 71], step=60, source=SourceKey("testvendor", "watch", "Sense 2"))
    store(person, deliver(batch([60, 61, 62], step=60), other), now=NOW)
    assert ParticipantDay.objects.get(participant=person).worn_minutes == 3


def test_the_newest_sample_of_a_day_is_known(person: Participant) -> None:
    store(person, deliver(batch([60, 61]), batch([5], start=NOON + dt.timedelta(hours=2), metric="steps")), now=NOW)
    store(person, deliver(batch([59], start=NOON - dt.timedelta(hours=2))), now=NOW)
    assert ParticipantDay.objects.get(participant=person).last_sample_at == NOON + dt.timedelta(hours=2)


def test_synthetic_data_is_refused_outside_a_demo_trial(person: Participant) -> None:
    made_up = batch([60], source=SourceKey("generator", synthetic=True))
    with pytest.raises(SyntheticRefused, match="not a demo trial"):
        store(person, deliver(made_up), now=NOW)
    demo = ParticipantFactory(trial=TrialFactory(is_demo=True))
    assert store(demo, deliver(made_up), now=NOW).new == 1


def test_participants_do_not_disturb_each_other(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial)
    store(person, deliver(batch([60, 61])), now=NOW)
    store(other, deliver(batch([90, 91, 92])), now=NOW)
    assert (values(person), values(other)) == ([60, 61], [90, 91, 92])


@pytest.mark.django_db(transaction=True)
def test_two_writers_at_once_neither_deadlock_nor_double() -> None:
    person = ParticipantFactory()
    steps = batch([10] * 600, step=60, metric="steps", seconds=60)
    heart = random_day(5)
    outcomes: list[Counts] = []

    def work(payload: Payload) -> None:
        try:
            outcomes.append(store(person, payload, now=NOW))
        finally:
            connection.close()

    began = time.monotonic()
    threads = [
        threading.Thread(target=work, args=(deliver(*pair),)) for pair in [(steps, heart), (heart, steps)] for _ in "12"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert time.monotonic() - began < 60
    assert sorted(counts.new for counts in outcomes) == [0, 0, 0, len(steps) + len(heart)]
    assert Measurement.objects.filter(participant=person).count() == len(steps) + len(heart)


def test_times_keep_their_microseconds(person: Participant) -> None:
    at = dt.datetime(2026, 5, 4, 12, 0, 0, 123457, tzinfo=dt.UTC)
    store(person, deliver(batch([60], start=at)), now=NOW)
    store(person, deliver(batch([60], start=at)), now=NOW)
    assert Measurement.objects.get(participant=person).time == at


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        SampleBatch("heart_rate", CHARGE, np.array([1, 2]), np.array([60.0]))


def test_minutes_in_memory_equal_minutes_by_the_database(person: Participant) -> None:
    day = random_day(9)
    store(person, deliver(day), now=NOW)
    quick = stored_rollups(person, MinuteRollup)
    MinuteRollup.objects.filter(participant=person).delete()
    with connection.cursor() as cursor:
        bounds = {"low": instant(day.time[0]), "high": instant(day.time[-1] + 1)}
        source = writer.source_for(CHARGE).pk
        cursor.execute(rollups_sql.FILL_MINUTES, {"participant": person.pk, "metric": 1, "source": source, **bounds})
    assert stored_rollups(person, MinuteRollup) == quick


def replaced(payload: Payload, metric: str = "heart_rate", minutes: int = 10) -> Payload:
    payload.replaces = [Replaced("testvendor", metric, NOON, NOON + dt.timedelta(minutes=minutes))]
    return payload


def test_what_a_vendor_withdrew_from_an_interval_is_taken_away_and_remembered(person: Participant) -> None:
    store(person, deliver(batch([60, 61, 62, 63], step=60)), now=NOW)
    counts = store(person, replaced(deliver(batch([60, 62], step=120))), now=NOW)
    assert counts == Counts(unchanged=2, removed=2)
    assert values(person) == [60, 62]
    assert sorted(Revision.objects.values_list("old_value", flat=True)) == [61, 63]
    assert_rollups_agree(person)


def test_an_interval_that_its_vendor_emptied_is_emptied(person: Participant) -> None:
    store(person, deliver(batch([60, 61]), batch([70], start=NOON + dt.timedelta(hours=1))), now=NOW)
    assert store(person, replaced(deliver()), now=NOW) == Counts(removed=2)
    assert values(person) == [70]
    assert_rollups_agree(person)


def test_a_replaced_interval_leaves_other_providers_and_metrics_alone(person: Participant) -> None:
    other = batch([80], source=SourceKey("othervendor", "watch"))
    store(person, deliver(batch([60]), other, batch([5], metric="steps", seconds=60)), now=NOW)
    assert store(person, replaced(deliver()), now=NOW).removed == 1
    assert sorted(values(person)) == [5, 80]


def test_a_replaced_interval_that_did_not_change_touches_no_row(person: Participant) -> None:
    store(person, deliver(batch([60, 61, 62])), now=NOW)
    before = versions(person)
    assert store(person, replaced(deliver(batch([60, 61, 62]))), now=NOW) == Counts(unchanged=3)
    assert versions(person) == before
