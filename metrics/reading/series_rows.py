"""The rows of series as columns: which table and which intervals of it answer, and what they become."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.batch import MICROSECOND, Times, Values, instant
from metrics.local_time import EPOCH
from metrics.reading import sql
from metrics.registry import Metric
from metrics.selection.readable_series import Part, Readable, ReadFrom, changes
from metrics.selection.source_choice import Run
from metrics.storage import binary_copy
from metrics.time_buckets import DAY_SECONDS, HOUR_SECONDS, Span, aligned, day_numbers, midnights
from participants.models import Participant

# Rows of a series, as columns: time, n, total, low, high.
Rows = tuple[Times, NDArray[np.int64], Values, Values, Values]
_NO_VALUES: Values = np.zeros(0)
_NO_TIMES: Times = np.zeros(0, dtype=np.int64)
NO_ROWS: Rows = (_NO_TIMES, _NO_TIMES, _NO_VALUES, _NO_VALUES, _NO_VALUES)


def length(rows: Rows) -> int:
    return len(rows[0])


@dataclass(slots=True)
class Plan:
    """Plan of reading a series: its participant and metric, and by day `runs`, else `parts`, of one source each."""

    participant: Participant
    metric: Metric
    held: Readable
    runs: Sequence[Run] = ()
    parts: Sequence[Part] = ()

    def sources(self) -> list[ReadFrom]:
        """The sources that are read, each where it begins."""
        if self.parts:
            return self.held.read_from(self.parts)
        if not self.runs:
            return []
        first = (self.runs[0].first - EPOCH).days
        days = [(run.first - EPOCH).days - first for run in self.runs]
        starts = midnights(first, first + days[-1], zoneinfo.ZoneInfo(self.participant.time_zone))[days].tolist()
        reads = zip(starts, self.runs, strict=True)
        return changes(ReadFrom(start, run.first, run.source) for start, run in reads)


def plans_of(
    keys: Sequence[tuple[Participant, Metric]],
    held: Mapping[tuple[int, int], Readable],
    spans: Mapping[int, Span],
    width: int,
) -> dict[tuple[int, int], Plan]:
    """Plans for each series that has anything to read, by (participant, metric)."""
    rows = {}
    for participant, metric in keys:
        of, span = held.get((participant.pk, metric.id)), spans[participant.pk]
        if of is None:
            continue
        plan = Plan(participant, metric, of)
        if width >= DAY_SECONDS:
            first, last = day_numbers(span, zoneinfo.ZoneInfo(participant.time_zone))
            plan.runs = of.on(EPOCH + dt.timedelta(days=first), EPOCH + dt.timedelta(days=last))
        else:
            plan.parts = of.parts(aligned(span, width))
        rows[participant.pk, metric.id] = plan
    return rows


def read_rows(
    plans: Mapping[tuple[int, int], Plan], spans: Mapping[int, Span], width: int
) -> dict[tuple[int, int], Rows]:
    """Rows by (participant, metric) from the coarsest table whose buckets fit into `width`; metrics are alike."""
    if width >= DAY_SECONDS:
        return _read_days(plans, spans, width)
    parts = [(plan, part) for plan in plans.values() for part in plan.parts]
    if not parts:
        return {}
    origins = {pid: aligned(span, width).start for pid, span in spans.items()}
    metric = parts[0][0].metric
    if width == 0:
        return {key: _samples(*arrays) for key, arrays in _parts(sql.samples, parts, origins, width)}
    if width % HOUR_SECONDS:
        return {key: _ascending(arrays) for key, arrays in _parts(_finer(width, metric), parts, origins, width)}
    # An hour in which a part begins or ends, as a local day does half an hour past, is not read whole.
    split = [(plan, *_hours(part)) for plan, part in parts]
    hours = [(plan, part) for plan, middle, _ in split for part in middle]
    edges = [(plan, part) for plan, _, ends in split for part in ends]
    rows = {key: _ascending(arrays) for key, arrays in _parts(sql.hours, hours, origins, width)}
    for key, arrays in _parts(_finer(width, metric), edges, origins, width):
        rows[key] = _together(rows[key], arrays) if key in rows else _ascending(arrays)
    return rows


def _parts(
    statement: Callable[[str], str], parts: Sequence[tuple[Plan, Part]], origins: Mapping[int, int], width: int
) -> Iterator[tuple[tuple[int, int], list[NDArray[Any]]]]:
    """Read parts by a statement, as columns by (participant, metric)."""
    if not parts:
        return
    parameters: dict[str, Any] = {
        "participants": [plan.participant.pk for plan, _ in parts],
        "metrics": [plan.metric.id for plan, _ in parts],
        "sources": [part.source.pk for _, part in parts],
        "starts": [instant(part.start) for _, part in parts],
        "ends": [instant(part.end) for _, part in parts],
        "origins": [instant(origins[plan.participant.pk]) for plan, _ in parts],
        "low": instant(min(part.start for _, part in parts)),
        "high": instant(max(part.end for _, part in parts)),
        "width": dt.timedelta(seconds=width),
    }
    for numbers, arrays in binary_copy.read(statement(_fence(plan for plan, _ in parts)), parameters):
        pid, metric = numbers
        yield (pid, metric), arrays


def _finer(width: int, metric: Metric) -> Callable[[str], str]:
    """The table below the hours that answers."""
    return sql.minutes if width % 60 == 0 and metric.subminute else sql.binned


def _fence(plans: Iterable[Plan]) -> str:
    """Part of a statement that reads several intervals of a series."""
    most = Counter((plan.participant.pk, plan.metric.id) for plan in plans).most_common(1)
    return sql.FENCE if most and most[0][1] > 1 else ""


def _hours(part: Part) -> tuple[list[Part], list[Part]]:
    """A part as its full hours and what is left at both ends."""
    hour = HOUR_SECONDS * MICROSECOND
    first, last = -(-part.start // hour) * hour, part.end // hour * hour
    if first >= last:
        return [], [part]
    edges = [replace(part, end=first), replace(part, start=last)]
    return [replace(part, start=first, end=last)], [edge for edge in edges if edge.start < edge.end]


def _together(rows: Rows, more: Sequence[NDArray[Any]]) -> Rows:
    """Two readings of one series as one: what falls into the same bucket is summed up."""
    time, n, total, low, high = _ascending([np.concatenate(pair) for pair in zip(rows, more, strict=True)])
    begins = np.flatnonzero(np.append(True, time[1:] != time[:-1]))
    return _summed(time[begins], begins, n, total, low, high)


def _summed(time: Times, begins: NDArray[np.int64], n: Times, total: Values, low: Values, high: Values) -> Rows:
    """Rows that follow one another as one each, from each of `begins` to the next; `time`: of each."""
    return (
        time,
        np.add.reduceat(n, begins),
        np.add.reduceat(total, begins),
        np.minimum.reduceat(low, begins),
        np.maximum.reduceat(high, begins),
    )


def _read_days(
    plans: Mapping[tuple[int, int], Plan], spans: Mapping[int, Span], width: int
) -> dict[tuple[int, int], Rows]:
    rows = [(plan, run) for plan in plans.values() for run in plan.runs]
    if not rows:
        return {}
    parameters: dict[str, Any] = {
        "participants": [plan.participant.pk for plan, _ in rows],
        "metrics": [plan.metric.id for plan, _ in rows],
        "sources": [run.source.pk for _, run in rows],
        "firsts": [run.first for _, run in rows],
        "lasts": [run.last for _, run in rows],
    }
    days = {}
    for (pid, metric), arrays in binary_copy.read(sql.days(_fence(plan for plan, _ in rows)), parameters):
        zone = zoneinfo.ZoneInfo(plans[pid, metric].participant.time_zone)
        days[pid, metric] = _days(_ascending(arrays), spans[pid], width, zone)
    return days


def _samples(time: Times, value: Values) -> Rows:
    time, value = _ascending([time, value])
    return time, np.ones(len(time), dtype=np.int64), value, value, value


def _ascending(arrays: list[NDArray[Any]]) -> Any:
    """Columns in the order of the first. The database aggregates in any order, as a rule in this one."""
    time = arrays[0]
    if np.all(time[1:] > time[:-1]):
        return tuple(arrays)
    order = np.argsort(time, kind="stable")
    return tuple(array[order] for array in arrays)


def _days(rows: Rows, span: Span, width: int, zone: zoneinfo.ZoneInfo) -> Rows:
    """Day rollups of the local days that the span touches, whole, their dates as midnights in the participant's zone.

    Several days together where the width says so, counted from the span's first.
    """
    first, last = day_numbers(span, zone)
    date, n, total, least, most = rows
    starts = midnights(first, last, zone)
    days = width // DAY_SECONDS
    if days == 1:
        return starts[date - first], n, total, least, most
    group = (date - first) // days
    begins = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    return _summed(starts[group[begins] * days], begins, n, total, least, most)
