"""Binary COPY of columns, without a Python object a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metrics.batch import Seconds, Times, Values
from metrics.storage.binary_copy import PG_EPOCH
from metrics.writing import sql
from metrics.writing.fresh_rollups import Buckets
from metrics.writing.rollups import SeriesKey

Columns = Sequence[tuple[str, Any]]

# Rows of a binary COPY go out in parts of this many.
COPY_ROWS = 131_072
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
COPY_TRAILER = b"\xff\xff"


def stage(cursor: Any, time: Times, value: Values, seconds: Seconds | None) -> None:
    """Put columns into the staging table of this transaction, in place of what it held."""
    cursor.execute(sql.STAGE)
    cursor.execute(sql.STAGE_EMPTY)
    columns: list[tuple[str, Any]] = [("time", time - PG_EPOCH), ("value", value)]
    if seconds is not None:
        columns.append(("seconds", seconds))
    if len(time):
        copy_columns(cursor, sql.COPY_STAGED_SAMPLES if seconds is None else sql.COPY_STAGED_INTERVALS, columns)


def copy_measurements(cursor: Any, parts: Sequence[tuple[SeriesKey, Times, Values, Seconds | None]]) -> None:
    """Copy the samples of some series; one statement, or none. Lengths None: instants."""
    with_lengths = any(seconds is not None for _, _, _, seconds in parts)
    tables = []
    for series, time, value, seconds in parts:
        columns = [*_key_columns(series), ("time", time - PG_EPOCH), ("value", value)]
        if with_lengths:
            columns.append(("seconds", seconds))
        tables.append(columns)
    copy_tables(cursor, sql.COPY_INTERVALS if with_lengths else sql.COPY_SAMPLES, tables)


def copy_minutes(cursor: Any, parts: Sequence[tuple[SeriesKey, Buckets]]) -> None:
    """Copy the minute buckets of some series; one statement, or none."""
    tables = []
    for series, minutes in parts:
        columns = [("bucket", minutes.key - PG_EPOCH), ("n", minutes.n.astype(np.int32)), ("total", minutes.total)]
        tables.append([*_key_columns(series), *columns, ("low", minutes.low), ("high", minutes.high)])
    copy_tables(cursor, sql.COPY_MINUTES, tables)


def _key_columns(series: SeriesKey) -> list[tuple[str, Any]]:
    participant, metric, source = series.ids
    return [("participant", np.int32(participant)), ("metric", np.int16(metric)), ("source", np.int16(source))]


def copy_columns(cursor: Any, statement: str, columns: Columns) -> None:
    """Binary COPY of columns (arrays of one length, or scalars that repeat; None: null) without a Python object a row.

    The wire format of a row: int16 number of fields, then for each an int32 length and the big-endian value; of null
    the length -1 alone. https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY
    """
    copy_tables(cursor, statement, [columns])


def copy_tables(cursor: Any, statement: str, tables: Sequence[Columns]) -> None:
    """Binary COPY of several tables of the same columns in one statement; none where there are no rows."""
    tables = [columns for columns in tables if _length(columns)]
    if not tables:
        return
    with cursor.copy(statement) as copy:
        copy.write(COPY_HEADER)
        for columns in tables:
            _write_rows(copy, columns)
        copy.write(COPY_TRAILER)


def _length(columns: Columns) -> int:
    return max(len(column) for _, column in columns if column is not None and column.ndim)


def _write_rows(copy: Any, columns: Columns) -> None:
    row: list[tuple[str, str]] = [("fields", ">i2")]
    for name, column in columns:
        row.append((f"{name}_length", ">i4"))
        if column is not None:
            row.append((name, column.dtype.newbyteorder(">").str))
    n = _length(columns)
    for start in range(0, n, COPY_ROWS):
        part = slice(start, min(start + COPY_ROWS, n))
        rows = np.empty(part.stop - part.start, dtype=row)
        rows["fields"] = len(columns)
        for name, column in columns:
            rows[f"{name}_length"] = -1 if column is None else column.dtype.itemsize
            if column is not None:
                rows[name] = column[part] if column.ndim else column
        copy.write(rows.tobytes())
