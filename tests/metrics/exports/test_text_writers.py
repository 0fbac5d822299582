"""Text writers' rows: each value as it is written, whatever stands beside it."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.exports.writers import COLUMNS, Context, CsvWriter, NdjsonWriter
from metrics.registry import HEART_RATE
from metrics.text_columns import TextColumn, coded, rows, text_column

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# Whoever, from whatever: texts that each format has to quote.
PEOPLE = ["P-001", 'with "quotes"', "comma, and\nline feed", "ü"]
SOURCES = ["vendor · device", 'a "device", say']

# study id, source, microseconds UTC, offset, value, seconds, plausible
samples = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from(SOURCES),
        st.one_of(st.integers(-(10**9), 4 * 10**9).map(lambda s: s * 1_000_000), st.integers(-(10**15), 4 * 10**15)),
        st.integers(-14 * 60, 14 * 60),
        st.floats(allow_nan=False, allow_infinity=False),
        st.one_of(st.none(), st.integers(0, 86_400)),
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
)


def table(given_rows: list[Any]) -> Any:
    columns = [list(column) for column in zip(*given_rows, strict=True)]
    text = [pa.array(column, pa.string()).dictionary_encode() for column in columns[:2]]
    kinds = (pa.timestamp("us", "UTC"), pa.int16(), pa.float64(), pa.int32(), pa.bool_())
    rest = [pa.array(column, kind) for column, kind in zip(columns[2:], kinds, strict=True)]
    return pa.table([*text, *rest], names=list(COLUMNS))


def context() -> Context:
    return Context("TRIAL", HEART_RATE, {}, {}, {}, compression="")


def expected_time(micros: int) -> set[str]:
    at = EPOCH + dt.timedelta(microseconds=micros)
    return {at.strftime("%Y-%m-%dT%H:%M:%S" + fraction) + "Z" for fraction in ("", ".%f")}


def expected_date(micros: int, offset: int) -> str:
    return (EPOCH + dt.timedelta(microseconds=micros, minutes=offset)).date().isoformat()


@given(samples)
def test_csv_reads_back_as_what_was_written(given_rows: list[Any]) -> None:
    writer = CsvWriter(io.BytesIO(), context())
    text = (writer.head() + writer.lines(table(given_rows))).decode()
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    for row, (person, source, micros, offset, value, seconds, plausible) in zip(read, given_rows, strict=True):
        assert (row["study_id"], row["metric"], row["source"]) == (person, "heart_rate", source)
        assert row["time"] in expected_time(micros)
        assert row["date"] == expected_date(micros, offset)
        assert (int(row["utc_offset_minutes"]), float(row["value"])) == (offset, value)
        assert (row["seconds"], row["plausible"]) == ("" if seconds is None else str(seconds), str(plausible).lower())


@given(samples)
def test_ndjson_reads_back_as_what_was_written(given_rows: list[Any]) -> None:
    lines = NdjsonWriter(io.BytesIO(), context()).lines(table(given_rows)).splitlines()
    for line, (person, source, micros, offset, value, seconds, plausible) in zip(lines, given_rows, strict=True):
        row = json.loads(line)
        assert row.pop("time") in expected_time(micros)
        assert row == {
            "study_id": person,
            "metric": "heart_rate",
            "unit": "/min",
            "source": source,
            "date": expected_date(micros, offset),
            "utc_offset_minutes": offset,
            "value": value,
            "seconds": seconds,
            "plausible": plausible,
        }


@pytest.mark.parametrize("micros", [0, 1_777_900_000_000_000])
def test_whole_seconds_are_written_without_decimals(micros: int) -> None:
    row = ("P-001", SOURCES[0], micros, 0, 60.0, None, True)
    assert b".000000" not in CsvWriter(io.BytesIO(), context()).lines(table([row]))


def test_columns_are_put_together_row_by_row_where_each_text_is_distinct() -> None:
    many = [str(n) for n in range(1_000)]
    parts = (TextColumn(pa.array(many), np.arange(1_000, dtype=np.int32)), "-", text_column(pa.array(many)), "\n")
    assert rows(parts).decode().splitlines() == [f"{n}-{n}" for n in range(1_000)]


def test_columns_of_one_text_each_are_as_many_rows() -> None:
    column = TextColumn(pa.array(["a"]), np.zeros(3, dtype=np.int32))
    assert rows([column, "-", column, "\n"]) == b"a-a\n" * 3


def test_distinct_values_come_with_each_value_s_place_among_them() -> None:
    values, places = coded(np.array([3.5, -1.0, 3.5]))
    assert values.tolist() == [3.5, -1.0]
    assert places.tolist() == [0, 1, 0]


def test_no_rows_are_no_text() -> None:
    assert rows([text_column(pa.array([], pa.string())), text_column(pa.array([], pa.int64()))]) == b""
