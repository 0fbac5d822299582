"""Choice of the source that counts: one a participant, metric and local date. The only rule; sums never add sources.

First by the order of the protocol that is in force on that date; of those it ranks alike, the source that covers most
minutes of the day (a device that samples faster does not know more of a day), then the one with most samples, then
the lowest id. So a day has one source whatever span, page, resolution or export asks for it. Nights are chosen by the
same rule, by their date of waking: night_source_choice.py.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.local_time import EPOCH
from metrics.models import Source
from metrics.selection import sql
from metrics.storage import binary_copy
from participants.compiled_sql import Query, Written, compiled
from participants.conditions_sql import DATES, IDS, AnyOf
from participants.models import Protocol

Numbers = NDArray[np.int64]
Series = tuple[int, int]  # participant, metric
Dates = tuple[dt.date, dt.date]  # both included
UNRANKED = 32_767
UNCOUNTED = UNRANKED + 1  # what a source without any value that counts comes behind


def place(source: Source, priority: Sequence[str]) -> int:
    """A source's place in a protocol's order, 0 the first; UNRANKED where it is not in it."""
    names = (source.device_model, source.platform, source.provider)
    return next((n for n, name in enumerate(priority) if name in names), UNRANKED)


def counting(group: Numbers, places: Numbers, source: Numbers, *amounts: Numbers) -> NDArray[np.bool_]:
    """Mask of rows that count: of each group the first by place, then by the largest amounts, then the lowest source
    id.

    All of shape (n,), in any order; a group is a participant's metric on a date, or whatever has one source.
    """
    order = np.lexsort((source, *(-amount for amount in reversed(amounts)), places, group))
    first = np.ones(len(group), dtype=np.bool_)
    first[1:] = group[order][1:] != group[order][:-1]
    counts = np.zeros(len(group), dtype=np.bool_)
    counts[order[first]] = True
    return counts


@compiled(sources=IDS)
def _sources(sources: Any) -> Any:
    return Source.objects.filter(AnyOf("pk", sources))


# Which sources have data of participants' metrics on local dates.
SOURCES, SOURCES_OF_ALL = (
    Written(statement, participants=IDS, firsts=DATES, lasts=DATES, metrics=IDS)
    for statement in (sql.SOURCES, sql.SOURCES_OF_ALL)
)


def sources_by_id(ids: Collection[int], using: str = "default") -> dict[int, Source]:
    """These sources, by id. One query, none for none."""
    return {source.pk: source for source in _sources.rows(using=using, sources=sorted(ids))} if ids else {}


class Priorities:
    """The orders of sources that trials' protocols give, by local date."""

    def __init__(self, trials: Collection[int], sources: Mapping[int, Source], using: str = "default") -> None:
        self._sources = sources
        self._protocols: dict[int, list[Protocol]] = defaultdict(list)
        protocols = Protocol.objects.using(using).filter(trial__in=trials).order_by("-effective_on", "-version")
        for protocol in protocols:
            self._protocols[protocol.trial_id].append(protocol)

    def places(self, trial: Numbers, date: Numbers, source: Numbers) -> Numbers:
        """Each source's place by its trial's protocol of that date (days since 1970-01-01). All of shape (n,)."""
        ranks = np.full(len(source), UNRANKED, dtype=np.int64)
        for trial_id in np.unique(trial).tolist():
            if protocols := self._protocols[trial_id]:
                rows = np.flatnonzero(trial == trial_id)
                ranks[rows] = self._of_trial(protocols, date[rows], source[rows])
        return ranks

    def _of_trial(self, protocols: Sequence[Protocol], date: Numbers, source: Numbers) -> Numbers:
        days, day = np.unique(date, return_inverse=True)
        ids, which = np.unique(source, return_inverse=True)
        versions = [Protocol.in_force(protocols, EPOCH + dt.timedelta(days=number)) for number in days.tolist()]
        rows = {
            version.pk: [place(self._sources[pk], version.source_priority) for pk in ids.tolist()]
            for version in versions
        }
        table = np.array([rows[version.pk] for version in versions], dtype=np.int64)
        chosen: Numbers = table[day, which]
        return chosen


@dataclass(frozen=True, slots=True)
class Run:
    """Local dates, both included, of which one source counts where there are any data."""

    source: Source
    first: dt.date
    last: dt.date


@dataclass(slots=True)
class Chosen:
    """The sources of a participant's metric: `runs` ascend and do not overlap; `others` have data and count on no date.

    What lies between two runs has no data.
    """

    runs: list[Run] = field(default_factory=list)
    others: list[Source] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pinned:
    """Sources that a reading which is under way reads of a date: by participant the date, by series the source."""

    dates: Mapping[int, dt.date]
    sources: Mapping[Series, int]


def _requested(dates: Mapping[int, Sequence[Dates]], metrics: Collection[int]) -> dict[str, list[Any]]:
    requested = [(pid, *interval) for pid, intervals in dates.items() for interval in intervals]
    people, firsts, lasts = map(list, zip(*requested, strict=True))
    return {"participants": people, "firsts": firsts, "lasts": lasts, "metrics": list(metrics)}


def source_query(dates: Mapping[int, Sequence[Dates]], metrics: Collection[int]) -> Query:
    """What `chosen_sources` asks first of these dates, to be run together with others."""
    return SOURCES.with_values(**_requested(dates, metrics))


