"""Followers of rows: they keep records about stored rows and must hear when rows move or go otherwise than by a
payload.

Packages above this one add theirs when the program starts (apps.ready). They are told in the transaction that does it,
under the participant's lock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Protocol

from metrics.batch import Seconds, Sessions, Times
from metrics.time_buckets import Span
from metrics.writing.rollups import SeriesKey


class Follower(Protocol):
    """Times are in microseconds UTC."""

    def gone(self, series: SeriesKey, times: Times, *, may_come_again: bool) -> None:
        """Samples were deleted. `may_come_again`: offered anew, they may be taken then."""
        ...

    def deleted(self, series: SeriesKey, span: Span) -> None:
        """Samples were deleted on somebody's word: nothing of them may be kept, nor come again by itself."""
        ...

    def removed_before(self, trial: int, cutoff: dt.datetime) -> None:
        """Samples of a trial from before this instant were deleted, and their values may not be kept.

        Not in a transaction, and under nobody's lock.
        """
        ...

    def moved(
        self, series: SeriesKey, times: Times, to: SeriesKey, at: Times, *, seconds: Seconds | None = None
    ) -> None:
        """Samples of a series stand at other times, or in a series of another participant.

        `at` goes with `times`, and so does `seconds`, where their lengths have changed too; -1 for none.
        """
        ...

    def sessions_gone(
        self, kind: Sessions, participant: int, source: int, names: Collection[str], *, may_come_again: bool
    ) -> None:
        """Nights or exercise with these ids of their source were deleted."""
        ...

    def sessions_deleted(self, kind: Sessions, participant: int, source: int, names: Collection[str]) -> None:
        """Nights or exercise were deleted on somebody's word: nothing of them may be kept, nor come again by itself."""
        ...

    def sessions_moved(self, kind: Sessions, participant: int, source: int, names: Collection[str], to: int) -> None:
        """Nights or exercise became another participant's."""
        ...


followers: list[Follower] = []
