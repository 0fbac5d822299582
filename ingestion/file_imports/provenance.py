"""Provenance of imported rows: which an import stored, and what was there before, so that it can be taken back exactly.

The imports that hold a row form a chain: each says what the row became by it and what it was before. Whoever leaves the
chain hands what was before on to the next (import_undo). All of it happens under the participant's lock.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from django.db.models import DateTimeField, Func, Q, QuerySet

from ingestion.file_imports import part_storage as content
from ingestion.models import ImportedPart, ImportFile
from metrics.batch import Counts, Payload, SampleBatch, Sessions, SourceKey, Times, instant
from metrics.registry import BY_ID
from metrics.writing.rollups import SeriesKey
from metrics.writing.row_changes import OffsetTrace, SampleTrace, SessionTrace, Trace
from participants.models import Participant

Kind = ImportedPart.Kind
KIND_OF = {Sessions.SLEEP: Kind.SLEEP, Sessions.EXERCISE: Kind.EXERCISE}
SESSIONS = {kind: sessions for sessions, kind in KIND_OF.items()}


class ClockNow(Func):
    """The database's clock at this statement. Its transaction's time is from before the participant's lock was had:
    what another wrote meanwhile would seem to be later."""

    template = "clock_timestamp()"
    output_field = DateTimeField()


def keep(record: ImportFile, participant: Participant, trace: Trace) -> None:
    """Store what a payload of an import did, in the transaction that did it."""
    parts = [_of_samples(samples) for samples in trace.samples if len(samples)]
    by_source: dict[tuple[Sessions, int], list[SessionTrace]] = defaultdict(list)
    for session in trace.sessions:
        by_source[session.kind, session.source].append(session)
    parts += [_of_sessions(traces) for traces in by_source.values()]
    parts += [_of_offsets(trace.offsets)] if trace.offsets else []
    for part in parts:
        part.import_file, part.participant, part.stored_at = record, participant, ClockNow()
    ImportedPart.objects.bulk_create(parts)


def samples_in(part: ImportedPart) -> SampleTrace:
    """Rows of a part of samples."""
    series = SeriesKey(part.participant_id, BY_ID[int(part.metric_id or 0)], int(part.source_id or 0))
    return content.unpack_samples(series, bytes(part.content))


def sessions_in(part: ImportedPart) -> list[SessionTrace]:
    """Rows of a part of nights or exercise."""
    return content.unpack_sessions(SESSIONS[Kind(part.kind)], int(part.source_id or 0), bytes(part.content))


def offsets_in(part: ImportedPart) -> list[OffsetTrace]:
    return content.unpack_offsets(bytes(part.content))


def change(part: ImportedPart, rows: SampleTrace | list[SessionTrace] | list[OffsetTrace]) -> None:
    """Give a part other rows; a part without any goes."""
    if not len(rows):
        part.delete()
        return
    if isinstance(rows, SampleTrace):
        news = _of_samples(rows)
    elif part.kind == Kind.OFFSETS:
        news = _of_offsets([row for row in rows if isinstance(row, OffsetTrace)])
    else:
        news = _of_sessions([row for row in rows if isinstance(row, SessionTrace)])
    for name in ("first_at", "last_at", "rows", "added", "changed", "content"):
        setattr(part, name, getattr(news, name))
    part.save()


def emptied(trace: SessionTrace) -> SessionTrace:
    """Session of which only its id is kept, and when it was."""
    return replace(trace, own={name: trace.own[name] for name in content.INSTANTS}, before=None)


def hand_over(part: ImportedPart, participant: int, rows: SampleTrace | list[SessionTrace]) -> None:
    """Store rows of a part as another participant's, by the same import."""
    if len(rows):
        made = _of_samples(rows) if isinstance(rows, SampleTrace) else _of_sessions(rows)
        made.import_file_id, made.participant_id, made.stored_at = part.import_file_id, participant, part.stored_at
        made.save()


def later_than(part: ImportedPart) -> QuerySet[ImportedPart]:
    """Parts of the same series that were stored after this one and may hold some of its rows, the earliest first.

    Samples go by their time; a session may have been put at another time under the same id.
    """
    parts = ImportedPart.objects.filter(
        participant=part.participant_id, kind=part.kind, metric=part.metric_id, source=part.source_id, pk__gt=part.pk
    )
    if part.kind == Kind.SAMPLES:
        parts = parts.filter(first_at__lte=part.last_at, last_at__gte=part.first_at)
    return parts.order_by("pk")


