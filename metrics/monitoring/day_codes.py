"""Day codes: one letter a day, so that a trial of 1,000 people and a year is read as 1,000 short texts.

Of ParticipantStatusSummary `day_codes` says each day's status and, of valid days, how long the device was worn;
`nights` whether a main sleep was recorded. Both run from `day_codes_from` to `day_codes_until`, one code for each
local date.
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
NO_DAY = " "  # no day's code: what lies before or after those that are known


def day_code(status: str, reason: str, worn_minutes: int) -> str:
    """Code of a day: a DayStatus with its reason and its worn minutes."""
    if status == DayStatus.VALID:
        return VALID[sum(worn_minutes >= low for low in VALID_FROM) - 1]
    if status == DayStatus.EXCLUDED:
        return FAULT if reason == Exclusion.PLATFORM else EXCLUDED
    return {DayStatus.PENDING: PENDING, DayStatus.INVALID: INVALID, DayStatus.LOST: LOST}[DayStatus(status)]


def status_of(day_code: str) -> str:
    """The DayStatus of a change's code: a day that a fault took away is excluded."""
    return DayStatus.EXCLUDED if day_code == FAULT else day_code


def matrix(rows_of_codes: Sequence[tuple[int, str]], first: int, last: int) -> NDArray[np.uint8]:
    """Day codes as bytes of shape (participants, last - first + 1); columns: days since 1970-01-01, `first` to `last`.

    `rows_of_codes`: (days since 1970-01-01 of the first code, codes). Days outside of them are spaces.
    """
    codes_of_days = np.full((len(rows_of_codes), last - first + 1), ord(NO_DAY), dtype=np.uint8)
    for row, (start, codes) in enumerate(rows_of_codes):
        values = np.frombuffer(codes.encode("ascii"), dtype=np.uint8)
        low, high = max(start, first), min(start + len(values), last + 1)
        if low < high:
            codes_of_days[row, low - first : high - first] = values[low - start : high - start]
    return codes_of_days
