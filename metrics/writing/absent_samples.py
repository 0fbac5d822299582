"""Stored samples that a payload replaces and no longer holds: one statement says of which series there are more.

Part of the writer; called inside its transaction, after the payload's own samples are stored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
from django.db import connection

from metrics.batch import Payload, Replaced, SourceKey, microseconds
from metrics.local_time import LocalCalendar
from metrics.registry import BY_CODE
from metrics.writing import rollups, sql
from metrics.writing.rollups import SeriesKey
from metrics.writing.samples import remove_absent


def remove_absent_samples(
    participant: int, payload: Payload, sources: Mapping[SourceKey, int], calendar: LocalCalendar
) -> tuple[set[dt.date], int]:
    """Remove the samples that a payload replaces and no longer holds; returns the local dates concerned and how many.

    `sources`: ids of the payload's sources.
    """
    dates, count = set[dt.date](), 0
    replaces = [replaced for replaced in payload.replaces if replaced.what in BY_CODE]
    for number, source, stored in _stored(participant, replaces, calendar):
        replaced = replaces[number]
        start, end = microseconds(replaced.starts_at), microseconds(replaced.ends_at)
        batches = [b for b in payload.samples if b.metric == replaced.what and sources[b.source] == source]
        held = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(batch.time for batch in batches)]))
        if stored <= np.count_nonzero((held >= start) & (held < end)):
            # Every time that it holds is stored by now, so as many rows as times means the same rows.
            continue
        series = SeriesKey(participant, BY_CODE[str(replaced.what)], source)
        removed = remove_absent(series, batches, start, end)
        count += len(removed)
        dates |= rollups.refresh(series, removed, calendar)
    return dates, count


def _stored(participant: int, replaces: list[Replaced], calendar: LocalCalendar) -> list[tuple[int, int, int]]:
    """Number of samples stored in each of these intervals: (index of the interval, source, number of rows).

    Of each of its provider's sources that has any about then.
    """
    if not replaces:
        return []
    parameters: dict[str, Any] = {
        "participant": participant,
        "metrics": [BY_CODE[str(replaced.what)].id for replaced in replaces],
        "providers": [replaced.provider for replaced in replaces],
        "starts": [replaced.starts_at for replaced in replaces],
        "ends": [replaced.ends_at for replaced in replaces],
        "firsts": [calendar.date(replaced.starts_at) for replaced in replaces],
        "lasts": [calendar.date(replaced.ends_at) for replaced in replaces],
        "low": min(replaced.starts_at for replaced in replaces),
        "high": max(replaced.ends_at for replaced in replaces),
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.ROWS_REPLACED, parameters)
        return [(number - 1, source, rows) for number, source, rows in cursor.fetchall()]
