"""What is said otherwise at a second import is a reason to read a file again; nothing of the first reading remains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingestion.file_imports.services import Import as Run
from ingestion.models import ImportFile
from metrics.models import Measurement, Revision
from participants.models import AuditEntry, Participant, Trial
from tests.factories import ParticipantFactory
from tests.ingestion.conftest import Export, Import, utc
from tests.ingestion.file_imports.test_import_undo import beats, write

SYDNEY = "Australia/Sydney"


@pytest.fixture
def participant(trial: Trial) -> Participant:
    person: Participant = ParticipantFactory.create(trial=trial, study_id="P-1", time_zone="Europe/Amsterdam")
    return person


def statuses() -> list[str]:
    return list(ImportFile.objects.order_by("pk").values_list("status", flat=True))


# --- the clock ---------------------------------------------------------------------------------------------------

UNCLEAR = [{"dateTime": "07/07/20 14:04:00", "value": "12"}]


def test_a_file_read_as_utc_is_read_again_on_local_time(export: Export) -> None:
    export.take("steps-2020-07-07.json", UNCLEAR)
    assert utc("P-1", "steps") == [("2020-07-07T14:04:00", 12.0)]
    outcome = export.take("steps-2020-07-07.json", UNCLEAR, takeout_clock="local")
    assert utc("P-1", "steps") == [("2020-07-07T12:04:00", 12.0)]
    assert "was read anew, and its earlier import undone: its times are local time now" in outcome.text
    assert statuses() == ["undone", "done"]
    assert not Revision.objects.exists()
    assert AuditEntry.objects.get(action="import.undo").detail.reason.startswith("Offered again")


def test_said_the_same_or_not_said_it_is_known(export: Export) -> None:
    export.take("steps-2020-07-07.json", UNCLEAR, takeout_clock="utc")
    for options in ({}, {"takeout_clock": "utc"}):
        assert "already imported" in export.take("steps-2020-07-07.json", UNCLEAR, **options).text
    assert statuses() == ["done"]


def test_a_whole_export_that_was_read_as_utc_is_put_right_in_one_go(export: Export, import_data: Import) -> None:
    names = ("steps-2020-07-07.json", "distance-2020-07-07.json")
    for name in names:
        export.take(name, UNCLEAR)
    whole = [{"dateTime": f"06/{day:02}/20 {at}", "value": "1"} for day in (1, 30) for at in ("00:00:00", "23:59:00")]
    export.file("steps-2020-06-01.json", whole)
    refused = import_data(export.trial, export.folder, participant="P-1")
    assert refused.failure == "3 of 3 files failed."
    assert "steps-2020-07-07.json, distance-2020-07-07.json of P-1 were imported earlier as UTC" in refused.text
    told = import_data(export.trial, export.folder, participant="P-1", takeout_clock="local")
    assert told.failure == ""
    assert "imported earlier" not in told.text
    assert utc("P-1", "steps")[-1] == ("2020-07-07T12:04:00", 12.0)
    assert utc("P-1", "steps")[0] == ("2020-05-31T22:00:00", 1.0)


def test_a_dry_run_says_so_and_changes_nothing(export: Export) -> None:
    export.take("steps-2020-07-07.json", UNCLEAR)
    outcome = export.take("steps-2020-07-07.json", UNCLEAR, takeout_clock="local", dry_run=True)
    assert "would be read anew" in outcome.text
    assert utc("P-1", "steps") == [("2020-07-07T14:04:00", 12.0)]
    assert statuses() == ["done"]


# --- the time zone -----------------------------------------------------------------------------------------------


def test_another_zone_given_moves_the_rows_and_doubles_none(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    path = write(tmp_path, "a.csv", *beats(60, 61))
    import_data(trial, path)
    assert import_data(trial, path, timezone=SYDNEY).failure == ""
    assert [at for at, _ in utc("P-1", "heart_rate")] == ["2024-04-30T22:00:00", "2024-04-30T22:00:01"]
    assert statuses() == ["undone", "done"]


def test_without_a_zone_what_was_given_before_stands(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    path = write(tmp_path, "a.csv", *beats(60))
    import_data(trial, path, timezone=SYDNEY)
    assert "already imported" in import_data(trial, path).text
    assert "already imported" in import_data(trial, path, timezone=SYDNEY).text


def test_a_participant_s_zone_that_was_corrected_is_a_reason(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    path = write(tmp_path, "a.csv", *beats(60), *beats(70, who="P-2"))
    import_data(trial, path)
    Participant.objects.filter(study_id="P-2").update(time_zone=SYDNEY)
    outcome = import_data(trial, path)
    assert "the time zone of P-2 is Australia/Sydney now, it was read as Europe/Amsterdam" in outcome.text
    assert [at for at, _ in utc("P-1", "heart_rate")] == ["2024-05-01T06:00:00"]
    assert [at for at, _ in utc("P-2", "heart_rate")] == ["2024-04-30T22:00:00"]


def test_the_zone_of_a_file_in_utc_is_no_reason(export: Export) -> None:
    export.take("steps-2020-07-07.json", UNCLEAR)
    assert "already imported" in export.take("steps-2020-07-07.json", UNCLEAR, timezone="Europe/Berlin").text


def test_a_run_that_was_killed_is_known_by_what_it_assumed(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "a.csv", *beats(60), *beats(61, who="P-2"))
    put = Run._store

    def killed(run: Run, someone: Participant, *arguments: Any) -> Any:
        if someone.study_id == "P-2":
            raise MemoryError
        return put(run, someone, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "_store", killed)
        with pytest.raises(MemoryError):
            import_data(trial, path)
    assert statuses() == ["running"]
    import_data(trial, path, timezone=SYDNEY)
    assert statuses() == ["undone", "done"]
    assert set(Measurement.objects.values_list("time__day", flat=True)) == {30}


# --- imports of which it is not known what they stored -----------------------------------------------------------


def test_an_import_from_before_is_not_read_over_itself(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    path = write(tmp_path, "a.csv", *beats(60))
    import_data(trial, path)
    ImportFile.objects.update(traced=False)
    outcome = import_data(trial, path, timezone=SYDNEY)
    assert outcome.failure == "1 of 1 file failed."
    assert "cannot be undone exactly" in outcome.text
    assert [at for at, _ in utc("P-1", "heart_rate")] == ["2024-05-01T06:00:00"]


# --- whose it is -------------------------------------------------------------------------------------------------


def test_the_same_bytes_for_another_participant_are_read_and_said(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Time,Value\n5/1/2024 8:00:00 AM,61\n")
    import_data(trial, path, participant="P-1")
    outcome = import_data(trial, path, participant="P-2")
    assert f"were imported as P-1's. If that was a mistake, undo it: manage.py undo_import {trial.code}" in outcome.text
    assert len(utc("P-1", "heart_rate")) == len(utc("P-2", "heart_rate")) == 1


def test_nothing_is_said_of_bytes_that_brought_nobody_anything(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Time,Value\n")
    import_data(trial, path, participant="P-1")
    assert "imported as" not in import_data(trial, path, participant="P-2").text


# --- rows that were turned away ----------------------------------------------------------------------------------


def test_a_file_read_again_for_some_rows_leaves_the_others_as_they_are_by_now(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    path = write(tmp_path, "a.csv", *beats(60, 61), *beats(70, who="LATE-1"))
    import_data(trial, path, no_enrol=True)
    import_data(trial, write(tmp_path, "b.csv", *beats(99)), no_enrol=True)  # a later file corrects the first value
    ParticipantFactory(trial=trial, study_id="LATE-1", time_zone="Europe/Amsterdam")
    import_data(trial, path, no_enrol=True)
    assert [value for _, value in utc("P-1", "heart_rate")] == [99.0, 61.0]
    assert [value for _, value in utc("LATE-1", "heart_rate")] == [70.0]
    counts = ImportFile.objects.get(name__endswith="a.csv").counts
    assert (counts["new"], counts["unchanged"]) == (1, 2)
