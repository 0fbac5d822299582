"""Binary COPY of columns, without a Python object a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metrics.batch import Seconds, Times, Values
from metrics.storage.binary_copy import PG_EPOCH
from metrics.writing import sql
from metrics.writing.rollups import SeriesKey, minutes_of

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


def copy_measurements(cursor: Any, series: SeriesKey, time: Times, value: Values, seconds: Seconds | None) -> None:
    columns = [*_key_columns(series), ("time", time - PG_EPOCH), ("value", value)]
    if seconds is not None:
        columns.append(("seconds", seconds))
    copy_columns(cursor, sql.COPY_SAMPLES if seconds is None else sql.COPY_INTERVALS, columns)


def copy_minutes(cursor: Any, series: SeriesKey, time: Times, value: Values) -> None:
    bucket, n, total, low, high = minutes_of(time, value)
    columns = [("bucket", bucket - PG_EPOCH), ("n", n), ("total", total), ("low", low), ("high", high)]
    copy_columns(cursor, sql.COPY_MINUTES, [*_key_columns(series), *columns])


def _key_columns(series: SeriesKey) -> list[tuple[str, Any]]:
    participant, metric, source = series.ids
    return [("participant", np.int32(participant)), ("metric", np.int16(metric)), ("source", np.int16(source))]


def copy_columns(cursor: Any, statement: str, columns: Sequence[tuple[str, Any]]) -> None:
    """Binary COPY of columns (arrays of one length, or scalars that repeat) without a Python object a row.

    The wire format of a row: int16 number of fields, then for each an int32 length and the big-endian value.
    https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY
    """
    row: list[tuple[str, str]] = [("fields", ">i2")]
    for name, column in columns:
        row += [(f"{name}_length", ">i4"), (name, column.dtype.newbyteorder(">").str)]
    n = max(len(column) for _, column in columns if column.ndim)
    with cursor.copy(statement) as copy:
        copy.write(COPY_HEADER)
        for start in range(0, n, COPY_ROWS):
            part = slice(start, min(start + COPY_ROWS, n))
            rows = np.empty(part.stop - part.start, dtype=row)
            rows["fields"] = len(columns)
            for name, column in columns:
                rows[f"{name}_length"] = column.dtype.itemsize
                rows[name] = column[part] if column.ndim else column
            copy.write(rows.tobytes())
        copy.write(COPY_TRAILER)
