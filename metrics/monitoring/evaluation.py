"""Evaluation of local days: status, its history, the gaps with their causes, and participants' status summaries.

The one writer of ParticipantDay, DayStatusHistory, Gap and ParticipantStatusSummary. Called by the writer and by
everything that changes what is known of a participant, in the caller's transaction; by a task each hour, since days
also change with the clock. Evaluating twice changes nothing. Rules: metrics/monitoring/rules.py and gaps.py; what is
read: day_inputs.py.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.utils import timezone

from metrics.local_time import EPOCH, LocalCalendar
from metrics.models import Cause, DayStatus, Exclusion, ParticipantDay
from metrics.monitoring import day_inputs, day_store, evidence, gaps, sql, status_store
from metrics.monitoring.day_inputs import Day, ParticipantHistory, date_of
from metrics.monitoring.day_store import Change, EvaluatedDay
from metrics.monitoring.evidence import NOTHING, Evidence
from metrics.monitoring.gaps import Piece
from metrics.monitoring.monitored_interval import monitoring_of
from metrics.monitoring.rules import DayFacts, Monitoring, evaluate_day
from participants.collection_interval import CollectedDays, collected_days
from participants.models import Participant, Protocol

__all__ = ["Change", "participant_changed", "refresh", "refresh_many"]

ONE_DAY = dt.timedelta(days=1)


def refresh(
    participant: Participant,
    dates: Collection[dt.date] | None = None,
    *,
    now: dt.datetime,
    evidence_dates: Collection[dt.date] = (),
) -> list[Change]:
    """Evaluate a participant's days and bring their status summary up to date, in the caller's transaction or its own.

    `dates`: local dates whose data changed; `evidence_dates`: those of which only the evidence may have. Days that are
    not settled are evaluated in any case: pending ones, new ones, those since the newest sample; with None also those
    of which it changed whether they count. Returns what changed.
    """
    touched = None if dates is None else {participant.pk: dates}
    return refresh_many([participant], now=now, dates=touched, evidence_dates={participant.pk: evidence_dates})


def participant_changed(participant: Participant) -> None:
    """Evaluate a participant again after a change of dates, pauses or status."""
    refresh(participant, now=timezone.now())


def participants_changed(participants: Iterable[Participant]) -> None:
    """Evaluate many participants again after a change of dates, pauses or status."""
    refresh_many(participants, now=timezone.now())


def refresh_many(
    participants: Iterable[Participant],
    *,
    now: dt.datetime,
    dates: Mapping[int, Collection[dt.date]] | None = None,
    evidence_dates: Mapping[int, Collection[dt.date]] | None = None,
    since: dt.date | None = None,
    why: str = "",
) -> list[Change]:
    """Evaluate many participants, in a number of statements that does not grow with theirs. Locks each of them.

    `dates`, `evidence_dates`: by participant id, as in refresh. `since`: every day from that local date on is evaluated
    again.
    `why`: kept in the history of the days that become otherwise, where it is neither new data nor the clock.
    """
    rows = {participant.pk: participant for participant in participants}
    # No savepoint: what fails here fails the payload.
    with transaction.atomic(savepoint=False):
        with connection.cursor() as cursor:
            cursor.execute(sql.LOCK_ALL, {"people": sorted(rows)})
        people = day_inputs.people(list(rows))
        protocols = day_inputs.protocols_by_trial({person.trial_id for person in people})
        collected = collected_days([person.pk for person in people])
        cases = [_Case(person, protocols[person.trial_id], collected[person.pk], now) for person in people]
        for case in cases:
            changed = None if dates is None else dates.get(case.person.pk, ())
            case.plan(changed, (evidence_dates or {}).get(case.person.pk, ()), since)
        known = evidence.collect(rows.values(), since=min((case.since for case in cases), default=now), now=now)
        for case in cases:
            case.known = known.get(case.person.pk, NOTHING)
            case.choose()
        days = [day for case in cases for day in case.days]
        day_inputs.read(days)
        for case in cases:
            case.settle_range()
        _explain(cases)
        evaluated = [evaluated_day for case in cases for evaluated_day in case.evaluate()]
        gone = {(case.person.pk, date) for case in cases for date in case.gone}
        changes = day_store.write(evaluated, gone, touched=dates or {}, now=now, why=why)
        status_store.write([case.summary_inputs() for case in cases], now)
    return changes


@dataclass(slots=True)
class _Case:
    """One participant while being evaluated."""

    person: ParticipantHistory
    protocols: list[Protocol]
    collected: CollectedDays
    now: dt.datetime
    known: Evidence = NOTHING
    planned: set[dt.date] = field(default_factory=set)
    touched: set[dt.date] = field(default_factory=set)
    days: list[Day] = field(default_factory=list)
    pieces: dict[dt.date, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    evaluated: list[EvaluatedDay] = field(default_factory=list)
    gone: set[dt.date] = field(default_factory=set)
    newest: dt.datetime | None = None
    calendar: LocalCalendar = field(init=False)
    monitoring: Monitoring = field(init=False)
    until: dt.date | None = None  # the last date that is evaluated

    def __post_init__(self) -> None:
        self.calendar = LocalCalendar(zoneinfo.ZoneInfo(self.person.zone), self.person.offsets)

    @property
    def today(self) -> dt.date:
        return self.calendar.date(self.now)

    @property
    def since(self) -> dt.datetime:
        """Instant from which evidence matters."""
        return self.calendar.midnight(min(self.planned)) if self.planned else self.now

    def plan(
        self, touched: Collection[dt.date] | None, evidence_dates: Collection[dt.date], since: dt.date | None
    ) -> None:
        """Which dates to evaluate, if the participant is live; `choose` leaves out what is not evaluated of others."""
        person = self.person
        self.touched = set(touched or ())
        data = {date_of(day) for day, has in zip(person.dates.tolist(), person.data, strict=True) if has == "1"}
        self.monitoring = self.monitored(data | self.touched)
        stored = {date_of(day): i for i, day in enumerate(person.dates.tolist())}
        first, last = self.monitoring.first, min(self.today, self.monitoring.last or self.today)
        self.planned = self.touched | {date for date, i in stored.items() if person.states[i] == DayStatus.PENDING}
        if first:
            self.planned |= {first + n * ONE_DAY for n in range((last - first).days + 1)} - stored.keys()
            newest = self.calendar.date(person.newest) if person.newest else first
            self.planned |= {date for date in stored if newest <= date <= last or date in evidence_dates}
        if since:
            self.planned |= {date for date in stored if date >= since}
        if touched is None:
            self.planned |= {date for date, i in stored.items() if self.counts_otherwise(date, i)}

    def counts_otherwise(self, date: dt.date, place: int) -> bool:
        """Whether a day's exclusion is not what it was."""
        excluded = self.person.states[place] == DayStatus.EXCLUDED
        reason = self.person.reasons[place] if excluded else ""
        if reason == Exclusion.PLATFORM:
            reason = ""
        return reason != (self.monitoring.exclusion(date, reason) or "")

    def monitored(self, data: set[dt.date]) -> Monitoring:
        """Monitored interval, given the dates with data."""
        return monitoring_of(self.person, self.collected, data, self.calendar, self.today)

    def choose(self) -> None:
        """The days that are evaluated, now that it is known whether the participant is live."""
        if not (self.known.live or self.person.starts_on):
            data = [
                date_of(d) for d, has in zip(self.person.dates.tolist(), self.person.data, strict=True) if has == "1"
            ]
            last = max([*data, *self.touched], default=None)
            stored = {date_of(day) for day in self.person.dates.tolist()}
            self.planned = {date for date in self.planned if date in stored or (last and date <= last)}
        protocol_of = {date: Protocol.in_force(self.protocols, date) for date in self.planned}
        self.days = day_inputs.days_of(self.person, list(self.planned), self.calendar, protocol_of)
        skipped = self.planned - {day.date for day in self.days}
        self.gone = {date for date in skipped if (date - EPOCH).days in self.person.dates}

    def settle_range(self) -> None:
        """Now that the data are read: from when to when days are evaluated, and which rows fall away."""
        person, evaluated = self.person, {day.date: day for day in self.days}
        stored = {date_of(d): has == "1" for d, has in zip(person.dates.tolist(), person.data, strict=True)}
        data = {date for date, has in stored.items() if has and date not in evaluated}
        data |= {date for date, day in evaluated.items() if day.has_data}
        self.monitoring = self.monitored(data)
        live = self.known.live or person.starts_on
        last = self.today if live else max(data, default=None)
        self.until = min(last, self.monitoring.last or last) if last else None
        first = self.monitoring.first
        if first and self.until and first > self.until:
            self.until = None

        def outside(date: dt.date) -> bool:
            return first is None or self.until is None or not first <= date <= self.until

        self.gone |= {date for date in evaluated if date not in data and outside(date)}
        self.days = [day for day in self.days if day.date not in self.gone]
        self.newest = self.newest_sample(evaluated)

    def newest_sample(self, evaluated: Mapping[dt.date, Day]) -> dt.datetime | None:
        """The newest sample of what is worn: of the days that were just read, or before them."""
        seen = max((day.heard_at for day in evaluated.values() if day.heard_at), default=None)
        before = self.person.newest
        if before is None or (seen and seen >= before):
            return seen
        if self.calendar.date(before) not in evaluated:
            return before
        # It was removed, or moved to another day.
        rest = ParticipantDay.objects.filter(participant=self.person.pk).exclude(date__in=list(evaluated))
        return max((at for at in (seen, *rest.values_list("heard_at", flat=True)) if at), default=None)

    def evaluate(self) -> list[EvaluatedDay]:
        """The status of each day that is evaluated."""
        stored = {day: i for i, day in enumerate(self.person.dates.tolist())}
        for day in self.days:
            place = stored.get((day.date - EPOCH).days)
            before = self.person.states[place] if place is not None else ""
            reason = self.person.reasons[place] if place is not None else ""
            pieces = self.pieces[day.date]
            faults = min(sum(p.minutes for p in pieces if p.cause == Cause.PLATFORM), day.minutes)
            status, why = evaluate_day(
                DayFacts(
                    ends_at=day.ends_at,
                    worn_minutes=day.worn_minutes,
                    fault_minutes=faults,
                    has_data=day.heard,
                    newest=self.newest,
                    unread=any(piece.unread for piece in pieces),
                    waits=any(piece.waits for piece in pieces),
                    exclusion=self.monitoring.exclusion(day.date, reason),
                    before=before,
                    minutes=day.minutes,
                ),
                day.protocol,
                self.now,
            )
            self.evaluated.append(EvaluatedDay(day, status, why, faults, pieces))
        return self.evaluated

    def summary_inputs(self) -> status_store.SummaryInputs:
        return status_store.SummaryInputs(
            person=self.person,
            monitoring=self.monitoring,
            calendar=self.calendar,
            evidence=self.known,
            protocol=Protocol.in_force(self.protocols, self.today),
            protocols=self.protocols,
            evaluated=self.evaluated,
            gone=self.gone,
            until=self.until,
            newest=self.newest,
            now=self.now,
        )


