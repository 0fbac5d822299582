"""CSV files as spreadsheets of many countries save them: semicolons, tabs, a comma for the decimal sign."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ingestion.models import ImportFile, RejectedRow
from ingestion.providers.base.files import ForeignFile
from ingestion.providers.csv_columns import blocks, header_of
from metrics.models import SleepSession
from participants.models import Trial
from tests.ingestion.conftest import Export, Import, utc


def _numbers(text: str, name: str = "b", *, quoted: bool = False) -> list[float]:
    data = text.encode()
    found = blocks(lambda: io.BytesIO(data), ["a", "b"], quoted=quoted)
    return [value for block, _ in found for value in block.numbers(name)[0].tolist()]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2.5\n",
        "a;b\n1;2,5\n",
        "a;b\n1;2.5\n",
        "a\tb\n1\t2,5\n",
        "a\tb\n1\t2.5\n",
        "sep=;\r\na;b\r\n1;2,5\r\n",
        "\ufeffa;b\n1;2,5\n",
        '"a";"b"\n"1";"2,5"\n',
        "a;b;;\n1;2,5;;\n",
    ],
)
def test_a_value_is_the_same_however_its_file_is_written(text: str) -> None:
    assert _numbers(text) == [2.5]


def test_a_comma_is_no_decimal_sign_where_it_separates_cells() -> None:
    assert _numbers('a,b\n1,"2,5"\n1,3.5\n', quoted=True)[1:] == [3.5]
    assert header_of(b"a,b") == header_of(b"a;b") == ["a", "b"]


def test_rows_know_their_lines_behind_a_line_of_the_spreadsheet() -> None:
    found = list(blocks(lambda: io.BytesIO(b"sep=;\na;b\n1;2\n3\n5;6\n"), ["a", "b"]))
    assert [line for block, _ in found for line in block.lines.tolist()] == [3, 5]
    assert [problem.line for _, chunk in found for problem in chunk.problems] == [4]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a;b,c\n1;2\n", "commas and semicolons"),
        ("a;b\n1;2,5\n1;2.5\n", "commas and full stops"),
        ("a;b\n1;1.234\n1;12\n", "fractions or thousands"),
        ("a;b\n1;1,234\n", "1,234 in b"),
    ],
)
def test_what_cannot_be_told_is_refused(text: str, why: str) -> None:
    with pytest.raises(ForeignFile, match=why):
        _numbers(text)


@pytest.mark.parametrize("text", ["a;b\n1;1.234\n1;0.5\n", "a;b\n1;1.234\n1;7.25\n"])
def test_one_sure_fraction_tells_of_the_others(text: str) -> None:
    assert _numbers(text)[0] == 1.234


def test_a_semicolon_file_of_a_device_is_read(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = tmp_path / "minuteStepsNarrow_merged.csv"
    path.write_text("Id;ActivityMinute;Steps\nP-1;5/1/2024 8:00:00 AM;12\nP-1;5/1/2024 8:01:00 AM;x\n")
    assert import_data(trial, path).failure == "1 row was turned away for good."
    assert utc("P-1", "steps") == [("2024-05-01T06:00:00", 12.0)]
    assert RejectedRow.objects.get().line == 3


def test_nights_in_two_semicolon_files_are_read(export: Export, import_data: Import) -> None:
    folder = "Takeout/Fitbit/Health Fitness Data_GoogleData"
    export.file(
        f"{folder}/UserSleeps_2024-05-01.csv",
        "sleep_id;start_utc_offset;sleep_start;sleep_end\n7;+02:00;2024-05-01T21:00:00Z;2024-05-02T05:00:00Z\n",
    )
    export.file(
        f"{folder}/UserSleepStages_2024-05-01.csv",
        "sleep_id;sleep_stage_type;sleep_stage_start;sleep_stage_end\n7;LIGHT;2024-05-01T21:00:00Z;2024-05-01T22:00:00Z\n",
    )
    assert import_data(export.trial, export.folder, participant="P-1").failure == ""
    assert SleepSession.objects.get().stages == [[0, 3600, "light"]]


def test_a_weight_with_a_decimal_comma_is_read(export: Export) -> None:
    assert export.take("weight.csv", "timestamp;weight grams\n2024-05-01T06:00:00Z;71250,5\n").failure == ""
    assert utc("P-1", "weight") == [("2024-05-01T06:00:00", 71.2505)]


def test_a_header_of_both_signs_is_called_what_it_is(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = tmp_path / "heartrate_seconds_merged.csv"
    path.write_text("Id;Time,Value\nP-1;5/1/2024 8:00:00 AM,60\n")
    outcome = import_data(trial, path)
    assert "commas and semicolons" in outcome.text
    assert ImportFile.objects.get().status == "failed"


def test_nothing_of_a_file_whose_decimal_sign_is_not_sure_is_stored(
    trial: Trial, tmp_path: Path, import_data: Import
) -> None:
    path = tmp_path / "minuteStepsNarrow_merged.csv"
    path.write_text("Id;ActivityMinute;Steps\nP-1;5/1/2024 8:00:00 AM;1.204\n")
    assert "fractions or thousands" in import_data(trial, path).text
    assert utc("P-1", "steps") == []
