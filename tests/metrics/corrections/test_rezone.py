"""A zone that was wrong from the beginning: days are cut anew, and a daily value stays on its date."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.core.exceptions import ValidationError

from metrics.batch import SampleBatch, SleepRecord, Stage, microseconds
from metrics.corrections.time_zone_change import time_zone_correct
from metrics.maintenance import data_check
from metrics.models import DayRollup, Measurement, ParticipantDay, SleepSession
from metrics.writing.writer import store
from participants.models import AuditEntry, Participant, Trial
from tests.factories import ParticipantFactory
from tests.metrics.samples import CHARGE, batch, deliver

pytestmark = pytest.mark.django_db
# Midnight of Monday, 4 May 2026, in Amsterdam; New York's is six hours later.
START = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)
MONDAY = dt.date(2026, 5, 4)
ONE_DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
NOW = START + 30 * ONE_DAY


@pytest.fixture
def person() -> Participant:
    """Worn for the first eleven hours of Amsterdam's Monday; daily values; a night that ends at 2 in the morning."""
    person: Participant = ParticipantFactory()
    payload = deliver(batch([70.0] * 660, start=START, step=60))
    midnights = np.array([microseconds(START + n * ONE_DAY) for n in range(3)])
    lengths = np.full(3, 86_400, dtype=np.int32)
    payload.samples.append(SampleBatch("resting_heart_rate", CHARGE, midnights, np.array([60.0, 61.0, 62.0]), lengths))
    ends = START + ONE_DAY + 2 * HOUR
    payload.sleep = [SleepRecord(CHARGE, "n", ends - 5 * HOUR, ends, (Stage(ends - 5 * HOUR, 18_000, "asleep"),))]
    store(person, payload, now=NOW)
    return person


def test_days_are_cut_anew_and_daily_values_stay_on_their_dates(person: Participant) -> None:
    time_zone_correct(person, "America/New_York", reason="they live there", now=NOW)
    worn = dict(ParticipantDay.objects.filter(participant=person).values_list("date", "worn_minutes"))
    assert worn[MONDAY - ONE_DAY] == 360
    assert worn[MONDAY] == 300
    resting = DayRollup.objects.filter(participant=person, metric=10).order_by("date").values_list("date", "total")
    assert list(resting) == [(MONDAY + n * ONE_DAY, 60.0 + n) for n in range(3)]
    first = Measurement.objects.filter(participant=person, metric=10).order_by("time").first()
    assert first
    assert first.time == START + 6 * HOUR
    assert SleepSession.objects.get().date == MONDAY
    person.refresh_from_db()
    assert person.time_zone == "America/New_York"
    assert list(data_check.check([person])) == []


def test_there_and_back_changes_nothing(person: Participant) -> None:
    def known() -> list[object]:
        days = ParticipantDay.objects.filter(participant=person).order_by("date")
        rollups = DayRollup.objects.filter(participant=person).order_by("metric", "date")
        samples = Measurement.objects.filter(participant=person).order_by("metric", "time")
        return [
            list(days.exclude(worn_minutes=0).values("date", "worn_minutes", "status")),
            list(rollups.values("metric", "date", "n", "total")),
            list(samples.values("metric", "time", "value", "seconds")),
        ]

    before = known()
    time_zone_correct(person, "America/New_York", reason="x", now=NOW)
    time_zone_correct(person, "Europe/Amsterdam", reason="x", now=NOW)
    assert known() == before


def test_it_is_in_the_audit_log_with_its_reason(person: Participant) -> None:
    time_zone_correct(person, "America/New_York", reason="they live there", now=NOW)
    assert AuditEntry.objects.filter(action="participant.time_zone", participant=person.pk).count() == 1


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "Europe/Amsterdam"])
def test_no_zone_and_the_same_are_refused(person: Participant, zone: str) -> None:
    with pytest.raises(ValidationError):
        time_zone_correct(person, zone, reason="x", now=NOW)


def test_days_whose_samples_were_deleted_cannot_be_cut_anew(person: Participant) -> None:
    Trial.objects.filter(pk=person.trial_id).update(raw_removed_before=START)
    person.refresh_from_db()
    with pytest.raises(ValueError, match="deleted"):
        time_zone_correct(person, "America/New_York", reason="x", now=NOW)
