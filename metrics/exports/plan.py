"""Plan of an export: its parts in their order, and the intervals of time of each."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connections

from metrics.exports import sql
from metrics.exports.columns import SourceInterval
from metrics.exports.compression import SUFFIXES, compression_of
from metrics.exports.formats import ONE_SOURCE, WRITERS, takes
from metrics.exports.writers import Context
from metrics.local_time import DAY, EPOCH, LocalCalendar
from metrics.models import Export, Source
from metrics.participant_calendars import calendars_of
from metrics.registry import BY_CODE, BY_ID, METRICS, Metric
from metrics.selection import readable_series
from metrics.selection.collection_window import EVER, NEVER, Collected, collected
from metrics.time_buckets import Span
from participants.models import Participant

FIRST, LAST = readable_series.ALL_DATES
ONE_DAY = dt.timedelta(days=1)
EVERYTHING = Span(EVER, NEVER)


@dataclass(frozen=True, slots=True)
class Part:
    """One file's worth: a metric from one date to another, both included."""

    path: str
    metric: Metric
    first: dt.date
    last: dt.date


@dataclass(slots=True)
class Plan:
    """An export as a list of parts, and who and what it is about. `rows`: how many are to come.

    `participants`, `people` (study ids), `calendars` and `held` (what is collected) are by participant id.
    """

    export: Export
    alias: str
    parts: list[Part]
    rows: int
    participants: Mapping[int, Participant]
    people: Mapping[int, str]
    calendars: Mapping[int, LocalCalendar]
    held: Mapping[int, Collected]
    sources: Mapping[int, Source]

    def context(self, part: Part) -> Context:
        export = self.export
        compression = compression_of(export)
        return Context(export.trial.code, part.metric, self.people, self.calendars, self.sources, compression)

    def intervals(self, part: Part) -> Iterator[SourceInterval]:
        """The days of a part, participant after participant, as far as they are collected.

        Of each source that has data around them; where one source of each local date is written, of that.
        """
        around = ONE_DAY if self.export.clock == Export.Clock.UTC else dt.timedelta(0)
        read = self._counting if self.export.format in ONE_SOURCE else self._all
        dates = [part.first + n * ONE_DAY for n in range((part.last - part.first).days + 1)]
        for participant, held in groupby(read(part.metric, part.first - around, part.last + around), itemgetter(0)):
            spans = self._spans(participant, dates)
            for _, stored in held:
                yield from (
                    SourceInterval(participant, stored.source.pk, max(stored.start, start), min(stored.end, end))
                    for start, end in spans
                    if stored.start < end and stored.end > start
                )

    def _all(self, metric: Metric, first: dt.date, last: dt.date) -> Iterator[tuple[int, readable_series.Part]]:
        """Intervals that every source has of a metric on local dates, by participant and source."""
        parameters = parameters_of(self.export, self.held, first, last) | {"metrics": [metric.id]}
        with connections[self.alias].cursor() as cursor:
            cursor.execute(sql.SERIES, parameters)
            series = cursor.fetchall()
        for participant, source in series:
            for span in self.held[participant].spans:
                yield participant, readable_series.Part(self.sources[source], span.start, span.end)

    def _counting(self, metric: Metric, first: dt.date, last: dt.date) -> Iterator[tuple[int, readable_series.Part]]:
        """Intervals that the source which counts on each local date has of a metric, by participant and time."""
        days = dict.fromkeys(self.people, (first, last))
        readables = readable_series.readable_of(
            self.participants.values(), [metric], days, self.calendars, self.held,
            among=self.export.sources or None, using=self.alias,
        )  # fmt: skip
        for (participant, _), readable in sorted(readables.items(), key=itemgetter(0)):
            for part in readable.parts(EVERYTHING):
                yield participant, part

    def _spans(self, participant: int, dates: list[dt.date]) -> list[tuple[int, int]]:
        if self.export.clock == Export.Clock.UTC:
            return [((date - EPOCH).days * DAY, (date - EPOCH).days * DAY + DAY) for date in dates]
        return [(span.starts_at, span.ends_at) for span in self.calendars[participant].spans(dates)]


def parameters_of(export: Export, held: Mapping[int, Collected], first: dt.date, last: dt.date) -> dict[str, Any]:
    """The filters as the statements take them, of what is collected of local dates from first to last."""
    return {
        **readable_series.collected_dates(held, first, last),
        "metrics": [metric.id for metric in metrics_of(export)],
        "sources": export.sources or None,
    }


def metrics_of(export: Export) -> list[Metric]:
    """The metrics asked for."""
    return [BY_CODE[code] for code in export.metrics] or list(METRICS)


def plan(export: Export, alias: str) -> Plan:
    """Plan what is to be written, as the snapshot behind `alias` has it. Who was erased since it was asked for is not
    in."""
    around = ONE_DAY if export.clock == Export.Clock.UTC else dt.timedelta(0)
    first, last = (export.start_on or FIRST) - around, (export.end_on or LAST) + around
    people = Participant.objects.using(alias).filter(exports=export).exclude(status=Participant.Status.ERASED)
    participants = {
        participant.pk: participant for participant in people.order_by("pk").only("study_id", "time_zone", "trial_id")
    }
    calendars = calendars_of(participants.values(), alias)
    held = collected(participants.values(), using=alias, calendars=calendars)
    with connections[alias].cursor() as cursor:
        cursor.execute(sql.DAYS, parameters_of(export, held, first, last))
        days = cursor.fetchall()
    return Plan(
        export=export,
        alias=alias,
        parts=list(_parts(export, days)),
        rows=sum(n for metric, _, n in days if takes(export.format, BY_ID[metric])),
        participants=participants,
        people={pk: participant.study_id for pk, participant in participants.items()},
        calendars=calendars,
        held=held,
        sources=Source.objects.using(alias).in_bulk(),
    )


def _parts(export: Export, days: list[tuple[int, dt.date, int]]) -> Iterator[Part]:
    """Parquet has a file a metric and date; text formats one a metric and month. In the order of metrics and time."""
    suffix = WRITERS[export.format][1] + ("" if export.format == "parquet" else SUFFIXES[compression_of(export)])
    # By UTC dates the rollups' local dates only say which dates may have rows; those without make no file.
    around = (-1, 0, 1) if export.clock == Export.Clock.UTC else (0,)
    metric_dates = sorted({(metric, date + n * ONE_DAY) for metric, date, _ in days for n in around})
    low, high = export.start_on or FIRST, export.end_on or LAST
    groups: dict[tuple[int, str], list[dt.date]] = defaultdict(list)
    for metric_id, date in metric_dates:
        if low <= date <= high:
            groups[metric_id, f"{date}" if export.format == "parquet" else f"{date:%Y-%m}"].append(date)
    for (metric_id, when), dates in groups.items():
        metric = BY_ID[metric_id]
        if not takes(export.format, metric):
            continue
        folder = f"trial={export.trial.code}/metric={metric.code}" if export.format == "parquet" else metric.code
        path = f"{folder}/date={when}/part-0.{suffix}" if export.format == "parquet" else f"{folder}/{when}.{suffix}"
        yield Part(path, metric, dates[0], dates[-1])
