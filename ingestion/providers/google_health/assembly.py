"""Assembly of pages of points: batches by source and metric, and changes of the device's clock. Pure functions."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.base.live import Pulled
from ingestion.providers.google_health.decode import Page
from ingestion.providers.google_health.google_type import GoogleType, Kind, Member
from ingestion.providers.google_health.times import NO_OFFSET
from ingestion.providers.missing_values import present
from metrics.batch import MICROSECOND, Payload, SampleBatch, Seconds, SourceKey, Times, Values, microseconds
from metrics.local_time import EPOCH, LocalCalendar

NOT_COMPUTED = "below zero: not computed"


def assemble(data_type: GoogleType, pages: Sequence[Page], calendar: LocalCalendar) -> Pulled:
    """Batches of the pages of one pull, one a source and metric, ascending in time; what it cost is left at zero.

    Of points of one source at one time the highest counts, whatever the order of the answer, unless the type is
    summed. Daily values are dated to the first instant of their day by `calendar`.
    """
    result = Pulled(Payload(), points=sum(page.count for page in pages), unreadable=left_out(pages))
    pages = [page for page in pages if page.count]
    if not pages:
        return result
    codes, sources = _one_coding(pages)
    time = np.concatenate([page.time for page in pages])
    seconds = _joined([page.seconds for page in pages])
    result.offsets = offset_changes(time, np.concatenate([page.offset for page in pages]))
    if data_type.kind is Kind.DAILY:
        time, seconds = day_spans(time, calendar)
    elif data_type.seconds is not None:
        seconds = np.full(len(time), data_type.seconds, dtype=np.int32)
    for index, member in enumerate(data_type.members):
        value = np.concatenate([page.values[index] for page in pages])
        kept = _kept(member, value, result.skipped)
        for code, source in enumerate(sources):
            chosen = np.flatnonzero(kept & (codes == code))
            if len(chosen):
                columns = _ascending(time[chosen], value[chosen], None if seconds is None else seconds[chosen])
                batch = SampleBatch(member.metric, source, columns[0], columns[1] / member.divisor, columns[2])
                result.payload.samples.append(_summed(batch) if data_type.summed else batch)
    return result


class _Page(Protocol):
    @property
    def unreadable(self) -> Counter[str]: ...


def left_out(pages: Iterable[_Page]) -> Counter[str]:
    """Records of these pages that could not be read, by reason."""
    return sum((page.unreadable for page in pages), Counter[str]())


def _joined(parts: Sequence[Seconds | None]) -> Seconds | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def _one_coding(pages: Sequence[Page]) -> tuple[NDArray[np.int32], list[SourceKey]]:
    """Source codes of all pages as codes into one list of distinct sources."""
    known: dict[SourceKey, int] = {}
    parts = []
    for page in pages:
        page_codes = np.array([known.setdefault(source, len(known)) for source in page.sources], dtype=np.int32)
        parts.append(page_codes[page.codes])
    return np.concatenate(parts), list(known)


def _kept(member: Member, value: Values, skipped: Counter[str]) -> NDArray[np.bool_]:
    """Mask of the values to keep; counts the others."""
    there = present(member.metric, value, skipped)
    if member.absent is None and not member.minus:
        unfit = there & (value < 0)
        if count := int(np.count_nonzero(unfit)):
            skipped[NOT_COMPUTED] += count
        there &= ~unfit
    return there


def _ascending(time: Times, value: Values, seconds: Seconds | None) -> tuple[Times, Values, Seconds | None]:
    order = np.lexsort((value, time))
    return time[order], value[order], None if seconds is None else seconds[order]


def _summed(batch: SampleBatch) -> SampleBatch:
    """Ascending batch with the values of each instant added up."""
    first = np.flatnonzero(np.append(True, batch.time[1:] != batch.time[:-1]))
    seconds = None if batch.seconds is None else batch.seconds[first]
    return SampleBatch(batch.metric, batch.source, batch.time[first], np.add.reduceat(batch.value, first), seconds)


def day_spans(days: Times, calendar: LocalCalendar) -> tuple[Times, Seconds]:
    """First instants (microseconds UTC) and lengths (seconds) of local days, given as days since 1970-01-01."""
    starts, lengths = np.empty(len(days), np.int64), np.empty(len(days), np.int32)
    for index, day in enumerate(days):
        date = EPOCH + dt.timedelta(days=int(day))
        spans = calendar.spans([date])
        starts[index] = spans[0].starts_at if spans else microseconds(calendar.midnight(date))
        lengths[index] = sum(span.ends_at - span.starts_at for span in spans) // MICROSECOND
    return starts, lengths


def offset_changes(time: Times, offset: NDArray[np.int32]) -> list[tuple[int, int]]:
    """Changes of the offset: (microseconds UTC, seconds east of UTC) of the first point that states one and wherever it
    changes."""
    stated = offset != NO_OFFSET
    time, offset = time[stated], offset[stated]
    if not len(time):
        return []
    order = np.lexsort((offset, time))
    time, offset = time[order], offset[order]
    changes = np.flatnonzero(np.append(True, offset[1:] != offset[:-1]))
    return [(int(time[index]), int(offset[index])) for index in changes]
