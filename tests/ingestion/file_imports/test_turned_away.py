"""Rows that were turned away for a reason that passes: said, kept as such, and taken when they are offered again."""

from __future__ import annotations

import datetime as dt
import threading
import zoneinfo
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ingestion.file_imports import import_records, label_mapping
from ingestion.file_imports.import_reports import Result
from ingestion.file_imports.rejected_rows import CAN_PASS, can_pass
from ingestion.file_imports.services import Import as Run
from ingestion.models import ImportFile, RejectedRow
from metrics.batch import Refusal
from metrics.models import Measurement
from metrics.writing.retention_filter import REFUSED
from participants.models import Participant, Trial
from participants.services import participant_enrol
from tests.factories import ParticipantFactory, TrialFactory
from tests.ingestion.conftest import Import, utc

NAME = "heartrate_seconds_merged.csv"
HEADER = "Id,Time,Value"
ROWS = ("LATE-1,5/1/2024 8:00:00 AM,70", "LATE-1,5/1/2024 8:00:05 AM,71")


def write(folder: Path, *rows: str, name: str = NAME) -> Path:
    path = folder / name
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def status(trial: Trial, *paths: Path, **options: Any) -> int:
    """The command's exit status."""
    try:
        call_command("import_data", trial.code, *map(str, paths), verbosity=0, **options)
    except CommandError as error:
        return error.returncode
    return 0


def test_rows_of_a_participant_not_enrolled_are_taken_once_they_are(
    trial: Trial, tmp_path: Path, import_data: Import
) -> None:
    path = write(tmp_path, *ROWS)
    assert import_data(trial, path, no_enrol=True).failure.startswith("2 rows were turned away.")
    record = ImportFile.objects.get()
    assert (record.status, record.counts["can_pass"]) == ("partial", 2)
    ParticipantFactory(trial=trial, study_id="LATE-1")
    assert import_data(trial, path, no_enrol=True).failure == ""
    assert utc("LATE-1", "heart_rate") == [("2024-05-01T06:00:00", 70.0), ("2024-05-01T06:00:05", 71.0)]
    record.refresh_from_db()
    assert (record.status, record.counts["can_pass"], record.counts["new"]) == ("done", 0, 2)
    assert not RejectedRow.objects.exists()
    assert "already imported" in import_data(trial, path, no_enrol=True).text


def test_rows_in_the_future_are_taken_when_their_time_has_come(
    trial: Trial, tmp_path: Path, import_data: Import, time_machine: Any
) -> None:
    path = write(tmp_path, *ROWS)
    time_machine.move_to("2024-05-01T05:00:00Z", tick=False)
    assert "turned away" in import_data(trial, path).failure
    assert not Measurement.objects.exists()
    time_machine.move_to("2024-05-02T05:00:00Z", tick=False)
    assert import_data(trial, path).failure == ""
    assert len(utc("LATE-1", "heart_rate")) == 2


def test_rows_of_a_participant_who_had_withdrawn_are_taken_when_that_is_undone(
    trial: Trial, tmp_path: Path, import_data: Import
) -> None:
    person = ParticipantFactory(trial=trial, study_id="LATE-1", status="withdrawn", withdrawn_on=dt.date(2024, 6, 1))
    path = write(tmp_path, *ROWS)
    assert "turned away" in import_data(trial, path).failure
    Participant.objects.filter(pk=person.pk).update(status="active", withdrawn_on=None)
    assert import_data(trial, path).failure == ""
    assert len(utc("LATE-1", "heart_rate")) == 2


def test_rows_that_could_not_be_enrolled_in_a_closed_trial_are_taken_when_it_is_open_again(
    trial: Trial, tmp_path: Path, import_data: Import
) -> None:
    path = write(tmp_path, *ROWS)
    Trial.objects.filter(pk=trial.pk).update(status="closed")
    assert "turned away" in import_data(trial, path).failure
    Trial.objects.filter(pk=trial.pk).update(status="running")
    assert import_data(trial, path).failure == ""
    assert len(utc("LATE-1", "heart_rate")) == 2


