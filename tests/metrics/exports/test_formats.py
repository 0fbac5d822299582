"""What is in the files, read by other people's readers and compared with the database."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import openpyxl  # type: ignore[import-untyped]
import polars as pl
import pyarrow as pa
import pytest
from django.core.exceptions import ValidationError

from metrics.exports import folder_store, store
from metrics.models import Measurement, ParticipantDay
from participants import tables
from participants.models import Trial, User
from tests.metrics.exports.scene import exported

pytestmark = pytest.mark.django_db(transaction=True)


def ask(sql: str, folder: Path) -> list[tuple[Any, ...]]:
    """DuckDB's answer about all Parquet files of a folder."""
    rows = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true)"
    return duckdb.execute(sql.format(rows=rows)).fetchall()


def test_parquet_opens_in_duckdb_and_polars_with_the_sums_of_the_database(trial: Trial, manager: User) -> None:
    folder = folder_store.folder(exported(manager, trial))
    theirs = ask("SELECT metric, count(*), sum(value), count(seconds) FROM {rows} GROUP BY 1 ORDER BY 1", folder)
    frame = pl.read_parquet(f"{folder}/**/*.parquet", hive_partitioning=True)
    rows = list(Measurement.objects.values_list("metric__code", "value", "seconds"))
    for code, n, total, lengths in theirs:
        mine = [row for row in rows if row[0] == code]
        assert (n, lengths) == (len(mine), sum(row[2] is not None for row in mine))
        assert total == pytest.approx(sum(row[1] for row in mine))
        assert frame.filter(pl.col("metric") == code)["value"].sum() == pytest.approx(total)
    assert {row[0] for row in theirs} == {"heart_rate", "steps", "resting_heart_rate"}
    assert frame.height == len(rows)
    assert frame.schema["time"] == pl.Datetime("us", "UTC")
    assert set(frame["study_id"].cast(str)) == {"AX-1", "AX-2"}


def test_dates_of_the_folders_are_local_dates_on_the_day_the_clocks_change(trial: Trial, manager: User) -> None:
    folder = folder_store.folder(exported(manager, trial, metrics=["heart_rate"]))
    assert ask("SELECT count(*) FROM {rows} WHERE (time AT TIME ZONE 'Europe/Amsterdam')::date <> date", folder) == [
        (0,)
    ]
    offsets = ask("SELECT DISTINCT utc_offset_minutes FROM {rows} WHERE date = '2026-10-25' ORDER BY 1", folder)
    assert offsets == [(60,), (120,)]


def test_by_utc_dates_a_file_holds_a_utc_day(trial: Trial, manager: User) -> None:
    export = exported(manager, trial, metrics=["heart_rate"], clock="utc")
    rows = ask(
        "SELECT count(*), count(*) FILTER ((time AT TIME ZONE 'UTC')::date = date) FROM {rows}",
        folder_store.folder(export),
    )
    n = Measurement.objects.filter(metric__code="heart_rate").count()
    assert rows == [(n, n)]


def test_csv_and_ndjson_hold_the_same_rows(trial: Trial, manager: User) -> None:
    lines, objects = [], []
    as_csv = exported(manager, trial, format="csv")
    for file in as_csv.files.filter(rows__gt=0):
        lines += list(csv.DictReader(io.StringIO(gzip.decompress(store.open_file(as_csv, file.path).read()).decode())))
    as_json = exported(manager, trial, format="ndjson", compressed=False)
    for file in as_json.files.filter(rows__gt=0):
        objects += [json.loads(line) for line in store.open_file(as_json, file.path).read().splitlines()]
    assert len(lines) == len(objects) == Measurement.objects.count()
    for line, thing in zip(lines, objects, strict=True):
        assert (line["study_id"], line["metric"], line["time"]) == (thing["study_id"], thing["metric"], thing["time"])
        assert float(line["value"]) == thing["value"]
        assert (line["seconds"] or None) == (None if thing["seconds"] is None else str(thing["seconds"]))
    assert lines[0]["time"].endswith("Z")


def test_the_daily_table_leaves_blank_what_is_not_known(trial: Trial, manager: User) -> None:
    export = exported(manager, trial, format="daily")
    rows = list(csv.DictReader(io.StringIO(store.open_file(export, "daily.csv").read().decode("utf-8-sig"))))
    assert len(rows) == ParticipantDay.objects.count() == export.rows_done
    empty = next(row for row in rows if row["study_id"] == "AX-1" and row["date"] == "2026-11-10")
    for name in ("worn_minutes", "steps", "heart_rate_mean", "heart_rate_minutes", "resting_heart_rate"):
        assert empty[name] == "", name
    full = next(row for row in rows if row["study_id"] == "AX-1" and row["date"] == "2026-10-24")
    assert float(full["resting_heart_rate"]) == 61.5
    assert int(full["worn_minutes"]) > 0
    assert full["site"] == "LEI"
    assert full["arm"] == "'=A"


