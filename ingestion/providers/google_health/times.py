"""Times, dates, lengths and offsets of Google's as columns. One that cannot be read spoils no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingestion.providers.google_health.listing import refuse_whole
from metrics.batch import MICROSECOND, Seconds, Times

NO_OFFSET = np.iinfo(np.int32).min
# No clock stands further from UTC, in seconds.
WIDEST_OFFSET = 18 * 3600
LONGEST = np.iinfo(np.int32).max  # seconds
# Days since 1970-01-01 that a calendar can hold: up to the year 2200.
LAST_DAY = 84_000

Mask = NDArray[np.bool_]
Fault = tuple[str, Mask]  # a reason, and the records that it concerns


def readable(count: int, faults: Iterable[Fault], unreadable: Counter[str]) -> Mask:
    """Mask of records that no fault concerns; the others are counted as unreadable, each by its first fault.

    Raises BrokenResponse where there are records and none can be read.
    """
    good = np.ones(count, dtype=np.bool_)
    for reason, mask in faults:
        if faulty := int(np.count_nonzero(mask & good)):
            unreadable[reason] += faulty
        good &= ~mask
    refuse_whole(int(np.count_nonzero(good)), unreadable)
    return good


def instants(texts: Sequence[str]) -> tuple[Times, Mask]:
    """Times in RFC 3339 as microseconds UTC, shape (n,), finer fractions cut off; and which are none (0 there)."""
    return _each_or_all(texts, _as_instants)


def _each_or_all(texts: Sequence[str], read: Callable[[Sequence[str]], Times]) -> tuple[Times, Mask]:
    """Result of `read` for all at once, which is fast; where it raises ValueError, of each by itself."""
    wrong = np.zeros(len(texts), dtype=np.bool_)
    try:
        return read(texts), wrong
    except ValueError:
        times = np.zeros(len(texts), dtype=np.int64)
    for index, text in enumerate(texts):
        try:
            times[index] = read([text])[0]
        except ValueError:
            wrong[index] = True
    return times, wrong


def _as_instants(texts: Sequence[str]) -> Times:
    stamps = pa.array(texts, pa.string()).cast(pa.timestamp("ns", "UTC"))
    nanoseconds: Times = stamps.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return nanoseconds // 1000


def _as_days(texts: Sequence[str]) -> Times:
    days: Times = np.array(texts, dtype="datetime64[D]").astype(np.int64)
    return days


def dates(texts: Sequence[str]) -> tuple[Times, Mask]:
    """Dates such as "2026-11-20" as days since 1970-01-01, shape (n,), and which are none of our time."""
    days, wrong = _each_or_all(texts, _as_days)
    return days, wrong | (days < 0) | (days > LAST_DAY)


def lengths(starts: Sequence[str], ends: Sequence[str]) -> tuple[Times, Seconds, list[Fault]]:
    """Intervals as first instants and seconds, and what is wrong with some. One of no length is an interval."""
    start, no_start = instants(starts)
    end, no_end = instants(ends)
    length = (end - start) // MICROSECOND
    faults: list[Fault] = [
        ("not_a_time", no_start | no_end),
        ("interval_ends_before_it_starts", length < 0),
        ("interval_too_long", length > LONGEST),
    ]
    return start, np.clip(length, 0, LONGEST).astype(np.int32), faults


def offsets(texts: Iterable[str]) -> NDArray[np.int32]:
    """Offsets such as "3600s" in seconds, NO_OFFSET for what states none."""
    known: dict[str, int] = {}
    return np.array([known[t] if t in known else known.setdefault(t, offset(t)) for t in texts], dtype=np.int32)


def offset(text: str) -> int:
    """Offset of a clock from UTC, in seconds; NO_OFFSET where the text states none."""
    seconds = duration(text)
    return int(NO_OFFSET) if seconds is None or abs(seconds) > WIDEST_OFFSET else seconds


def duration(text: str) -> int | None:
    """Duration such as "-10800s" in whole seconds; None where the text is none, or absurdly long."""
    try:
        seconds = round(float(text.removesuffix("s")))
    except (ValueError, OverflowError):
        return None
    return seconds if abs(seconds) <= LONGEST else None
