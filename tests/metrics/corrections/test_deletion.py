"""Deletion by source: what one source brought goes, with all that was made of it, and nothing of any other."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from metrics.batch import ExerciseRecord, SleepRecord, SourceKey, Stage
from metrics.corrections import data_deletion
from metrics.corrections.data_deletion import (
    DeletionRefused,
    Selection,
    deletion_run,
    deletion_start,
    deletion_step,
    going,
)
from metrics.maintenance import data_check
from metrics.models import (
    DayRollup,
    ExerciseSession,
    HourRollup,
    ImplausibleCount,
    Measurement,
    MinuteRollup,
    ParticipantDay,
    Revision,
    SleepSession,
    Source,
    SourceDeletion,
)
from metrics.writing.writer import store
from participants.models import AuditEntry, Participant
from tests.factories import ParticipantFactory, UserFactory
from tests.metrics.samples import CHARGE, batch, deliver

pytestmark = pytest.mark.django_db
START = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)  # a local midnight
MONDAY = dt.date(2026, 5, 4)
ONE_DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
NOW = START + 30 * ONE_DAY
OTHER = SourceKey("takeout", "fitbit account export")


def day(n: int, source: SourceKey = CHARGE, value: float = 70.0, **named: Any) -> Any:
    return batch([value] * 660, start=START + n * ONE_DAY + 6 * HOUR, step=60, source=source, **named)


def night(source: SourceKey, name: str) -> SleepRecord:
    at = START + ONE_DAY
    return SleepRecord(source, name, at, at + 6 * HOUR, (Stage(at, 21_600, "asleep"),))


@pytest.fixture
def person() -> Participant:
    """Three days of two sources: heart rate, steps, a night and exercise of each."""
    found: Participant = ParticipantFactory(study_id="P-1")
    for source in (CHARGE, OTHER):
        payload = deliver(*[day(n, source) for n in range(3)])
        payload.samples.append(day(0, source, 20.0, metric="steps", seconds=60))
        payload.sleep = [night(source, "night")]
        payload.exercise = [ExerciseRecord(source, "run", START + 8 * HOUR, START + 9 * HOUR, "run")]
        store(found, payload, now=NOW)
    return found


def source_row(key: SourceKey = OTHER) -> Source:
    return Source.objects.get(provider=key.provider, platform=key.platform, device_model=key.device_model)


def delete(person: Participant, **selected: Any) -> SourceDeletion:
    row = deletion_start(Selection(person, source_row(), **selected), by=UserFactory(), reason="not theirs")
    deletion_run(row.pk)
    row.refresh_from_db()
    return row


def held(person: Participant, key: SourceKey) -> dict[str, int]:
    models = (Measurement, MinuteRollup, HourRollup, DayRollup, SleepSession, ExerciseSession)
    return {m.__name__: m._default_manager.filter(participant=person, source=source_row(key)).count() for m in models}


def sound(person: Participant) -> bool:
    return not list(data_check.check([person]))


def test_all_of_a_source_goes_and_nothing_of_another(person: Participant) -> None:
    kept = held(person, CHARGE)
    row = delete(person)
    assert row.finished_at
    assert row.removed == {"heart_rate": 3 * 660, "steps": 660, "sleep": 1, "exercise": 1}
    assert set(held(person, OTHER).values()) == {0}
    assert held(person, CHARGE) == kept
    assert sound(person)


def test_one_metric_goes_alone(person: Participant) -> None:
    assert delete(person, what="steps").removed == {"steps": 660}
    left = held(person, OTHER)
    assert (left["Measurement"], left["DayRollup"], left["SleepSession"]) == (3 * 660, 3, 1)
    assert sound(person)


@pytest.mark.parametrize(("what", "left"), [("sleep", (0, 1)), ("exercise", (1, 0))])
def test_one_kind_of_sessions_goes_alone(person: Participant, what: str, left: tuple[int, int]) -> None:
    delete(person, what=what)
    after = held(person, OTHER)
    assert (after["SleepSession"], after["ExerciseSession"]) == left
    assert after["Measurement"] == 4 * 660


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [
        (None, None, []),
        (MONDAY, MONDAY + 2 * ONE_DAY, []),
        (MONDAY + ONE_DAY, MONDAY + ONE_DAY, [0, 2]),
        (MONDAY + ONE_DAY, None, [0]),
        (None, MONDAY + ONE_DAY, [2]),
    ],
)
def test_both_dates_are_included(
    person: Participant, first: dt.date | None, last: dt.date | None, left: list[int]
) -> None:
    delete(person, what="heart_rate", first=first, last=last)
    rows = DayRollup.objects.filter(participant=person, source=source_row(), metric__code="heart_rate")
    assert [(date - MONDAY).days for date in rows.order_by("date").values_list("date", flat=True)] == left
    assert Measurement.objects.filter(participant=person, source=source_row(), metric__code="heart_rate").count() == (
        660 * len(left)
    )
    assert sound(person)


def test_a_day_that_only_this_source_made_valid_is_evaluated_anew(person: Participant) -> None:
    alone = ParticipantFactory(trial=person.trial, study_id="P-2", monitoring_starts_on=MONDAY)
    store(alone, deliver(day(0, OTHER)), now=NOW)
    assert ParticipantDay.objects.get(participant=alone, date=MONDAY).worn_minutes == 660
    delete(alone)
    assert ParticipantDay.objects.get(participant=alone, date=MONDAY).worn_minutes == 0
    assert sound(alone)


def test_old_values_and_counts_of_impossible_ones_go_too(person: Participant) -> None:
    store(person, deliver(day(0, OTHER, 71.0)), now=NOW)
    store(person, deliver(day(4, OTHER, 0.0)), now=NOW)
    assert Revision.objects.filter(source=source_row()).exists()
    assert ImplausibleCount.objects.filter(source=source_row()).exists()
    delete(person)
    assert not Revision.objects.filter(source=source_row()).exists()
    assert not ImplausibleCount.objects.filter(source=source_row()).exists()
    assert not Measurement.objects.filter(source=source_row()).exists()


def test_sums_of_samples_that_the_trial_no_longer_keeps_go_too(person: Participant) -> None:
    Measurement.objects.filter(participant=person).delete()
    delete(person)
    assert set(held(person, OTHER).values()) == {0}


def test_another_participant_keeps_theirs(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial, study_id="P-2")
    store(other, deliver(day(0, OTHER)), now=NOW)
    delete(person)
    assert held(other, OTHER)["Measurement"] == 660


def test_what_would_go_is_told_and_nothing_changed(person: Participant) -> None:
    told = {one.what: one for one in going(Selection(person, source_row()))}
    heart_rate = told["heart_rate"]
    assert (heart_rate.name, heart_rate.rows) == ("Heart rate", 3 * 660)
    assert (heart_rate.first, heart_rate.last) == (MONDAY, MONDAY + 2 * ONE_DAY)
    assert (told["sleep"].name, told["sleep"].rows) == ("nights", 1)
    assert held(person, OTHER)["Measurement"] == 4 * 660
    assert data_deletion.sources_of(person) == [source_row(CHARGE), source_row()]


def test_slices_are_of_some_days_each_and_a_killed_one_is_gone_on_with(
    person: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_deletion, "SLICE", ONE_DAY)
    row = deletion_start(Selection(person, source_row(), "heart_rate"), by=None, reason="not theirs")
    assert deletion_step(row.pk) == 2 * 660
    assert held(person, OTHER)["Measurement"] == 2 * 660
    deletion_run(row.pk)
    row.refresh_from_db()
    assert row.rows == 3 * 660
    assert row.finished_at
    assert deletion_step(row.pk) is None


def test_it_is_audited_with_its_reason(person: Participant) -> None:
    row = delete(person, what="steps")
    asked = AuditEntry.objects.get(action="data.delete")
    assert (asked.participant_id, asked.thing, asked.detail.reason) == (person.pk, f"deletion:{row.pk}", "not theirs")
    assert asked.detail.new["steps"] == 660
    assert AuditEntry.objects.get(action="data.deleted").detail.new == {"removed": {"steps": 660}}


@pytest.mark.parametrize(
    ("selected", "says"),
    [
        ({"what": "pulse"}, "no metric"),
        ({"first": MONDAY, "last": MONDAY - ONE_DAY}, "last date"),
        ({"what": "weight"}, "Nothing is stored"),
        ({"first": MONDAY + 9 * ONE_DAY}, "Nothing is stored"),
    ],
)
def test_what_makes_no_sense_is_refused(person: Participant, selected: dict[str, Any], says: str) -> None:
    with pytest.raises(DeletionRefused, match=says):
        delete(person, **selected)
    assert not SourceDeletion.objects.exists()


def test_a_day_whose_samples_lie_on_other_dates_by_now_does_not_stop_it(person: Participant) -> None:
    row = DayRollup.objects.filter(participant=person, source=source_row(), metric__code="heart_rate").first()
    assert row
    row.date = MONDAY - 400 * ONE_DAY
    row.save(force_insert=True)
    delete(person)
    assert set(held(person, OTHER).values()) == {0}


def test_values_of_a_summer_s_change_of_clocks_go_with_their_day() -> None:
    person = ParticipantFactory(study_id="P-3", time_zone="Europe/Amsterdam")
    at = dt.datetime(2026, 3, 28, 23, 30, tzinfo=dt.UTC)  # 00:30 of a day of 23 hours
    store(person, deliver(batch([70.0] * 24, start=at, step=3600, source=OTHER)), now=NOW)
    row = deletion_start(
        Selection(person, source_row(), first=dt.date(2026, 3, 29), last=dt.date(2026, 3, 29)), by=None, reason="x"
    )
    deletion_run(row.pk)
    left = [str(np.datetime64(one.replace(tzinfo=None))) for one in Measurement.objects.values_list("time", flat=True)]
    assert left == ["2026-03-29T22:30:00.000000"]