def _explain(cases: Sequence[_Case]) -> None:
    """Give every missing interval of the days its cause. One statement for what else was measured in them."""
    pieces: list[tuple[_Case, Day, Piece]] = []
    for case in cases:
        for day in case.days:
            for start, end in day.missing:
                pieces += [(case, day, piece) for piece in _pieces(case, day, start, end)]
    undecided = [(day, piece.starts_at, piece.ends_at) for _, day, piece in pieces if piece.cause is None]
    near = iter(day_inputs.neighbours(undecided))
    for case, day, piece in pieces:
        has_cause = piece.cause is not None
        flat = day.protocol.battery_flat_percent
        case.pieces[day.date].append(piece if has_cause else gaps.decided(piece, case.known, next(near), flat))
    for case in cases:
        for date, parts in case.pieces.items():
            case.pieces[date] = gaps.joined(parts)


def _pieces(case: _Case, day: Day, start: dt.datetime, end: dt.datetime) -> list[Piece]:
    """A missing interval of a day in pieces: one where the day does not count, none outside the monitoring."""
    exclusion = case.monitoring.exclusion(day.date, Exclusion.PAUSED if _paused(case, day.date) else "")
    if exclusion in (Exclusion.BEFORE_START, Exclusion.AFTER_END):
        return []
    if exclusion is Exclusion.WITHDRAWN:
        return [Piece(start, end, Cause.WITHDRAWN, evidence.facts(on=case.monitoring.withdrawn_on))]
    if exclusion is Exclusion.PAUSED:
        first, last, reason = case.monitoring.pause(day.date) or (None, None, None)
        known = evidence.facts(reason=reason or None, to=last) | ({"from": first.isoformat()} if first else {})
        return [Piece(start, end, Cause.PAUSED, known)]
    return gaps.pieces(start, end, case.known, case.newest)


def _paused(case: _Case, date: dt.date) -> bool:
    places = (case.person.dates == (date - EPOCH).days).nonzero()[0]
    return bool(len(places)) and case.person.reasons[int(places[0])] == Exclusion.PAUSED
