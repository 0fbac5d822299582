"""Every sample of several series in order of time, in pieces: whatever the span, only a piece is in memory.

Each series is read through its own index from where the reading stands, interval after interval, and the pieces are
merged here. Each piece
is a statement of its own: nothing stays open between two, so a slow reader holds back neither vacuum nor a worker.
A sample is known by its place in the order (time, participant, metric, source). Whoever goes on after a place gets
what lies beyond it, samples that were stored in the meantime too, and none twice.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.batch import Seconds, Times, Values, instant
from metrics.reading import sql
from metrics.storage import binary_copy

# Samples in memory at a time, and the fewest that a series is asked for: a statement has its price.
PIECE = 50_000
FEWEST = 64


class Key(NamedTuple):
    """A series by ids, in the order in which samples of one instant come."""

    participant_id: int
    metric_id: int
    source_id: int


class Place(NamedTuple):
    """A sample's place in the order: `time` in microseconds UTC."""

    time: int
    key: Key


class ReadInterval(NamedTuple):
    """Interval of a series to be read: [start, end) in microseconds UTC."""

    key: Key
    start: int
    end: int


@dataclass(slots=True)
class Samples:
    """Samples by (time, key). `series`: int index into the intervals; `seconds`: -1 for a sample. Shape (n,)."""

    series: NDArray[np.int64]
    time: Times
    value: Values
    seconds: Seconds

    def __len__(self) -> int:
        return len(self.time)

    def where(self, mask: NDArray[np.bool_]) -> Samples:
        """The samples under a mask."""
        return Samples(self.series[mask], self.time[mask], self.value[mask], self.seconds[mask])

    def part(self, first: int, end: int) -> Samples:
        rows = slice(first, end)
        return Samples(self.series[rows], self.time[rows], self.value[rows], self.seconds[rows])


@dataclass(slots=True)
class _Feed:
    """One series as far as it has been read. `rest`: the intervals still to be read, by place, the next one first."""

    rest: deque[tuple[int, ReadInterval]]
    place: int = -1
    time: Times = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    value: Values = field(default_factory=lambda: np.zeros(0))
    seconds: Seconds = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    def fill(self, time: Times, value: Values, seconds: Seconds, limit: int) -> None:
        """Take in what was read of the next interval, of which at most `limit` samples were asked for."""
        order = np.argsort(time, kind="stable")
        self.time, self.value, self.seconds = time[order], value[order], seconds[order]
        self.place, interval = self.rest.popleft()
        if len(time) >= limit:
            self.rest.appendleft((self.place, interval._replace(start=int(self.time[-1]) + 1)))

    def take(self, until: int) -> Samples:
        """Hand out the samples up to an instant, which included."""
        n = int(np.searchsorted(self.time, until, side="right"))
        taken = Samples(np.full(n, self.place), self.time[:n], self.value[:n], self.seconds[:n])
        self.time, self.value, self.seconds = self.time[n:], self.value[n:], self.seconds[n:]
        return taken


def pieces(intervals: Sequence[ReadInterval], *, after: Place | None = None, size: int = PIECE) -> Iterator[Samples]:
    """All samples of the intervals, in pieces of about `size` samples. Those of one series do not overlap.

    `after`: go on behind this place.
    """
    feeds = _feeds(intervals, after)
    while True:
        _refill(feeds, size)
        held = [feed for feed in feeds if len(feed.time)]
        if not held:
            return
        # Up to here every series is known: one that may have more is known up to its last sample.
        until = min((int(feed.time[-1]) for feed in held if feed.rest), default=int(max(f.time[-1] for f in held)))
        yield _merged([feed.take(until) for feed in held])


def page(intervals: Sequence[ReadInterval], *, after: Place | None, limit: int) -> tuple[Samples, Place | None]:
    """The next `limit` samples behind a place, and the place from which to go on; None after the last."""
    taken: list[Samples] = []
    n = 0
    for piece in pieces(intervals, after=after, size=min(limit + 1, PIECE)):
        taken.append(piece)
        n += len(piece)
        if n > limit:
            break
    samples = _joined(taken)
    if n <= limit:
        return samples, None
    last = limit - 1
    return samples.part(0, limit), Place(int(samples.time[last]), intervals[int(samples.series[last])].key)


def _feeds(intervals: Sequence[ReadInterval], after: Place | None) -> list[_Feed]:
    """A feed for each series, with what is still to be read of it behind a place."""
    rest: dict[Key, list[tuple[int, ReadInterval]]] = defaultdict(list)
    for place, interval in enumerate(intervals):
        start = interval.start
        if after is not None:
            start = max(start, after.time if interval.key > after.key else after.time + 1)
        if start < interval.end:
            rest[interval.key].append((place, interval._replace(start=start)))
    return [_Feed(deque(sorted(intervals, key=lambda numbered: numbered[1].start))) for intervals in rest.values()]


def _refill(feeds: Sequence[_Feed], size: int) -> None:
    """Read on in the series that are used up, so far as memory is left: a statement for all, again where some had
    nothing in their interval."""
    while empty := [feed for feed in feeds if feed.rest and not len(feed.time)]:
        room = size - sum(len(feed.time) for feed in feeds)
        limit = max(FEWEST, room // len(empty))
        waiting = dict(enumerate(empty))
        for (n,), arrays in binary_copy.read(sql.NEXT_SAMPLES, _next_samples_parameters(empty, limit)):
            time, value, seconds = arrays
            waiting.pop(n).fill(time, value, seconds, limit)
        for feed in waiting.values():  # nothing came
            feed.rest.popleft()


def _next_samples_parameters(feeds: Sequence[_Feed], limit: int) -> dict[str, Any]:
    intervals = [feed.rest[0][1] for feed in feeds]
    return {
        "places": list(range(len(intervals))),
        "participants": [interval.key.participant_id for interval in intervals],
        "metrics": [interval.key.metric_id for interval in intervals],
        "sources": [interval.key.source_id for interval in intervals],
        "starts": [instant(interval.start) for interval in intervals],
        "ends": [instant(interval.end) for interval in intervals],
        "low": instant(min(interval.start for interval in intervals)),
        "high": instant(max(interval.end for interval in intervals)),
        "limit": limit,
    }


def _merged(parts: Sequence[Samples]) -> Samples:
    whole = _joined(parts)
    if len(parts) == 1:
        return whole
    order = np.lexsort((whole.series, whole.time))
    return Samples(whole.series[order], whole.time[order], whole.value[order], whole.seconds[order])


def _joined(parts: Sequence[Samples]) -> Samples:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Samples(none, none, np.zeros(0), np.zeros(0, dtype=np.int32))
    return Samples(
        np.concatenate([part.series for part in parts]),
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.seconds for part in parts]),
    )
