"""Collection intervals as instants: participants.collection_interval on each participant's own clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metrics.batch import Times, instant, microseconds
from metrics.local_time import LocalCalendar
from metrics.participant_calendars import calendars_of
from metrics.time_buckets import Span
from participants.collection_interval import CollectedDays, collected_days
from participants.models import Participant

# Bounds where there is none: before and after anything that is stored.
EVER, NEVER = microseconds(dt.datetime(1, 1, 2, tzinfo=dt.UTC)), microseconds(dt.datetime(9999, 12, 30, tzinfo=dt.UTC))
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Collected:
    """Collected intervals of one participant: what a trial may have.

    `days`: the local dates; the last is the one in which `until` lies, where that comes first. `spans`: the same as
    instants, disjoint, ascending, in microseconds UTC. `over_at`: from when on nothing is collected any more, whatever
    becomes of a pause; None: it has no end.
    """

    days: CollectedDays
    spans: Sequence[Span]
    over_at: dt.datetime | None = None

    @property
    def starts_at(self) -> dt.datetime | None:
        """The first instant; None where there is no bound, or nothing."""
        return instant(self.spans[0].start) if self.spans and self.spans[0].start > EVER else None

    @property
    def ends_at(self) -> dt.datetime | None:
        """The instant after the last; None where there is no bound, or nothing."""
        return instant(self.spans[-1].end) if self.spans and self.spans[-1].end < NEVER else None

    def within(self, span: Span) -> list[Span]:
        """The parts of a span that are collected, ascending."""
        cut = (Span(max(own.start, span.start), min(own.end, span.end)) for own in self.spans)
        return [part for part in cut if part.start < part.end]

    def outside(self) -> list[Span]:
        """Spans that are not collected: disjoint, ascending."""
        edges = [EVER, *(edge for span in self.spans for edge in (span.start, span.end)), NEVER]
        return [Span(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]

    def holds(self, times: Times) -> NDArray[np.bool_]:
        """Mask of instants (microseconds UTC, any order) that are collected; shape as given."""
        held = np.zeros(len(times), dtype=np.bool_)
        for span in self.spans:
            held |= (times >= span.start) & (times < span.end)
        return held

    def covers(self, at: dt.datetime) -> bool:
        """Whether an instant is collected."""
        us = microseconds(at)
        return any(span.start <= us < span.end for span in self.spans)

    def __contains__(self, date: dt.date) -> bool:
        """Whether a local date is collected: whole, or up to the instant at which collection ended."""
        return date in self.days


def collected(
    participants: Iterable[Participant], *, using: str = "default", calendars: dict[int, LocalCalendar] | None = None
) -> dict[int, Collected]:
    """By participant id, what may be had of them as the database has it now. A fixed number of statements.

    `calendars`: by participant id, where the caller has them.
    """
    people = list(participants)
    days = collected_days([participant.pk for participant in people], using)
    if calendars is None:
        calendars = calendars_of(people, using)
    return {participant.pk: collected_within(days[participant.pk], calendars[participant.pk]) for participant in people}


def collected_of(participant: Participant) -> Collected:
    """Collected intervals of one participant."""
    return collected([participant])[participant.pk]


def collected_by(participant: Participant, calendar: LocalCalendar) -> Collected:
    """Collected intervals of one participant, by a calendar of theirs that the caller has."""
    return collected([participant], calendars={participant.pk: calendar})[participant.pk]


def collected_within(days: CollectedDays, calendar: LocalCalendar) -> Collected:
    """Collected days as instants by a calendar."""
    until = NEVER
    if days.until:
        until, ended_on = microseconds(days.until), calendar.date(days.until - dt.timedelta(microseconds=1))
        days = replace(days, last=min(days.last or ended_on, ended_on))
    spans = []
    for first, last in days.intervals():
        start = microseconds(calendar.midnight(first)) if first else EVER
        end = microseconds(calendar.midnight(last + ONE_DAY)) if last else NEVER
        if start < min(end, until):
            spans.append(Span(start, min(end, until)))
    over = min(microseconds(calendar.midnight(days.last + ONE_DAY)) if days.last else NEVER, until)
    return Collected(days, spans, instant(over) if over < NEVER else None)