def test_the_daily_table_never_adds_sources(trial: Trial, manager: User) -> None:
    export = exported(manager, trial, format="daily", metrics=["steps"])
    frame = pl.read_parquet(folder_store.folder(export) / "daily.parquet")
    day = frame.filter((pl.col("study_id") == "AX-1") & (pl.col("steps").is_not_null()))
    charge = Measurement.objects.filter(participant__study_id="AX-1", metric__code="steps", source__platform="watch")
    assert day["steps"].sum() == sum(charge.values_list("value", flat=True))


def test_the_dictionary_names_every_column_of_the_daily_table(trial: Trial, manager: User) -> None:
    export = exported(manager, trial, format="daily")
    head = store.open_file(export, "daily.csv").readline().decode("utf-8-sig").strip().split(",")
    words = json.loads(store.open_file(export, "dictionary.json").read())
    assert [one["name"] for one in words] == head
    assert next(one for one in words if one["name"] == "resting_heart_rate")["code"] == "40443-4"
    assert "600" in next(one for one in words if one["name"] == "valid")["threshold"]
    table = list(csv.DictReader(io.StringIO(store.open_file(export, "dictionary.csv").read().decode("utf-8-sig"))))
    assert [one["name"] for one in table] == head


def test_the_daily_table_opens_in_a_spreadsheet_with_types_and_its_dictionary(trial: Trial, manager: User) -> None:
    export = exported(manager, trial, format="daily")
    for name in ("daily.csv", "dictionary.csv"):
        assert store.open_file(export, name).read(3) == b"\xef\xbb\xbf"
    raw = store.open_file(export, "daily.csv").read().decode("utf-8-sig")
    head, *lines = csv.reader(io.StringIO(raw))
    book = openpyxl.load_workbook(io.BytesIO(store.open_file(export, "daily.xlsx").read()))
    first, *rows = book["Daily"].iter_rows(values_only=True)
    assert list(first) == head
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        told = dict(zip(head, zip(row, line, strict=True), strict=True))
        for cell, text in told.values():
            assert (cell is None) == (text == "")
        assert f"{told['date'][0]:%Y-%m-%d}" == told["date"][1]
        assert isinstance(told["valid"][0], bool | None)
        if told["steps"][1]:
            assert float(told["steps"][1]) == pytest.approx(told["steps"][0])
    assert any(row[head.index("arm")] == "=A" for row in rows)
    words = list(book["Dictionary"].iter_rows(values_only=True))
    listed = csv.reader(io.StringIO(store.open_file(export, "dictionary.csv").read().decode("utf-8-sig")))
    assert next(listed) == list(words[0])
    assert [row[0] for row in words[1:]] == head
    assert export.rows_done == len(rows), "the same rows are counted once"


def test_a_daily_table_longer_than_a_sheet_says_so_in_its_workbook(
    trial: Trial, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "SHEET_ROWS", 10)
    export = exported(manager, trial, format="daily")
    book = openpyxl.load_workbook(io.BytesIO(store.open_file(export, "daily.xlsx").read()))
    assert book["Daily"]["A1"].value.endswith("Take the CSV in place of this: daily.csv")
    assert book["Daily"].max_row == 1
    assert book["Dictionary"].max_row > 10


def test_streams_for_programs_have_no_mark(trial: Trial, manager: User) -> None:
    for kind in ("csv", "ndjson"):
        export = exported(manager, trial, format=kind, compressed=False)
        for file in export.files.filter(rows__gt=0):
            assert not store.open_file(export, file.path).read(3).startswith(b"\xef\xbb\xbf")


def test_text_formats_come_compressed_by_zstd_where_that_is_asked_for(trial: Trial, manager: User) -> None:
    as_zstd = exported(manager, trial, format="csv", compression="zstd")
    as_gzip = exported(manager, trial, format="csv")
    files = [file.path for file in as_zstd.files.all() if ".csv" in file.path]
    assert files
    for path in files:
        assert path.endswith(".csv.zst")
        with store.open_file(as_zstd, path) as stored:
            text = pa.input_stream(io.BytesIO(stored.read()), compression="zstd").read()
        with store.open_file(as_gzip, path.replace(".zst", ".gz")) as stored:
            assert text == gzip.decompress(stored.read())


@pytest.mark.parametrize("kind", ["csv", "ndjson", "fhir", "omh"])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_same_rows_give_the_same_bytes(trial: Trial, manager: User, kind: str, compression: str) -> None:
    first, second = (exported(manager, trial, format=kind, compression=compression) for _ in range(2))
    suffix = {"gzip": ".gz", "zstd": ".zst"}[compression]
    sums = [{f.path: f.sha256 for f in export.files.all() if f.path.endswith(suffix)} for export in (first, second)]
    assert sums[0]
    assert sums[0] == sums[1]


def test_another_compression_is_refused(trial: Trial, manager: User) -> None:
    with pytest.raises(ValidationError, match="gzip, zstd"):
        exported(manager, trial, format="csv", compression="lzma")
