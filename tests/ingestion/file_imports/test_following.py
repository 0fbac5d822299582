"""Imports know the rows they stored wherever these are by now: moved, on other instants, deleted as outside."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from ingestion.file_imports import provenance
from ingestion.file_imports.undo import stored_by
from ingestion.models import ImportedPart, ImportFile
from metrics.corrections import data_moves
from metrics.corrections.data_deletion import Selection, deletion_run, deletion_start
from metrics.corrections.outside_collection import remove_slice
from metrics.corrections.time_zone_change import time_zone_correct
from metrics.maintenance.retention import retain
from metrics.models import ExerciseSession, Measurement, SleepSession, Source
from participants.models import Participant, Trial
from tests.factories import ParticipantFactory, UserFactory
from tests.ingestion.conftest import Export, Import, utc
from tests.ingestion.file_imports.test_import_undo import beats, night, picture, undo, write

SLEEP = [night(1, "2024-05-01T23:00:00.000", "2024-05-02T06:00:00.000")]
REST = [{"dateTime": "03/31/24 00:00:00", "value": {"date": "03/31/24", "value": 57.5, "error": 6.8}}]


@pytest.fixture
def participant(trial: Trial) -> Participant:
    person: Participant = ParticipantFactory.create(trial=trial, study_id="P-1", time_zone="Europe/Amsterdam")
    return person


def move(giver: Participant, receiver: Participant) -> None:
    data_moves.move_run(data_moves.move_start(giver, receiver, by=UserFactory(), reason="one person").pk)


def test_rows_that_moved_to_another_are_undone_there(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    receiver = ParticipantFactory(trial=trial, study_id="P-2", time_zone="Europe/Amsterdam")
    import_data(trial, write(tmp_path, "own.csv", *beats(50, who="P-2", hour=9)))
    before = picture()
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61)))
    move(participant, receiver)
    assert [value for _, value in utc("P-2", "heart_rate")] == [60, 61, 50]
    undo(ImportFile.objects.latest("pk"))
    assert picture() == before


def test_where_the_receiver_s_value_stayed_the_giver_s_import_takes_nothing_away(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    receiver = ParticipantFactory(trial=trial, study_id="P-2", time_zone="Europe/Amsterdam")
    import_data(trial, write(tmp_path, "own.csv", *beats(60, who="P-2")))
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61)))
    move(participant, receiver)
    undo(ImportFile.objects.latest("pk"))
    assert utc("P-2", "heart_rate") == [("2024-05-01T06:00:00", 60.0)]
    undo(ImportFile.objects.earliest("pk"))
    assert not Measurement.objects.exists()


def test_two_imports_of_a_row_that_moved_keep_their_order(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    receiver = ParticipantFactory(trial=trial, study_id="P-2", time_zone="Europe/Amsterdam")
    import_data(trial, write(tmp_path, "a.csv", *beats(60)))
    import_data(trial, write(tmp_path, "b.csv", *beats(99)))
    move(participant, receiver)
    undo(ImportFile.objects.latest("pk"))
    assert utc("P-2", "heart_rate") == [("2024-05-01T06:00:00", 60.0)]


def test_nights_that_moved_are_undone_there(export: Export, owner: Participant) -> None:
    receiver = ParticipantFactory(trial=owner.trial, study_id="P-2", time_zone=owner.time_zone)
    export.take("sleep-2024-05-01.json", SLEEP)
    move(owner, receiver)
    assert SleepSession.objects.get().participant == receiver
    undo(ImportFile.objects.get())
    assert not SleepSession.objects.exists()
    assert not ExerciseSession.objects.exists()


@pytest.mark.parametrize("zone", ["Australia/Sydney", "America/New_York"])
def test_daily_values_that_a_corrected_zone_moved_are_undone(export: Export, owner: Participant, zone: str) -> None:
    """On a day of 23 hours, too, which has 24 in the other zone."""
    export.take("resting_heart_rate-2024-03-31.json", REST)
    at = utc("P-1", "resting_heart_rate")
    time_zone_correct(owner, zone, reason="lived there all along")
    assert utc("P-1", "resting_heart_rate") != at
    undo(ImportFile.objects.get())
    assert not Measurement.objects.exists()
    assert ImportFile.objects.get().counts["undone"] == {"removed": 1, "restored": 0, "left": 0}


def test_rows_that_were_removed_as_outside_come_again_when_the_interval_has_changed(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    path = write(tmp_path, "a.csv", *beats(60, 61))
    import_data(trial, path)
    Participant.objects.filter(pk=participant.pk).update(monitoring_starts_on=dt.date(2024, 6, 1))
    while remove_slice(Participant.objects.get(pk=participant.pk))[1]:
        pass
    assert not Measurement.objects.exists()
    assert ImportFile.objects.get().status == "partial"
    assert "turned away" in import_data(trial, path).failure
    Participant.objects.filter(pk=participant.pk).update(monitoring_starts_on=dt.date(2024, 4, 1))
    assert import_data(trial, path).failure == ""
    assert len(utc("P-1", "heart_rate")) == 2


def test_nights_that_were_removed_as_outside_come_again_too(export: Export, owner: Participant) -> None:
    export.take("sleep-2024-05-01.json", SLEEP)
    Participant.objects.filter(pk=owner.pk).update(monitoring_starts_on=dt.date(2024, 6, 1))
    remove_slice(Participant.objects.get(pk=owner.pk))
    assert not SleepSession.objects.exists()
    Participant.objects.filter(pk=owner.pk).update(monitoring_starts_on=dt.date(2024, 4, 1))
    export.take("sleep-2024-05-01.json", SLEEP)
    assert SleepSession.objects.count() == 1


def stored_values() -> set[float]:
    """All values of samples that imports keep."""
    return {
        float(value)
        for part in ImportedPart.objects.filter(kind="samples")
        for rows in [provenance.samples_in(part)]
        for value in [*rows.value, *rows.before]
        if not np.isnan(value)
    }


def test_of_rows_that_were_deleted_no_value_is_kept(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61), *beats(70, who="P-2")))
    import_data(trial, write(tmp_path, "b.csv", *beats(62)))
    row = deletion_start(Selection(participant, Source.objects.get()), by=None, reason="not theirs")
    deletion_run(row.pk)
    assert stored_values() == {70.0}
    assert [one.participant.study_id for one in stored_by(ImportFile.objects.earliest("pk"))] == ["P-2"]
    undo(ImportFile.objects.earliest("pk"))
    assert not Measurement.objects.exists()


def test_of_nights_that_were_deleted_nothing_but_when_they_were_is_kept(export: Export, owner: Participant) -> None:
    export.take("sleep-2024-05-01.json", SLEEP)
    row = deletion_start(Selection(owner, Source.objects.get()), by=None, reason="not theirs")
    deletion_run(row.pk)
    (kept,) = provenance.sessions_in(ImportedPart.objects.get())
    assert set(kept.own) == {"starts_at", "ends_at"}
    undo(ImportFile.objects.get())
    export.take("sleep-2024-05-01.json", SLEEP)
    assert SleepSession.objects.count() == 1


def test_samples_that_a_trial_no_longer_keeps_are_not_kept_with_their_imports(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    old = [f"P-1,{day}/1/2024 8:00:00 AM,{value}" for day, value in ((1, 60), (5, 61))]
    import_data(trial, write(tmp_path, "a.csv", *old))
    import_data(trial, write(tmp_path, "b.csv", *beats(62, hour=9)))
    import_data(trial, write(tmp_path, "c.csv", "P-1,1/2/2024 8:00:00 AM,63"))
    Trial.objects.filter(pk=trial.pk).update(retain_raw_days=90)
    retain(dt.datetime(2024, 6, 1, tzinfo=dt.UTC))
    assert stored_values() == {61.0, 62.0}
    undo(ImportFile.objects.get(name__endswith="a.csv"))
    assert utc("P-1", "heart_rate") == [("2024-05-01T07:00:00", 62.0)]
