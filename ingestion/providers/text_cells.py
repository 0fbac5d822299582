"""Cells of text columns as numbers, codes and times, all rows at once.

Wall-clock times come out as "local microseconds": microseconds since 1970-01-01 00:00 on that clock, no zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from metrics.batch import MICROSECOND, Times, Values

DAY_SECONDS = 86_400

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]


def numbers(column: Any, *, decimal: str = ".") -> tuple[Values, Mask]:
    """Numbers of a text column as float64, and a mask of the cells that are numbers; the others are NaN.

    An empty cell and "NaN" are good cells without a number: NaN. `decimal`: the sign of fractions.
    """
    if decimal != ".":
        column = pc.replace_substring(column, decimal, ".")
    try:
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.ones(len(column), dtype=bool)
    except pa.ArrowInvalid:
        trimmed = pc.utf8_trim_whitespace(column)
        text = pc.if_else(pc.equal(trimmed, ""), "nan", trimmed)
        good = pc.match_substring_regex(text, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^(?i:nan)$")
        values = pc.if_else(good, text, pa.scalar(None, pa.string())).cast(pa.float64())
        return values.to_numpy(zero_copy_only=False), good.to_numpy(zero_copy_only=False)


def middles(column: Any, *, decimal: str = ".") -> tuple[Values, Mask, Mask]:
    """Numbers as `numbers` gives them, where a cell may be a range too, 39-43: its middle. The second mask has the
    ranges."""
    values, ok = numbers(column, decimal=decimal)
    text = pc.replace_substring(pc.utf8_trim_whitespace(column), decimal, ".")
    ends = pc.extract_regex(text, r"^(?P<low>\d+(?:\.\d+)?) ?- ?(?P<high>\d+(?:\.\d+)?)$")
    ranged = ends.is_valid().to_numpy(zero_copy_only=False)
    if not ranged.any():
        return values, ok, ranged
    low, high = (numbers(pc.struct_field(ends, name).filter(pa.array(ranged)))[0] for name in ("low", "high"))
    values = values.copy()
    values[ranged] = (low + high) / 2
    return values, ok | ranged, ranged


def labels(column: Any) -> tuple[NDArray[np.int32], list[str]]:
    """Codes (int32) of a text column into its distinct values, in order of their first occurrence."""
    encoded = column.dictionary_encode()
    names = [name.strip() for name in encoded.dictionary.to_pylist()]
    return encoded.indices.to_numpy(zero_copy_only=False), names


def _bytes(column: Any) -> tuple[Bytes, NDArray[np.int64], NDArray[np.int64]]:
    """Bytes of a text column, and where in them each cell starts and how long it is. Padded for reading past cells."""
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    text = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)
    return text, starts[:-1], np.diff(starts)


def lengths(column: Any) -> NDArray[np.int64]:
    """Bytes in each cell of a text column."""
    return _bytes(column)[2]


class _Cells:
    """Reader of digits in text cells at positions that may differ from row to row; notes rows that do not fit."""

    def __init__(self, column: Any) -> None:
        text, self.start, self.length = _bytes(column)
        self.text = np.concatenate([text, np.zeros(64, dtype=np.uint8)])
        self.ok = np.ones(len(self.start), dtype=bool)

    def at(self, position: Any) -> Bytes:
        """Byte at a position within each cell."""
        bytes_there: Bytes = self.text[np.clip(self.start + position, 0, len(self.text) - 1)]
        return bytes_there

    def digits(self, position: Any, count: int) -> NDArray[np.int64]:
        """Number of `count` digits at a position."""
        total: NDArray[np.int64] = np.zeros(len(self.start), dtype=np.int64)
        for index in range(count):
            digit = self.at(position + index).astype(np.int64) - ord("0")
            self.ok &= (digit >= 0) & (digit <= 9)
            total = total * 10 + digit
        return total

    def one_or_two(self, position: Any, end: Any) -> NDArray[np.int64]:
        """Number of one or two digits that reaches from a position to `end`."""
        width = end - position
        self.ok &= (width == 1) | (width == 2)
        last = self.at(end - 1).astype(np.int64) - ord("0")
        first = np.where(width == 2, self.at(position).astype(np.int64) - ord("0"), 0)
        self.ok &= (last >= 0) & (last <= 9) & (first >= 0) & (first <= 9)
        return first * 10 + last

    def mark(self, position: Any, characters: str) -> None:
        """Require one of these characters at a position."""
        character = self.at(position)
        self.ok &= (
            np.isin(character, np.frombuffer(characters.encode(), dtype=np.uint8))
            if len(characters) > 1
            else character == ord(characters)
        )

    def within(self, numbers: NDArray[np.int64], low: int, high: int) -> NDArray[np.int64]:
        self.ok &= (numbers >= low) & (numbers <= high)
        return numbers


def _days(
    cells: _Cells, year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Days since 1970-01-01 of calendar dates; dates that do not exist are marked as not fitting."""
    cells.within(month, 1, 12)
    cells.within(day, 1, 31)
    cells.within(year, 1900, 2200)
    months = np.where(cells.ok, (year - 1970) * 12 + month - 1, 0)
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    cells.ok &= day <= following - first
    return first + day - 1


