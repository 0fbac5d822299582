"""A trial that keeps its samples for some time only: what is deleted, what stays, and what late data may still do."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from metrics.batch import Payload, Replaced, SampleBatch
from metrics.maintenance import retention
from metrics.maintenance.retention import cutoff_for, retain
from metrics.maintenance.routine import maintain
from metrics.models import DayRollup, HourRollup, Measurement, MinuteRollup, ParticipantDay, Revision
from metrics.reading import queries as reading_queries
from metrics.storage import timescale
from metrics.storage.hypertables import chunks
from metrics.storage.timescale import Tier
from metrics.writing.retention_filter import MARGIN, REFUSED
from metrics.writing.writer import recompute, store
from participants.models import AuditEntry, Participant
from participants.services import trial_update
from tests.factories import ParticipantFactory, TrialFactory
from tests.metrics.samples import NOON, NOW, batch, deliver, random_day

pytestmark = pytest.mark.django_db
CUTOFF = cutoff_for(100, NOW)
OLD, YOUNG = NOON, CUTOFF + MARGIN + dt.timedelta(days=1)


@pytest.fixture
def person() -> Participant:
    """Old and young heart rates and steps, of a trial that keeps 100 days."""
    person = ParticipantFactory(trial=TrialFactory(retain_raw_days=100))
    for start in (OLD, YOUNG):
        store(person, deliver(random_day(1, start=start, rows=500), steps(start)), now=NOW)
    return person


def steps(start: dt.datetime) -> SampleBatch:
    return batch([7] * 300, start=start, step=60, metric="steps", seconds=60)


def derived(person: Participant) -> list[list[tuple[object, ...]]]:
    """Everything that is made of samples."""
    tables: list[QuerySet[Any]] = [model.objects.filter(participant=person) for model in DERIVED]
    return [sorted(table.values_list(*names)) for table, names in zip(tables, COLUMNS, strict=True)]


DERIVED = (MinuteRollup, HourRollup, DayRollup, ParticipantDay)
BUCKET = ("metric_id", "bucket", "n", "total", "low", "high")
COLUMNS = (BUCKET, BUCKET, ("metric_id", "date", "minutes", "n", "total", "low", "high"), ("date", "status"))


def test_old_samples_go_and_what_was_made_of_them_stays(person: Participant) -> None:
    other = ParticipantFactory()
    store(other, deliver(batch([60, 61])), now=NOW)
    before, young = derived(person), Measurement.objects.filter(participant=person, time__gte=YOUNG).count()
    removed = retain(NOW)
    assert [(one.trial, one.cutoff) for one in removed] == [(person.trial.code, CUTOFF)]
    assert not Measurement.objects.filter(participant=person, time__lt=CUTOFF).exists()
    assert Measurement.objects.filter(participant=person).count() == young
    assert Measurement.objects.filter(participant=other).count() == 2
    assert derived(person) == before


def test_each_run_that_deletes_leaves_one_entry_in_the_audit_trail(person: Participant) -> None:
    (removed,) = retain(NOW)
    assert retain(NOW) == []
    entry = AuditEntry.objects.get(action="trial.samples_removed")
    assert entry.trial_id == person.trial_id
    assert entry.detail.new == {
        "before": CUTOFF.isoformat().replace("+00:00", "Z"),
        "rows": removed.rows,
        "whole_chunks": removed.chunks,
    }


def test_old_values_of_changed_samples_go_too(person: Participant) -> None:
    store(person, deliver(batch([8], start=OLD, metric="steps", seconds=60)), now=NOW)
    assert Revision.objects.count() == 1
    retain(NOW)
    assert not Revision.objects.exists()


def test_a_chunk_with_nothing_else_is_dropped_as_a_whole(person: Participant) -> None:
    if timescale.tier() is Tier.PLAIN:
        pytest.skip("needs TimescaleDB")
    (removed,) = retain(NOW)
    assert removed.chunks == 1
    assert all(chunk.ends_at > CUTOFF for chunk in chunks(["metrics_measurement"]))


@pytest.mark.django_db(transaction=True)
def test_compressed_chunks_lose_them_too(person: Participant) -> None:
    if timescale.tier() is not Tier.COMMUNITY:
        pytest.skip("needs TimescaleDB's Community edition")
    other = ParticipantFactory()
    store(other, deliver(batch([60, 61])), now=NOW)
    trial_update(person.trial, retain_raw_days=None)
    maintain(NOW)
    trial_update(person.trial, retain_raw_days=100)
    done = maintain(NOW)
    assert done.removed[0].chunks == 0
    assert not any(chunk.partial for chunk in chunks(["metrics_measurement"]))
    assert list(Measurement.objects.filter(time__lt=CUTOFF).values_list("participant_id", flat=True)) == [other.pk] * 2


def test_late_and_read_again_data_from_before_the_line_is_refused_and_wipes_nothing(person: Participant) -> None:
    retain(NOW)
    before = derived(person)
    again = Payload(
        samples=[random_day(2, start=OLD, rows=500)],
        replaces=[Replaced("testvendor", "heart_rate", OLD, OLD + dt.timedelta(days=2))],
    )
    counts = store(person, again, now=NOW)
    assert counts.rejected == {REFUSED: len(again.samples[0])}
    assert (counts.new, counts.changed, counts.removed) == (0, 0, 0)
    assert derived(person) == before


def test_a_read_across_the_line_replaces_only_what_is_kept(person: Participant) -> None:
    retain(NOW)
    before = derived(person)
    across = Payload(
        samples=[steps(YOUNG)],
        replaces=[Replaced("testvendor", "steps", OLD, YOUNG + dt.timedelta(days=1))],
    )
    assert store(person, across, now=NOW).unchanged == 300
    assert derived(person) == before


def test_evaluating_the_days_again_keeps_what_cannot_be_counted_again(person: Participant) -> None:
    retain(NOW)
    before = derived(person)
    recompute(person, OLD - dt.timedelta(days=3), NOW, now=NOW)
    assert derived(person) == before


def test_the_line_never_moves_back(person: Participant) -> None:
    retain(NOW)
    trial_update(person.trial, retain_raw_days=None)
    assert retain(NOW) == []
    trial_update(person.trial, retain_raw_days=400)
    retain(NOW)
    person.trial.refresh_from_db()
    assert person.trial.raw_removed_before == CUTOFF
    assert store(person, deliver(batch([60])), now=NOW).rejected == {REFUSED: 1}


def test_nothing_is_deleted_unless_a_trial_asks_for_it() -> None:
    person = ParticipantFactory()
    store(person, deliver(batch([60])), now=NOW)
    assert retain(NOW) == []
    assert Measurement.objects.count() == 1


def test_less_than_90_days_are_refused(person: Participant) -> None:
    with pytest.raises(ValidationError, match="90"):
        trial_update(person.trial, retain_raw_days=89)


def test_series_fall_back_to_rollups_and_say_so(person: Participant) -> None:
    retain(NOW)
    hour = dt.timedelta(hours=1)
    heart, walked = reading_queries.series([person.pk], ["heart_rate", "steps"], OLD, OLD + hour)
    assert (heart.width, walked.width) == (60, 3600)
    assert len(heart)
    assert walked.total.tolist() == [420.0]
    assert heart.removed_before is not None
    young = reading_queries.series([person.pk], ["heart_rate"], YOUNG, YOUNG + hour)[0]
    assert young.width < 60
    assert young.removed_before is None


def test_the_line_is_the_beginning_of_a_week_so_that_chunks_lie_before_it() -> None:
    assert dt.timedelta(0) == (CUTOFF - retention.EPOCH) % retention.WEEK
    assert dt.timedelta(0) <= NOW - dt.timedelta(days=100) - CUTOFF < retention.WEEK
