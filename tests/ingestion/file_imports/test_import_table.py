"""The table at the end of an import: file, kind, what became of its rows, and whether it was read or why not."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path

from ingestion.file_imports.import_reports import Report, Result
from ingestion.management.commands._import_table import MOST_LINES, table
from metrics.batch import Counts
from participants.models import Trial
from tests.ingestion.conftest import Import


def _cells(text: str, name: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
    return re.split(r"\s{2,}", line.strip())


def test_every_file_has_a_line_that_says_what_it_is_and_whether_it_was_read(
    trial: Trial, tmp_path: Path, import_data: Import
) -> None:
    (tmp_path / "heartrate_1min_merged.csv").write_text(
        "Id,Time,Value\nP-1,4/12/2016 7:21:00 AM,97\nP-1,never,97\nP-1,4/12/2016 7:22:00 AM,98\n"
    )
    (tmp_path / "minuteMETsNarrow_merged.csv").write_text("Id,ActivityMinute,METs\n")
    (tmp_path / "sleepLogInfo_merged.csv").write_text("Id,LogId\n")
    (tmp_path / "notes.csv").write_text("colour\nred\n")
    (tmp_path / "README.md").write_text("hello")
    text = import_data(trial, tmp_path).text
    read = _cells(text, "heartrate_1min_merged.csv")
    assert read == [
        "heartrate_1min_merged.csv",
        "fitabase.heartrate_1min",
        *["3", "2", "0", "0", "0", "0", "0", "1"],
        "read, without 1 row that was rejected",
    ]
    assert _cells(text, "minuteMETsNarrow_merged.csv") == [
        "minuteMETsNarrow_merged.csv",
        "fitabase.minuteMETsNarrow",
        "not read: metabolic equivalents (METs) are not among the metrics we keep",
    ]
    assert _cells(text, "sleepLogInfo_merged.csv")[1] == "unknown"
    assert "FAILED: named like sleepLogInfo, but its header lacks: StartTime, Duration" in text
    assert _cells(text, "notes.csv")[1:] == ["unknown", "not read: not recognised"]
    assert _cells(text, "README.md")[1:] == ["unknown", "not read: no data file"]
    assert _cells(text, "total")[1:3] == ["5 files", "3"]


def test_a_known_file_and_a_dry_run_say_so(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = tmp_path / "weightLogInfo_merged.csv"
    path.write_text("Id,Date,WeightKg\nP-1,4/12/2016 7:21:00 AM,71.5\n")
    assert _cells(import_data(trial, path, dry_run=True).text, path.name)[-1] == "would be read"
    assert _cells(import_data(trial, path).text, path.name)[-1] == "read"
    assert "not read: already imported on" in import_data(trial, path).text


def test_nights_and_exercise_count_among_what_was_written() -> None:
    counts = Counts(new=1, sleep_new=2, exercise_new=4, exercise_changed=8)
    report = Report("a.csv", Result.IMPORTED, format="x", rows=20, counts=counts)
    assert _cells("\n".join(table([report])), "a.csv")[2:5] == ["20", "7", "8"]


def test_a_long_folder_has_a_line_a_kind_and_fate_and_one_for_each_failure() -> None:
    beats = [
        Report(
            f"heart_rate-{n}.json", Result.IMPORTED, format="takeout.heart_rate", rows=1000, rejected=Counter(bad=n % 2)
        )
        for n in range(1200)
    ]
    others = [Report(f"x{n}.json", Result.LEFT_OUT, "no health data", kind="x") for n in range(100)]
    failed = [Report(f"f{n}.csv", Result.FAILED, f"why {n}") for n in range(2)]
    lines = list(table([*beats, *others, *failed]))
    assert len(lines) == 2 + 2 + 2 + 1
    assert re.split(r"\s{2,}", lines[2])[:3] == ["heart_rate-0.json and 1,199 more", "takeout.heart_rate", "1,200,000"]
    assert lines[2].endswith("read, without 600 rows that were rejected")
    assert lines[3].startswith("x0.json and 99 more")
    assert len([line for line in lines if "FAILED: why" in line]) == 2
    assert len(list(table(beats[:MOST_LINES]))) == MOST_LINES + 3


def test_no_files_are_no_table() -> None:
    assert list(table([])) == []


def test_a_zip_s_members_are_named_by_their_last_part(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("deep/er/hourlySteps_merged.csv", "Id,ActivityHour,StepTotal\nP-1,4/12/2016 7:00:00 AM,9\n")
    assert _cells(import_data(trial, tmp_path / "a.zip").text, "hourlySteps_merged.csv")[-1] == "read"
