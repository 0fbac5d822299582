"""What an export consists of: its parts in their order, and the stretches of time of each."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connections

from metrics import sql_exports as sql
from metrics.batch import microseconds
from metrics.days import DAY, EPOCH, LocalCalendar
from metrics.exports.columns import Stretch
from metrics.exports.formats import WRITERS, takes
from metrics.exports.writers import Context
from metrics.models import Export, OffsetPeriod, Source
from metrics.registry import BY_CODE, BY_ID, METRICS, Metric
from participants.models import Participant

FIRST, LAST = dt.date(2005, 1, 1), dt.date(9998, 12, 31)
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Part:
    """One file's worth: a metric from one date to another, both included."""

    path: str
    metric: Metric
    first: dt.date
    last: dt.date


@dataclass(slots=True)
class Plan:
    """An export as a list of parts, and who and what it is about. `rows`: how many are to come."""

    export: Export
    alias: str
    parts: list[Part]
    rows: int
    people: Mapping[int, str]
    calendars: Mapping[int, LocalCalendar]
    sources: Mapping[int, Source]

    def context(self, part: Part) -> Context:
        export = self.export
        return Context(export.trial.code, part.metric, self.people, self.calendars, self.sources, export.compressed)

    def stretches(self, part: Part) -> Iterator[Stretch]:
        """The days of a part, participant after participant: of each source that has data around them."""
        around = ONE_DAY if self.export.clock == Export.Clock.UTC else dt.timedelta(0)
        parameters = {
            **parameters_of(self.export),
            "metrics": [part.metric.id],
            "first": part.first - around,
            "last": part.last + around,
        }
        with connections[self.alias].cursor() as cursor:
            cursor.execute(sql.SERIES, parameters)
            series = cursor.fetchall()
        dates = [part.first + n * ONE_DAY for n in range((part.last - part.first).days + 1)]
        for participant, source in series:
            if participant in self.people:
                for start, end in self._spans(participant, dates):
                    yield Stretch(participant, source, start, end)

    def _spans(self, participant: int, dates: list[dt.date]) -> list[tuple[int, int]]:
        if self.export.clock == Export.Clock.UTC:
            return [((date - EPOCH).days * DAY, (date - EPOCH).days * DAY + DAY) for date in dates]
        return [(span.starts_at, span.ends_at) for span in self.calendars[participant].spans(dates)]


def parameters_of(export: Export) -> dict[str, Any]:
    """The filters as the statements take them."""
    return {
        "export": export.pk,
        "metrics": [BY_CODE[code].id for code in export.metrics] or [metric.id for metric in METRICS],
        "sources": export.sources or None,
        "first": export.start_on or FIRST,
        "last": export.end_on or LAST,
    }


def plan(export: Export, alias: str) -> Plan:
    """What is to be written, as the snapshot behind `alias` has it. Who was erased since it was asked for is not in."""
    parameters = parameters_of(export)
    utc = export.clock == Export.Clock.UTC
    if utc:
        parameters["first"], parameters["last"] = parameters["first"] - ONE_DAY, parameters["last"] + ONE_DAY
    with connections[alias].cursor() as cursor:
        cursor.execute(sql.DAYS, parameters)
        days = cursor.fetchall()
    people = Participant.objects.using(alias).filter(exports=export).exclude(status=Participant.Status.ERASED)
    zones = {
        person.pk: (person.study_id, person.time_zone) for person in people.order_by("pk").only("study_id", "time_zone")
    }
    periods: dict[int, list[tuple[int, int | None]]] = defaultdict(list)
    for period in OffsetPeriod.objects.using(alias).filter(participant__in=list(zones)).order_by("starts_at"):
        periods[period.participant_id].append((microseconds(period.starts_at), period.utc_offset))
    return Plan(
        export=export,
        alias=alias,
        parts=list(_parts(export, days)),
        rows=sum(n for metric, _, n in days if takes(export.format, BY_ID[metric])),
        people={pk: study_id for pk, (study_id, _) in zones.items()},
        calendars={pk: LocalCalendar(zoneinfo.ZoneInfo(zone), periods[pk]) for pk, (_, zone) in zones.items()},
        sources=Source.objects.using(alias).in_bulk(),
    )


def _parts(export: Export, days: list[tuple[int, dt.date, int]]) -> Iterator[Part]:
    """Parquet has a file a metric and date; text formats one a metric and month. In the order of metrics and time."""
    suffix = WRITERS[export.format][1] + (".gz" if export.compressed and export.format != "parquet" else "")
    # By UTC dates the rollups' local dates only say which dates may have rows; those without make no file.
    around = (-1, 0, 1) if export.clock == Export.Clock.UTC else (0,)
    found = sorted({(metric, date + n * ONE_DAY) for metric, date, _ in days for n in around})
    low, high = export.start_on or FIRST, export.end_on or LAST
    groups: dict[tuple[int, str], list[dt.date]] = defaultdict(list)
    for metric_id, date in found:
        if low <= date <= high:
            groups[metric_id, f"{date}" if export.format == "parquet" else f"{date:%Y-%m}"].append(date)
    for (metric_id, when), dates in groups.items():
        metric = BY_ID[metric_id]
        if not takes(export.format, metric):
            continue
        folder = f"trial={export.trial.code}/metric={metric.code}" if export.format == "parquet" else metric.code
        path = f"{folder}/date={when}/part-0.{suffix}" if export.format == "parquet" else f"{folder}/{when}.{suffix}"
        yield Part(path, metric, dates[0], dates[-1])
