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
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Q

from participants.compiled_sql import Query, compiled
from participants.conditions_sql import IDS, AnyOf
from participants.models import Consent, Participant, Pause, Protocol, Trial
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
    """Collected days by participant id, as the database has them now.

    A number of statements that does not grow with theirs.

    An id that is not in the database has nothing.
    """
    rows = _known.rows(using=using, participants=list(participants))
    pauses = _pauses(rows, list(participants), using)
    taken_back = _taken_back(list(participants), using)
    collected = dict.fromkeys(participants, NOTHING)
    for pk, _, status, starts, ends, withdrawn, trial_starts, trial_ends, trial_status, closed_at in rows:
        if status == Participant.Status.ERASED:
            continue
        ends_on = min((bounded(day) for day in (ends, trial_ends) if day), default=None)
        lasts = [day for day in (ends_on, withdrawn and bounded(withdrawn) - ONE_DAY) if day]
        collected[pk] = CollectedDays(
            first=max((bounded(day) for day in (starts, trial_starts) if day), default=None),
            last=min(lasts, default=None),
            ends_on=ends_on,
            until=min((at for at in (closed_at, taken_back.get(pk)) if at), default=None),
            without=pauses.get(pk, ()),
            open=trial_status != Trial.Status.CLOSED and status != Participant.Status.WITHDRAWN,
        )
    return collected


def collected_of(participant: Participant) -> CollectedDays:
    """Collected days of one participant, as the database has it now (not as the object says)."""
    return collected_days([participant.pk])[participant.pk]


def queries(participants: list[int], trials: list[int]) -> list[Query]:
    """What `collected_days` asks of participants of these trials, to be run together with others."""
    of_people = [one.with_values(participants=participants) for one in (_known, _consents, _stored_pauses)]
    return [*of_people, _protocols.with_values(trials=trials)]


@compiled(participants=IDS)
def _known(participants: Any) -> Any:
    return Participant.objects.filter(AnyOf("pk", participants)).values_list(
        "pk", "trial", "status", "monitoring_starts_on", "monitoring_ends_on", "withdrawn_on",
        "trial__starts_on", "trial__ends_on", "trial__status", "trial__closed_at",
    )  # fmt: skip


@compiled(participants=IDS)
def _consents(participants: Any) -> Any:
    given = Consent.objects.filter(AnyOf("participant_id", participants)).values("participant")
    return given.annotate(at=Max("withdrawn_at"), open=Max("pk", filter=Q(withdrawn_at=None)))


@compiled(participants=IDS)
def _stored_pauses(participants: Any) -> Any:
    return Pause.objects.filter(AnyOf("participant_id", participants)).order_by("starts_on")


@compiled(trials=IDS)
def _protocols(trials: Any) -> Any:
    return Protocol.objects.filter(AnyOf("trial_id", trials)).order_by("effective_on", "version")


def _taken_back(participants: list[int], using: str) -> dict[int, dt.datetime]:
    """Instants at which consent ended, of those who had given it and have none in force."""
    ended = _consents.rows(using=using, participants=participants)
    return {row["participant"]: row["at"] for row in ended if row["open"] is None}


def _pauses(rows: Sequence[tuple[Any, ...]], participants: list[int], using: str) -> dict[int, list[Dates]]:
    """The days of pauses of which nothing is collected, ascending: as the protocol in force on each day says."""
    trial_of: dict[int, int] = {row[0]: row[1] for row in rows}
    protocols: dict[int, list[Protocol]] = defaultdict(list)
    for protocol in _protocols.rows(using=using, trials=sorted(set(trial_of.values()))):
        protocols[protocol.trial_id].append(protocol)
    silent = {trial: dates for trial, versions in protocols.items() if (dates := _not_collected(versions))}
    pauses: dict[int, list[Dates]] = defaultdict(list)
    for pause in _stored_pauses.rows(using=using, participants=participants):
        for first, last in [EVER] if pause.withdrawn else silent.get(trial_of[pause.participant_id], ()):
            begins = max(first, bounded(pause.starts_on))
            ends = min((day for day in (last, pause.ends_on and bounded(pause.ends_on)) if day), default=None)
            if ends is None or begins <= ends:
                pauses[pause.participant_id].append((begins, ends))
    return pauses


def _not_collected(versions: Sequence[Protocol]) -> list[Dates]:
    """Dates on which a trial's protocol says that pauses are not collected.

    `versions`: ascending by when they take effect.
    """
    uncollected: list[Dates] = []
    for place, version in enumerate(versions):
        later = [bounded(following.effective_on) for following in versions[place + 1 :]]
        begins = bounded(version.effective_on) if place else dt.date.min
        ends = min(later) - ONE_DAY if later else None
        if not version.collect_in_pauses and (ends is None or begins <= ends):
            uncollected.append((begins, ends))
    return uncollected
