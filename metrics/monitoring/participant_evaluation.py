"""Evaluation of one participant, step by step: which days, when they are monitored, why data are missing, each status.

Used by metrics.monitoring.evaluation alone, which reads and writes for many participants at once.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from metrics.local_time import EPOCH, LocalCalendar
from metrics.models import Cause, DayStatus, Exclusion, ParticipantDay
from metrics.monitoring import day_inputs, evidence, gaps, status_store
from metrics.monitoring.day_inputs import Day, ParticipantHistory, date_of
from metrics.monitoring.day_store import EvaluatedDay
from metrics.monitoring.evidence import NOTHING, Evidence
from metrics.monitoring.gaps import Piece
from metrics.monitoring.monitored_interval import monitoring_of
from metrics.monitoring.rules import DayFacts, Monitoring, evaluate_day
from participants.collection_interval import CollectedDays
from participants.models import Protocol

ONE_DAY = dt.timedelta(days=1)


@dataclass(slots=True)
class ParticipantEvaluation:
    """Evaluation of one participant: which of their days, what is known of them, and what follows."""

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
        self, touched: set[dt.date], evidence_dates: Collection[dt.date], since: dt.date | None, *, recount: bool
    ) -> None:
        """Which dates to evaluate, if the participant is live; `choose` leaves out what is not evaluated of others.

        `recount`: also those of which it changed whether they count.
        """
        person = self.person
        self.touched = touched
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
        if recount:
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


def explain(cases: Sequence[ParticipantEvaluation]) -> None:
    """Give every missing interval of the days its cause. One statement for what else was measured in them."""
    pieces: list[tuple[ParticipantEvaluation, Day, Piece]] = []
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


def _pieces(case: ParticipantEvaluation, day: Day, start: dt.datetime, end: dt.datetime) -> list[Piece]:
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


def _paused(case: ParticipantEvaluation, date: dt.date) -> bool:
    places = (case.person.dates == (date - EPOCH).days).nonzero()[0]
    return bool(len(places)) and case.person.reasons[int(places[0])] == Exclusion.PAUSED
