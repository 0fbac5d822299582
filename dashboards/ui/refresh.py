"""When pages that are open say their times anew: each minute, but not all of them at the same moment."""

from __future__ import annotations

import datetime as dt

SPREAD = 37  # seconds between the turns of two that follow each other; has no divisor in common with 60


def minute(now: dt.datetime, whose: int) -> int:
    """The number of the minute, which for each `whose` (a key: of who looks, or of whom) begins at a second of its own.

    "3 min ago" must not stand there for an hour; but were it everybody's minute, all open pages would be drawn anew
    within the same few seconds.
    """
    return int(now.timestamp() + whose * SPREAD % 60) // 60