# --- what a file holds that it has stored already ---------------------------------------------------------------


def not_yet_stored(record: ImportFile, participant: Participant, payload: Payload) -> tuple[Payload, Counts]:
    """Payload of a file that is read again without the rows that it has stored, and these as unchanged.

    Rows of it that another file or a correction has changed since are left as they are.
    """
    parts = list(_concerned(record, participant, payload).select_related("source"))
    counts = Counts()
    known: dict[tuple[str, SourceKey], list[Times]] = defaultdict(list)
    names: set[tuple[str, SourceKey, str]] = set()
    stated = set()
    for part in parts:
        if part.kind == Kind.SAMPLES and part.source:
            rows = samples_in(part)
            known[rows.series.metric.code, part.source.key].append(rows.time)
        elif part.kind == Kind.OFFSETS:
            stated |= {offset.starts_at for offset in offsets_in(part)}
        elif part.source:
            names |= {(part.kind, part.source.key, session.external_id) for session in sessions_in(part)}
    samples = []
    for batch in payload.samples:
        stored = known.get((batch.metric, batch.source))
        kept = _without(batch, np.concatenate(stored)) if stored else batch
        counts.unchanged += len(batch) - len(kept)
        samples += [kept] if len(kept) else []
    sleep = [night for night in payload.sleep if (Kind.SLEEP, night.source, night.external_id) not in names]
    exercise = [
        session for session in payload.exercise if (Kind.EXERCISE, session.source, session.external_id) not in names
    ]
    counts.sleep_unchanged = len(payload.sleep) - len(sleep)
    counts.exercise_unchanged = len(payload.exercise) - len(exercise)
    offsets = [offset for offset in payload.offsets if offset.starts_at not in stated]
    return replace(payload, samples=samples, sleep=sleep, exercise=exercise, offsets=offsets), counts


def _concerned(record: ImportFile, participant: Participant, payload: Payload) -> QuerySet[ImportedPart]:
    """Parts that may hold rows of a payload: of samples those around their times; sessions go by their ids."""
    ends = [int(time) for batch in payload.samples if len(batch) for time in (batch.time.min(), batch.time.max())]
    around = (
        Q(kind=Kind.SAMPLES, first_at__lte=instant(max(ends)), last_at__gte=instant(min(ends))) if ends else Q(pk=None)
    )
    return record.parts.filter(around | ~Q(kind=Kind.SAMPLES), participant=participant)


def _without(batch: SampleBatch, times: Times) -> SampleBatch:
    kept = ~np.isin(batch.time, times)
    seconds = None if batch.seconds is None else batch.seconds[kept]
    return SampleBatch(batch.metric, batch.source, batch.time[kept], batch.value[kept], seconds)


# --- parts ------------------------------------------------------------------------------------------------------


def _of_samples(rows: SampleTrace) -> ImportedPart:
    """Part of samples. Rows without a value were deleted: what is kept is that the file had one then."""
    kinds, stored = content.kinds_of(rows), ~np.isnan(rows.value)
    return ImportedPart(
        kind=Kind.SAMPLES,
        metric_id=rows.series.metric.id,
        source_id=rows.series.source,
        first_at=instant(rows.time[0]),
        last_at=instant(rows.time[-1]),
        rows=int(np.count_nonzero(stored)),
        added=int(np.count_nonzero(stored & (kinds == content.NEW))),
        changed=int(np.count_nonzero(kinds == content.CHANGED)),
        content=content.pack_samples(rows),
    )


def _of_sessions(rows: list[SessionTrace]) -> ImportedPart:
    starts = [session.own["starts_at"] for session in rows]
    stored = [session for session in rows if len(session.own) > len(content.INSTANTS)]
    return ImportedPart(
        kind=KIND_OF[rows[0].kind],
        source_id=rows[0].source,
        first_at=min(starts),
        last_at=max(starts),
        rows=len(stored),
        added=sum(session.before is None for session in stored),
        changed=sum(session.before is not None and session.before != session.own for session in stored),
        content=content.pack_sessions(rows),
    )


def _of_offsets(rows: list[OffsetTrace]) -> ImportedPart:
    starts = [offset.starts_at for offset in rows]
    return ImportedPart(
        kind=Kind.OFFSETS,
        first_at=min(starts),
        last_at=max(starts),
        rows=len(rows),
        added=sum(not offset.known for offset in rows),
        changed=sum(offset.known and offset.before != offset.utc_offset for offset in rows),
        content=content.pack_offsets(rows),
    )