def us_datetimes(column: Any) -> tuple[Times, Mask]:
    """Local microseconds of cells like "4/12/2016 7:21:00 AM", and a mask of the cells that are so written."""
    cells = _Cells(column)
    end = cells.length
    cells.ok &= end >= 19
    cells.mark(end - 1, "M")
    cells.mark(end - 2, "AP")
    for position, letter in ((end - 3, " "), (end - 6, ":"), (end - 9, ":")):
        cells.mark(position, letter)
    seconds = cells.within(cells.digits(end - 5, 2), 0, 59)
    minutes = cells.within(cells.digits(end - 8, 2), 0, 59)
    space = np.where(cells.at(end - 11) == ord(" "), end - 11, end - 12)
    cells.mark(space, " ")
    hours = cells.within(cells.one_or_two(space + 1, end - 9), 1, 12) % 12
    hours = hours + np.where(cells.at(end - 2) == ord("P"), 12, 0)
    days = _us_days(cells, space)
    local = (days * DAY_SECONDS + hours * 3600 + minutes * 60 + seconds) * MICROSECOND
    return np.where(cells.ok, local, 0), cells.ok


def us_dates(column: Any) -> tuple[Times, Mask]:
    """Local microseconds of 00:00 of cells like "4/12/2016", and a mask of the cells that are so written."""
    cells = _Cells(column)
    days = _us_days(cells, cells.length)
    return np.where(cells.ok, days * DAY_SECONDS * MICROSECOND, 0), cells.ok


def _us_days(cells: _Cells, end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days since 1970-01-01 of a date M/D/YYYY that fills each cell up to `end`."""
    month_end = np.where(cells.at(1) == ord("/"), 1, 2)
    cells.mark(month_end, "/")
    cells.mark(end - 5, "/")
    cells.ok &= (end >= 8) & (end <= 10)
    month = cells.one_or_two(np.zeros_like(end), month_end)
    day = cells.one_or_two(month_end + 1, end - 5)
    return _days(cells, cells.digits(end - 4, 4), month, day)


def short_us_datetimes(texts: Sequence[str]) -> tuple[Times, Mask]:
    """Local microseconds of cells like "05/02/24 07:00:12" (month first, two-digit year of this century), and where it
    is so."""
    cells = _Cells(pa.array(texts, pa.string()))
    cells.ok &= cells.length == 17
    for position, letter in ((2, "/"), (5, "/"), (8, " "), (11, ":"), (14, ":")):
        cells.mark(position, letter)
    days = _days(cells, cells.digits(6, 2) + 2000, cells.digits(0, 2), cells.digits(3, 2))
    hours, minutes = cells.within(cells.digits(9, 2), 0, 23), cells.within(cells.digits(12, 2), 0, 59)
    seconds = cells.within(cells.digits(15, 2), 0, 59)
    local = (days * DAY_SECONDS + hours * 3600 + minutes * 60 + seconds) * MICROSECOND
    return np.where(cells.ok, local, 0), cells.ok


def iso_datetimes(column: Any) -> tuple[Times, Mask, Mask]:
    """Microseconds of cells like "2024-05-01T09:07[:12[.5]][Z|+00:00|+0000]", where it is so, and where a zone was
    named.

    With a zone the microseconds are UTC, without one local. A bare date is that day's 00:00.
    """
    cells = _Cells(column)
    for position in (4, 7):
        cells.mark(position, "-")
    days = _days(cells, cells.digits(0, 4), cells.digits(5, 2), cells.digits(8, 2))
    date_ok, dated = cells.ok.copy(), cells.length == 10
    cells.mark(10, "T ")
    cells.mark(13, ":")
    hours, minutes = cells.within(cells.digits(11, 2), 0, 23), cells.within(cells.digits(14, 2), 0, 59)
    timed = cells.at(16) == ord(":")
    before = cells.ok.copy()
    seconds = np.where(timed, cells.digits(17, 2), 0)
    cells.ok = before & np.where(timed, cells.ok & (seconds <= 59), True) & (cells.length >= 16)
    tail, tail_ok, zoned = _tails(column, timed)
    local = (days * DAY_SECONDS + hours * 3600 + minutes * 60 + seconds) * MICROSECOND + tail
    local = np.where(dated, days * DAY_SECONDS * MICROSECOND, local)
    ok = np.where(dated, date_ok, cells.ok & tail_ok)
    return np.where(ok, local, 0), ok, zoned & ~dated


def _tails(column: Any, timed: Mask) -> tuple[NDArray[np.int64], Mask, Mask]:
    """Tails of ISO times, after the minutes or seconds: microseconds to add, whether it is legible, zone or none."""
    rest = pc.if_else(pa.array(timed), pc.utf8_slice_codeunits(column, 19), pc.utf8_slice_codeunits(column, 16))
    encoded = rest.dictionary_encode()
    parts = pc.extract_regex(encoded.dictionary, r"^(?P<fraction>\.\d{1,9})?(?P<zone>Z|[+-]\d\d:?\d\d)?$").to_pylist()
    add, ok, zoned = np.zeros(len(parts), np.int64), np.zeros(len(parts), bool), np.zeros(len(parts), bool)
    for index, part in enumerate(parts):
        if part is None:
            continue
        ok[index], zoned[index] = True, bool(part["zone"])
        add[index] = round(float(part["fraction"] or 0) * MICROSECOND) - offset_seconds(part["zone"]) * MICROSECOND
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return add[codes], ok[codes], zoned[codes]


def offset_seconds(zone: str) -> int:
    """Seconds east of UTC of an offset like "+02:00", "-0500" or "Z"; "" is 0."""
    if zone in ("", "Z"):
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60
    return -seconds if zone[0] == "-" else seconds
