"""Collection interval: from which local date to which a trial may have a participant's data. The only definition.

Connecting, planning, notices, imports, the writer, the day status, series, exports and FHIR all ask it (as instants:
metrics.selection.collection_window). What lies outside is not asked for, not stored, not shown and not exported,
however it came here.

It is bounded by the trial's dates and its closing, the participant's dates, their withdrawal (also a back-dated one,
and its days after it was undone), consent that was taken back, and the days of pauses where the protocol of those days
says that nothing is collected.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from participants import sql
from participants.compiled_sql import Query, Written
from participants.conditions_sql import IDS
from participants.models import Participant, Trial
from participants.user_input import bounded

ONE_DAY = dt.timedelta(days=1)
Dates = tuple[dt.date, dt.date | None]  # first and last local date, both included; None: no end
EVER: Dates = (dt.date.min, None)


@dataclass(frozen=True, slots=True)
class CollectedDays:
    """The local dates of which a trial may have a participant's data.

    `first` to `last`, both included; None: no bound. `ends_on`: the last date as it was planned, whatever became of
    them; it never comes before `last`. `until`: an instant from which on nothing is collected, whatever
    the date. `without`: dates in between that are left out, ascending. `open`: whether anything may still come in.
    `nothing`: there is nothing that may be had of them (somebody erased).
    """

    first: dt.date | None = None
    last: dt.date | None = None
    ends_on: dt.date | None = None
    until: dt.datetime | None = None
    without: Sequence[Dates] = ()
    open: bool = True
    nothing: bool = False

    def __contains__(self, date: dt.date) -> bool:
        if self.nothing or (self.first and date < self.first) or (self.last and date > self.last):
            return False
        return not any(first <= date and (last is None or date <= last) for first, last in self.without)

    def intervals(self) -> list[tuple[dt.date | None, dt.date | None]]:
        """The dates as intervals, first and last included, ascending; None: no bound."""
        if self.nothing or (self.first and self.last and self.first > self.last):
            return []
        dates: list[tuple[dt.date | None, dt.date | None]] = []
        begins: dt.date | None = self.first
        for first, last in self.without:
            if self.last and first > self.last:
                break
            if begins is None or first > begins:
                dates.append((begins, first - ONE_DAY))
            if last is None:
                return dates
            begins = max(begins, last + ONE_DAY) if begins else last + ONE_DAY
        if self.last is None or begins is None or begins <= self.last:
            dates.append((begins, self.last))
        return dates


NOTHING = CollectedDays(open=False, nothing=True)


def collected_days(participants: Collection[int], using: str = "default") -> dict[int, CollectedDays]:
    """Collected days by participant id, as the database has them now. One statement, whatever their number.

    An id that is not in the database has nothing.
    """
    collected = dict.fromkeys(participants, NOTHING)
    if collected:
        for row in _known.rows(using=using, participants=list(collected)):
            collected[row[0]] = days_of_row(row)
    return collected


_known = Written(sql.COLLECTION, participants=IDS)


def queries(participants: list[int]) -> list[Query]:
    """What `collected_days` asks of these participants, to be run together with others."""
    return [_known.with_values(participants=participants)]


def days_of_row(row: Sequence[Any]) -> CollectedDays:
    """Collected days by a row of sql.COLLECTION_COLUMNS."""
    (_, status, starts, ends, withdrawn, trial_starts, trial_ends, trial_status, closed_at, taken_back) = row[:10]
    if status == Participant.Status.ERASED:
        return NOTHING
    ends_on = min((bounded(day) for day in (ends, trial_ends) if day), default=None)
    lasts = [day for day in (ends_on, withdrawn and bounded(withdrawn) - ONE_DAY) if day]
    return CollectedDays(
        first=max((bounded(day) for day in (starts, trial_starts) if day), default=None),
        last=min(lasts, default=None),
        ends_on=ends_on,
        until=min((at for at in (closed_at, taken_back) if at), default=None),
        without=_without(_array(row[10]), _array(row[11])),
        open=trial_status != Trial.Status.CLOSED and status != Participant.Status.WITHDRAWN,
    )


def collected_of(participant: Participant) -> CollectedDays:
    """Collected days of one participant, as the database has it now (not as the object says)."""
    return collected_days([participant.pk])[participant.pk]


def _array(value: Any) -> list[Any]:
    """A JSON array of the database, which is null where nothing was aggregated."""
    return list(json.loads(value) if isinstance(value, str) else value or [])


def _without(pauses: Sequence[Sequence[Any]], protocols: Sequence[Sequence[Any]]) -> list[Dates]:
    """The days of pauses of which nothing is collected, ascending: as the protocol in force on each day says."""
    if not pauses:
        return []
    silent = _not_collected([(bounded(dt.date.fromisoformat(on)), collects) for on, collects in protocols])
    without: list[Dates] = []
    for starts_on, ends_on, withdrawn in pauses:
        stated = ends_on and bounded(dt.date.fromisoformat(ends_on))
        for first, last in [EVER] if withdrawn else silent:
            begins = max(first, bounded(dt.date.fromisoformat(starts_on)))
            ends = min((day for day in (last, stated) if day), default=None)
            if ends is None or begins <= ends:
                without.append((begins, ends))
    return without


def _not_collected(versions: Sequence[tuple[dt.date, bool]]) -> list[Dates]:
    """Dates on which a trial's protocol says that pauses are not collected.

    `versions`: when each takes effect and whether it collects in pauses, ascending.
    """
    uncollected: list[Dates] = []
    for place, (effective_on, collects) in enumerate(versions):
        later = [on for on, _ in versions[place + 1 :]]
        begins = effective_on if place else dt.date.min
        ends = min(later) - ONE_DAY if later else None
        if not collects and (ends is None or begins <= ends):
            uncollected.append((begins, ends))
    return uncollected
