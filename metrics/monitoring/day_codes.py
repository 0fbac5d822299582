"""Days as letters: one a day, so that a trial of 1,000 people and a year is read as 1,000 short texts.

`trail` says how each day was judged and, of valid days, how long the device was worn; `nights` whether a main sleep
was recorded. Both run from Standing.trail_from to Standing.trail_until, one letter for each local date.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.models import DayStatus, Exclusion

PENDING, INVALID, LOST, EXCLUDED, FAULT = "p", "i", "l", "x", "f"
# Valid, by worn minutes: up to 14 h, up to 20 h, more.
VALID = ("1", "2", "3")
VALID_FROM = (0, 14 * 60, 20 * 60)
NIGHT, NO_NIGHT, NIGHT_PENDING = "n", "-", "?"
NO_DAY = " "  # not a letter of any trail: what lies before or after one


def day_code(status: str, reason: str, worn_minutes: int) -> str:
    """A day's letter: a DayStatus with its reason and its worn minutes."""
    if status == DayStatus.VALID:
        return VALID[sum(worn_minutes >= low for low in VALID_FROM) - 1]
    if status == DayStatus.EXCLUDED:
        return FAULT if reason == Exclusion.PLATFORM else EXCLUDED
    return {DayStatus.PENDING: PENDING, DayStatus.INVALID: INVALID, DayStatus.LOST: LOST}[DayStatus(status)]


def status_of(day_code: str) -> str:
    """The DayStatus of a change's letter: a day that a fault took away is excluded."""
    return DayStatus.EXCLUDED if day_code == FAULT else day_code


def matrix(rows_of_codes: Sequence[tuple[int, str]], first: int, last: int) -> NDArray[np.uint8]:
    """Trails as bytes of shape (people, last - first + 1); columns are days since 1970-01-01, `first` to `last`.

    `trails`: (days since 1970-01-01 of the first letter, letters). Days outside a trail are spaces.
    """
    codes_of_days = np.full((len(rows_of_codes), last - first + 1), ord(NO_DAY), dtype=np.uint8)
    for row, (start, codes) in enumerate(rows_of_codes):
        values = np.frombuffer(codes.encode("ascii"), dtype=np.uint8)
        low, high = max(start, first), min(start + len(values), last + 1)
        if low < high:
            codes_of_days[row, low - first : high - first] = values[low - start : high - start]
    return codes_of_days
