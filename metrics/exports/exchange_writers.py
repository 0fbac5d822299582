"""Exports in the exchange formats: writers that hand columns to metrics.exchange, and the files beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from django.db.models import Model, QuerySet

from metrics.exchange.days import fhir_days
from metrics.exchange.fhir import fhir_lines
from metrics.exchange.open_mhealth import omh_blocks
from metrics.exchange.resources import resource_lines
from metrics.exchange.series import Series
from metrics.exchange.sessions import fhir_exercise, fhir_sleep, omh_exercise, omh_sleep
from metrics.exports import store
from metrics.exports.columns import Samples
from metrics.exports.compression import SUFFIXES, compression_of, open_compressed
from metrics.exports.partial_file import PartialFile
from metrics.exports.writers import TextWriter
from metrics.models import ExerciseSession, Export, ParticipantDay, SleepSession
from metrics.selection.night_source_choice import other_nights
from participants.models import Participant

if TYPE_CHECKING:
    from metrics.exports.plan import Plan

CHUNK = 500


class _ExchangeWriter(TextWriter):
    """A line a resource or data point, interval by interval: their number is not that of the samples."""

    def convert(self, series: Series) -> Iterator[tuple[int, bytes]]:
        """The series' lines, whole, in pieces of so many."""
        raise NotImplementedError

    def take(self, parts: Sequence[Samples]) -> None:
        for samples in parts:
            for n, lines in self.convert(self._series(samples)):
                self._out.write(lines)
                self.written += n

    def _series(self, samples: Samples) -> Series:
        interval, context = samples.interval, self.context
        return Series(
            trial=context.trial,
            study_id=context.people[interval.participant],
            metric=context.metric,
            source=context.sources[interval.source].key,
            time=samples.time,
            value=samples.value,
            seconds=samples.seconds,
            calendar=context.calendars[interval.participant],
        )


class FhirWriter(_ExchangeWriter):
    """HL7 FHIR R5 Observations."""

    def convert(self, series: Series) -> Iterator[tuple[int, bytes]]:
        return ((1, line) for line in fhir_lines(series))


class OmhWriter(_ExchangeWriter):
    """Open mHealth data points."""

    def convert(self, series: Series) -> Iterator[tuple[int, bytes]]:
        return omh_blocks(series)


Rows = Callable[[str, str, Iterable[Any], Any], Iterator[bytes]]

# What stands beside the measurements where no metrics were named: file, table, converter.
BESIDE: dict[str, tuple[tuple[str, type[Model], Rows], ...]] = {
    "fhir": (
        ("sleep", SleepSession, fhir_sleep),
        ("exercise", ExerciseSession, fhir_exercise),
        ("days", ParticipantDay, fhir_days),
    ),
    "omh": (("sleep", SleepSession, omh_sleep), ("exercise", ExerciseSession, omh_exercise)),
}


def write_beside(work: Plan, finished: Iterable[str], kept: Callable[[PartialFile, int | None], None]) -> None:
    """Write nights, exercise and days, and for FHIR the resources that Observations refer to; once each."""
    export, done = work.export, set(finished)
    suffix = "ndjson" + SUFFIXES[compression_of(export)]
    files: list[tuple[str, Iterator[bytes]]] = []
    if export.format == Export.Format.FHIR:
        files.append((f"resources.{suffix}", _resources(work)))
    if not export.metrics:
        for name, model, convert in BESIDE.get(export.format, ()):
            files.append((f"{name}.{suffix}", _about_everybody(work, model, convert)))
    for path, lines in files:
        if path not in done:
            with store.partial_file(export, path) as file:
                if rows := _write(file, lines, compression_of(export)):
                    kept(file, rows)


def _write(file: PartialFile, lines: Iterator[bytes], compression: str) -> int:
    rows = 0
    out = open_compressed(cast(Any, file), compression)
    for line in lines:
        out.write(line)
        rows += 1
    if compression:
        out.close()
    return rows


def _resources(work: Plan) -> Iterator[bytes]:
    people = Participant.objects.using(work.alias).filter(pk__in=list(work.people)).order_by("pk")
    source_ids = work.export.sources or list(work.sources)
    sources = [source.key for pk, source in work.sources.items() if pk in source_ids]
    return resource_lines(work.export.trial, people.iterator(CHUNK), sources)


def _about_everybody(work: Plan, model: type[Model], convert: Rows) -> Iterator[bytes]:
    for pk, study_id in work.people.items():
        records = _wanted(work, model._default_manager.using(work.alias).filter(participant=pk))
        held = work.held[pk]
        others = _other_nights(work, pk) if model is SleepSession else set()
        rows = (row for row in records.iterator(CHUNK) if row.date in held and row.pk not in others)
        yield from convert(work.export.trial.code, study_id, rows, work.calendars[pk])


def _other_nights(work: Plan, participant: int) -> set[int]:
    export = work.export
    return other_nights([participant], export.start_on, export.end_on, among=export.sources, using=work.alias)


def _wanted(work: Plan, records: QuerySet[Any]) -> QuerySet[Any]:
    export = work.export
    if export.start_on:
        records = records.filter(date__gte=export.start_on)
    if export.end_on:
        records = records.filter(date__lte=export.end_on)
    if records.model is ParticipantDay:
        return records.order_by("date")
    if export.sources:
        records = records.filter(source__in=export.sources)
    return records.select_related("source").order_by("starts_at", "pk")