def test_a_file_whose_bad_rows_stay_bad_is_done(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = write(tmp_path, *ROWS, "LATE-1,never,60", "LATE-1,5/1/1999 8:00:00 AM,60", "not valid!,5/1/2024,60")
    assert import_data(trial, path).failure == "3 rows were turned away for good."
    assert ImportFile.objects.get().status == "done"
    again = import_data(trial, path)
    assert "already imported" in again.text
    assert again.failure == ""


def test_both_kinds_of_rows_are_told_apart_in_the_last_line(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = write(tmp_path, *ROWS, "LATE-1,never,60", "P-2,never,60", "P-2,5/1/2024 8:00:00 AM,60")
    ParticipantFactory(trial=trial, study_id="P-2")
    last = import_data(trial, path, no_enrol=True).failure
    assert last.startswith("4 rows were turned away, 1 of them for good. Offer the same files again")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(ROWS, 0), ((*ROWS, "LATE-1,never,60"), 3)],
    ids=["all taken", "one turned away"],
)
def test_the_exit_status_says_whether_all_rows_were_taken(
    trial: Trial, tmp_path: Path, rows: tuple[str, ...], expected: int
) -> None:
    assert status(trial, write(tmp_path, *rows)) == expected


def test_a_failed_file_is_status_1_whatever_was_turned_away(trial: Trial, tmp_path: Path) -> None:
    write(tmp_path, *ROWS, "LATE-1,never,60")
    (tmp_path / "a.csv.gz").write_bytes(b"\x1f\x8bno")
    assert status(trial, tmp_path) == 1


def test_a_dry_run_says_what_would_be_turned_away(trial: Trial, tmp_path: Path) -> None:
    assert status(trial, write(tmp_path, *ROWS), dry_run=True, no_enrol=True) == 3
    assert not ImportFile.objects.exists()


def test_each_reason_is_either_passing_or_final() -> None:
    assert all(can_pass(f"participant LATE-1 {reason}") for reason in CAN_PASS)
    for reason in (
        Refusal.NOT_FINITE.text,
        Refusal.TOO_EARLY.text,
        REFUSED,
        "not 3 cells",
        "participant P-1 was erased",
        "participant ! is no valid study id: Use letters.",
    ):
        assert not can_pass(reason), reason


def test_a_participant_enrolled_between_two_files_of_a_run_is_found(
    trial: Trial, tmp_path: Path, import_data: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, *ROWS, name="a.csv")
    write(tmp_path, "LATE-1,5/1/2024 9:00:00 AM,72", name="b.csv")
    read = Run._read

    def enrol_after(run: Run, *arguments: Any) -> Any:
        report = read(run, *arguments)
        if not Participant.objects.exists():
            ParticipantFactory(trial=trial, study_id="LATE-1")
        return report

    monkeypatch.setattr(Run, "_read", enrol_after)
    import_data(trial, tmp_path, no_enrol=True)
    assert [value for _, value in utc("LATE-1", "heart_rate")] == [72.0]
    import_data(trial, tmp_path, no_enrol=True)
    assert [value for _, value in utc("LATE-1", "heart_rate")] == [70.0, 71.0, 72.0]


# --- labels that differ in case ----------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["zero-1", "Zero-1", "ZERO-1"])
def test_rows_go_to_the_participant_whose_id_differs_in_case_alone(
    trial: Trial, tmp_path: Path, import_data: Import, label: str
) -> None:
    ParticipantFactory(trial=trial, study_id="ZERO-1")
    outcome = import_data(trial, write(tmp_path, f"{label},5/1/2024 8:00:00 AM,70"))
    assert "ENROLLED" not in outcome.text
    assert Participant.objects.get(trial=trial).study_id == "ZERO-1"
    assert len(utc("ZERO-1", "heart_rate")) == 1


