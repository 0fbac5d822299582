"""Columns of text, put together row by row with no Python object a row: what exported text files are made of."""

from __future__ import annotations

from collections.abc import Sequence
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

    `texts`: Arrow strings without nulls. `codes`: int64, shape (rows,).
    """

    texts: Any
    codes: NDArray[np.int64] | None = None


def text_column(column: Any, *, before: str = "", after: str = "", null: str = "") -> TextColumn:
    """A column (Arrow array or chunked array of any kind that casts to text) as text, each value between two others."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = whole if isinstance(whole, pa.DictionaryArray) else whole.dictionary_encode(null_encoding="encode")
    texts = pc.fill_null(encoded.dictionary.cast(pa.string()), null)
    return TextColumn(_between(before, texts, after), encoded.indices.to_numpy().astype(np.int64))


def dates(micros: NDArray[np.int64], *, before: str = "", after: str = "") -> TextColumn:
    """The dates of clock times (microseconds since 1970 by that clock) as ISO 8601."""
    days = (micros // (DAY_SECONDS * MICROSECOND)).astype(np.int32)
    return text_column(pa.array(days, pa.date32()), before=before, after=after)


def clock_times(micros: NDArray[np.int64], *, after: str = "") -> list[TextColumn]:
    """The times of day of clock times as 12:00:00, with six decimals in all where any has a fraction of a second."""
    seconds, fraction = np.divmod(micros, MICROSECOND)
    if not fraction.any():
        return [TextColumn(_seconds_of_day(after), seconds % DAY_SECONDS)]
    decimals = pc.utf8_lpad(pa.array(fraction).cast(pa.string()), 6, "0")
    return [TextColumn(_seconds_of_day("."), seconds % DAY_SECONDS), TextColumn(_between("", decimals, after))]


def joined(parts: Sequence[TextColumn | str]) -> Any:
    """The rows as Arrow strings: each its columns' texts and the constants between them, one after another.

    At least one part is a column.
    """
    merged: list[TextColumn | str] = []
    for part in parts:
        if merged and _distinct(merged[-1]) * _distinct(part) <= MOST_MERGED:
            merged[-1] = _merged(merged[-1], part)
        else:
            merged.append(part)
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


def _distinct(part: TextColumn | str) -> int:
    if isinstance(part, str):
        return 1
    return MOST_MERGED + 1 if part.codes is None else len(part.texts)


def _merged(left: TextColumn | str, right: TextColumn | str) -> TextColumn | str:
    """Two parts as one; of two columns with only those pairs of texts that some row has."""
    if isinstance(left, str):
        return left + right if isinstance(right, str) else TextColumn(_between(left, right.texts, ""), right.codes)
    if isinstance(right, str):
        return TextColumn(_between("", left.texts, right), left.codes)
    width = max(1, len(right.texts))
    pairs, codes = np.unique(left.codes * width + right.codes, return_inverse=True)  # type: ignore[operator]
    taken = (TextColumn(left.texts, pairs // width), TextColumn(right.texts, pairs % width))
    return TextColumn(pc.binary_join_element_wise(*map(_taken, taken), ""), codes)


def _taken(column: TextColumn) -> Any:
    return column.texts if column.codes is None else pc.take(column.texts, pa.array(column.codes))


def _between(before: str, texts: Any, after: str) -> Any:
    if not before and not after:
        return texts
    return pc.binary_join_element_wise(pa.scalar(before), texts, pa.scalar(after), "")


@cache
def _seconds_of_day(after: str) -> Any:
    """Each second of a day as text, followed by `after`: one of the few texts that writers put there."""
    return pa.array([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}{after}" for s in range(DAY_SECONDS)])
