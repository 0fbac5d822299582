"""Readable series: what may be read of participants' metrics, and from which source: every reader of measured values
begins here.

Two rules meet: one source counts on a local date (source_choice.py), and nothing outside the collection interval is
shown (collection_window.py). Both belong to local dates, so the answer is the same whatever span is asked for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metrics.batch import instant
from metrics.local_time import LocalCalendar
from metrics.models import Source
from metrics.participant_calendars import calendars_of
from metrics.registry import Metric
from metrics.selection.collection_window import Collected, collected
from metrics.selection.source_choice import Dates, Pinned, Run, Series, chosen_sources
from metrics.time_buckets import Span
from participants.models import Participant

MICROSECOND = dt.timedelta(microseconds=1)
# From before any device to after any plan.
ALL_DATES = dt.date(2005, 1, 1), dt.date(9998, 12, 31)


@dataclass(frozen=True, slots=True)
class Part:
    """An interval of time, [start, end) in microseconds UTC, of which one source counts."""

    source: Source
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ReadFrom:
    """From an instant on (microseconds UTC; `date` is the participant's local one) a series is read from a source."""

    at: int
    date: dt.date
    source: Source


@dataclass(frozen=True, slots=True)
class Readable:
    """A participant's metric: `runs` ascend, are collected, and have one source each. `others` count on no date."""

    runs: Sequence[Run]
    others: Sequence[Source]
    calendar: LocalCalendar
    held: Collected

    def counting(self, source: int, date: dt.date) -> Source | None:
        """The source of this id, if it counts on a local date."""
        return next(
            (run.source for run in self.runs if run.source.pk == source and run.first <= date <= run.last), None
        )

    def on(self, first: dt.date, last: dt.date) -> list[Run]:
        """The runs of local dates from first to last, both included."""
        cut = (Run(run.source, max(run.first, first), min(run.last, last)) for run in self.runs)
        return [run for run in cut if run.first <= run.last]

    def parts(self, span: Span) -> list[Part]:
        """The runs within a span as intervals of time, ascending."""
        parts = []
        times = self.calendar.intervals(*((run.first, run.last) for run in self.runs))
        for run, intervals in zip(self.runs, times, strict=True):
            for start, end in intervals:
                if start < span.end and end > span.start:
                    held = self.held.within(Span(max(start, span.start), min(end, span.end)))
                    parts += [Part(run.source, part.start, part.end) for part in held]
        return sorted(parts, key=lambda part: part.start)

    def read_from(self, parts: Sequence[Part]) -> list[ReadFrom]:
        """The sources of parts, each where it begins to be read."""
        return changes([ReadFrom(part.start, self.calendar.date(instant(part.start)), part.source) for part in parts])


def changes(reads: Iterable[ReadFrom]) -> list[ReadFrom]:
    """Of what is read one after another, the first and each whose source is another than that before it."""
    first_reads: list[ReadFrom] = []
    for read in reads:
        if not first_reads or first_reads[-1].source != read.source:
            first_reads.append(read)
    return first_reads


def readable(
    people: Iterable[Participant],
    metrics: Collection[Metric],
    spans: Mapping[int, Span],
    *,
    among: Collection[int] | None = None,
    pinned: Mapping[Series, int] | None = None,
    pinned_at: int = 0,
    every_sample: bool = False,
) -> dict[Series, Readable]:
    """Readable series of the local days that the spans (by participant id) touch, by (participant, metric).

    What has no data is not in it. `among`: one of these sources alone. `pinned`: what a reading that is under way
    reads, by series, of the day in which `pinned_at` (microseconds UTC) lies. `every_sample`: days of nothing but
    values that do not count too. A number of statements that does not grow with that of the participants.
    """
    people = list(people)
    calendars = calendars_of(people)
    days = {participant.pk: dates_of(spans[participant.pk], calendars[participant.pk]) for participant in people}
    on = {pid: calendar.date(instant(pinned_at)) for pid, calendar in calendars.items()} if pinned else {}
    return readable_of(
        people,
        metrics,
        days,
        calendars,
        collected(people, calendars=calendars),
        among=among,
        pinned=Pinned(on, pinned or {}),
        every_sample=every_sample,
    )


def readable_on(
    people: Iterable[Participant], metrics: Collection[Metric], first: dt.date, last: dt.date
) -> dict[Series, Readable]:
    """Readable series of local dates from first to last, both included."""
    people = list(people)
    calendars = calendars_of(people)
    held = collected(people, calendars=calendars)
    return readable_of(people, metrics, dict.fromkeys(calendars, (first, last)), calendars, held)


def readable_one(
    participant: Participant, metrics: Collection[Metric], first: dt.date, last: dt.date, held: Collected
) -> dict[int, Readable]:
    """Readable series of one participant, by metric, whose collection interval the caller has."""
    pid = participant.pk
    readables = readable_of([participant], metrics, {pid: (first, last)}, calendars_of([participant]), {pid: held})
    return {metric: readable for (_, metric), readable in readables.items()}


def readable_of(
    people: Iterable[Participant],
    metrics: Collection[Metric],
    days: Mapping[int, Dates],
    calendars: Mapping[int, LocalCalendar],
    held: Mapping[int, Collected],
    *,
    among: Collection[int] | None = None,
    pinned: Pinned | None = None,
    every_sample: bool = False,
    using: str = "default",
) -> dict[Series, Readable]:
    """Readable series of each one's local dates, by calendars and collection intervals that the caller has."""
    intervals = {pid: window.days.intervals() for pid, window in held.items()}
    choices = chosen_sources(
        {participant.pk: participant.trial_id for participant in people},
        {pid: cut(intervals[pid], *dates) for pid, dates in days.items()},
        [metric.id for metric in metrics],
        among=among,
        pinned=pinned,
        every_sample=every_sample,
        using=using,
    )
    return {
        (pid, metric): Readable(
            [Run(run.source, *part) for run in chosen.runs for part in cut(intervals[pid], run.first, run.last)],
            chosen.others,
            calendars[pid],
            held[pid],
        )
        for (pid, metric), chosen in choices.items()
    }


def collected_on(participant_id: int) -> Collected:
    """Collected intervals of one participant, by id."""
    return collected(Participant.objects.filter(pk=participant_id).only("time_zone"))[participant_id]


def collected_dates(held: Mapping[int, Collected], first: dt.date, last: dt.date) -> dict[str, list[Any]]:
    """Collected local dates from first to last as statement parameters: participants, firsts, lasts."""
    rows = [(pid, *dates) for pid, window in held.items() for dates in cut(window.days.intervals(), first, last)]
    people, firsts, lasts = zip(*rows, strict=True) if rows else ((), (), ())
    return {"participants": list(people), "firsts": list(firsts), "lasts": list(lasts)}


def dates_of(span: Span, calendar: LocalCalendar) -> Dates:
    """The first and last local date that a span touches, by the participant's clock and by their zone."""
    start, end = instant(span.start), instant(span.end) - MICROSECOND
    return min(calendar.date(start), calendar.zone_date(start)), max(calendar.date(end), calendar.zone_date(end))


def cut(intervals: Iterable[tuple[dt.date | None, dt.date | None]], first: dt.date, last: dt.date) -> list[Dates]:
    """The parts of local dates from first to last that lie in intervals, all ends included; None: no bound."""
    parts = ((max(low or first, first), min(high or last, last)) for low, high in intervals)
    return [(low, high) for low, high in parts if low <= high]
