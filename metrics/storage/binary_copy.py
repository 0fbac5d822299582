"""Columns out of the database by binary COPY: whole arrays at a time, without a Python object a value.

The way back of metrics/writing/binary_copy.py. A statement's rows hold numbers first and arrays after them; a row is a
whole series. https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from django.db import connections
from numpy.typing import NDArray
from psycopg import ClientCursor

# PostgreSQL counts time from 2000-01-01.
PG_EPOCH = 946_684_800_000_000

# Element types of arrays by their object id in PostgreSQL's catalogue, as they come over the wire.
_ELEMENTS = {20: ">i8", 23: ">i4", 701: ">f8", 1184: ">i8"}
_TIMESTAMPTZ = 1184
_NUMBERS = {2: ">h", 4: ">i", 8: ">q"}
_SIGNATURE = 11


def read(
    statement: str, parameters: dict[str, Any], *, using: str = "default"
) -> Iterator[tuple[list[int], list[NDArray[Any]]]]:
    """For each row of a COPY ... TO STDOUT (FORMAT BINARY): its whole numbers, and its arrays, of shape (n,).

    int8 and float8 arrays keep their type; times become int64 microseconds since 1970, UTC. The copied is held
    whole: callers bound what they ask for.
    """
    with connections[using].cursor() as cursor:
        # Parameters go in on our side: COPY takes none over the wire.
        whole = ClientCursor(connections[using].connection).mogrify(statement, parameters)
        with cursor.copy(whole) as copy:
            copied = b"".join(copy)
    yield from _rows(copied)


def _rows(copied: bytes) -> Iterator[tuple[list[int], list[NDArray[Any]]]]:
    (extension,) = struct.unpack_from(">i", copied, _SIGNATURE + 4)
    at = _SIGNATURE + 8 + extension
    while True:
        (fields,) = struct.unpack_from(">h", copied, at)
        at += 2
        if fields < 0:
            return
        numbers: list[int] = []
        arrays: list[NDArray[Any]] = []
        for _ in range(fields):
            (length,) = struct.unpack_from(">i", copied, at)
            at += 4
            if form := _NUMBERS.get(length):
                numbers.append(struct.unpack_from(form, copied, at)[0])
            else:
                arrays.append(_array(copied, at))
            at += length
        yield numbers, arrays


def _array(copied: bytes, at: int) -> NDArray[Any]:
    """One array of one dimension without nulls: a head of five int32, then each element's length and value."""
    dimensions, nulls, kind, n = struct.unpack_from(">iiii", copied, at)
    if dimensions != 1 or nulls:
        raise ValueError("columns.read takes arrays of one dimension without nulls")
    layout = np.dtype([("length", ">i4"), ("value", _ELEMENTS[kind])])
    values = np.frombuffer(copied, dtype=layout, count=n, offset=at + 20)["value"]
    native: NDArray[Any] = values.astype(values.dtype.newbyteorder("="))
    return native + PG_EPOCH if kind == _TIMESTAMPTZ else native
