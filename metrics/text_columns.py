"""Columns of text, put together row by row with no Python object a row: what exported text files are made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from metrics.batch import MICROSECOND

DAY_SECONDS = 86_400
# Columns are merged while the number of their distinct texts together stays under this: beyond, it pays no more.
MOST_MERGED = 1 << 14


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Column of text: row n reads `texts[codes[n]]`, or `texts[n]` where there are no codes.

    `texts`: Arrow strings without nulls. `codes`: int32, shape (rows,).
    """

    texts: Any
    codes: NDArray[np.int32] | None = None


def coded(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """The distinct ones of values without nulls, as they first occur, and of each value its place among them.

    By their hashes: sorting, as np.unique does, takes ten times as long.
    """
    encoded = pa.array(values).dictionary_encode()
    return encoded.dictionary.to_numpy(), encoded.indices.to_numpy()


def text_column(column: Any, *, null: str = "") -> TextColumn:
    """A column (Arrow array or chunked array of any kind that casts to text) as text."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = whole if isinstance(whole, pa.DictionaryArray) else whole.dictionary_encode(null_encoding="encode")
    texts = pc.fill_null(encoded.dictionary.cast(pa.string()), null)
    return TextColumn(texts, encoded.indices.to_numpy())


def dates(micros: NDArray[np.int64]) -> TextColumn:
    """The dates of clock times (microseconds since 1970 by that clock) as ISO 8601."""
    days = (micros // (DAY_SECONDS * MICROSECOND)).astype(np.int32)
    return text_column(pa.array(days, pa.date32()))


def clock_times(micros: NDArray[np.int64]) -> list[TextColumn | str]:
    """The times of day of clock times as 12:00:00, with six decimals in all where any has a fraction of a second."""
    seconds = micros // MICROSECOND
    of_day = TextColumn(_seconds_of_day(), (seconds - seconds // DAY_SECONDS * DAY_SECONDS).astype(np.int32))
    fraction = micros - seconds * MICROSECOND
    if not fraction.any():
        return [of_day]
    return [of_day, ".", TextColumn(pc.utf8_lpad(pa.array(fraction).cast(pa.string()), 6, "0"))]


def joined(parts: Sequence[TextColumn | str]) -> Any:
    """The rows as Arrow strings: each its columns' texts and the constants between them, one after another.

    At least one part is a column.
    """
    columns = [part for part in parts if isinstance(part, TextColumn)]
    if not _rows_of(columns[0]):
        return pa.array([], pa.string())
    merged = [_merged(group) for group in _groups([_constant(part) for part in parts])]
    if all(isinstance(part, str) for part in merged):
        return pa.repeat("".join(part for part in merged if isinstance(part, str)), _rows_of(columns[0]))
    texts = [pa.scalar(part) if isinstance(part, str) else _taken(part) for part in merged]
    return pc.binary_join_element_wise(*texts, "") if len(texts) > 1 else texts[0]


def rows(parts: Sequence[TextColumn | str]) -> bytes:
    """All rows (see joined) one after another."""
    texts = joined(parts)
    if not len(texts):
        return b""
    _, offsets, characters = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32, count=len(texts) + 1, offset=texts.offset * 4)
    return bytes(characters[int(ends[0]) : int(ends[-1])])


def _rows_of(column: TextColumn) -> int:
    return len(column.texts if column.codes is None else column.codes)


def _constant(part: TextColumn | str) -> TextColumn | str:
    """A column of one text as that text."""
    if isinstance(part, TextColumn) and part.codes is not None and len(part.texts) == 1:
        return str(part.texts[0])
    return part


def _groups(parts: Sequence[TextColumn | str]) -> Iterator[list[TextColumn | str]]:
    """Neighbours that are few texts together, in their order."""
    group: list[TextColumn | str] = []
    together = 1
    for part in parts:
        if group and together * _distinct(part) > MOST_MERGED:
            yield group
            group, together = [], 1
        group.append(part)
        together *= _distinct(part)
    yield group


def _distinct(part: TextColumn | str) -> int:
    if isinstance(part, str):
        return 1
    return MOST_MERGED + 1 if part.codes is None else len(part.texts)


def _merged(group: Sequence[TextColumn | str]) -> TextColumn | str:
    """Neighbours as one: of several columns with only those texts together that some row has."""
    columns = [part for part in group if isinstance(part, TextColumn)]
    if not columns:
        return "".join(part for part in group if isinstance(part, str))
    if len(columns) == 1:
        between = [part if isinstance(part, str) else part.texts for part in group]
        return TextColumn(_side_by_side(between), columns[0].codes)
    # Each row's texts as one number, a digit a column; then the numbers that occur, and their places.
    numbers = np.zeros(_rows_of(columns[0]), dtype=np.int32)
    for column in columns:
        numbers *= len(column.texts)
        if column.codes is not None:  # one without is a group alone
            numbers += column.codes
    occur = np.zeros(math.prod(len(column.texts) for column in columns), dtype=bool)
    occur[numbers] = True
    left = np.flatnonzero(occur).astype(np.int32)
    places = np.cumsum(occur, dtype=np.int32) - 1
    texts: list[Any] = []
    for part in reversed(group):
        if isinstance(part, TextColumn):
            texts.insert(0, pc.take(part.texts, pa.array(left % len(part.texts))))
            left //= len(part.texts)
        else:
            texts.insert(0, part)
    return TextColumn(_side_by_side(texts), places[numbers])


def _taken(column: TextColumn) -> Any:
    return column.texts if column.codes is None else pc.take(column.texts, pa.array(column.codes))


def _side_by_side(texts: Sequence[Any]) -> Any:
    """Arrow strings and constants, of which at least one is strings, one after another."""
    if len(texts) == 1:
        return texts[0]
    return pc.binary_join_element_wise(*(pa.scalar(part) if isinstance(part, str) else part for part in texts), "")


@cache
def _seconds_of_day() -> Any:
    """Each second of a day as text."""
    return pa.array(np.arange(DAY_SECONDS, dtype=np.int32), pa.time32("s")).cast(pa.string())
