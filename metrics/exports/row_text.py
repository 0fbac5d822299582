"""Text of rows: columns of few distinct texts, put together row by row, with no Python object a row."""

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
    """Column of text: row n reads `texts[codes[n]]`.

    `codes`: int64, shape (rows,). `texts`: Arrow strings without nulls, each once or more.
    """

    codes: NDArray[np.int64]
    texts: Any


def text_column(column: Any, *, before: str = "", after: str = "", null: str = "") -> TextColumn:
    """A column (Arrow array or chunked array of any kind that casts to text) as text, each value between two others."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = whole if isinstance(whole, pa.DictionaryArray) else whole.dictionary_encode(null_encoding="encode")
    texts = pc.fill_null(encoded.dictionary.cast(pa.string()), null)
    return TextColumn(encoded.indices.to_numpy().astype(np.int64), _between(before, texts, after))


def clock_times(times: Any, *, after: str = "") -> list[TextColumn]:
    """The clock times of instants (Arrow timestamps, UTC): "12:00:00Z", with six decimals where any has a fraction."""
    micros = _micros(times)
    seconds, fraction = np.divmod(micros, MICROSECOND)
    if not fraction.any():
        return [TextColumn(seconds % DAY_SECONDS, _clock("Z" + after))]
    decimals = pc.utf8_lpad(pa.array(fraction).cast(pa.string()), 6, "0")
    return [
        TextColumn(seconds % DAY_SECONDS, _clock(".")),
        TextColumn(np.arange(len(micros)), _between("", decimals, "Z" + after)),
    ]


def utc_dates(times: Any, *, before: str = "", after: str = "") -> TextColumn:
    """The UTC dates of instants (Arrow timestamps)."""
    return dates(_micros(times) // (DAY_SECONDS * MICROSECOND), before=before, after=after)


def dates(days: NDArray[np.int64], *, before: str = "", after: str = "") -> TextColumn:
    """Days since 1970 as ISO 8601 dates."""
    return text_column(pa.array(days.astype(np.int32), pa.date32()), before=before, after=after)


def rows(columns: Sequence[TextColumn]) -> bytes:
    """All rows one after another, each its columns' texts one after another."""
    merged: list[TextColumn] = []
    for column in columns:
        if merged and len(merged[-1].texts) * len(column.texts) <= MOST_MERGED:
            merged[-1] = _merged(merged[-1], column)
        else:
            merged.append(column)
    taken = [pc.take(column.texts, pa.array(column.codes)) for column in merged]
    return _characters(pc.binary_join_element_wise(*taken, "") if len(taken) > 1 else taken[0])


def _merged(left: TextColumn, right: TextColumn) -> TextColumn:
    """Two columns as one, with only those pairs of texts that some row has."""
    width = max(1, len(right.texts))
    present, codes = np.unique(left.codes * width + right.codes, return_inverse=True)
    texts = pc.binary_join_element_wise(
        pc.take(left.texts, pa.array(present // width)), pc.take(right.texts, pa.array(present % width)), ""
    )
    return TextColumn(codes, texts)


def _between(before: str, texts: Any, after: str) -> Any:
    if not before and not after:
        return texts
    return pc.binary_join_element_wise(pa.scalar(before), texts, pa.scalar(after), "")


@cache
def _clock(after: str) -> Any:
    """Each second of a day as text, followed by `after`."""
    return pa.array([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}{after}" for s in range(DAY_SECONDS)])


def _micros(times: Any) -> NDArray[np.int64]:
    return np.asarray(times.cast(pa.int64()).to_numpy())


def _characters(texts: Any) -> bytes:
    """The characters of an array of strings that has no nulls, which lie one after another."""
    if not len(texts):
        return b""
    _, offsets, characters = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32, count=len(texts) + 1, offset=texts.offset * 4)
    return bytes(characters[int(ends[0]) : int(ends[-1])])