def test_a_new_person_written_in_two_ways_in_one_file_is_one(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    rows = ("Zero-1,5/1/2024 8:00:00 AM,70", "zero-1,5/1/2024 8:00:05 AM,71")
    for dry in (True, False):
        assert "1 new participants: Zero-1" in import_data(trial, write(tmp_path, *rows), dry_run=dry).text
    assert len(utc("Zero-1", "heart_rate")) == 2


@pytest.mark.parametrize("no_enrol", [True, False])
def test_the_owner_given_in_other_case_is_the_participant(
    trial: Trial, tmp_path: Path, import_data: Import, no_enrol: bool
) -> None:
    ParticipantFactory(trial=trial, study_id="ZERO-1")
    path = tmp_path / "x.csv"
    path.write_text("Time,Value\n5/1/2024 8:00:00 AM,70\n")
    assert import_data(trial, path, participant="zero-1", no_enrol=no_enrol).failure == ""
    assert len(utc("ZERO-1", "heart_rate")) == 1
    assert ImportFile.objects.get().whose == "ZERO-1"
    assert "already imported" in import_data(trial, path, participant="ZERO-1").text


def test_rows_of_two_who_differ_in_case_alone_go_to_the_one_written_so(
    trial: Trial, tmp_path: Path, import_data: Import
) -> None:
    ParticipantFactory(trial=trial, study_id="ZERO-1")
    ParticipantFactory(trial=trial, study_id="zero-1", case_twin=True)
    rows = ("zero-1,5/1/2024 8:00:00 AM,70", "ZERO-1,5/1/2024 8:00:00 AM,71", "Zero-1,5/1/2024 8:00:00 AM,72")
    outcome = import_data(trial, write(tmp_path, *rows))
    assert "is enrolled several times" in outcome.text
    assert [value for _, value in utc("zero-1", "heart_rate")] == [70.0]
    assert [value for _, value in utc("ZERO-1", "heart_rate")] == [71.0]


# --- two runs at once --------------------------------------------------------------------------------------------


def at_once(*runs: Any) -> list[BaseException]:
    """Run these in threads of their own; returns what they raised."""
    raised: list[BaseException] = []

    def one(run: Any) -> None:
        try:
            run()
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


@pytest.mark.django_db(transaction=True)
def test_two_imports_that_meet_the_same_new_person_both_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = TrialFactory(code="WALK", time_zone="Europe/Amsterdam")
    together = threading.Barrier(2, timeout=30)

    def enrol_together(**fields: Any) -> Participant:
        together.wait()
        return participant_enrol(**fields)

    monkeypatch.setattr(label_mapping, "participant_enrol", enrol_together)
    paths = [write(tmp_path, row, name=f"{n}.csv") for n, row in enumerate((ROWS[0], ROWS[1].replace("LATE", "late")))]
    raised = at_once(*(lambda path=path: call_command("import_data", "WALK", str(path), verbosity=0) for path in paths))
    assert raised == []
    assert Participant.objects.filter(trial=trial).count() == 1
    assert Measurement.objects.count() == 2


def make_run(trial: Trial) -> Run:
    own = label_mapping.Roster(trial, zone=None, new_zone=lambda: (zoneinfo.ZoneInfo("UTC"), "a test's"))
    return Run(trial, own)


def test_a_run_whose_file_another_has_begun_with_stops_and_stores_nothing_more(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, *ROWS)
    later: list[Any] = []
    begin = import_records.begin

    def begin_and_be_overtaken(*arguments: Any, **named: Any) -> ImportFile:
        mine = begin(*arguments, **named)
        monkeypatch.setattr(import_records, "begin", begin)
        later.extend(make_run(trial).run([path]))
        return mine

    monkeypatch.setattr(import_records, "begin", begin_and_be_overtaken)
    (earlier,) = make_run(trial).run([path])
    assert [report.result for report in later] == [Result.IMPORTED]
    assert later[0].counts.new == 2
    assert earlier.result == Result.KNOWN
    assert earlier.counts.unchanged == 0
    record = ImportFile.objects.get()
    assert (record.status, record.counts["new"]) == ("done", 2)


def test_a_run_that_was_overtaken_keeps_no_rejected_rows(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, *ROWS, "LATE-1,never,60")
    take = Run._take
    later: list[Any] = []

    def overtaken(run: Run, *arguments: Any) -> None:
        monkeypatch.setattr(Run, "_take", take)
        later.extend(make_run(trial).run([path]))
        take(run, *arguments)

    monkeypatch.setattr(Run, "_take", overtaken)
    (earlier,) = make_run(trial).run([path])
    assert earlier.result == Result.KNOWN
    assert RejectedRow.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_runs_over_the_same_file_both_succeed_and_leave_one_record(tmp_path: Path) -> None:
    TrialFactory(code="WALK", time_zone="Europe/Amsterdam")
    path = write(tmp_path, *(f"P-{n % 5},5/1/2024 8:{n // 60:02}:{n % 60:02} AM,{60 + n % 40}" for n in range(3000)))
    run = lambda: call_command("import_data", "WALK", str(path), verbosity=0)  # noqa: E731
    assert at_once(run, run) == []
    assert Measurement.objects.count() == 3000
    assert ImportFile.objects.get().status == "done"
