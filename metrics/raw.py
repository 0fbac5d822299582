"""Every sample of several series in order of time, in pieces: whatever the span, only a piece is in memory.

Each series is read through its own index from where the reading stands, and the pieces are merged here. Each piece
is a statement of its own: nothing stays open between two, so a slow reader holds back neither vacuum nor a worker.
A sample is known by its place in the order (time, participant, metric, source). Whoever goes on after a place gets
what lies beyond it, samples that were stored in the meantime too, and none twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics import columns, sql_reads
from metrics.batch import Seconds, Times, Values, instant
from metrics.grids import Span

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


@dataclass(slots=True)
class Samples:
    """Samples by (time, key). `series`: int index into the keys asked for; `seconds`: -1 for a sample. Shape (n,)."""

    series: NDArray[np.int64]
    time: Times
    value: Values
    seconds: Seconds

    def __len__(self) -> int:
        return len(self.time)

    def part(self, first: int, end: int) -> Samples:
        rows = slice(first, end)
        return Samples(self.series[rows], self.time[rows], self.value[rows], self.seconds[rows])


@dataclass(slots=True)
class _Feed:
    """One series as far as it has been read. `start`: where the next read begins; `more`: whether there may be any."""

    place: int
    key: Key
    start: int
    end: int
    more: bool
    time: Times = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    value: Values = field(default_factory=lambda: np.zeros(0))
    seconds: Seconds = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    def take(self, until: int) -> Samples:
        """Hand out the samples up to an instant, which included."""
        n = int(np.searchsorted(self.time, until, side="right"))
        taken = Samples(np.full(n, self.place), self.time[:n], self.value[:n], self.seconds[:n])
        self.time, self.value, self.seconds = self.time[n:], self.value[n:], self.seconds[n:]
        return taken


def pieces(
    keys: Sequence[Key], spans: Mapping[int, Span], *, after: Place | None = None, size: int = PIECE
) -> Iterator[Samples]:
    """All samples of the series in their participants' spans (by id), in pieces of about `size` samples.

    `after`: go on behind this place. `keys` are ascending and each occurs once.
    """
    feeds = [_feed(place, key, spans[key.participant_id], after) for place, key in enumerate(keys)]
    while True:
        _refill(feeds, size)
        held = [feed for feed in feeds if len(feed.time)]
        if not held:
            return
        # Up to here every series is known: one that may have more is known up to its last sample.
        until = min((int(feed.time[-1]) for feed in held if feed.more), default=int(max(f.time[-1] for f in held)))
        yield _merged([feed.take(until) for feed in held])


def page(
    keys: Sequence[Key], spans: Mapping[int, Span], *, after: Place | None, limit: int
) -> tuple[Samples, Place | None]:
    """The next `limit` samples behind a place, and the place from which to go on; None after the last."""
    taken: list[Samples] = []
    n = 0
    for piece in pieces(keys, spans, after=after, size=min(limit + 1, PIECE)):
        taken.append(piece)
        n += len(piece)
        if n > limit:
            break
    found = _joined(taken)
    if n <= limit:
        return found, None
    last = limit - 1
    return found.part(0, limit), Place(int(found.time[last]), keys[int(found.series[last])])


def _feed(place: int, key: Key, span: Span, after: Place | None) -> _Feed:
    start = span.start
    if after is not None:
        start = max(start, after.time if key > after.key else after.time + 1)
    return _Feed(place, key, start, span.end, more=start < span.end)


def _refill(feeds: Sequence[_Feed], size: int) -> None:
    """Read on in the series that are used up, in one statement, so far as memory is left."""
    empty = {feed.place: feed for feed in feeds if feed.more and not len(feed.time)}
    if not empty:
        return
    room = size - sum(len(feed.time) for feed in feeds)
    limit = max(FEWEST, room // len(empty))
    for (place,), (time, value, seconds) in columns.read(sql_reads.NEXT_SAMPLES, _asked(list(empty.values()), limit)):
        order = np.argsort(time, kind="stable")
        feed = empty.pop(place)
        feed.time, feed.value, feed.seconds = time[order], value[order], seconds[order]
        feed.start, feed.more = int(feed.time[-1]) + 1, len(time) >= limit
    for feed in empty.values():  # nothing came
        feed.more = False


def _asked(feeds: Sequence[_Feed], limit: int) -> dict[str, Any]:
    return {
        "places": [feed.place for feed in feeds],
        "participants": [feed.key.participant_id for feed in feeds],
        "metrics": [feed.key.metric_id for feed in feeds],
        "sources": [feed.key.source_id for feed in feeds],
        "starts": [instant(feed.start) for feed in feeds],
        "ends": [instant(feed.end) for feed in feeds],
        "low": instant(min(feed.start for feed in feeds)),
        "high": instant(max(feed.end for feed in feeds)),
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
