"""Updates of provenance: parts of imports follow their rows that move or go otherwise than by a payload."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from numpy.typing import NDArray

from ingestion.file_imports import provenance
from ingestion.models import ImportedPart, ImportFile
from metrics.batch import Seconds, Sessions, Times, instant, microseconds
from metrics.corrections.row_restore import hold_data
from metrics.time_buckets import Span
from metrics.writing.rollups import SeriesKey
from metrics.writing.row_changes import SampleTrace, SessionTrace, chosen

Kind = ImportedPart.Kind


class Parts:
    """Updater of import parts: it follows the rows that they hold."""

    def gone(self, series: SeriesKey, times: Times, *, may_come_again: bool) -> None:
        """The parts do not hold them any more; where they may come again, their files are read when offered again."""
        for part, rows, held, _ in _parts_with(series, times):
            provenance.change(part, chosen(rows, ~held))
            if may_come_again:
                _read_again(part)

    def deleted(self, series: SeriesKey, span: Span) -> None:
        """The parts hold their times alone, so that a file that is read again does not bring them back."""
        for part in _overlapping(series, span.start, span.end - 1):
            rows = provenance.samples_in(part)
            gone = (rows.time >= span.start) & (rows.time < span.end)
            value, before = rows.value.copy(), rows.before.copy()
            value[gone] = before[gone] = np.nan
            provenance.change(part, replace(rows, value=value, before=before))

    def removed_before(self, trial: int, cutoff: dt.datetime) -> None:
        parts = ImportedPart.objects.filter(import_file__trial=trial, kind=Kind.SAMPLES, first_at__lt=cutoff)
        parts.filter(last_at__lt=cutoff).delete()
        for pk, participant in list(parts.values_list("pk", "participant")):
            with transaction.atomic():
                hold_data(participant)
                if part := parts.filter(pk=pk).first():
                    rows = provenance.samples_in(part)
                    provenance.change(part, chosen(rows, rows.time >= microseconds(cutoff)))

    def moved(
        self, series: SeriesKey, times: Times, to: SeriesKey, at: Times, *, seconds: Seconds | None = None
    ) -> None:
        """The parts hold them where they are now; each import keeps its place among those that hold a row."""
        for part, rows, held, place in _parts_with(series, times):
            news = chosen(rows, held)
            lengths = news.seconds if seconds is None else seconds[place[held]]
            news = replace(news, series=to, time=at[place[held]], seconds=lengths)
            if to.participant == series.participant:
                provenance.change(part, _joined(chosen(rows, ~held), news))
                continue
            provenance.hand_over(part, to.participant, _joined(news))
            provenance.change(part, chosen(rows, ~held))

    def sessions_gone(
        self, kind: Sessions, participant: int, source: int, names: Collection[str], *, may_come_again: bool
    ) -> None:
        for part, rows in _sessions(kind, participant, source, names):
            provenance.change(part, [session for session in rows if session.external_id not in names])
            if may_come_again:
                _read_again(part)

    def sessions_deleted(self, kind: Sessions, participant: int, source: int, names: Collection[str]) -> None:
        for part, rows in _sessions(kind, participant, source, names):
            kept = [provenance.emptied(session) if session.external_id in names else session for session in rows]
            provenance.change(part, kept)

    def sessions_moved(self, kind: Sessions, participant: int, source: int, names: Collection[str], to: int) -> None:
        for part, rows in _sessions(kind, participant, source, names):
            provenance.hand_over(part, to, [session for session in rows if session.external_id in names])
            provenance.change(part, [session for session in rows if session.external_id not in names])


def _parts_with(
    series: SeriesKey, times: Times
) -> Iterator[tuple[ImportedPart, SampleTrace, NDArray[np.bool_], NDArray[np.int64]]]:
    """Parts that hold samples of these times, the earliest first: its rows, which of them, and where in `times`."""
    if not len(times):
        return
    order = np.argsort(times, kind="stable")
    ascending = times[order]
    for part in _overlapping(series, int(ascending[0]), int(ascending[-1])):
        rows = provenance.samples_in(part)
        at = np.searchsorted(ascending, rows.time).clip(max=len(ascending) - 1)
        held = ascending[at] == rows.time
        if held.any():
            yield part, rows, held, order[at]


def _overlapping(series: SeriesKey, first: int, last: int) -> QuerySet[ImportedPart]:
    """Parts of a series that may hold samples from one time to another (microseconds UTC), the earliest first."""
    return ImportedPart.objects.filter(
        participant=series.participant,
        kind=Kind.SAMPLES,
        metric=series.metric.id,
        source=series.source,
        first_at__lte=instant(last),
        last_at__gte=instant(first),
    ).order_by("pk")


def _sessions(
    kind: Sessions, participant: int, source: int, names: Collection[str]
) -> Iterator[tuple[ImportedPart, list[SessionTrace]]]:
    """Parts that hold sessions of these names, the earliest first."""
    parts = ImportedPart.objects.filter(participant=participant, kind=provenance.KIND_OF[kind], source=source)
    for part in parts.order_by("pk"):
        rows = provenance.sessions_in(part)
        if any(session.external_id in names for session in rows):
            yield part, rows


def _joined(*parts: SampleTrace) -> SampleTrace:
    """Samples of one series in one trace, ascending in time."""
    order = np.argsort(np.concatenate([part.time for part in parts]), kind="stable")
    return SampleTrace(
        parts[-1].series,
        np.concatenate([part.time for part in parts])[order],
        np.concatenate([part.value for part in parts])[order],
        np.concatenate([part.seconds for part in parts])[order],
        np.concatenate([part.before for part in parts])[order],
        np.concatenate([part.seconds_before for part in parts])[order],
    )


def _read_again(part: ImportedPart) -> None:
    """Have the file of a part read again when it is offered again."""
    done = ImportFile.objects.filter(pk=part.import_file_id, status=ImportFile.Status.DONE)
    done.update(status=ImportFile.Status.PARTIAL)