def chosen_sources(
    trial_of: Mapping[int, int],
    dates: Mapping[int, Sequence[Dates]],
    metrics: Collection[int],
    *,
    among: Collection[int] | None = None,
    pinned: Pinned | None = None,
    every_sample: bool = False,
    using: str = "default",
) -> dict[Series, Chosen]:
    """The sources by (participant, metric) of those that have any data. One statement, and two more where a
    participant's metric has several.

    `trial_of`: by participant; `dates`: of each the local dates that are asked for, as intervals that do not overlap;
    `metrics`: ids. `among`: one is chosen of these sources alone; the rest are others. `every_sample`: days of nothing
    but values that do not count too (plausible_range.py), where no source has any that do.
    """
    if not any(dates.values()):
        return {}
    parameters = _requested(dates, metrics)
    held: dict[Series, dict[int, Dates]] = defaultdict(dict)
    with_data = SOURCES_OF_ALL if every_sample else SOURCES
    for pid, metric, source, first, last in with_data.rows(using=using, **parameters):
        held[pid, metric][source] = (first, last)
    sources = sources_by_id({source for dates_of in held.values() for source in dates_of}, using)
    choices = {key: Chosen(others=[sources[pk] for pk in sorted(dates_of)]) for key, dates_of in held.items()}
    several: set[Series] = set()
    for key, dates_of in held.items():
        usable = [pk for pk in dates_of if among is None or pk in among]
        if len(usable) == 1:
            choices[key].runs = [Run(sources[usable[0]], *dates_of[usable[0]])]
        elif usable:
            several.add(key)
    if several:
        statement = sql.SOURCE_DAYS_OF_ALL if every_sample else sql.SOURCE_DAYS
        rows = _Rows.of(several, trial_of, binary_copy.read(statement, parameters | _pairs(several), using=using)).only(
            among
        )
        for key, run in rows.runs(sources, Priorities({trial_of[pid] for pid, _ in several}, sources, using), pinned):
            choices[key].runs.append(run)
    for choice in choices.values():
        used = {run.source.pk for run in choice.runs}
        choice.others = [source for source in choice.others if source.pk not in used]
    return choices


@dataclass(slots=True)
class _Rows:
    """Day rollups as columns, each of shape (n,). `series`: index into `keys`; `date`: days since 1970-01-01."""

    keys: list[Series]
    trials: Numbers
    series: Numbers
    source: Numbers
    date: Numbers
    minutes: Numbers
    n: Numbers

    @classmethod
    def of(cls, keys: Iterable[Series], trial_of: Mapping[int, int], read: Iterable[tuple[Any, Any]]) -> _Rows:
        """Rows that a statement read of the days of these series."""
        ordered = sorted(keys)
        index = {key: n for n, key in enumerate(ordered)}
        parts: list[tuple[Numbers, ...]] = []
        for (pid, metric, source), (date, minutes, n) in read:
            series = np.full(len(date), index[pid, metric], dtype=np.int64)
            parts.append((series, np.full(len(date), source, dtype=np.int64), date, minutes, n))
        trials = np.array([trial_of[pid] for pid, _ in ordered], dtype=np.int64)
        return cls(ordered, trials, *(np.concatenate(column) for column in zip(*parts, strict=True)))

    def only(self, among: Collection[int] | None) -> _Rows:
        """Those of some sources."""
        return self if among is None else self._cut(np.isin(self.source, list(among)))

    def _cut(self, rows: NDArray[np.bool_]) -> _Rows:
        cut = (column[rows] for column in (self.series, self.source, self.date, self.minutes, self.n))
        return _Rows(self.keys, self.trials, *cut)

    def runs(
        self, sources: Mapping[int, Source], priorities: Priorities, pinned: Pinned | None
    ) -> Iterator[tuple[Series, Run]]:
        """The dates of each series as runs of the source that counts, ascending."""
        places = priorities.places(self.trials[self.series], self.date, self.source)
        places[self.minutes == 0] += UNCOUNTED
        if pinned:
            places[self._pinned(pinned)] = -1
        # One number for a series and date: a date has at most seven digits.
        group = self.series * 10_000_000 + self.date
        rows = self._cut(counting(group, places, self.source, self.minutes, self.n))
        order = np.lexsort((rows.date, rows.series))
        series, source, date = rows.series[order], rows.source[order], rows.date[order]
        begins = np.flatnonzero(np.append(True, (series[1:] != series[:-1]) | (source[1:] != source[:-1])))
        ends = np.append(begins[1:], len(series)) - 1
        for first, last in zip(begins.tolist(), ends.tolist(), strict=True):
            run = Run(sources[int(source[first])], _date(date[first]), _date(date[last]))
            yield self.keys[int(series[first])], run

    def _pinned(self, pinned: Pinned) -> NDArray[np.bool_]:
        dates = np.array([(pinned.dates[pid] - EPOCH).days if pid in pinned.dates else -1 for pid, _ in self.keys])
        chosen = np.array([pinned.sources.get(key, -1) for key in self.keys])
        held: NDArray[np.bool_] = (dates[self.series] == self.date) & (chosen[self.series] == self.source)
        return held


def _pairs(series: Iterable[Series]) -> dict[str, list[int]]:
    people, metrics = zip(*sorted(series), strict=True)
    return {"series_participants": list(people), "series_metrics": list(metrics)}


def _date(day: np.int64) -> dt.date:
    return EPOCH + dt.timedelta(days=int(day))
