"""Reading every sample in pieces: complete, in order, none twice, and never more in memory than a piece."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from metrics.batch import MICROSECOND, microseconds
from metrics.models import Measurement
from metrics.reading import raw
from metrics.storage import binary_copy
from metrics.time_buckets import Span
from metrics.writing.writer import store
from participants.models import Participant
from tests.factories import ParticipantFactory
from tests.metrics.samples import NOON, NOW, PHONE, batch, deliver

pytestmark = pytest.mark.django_db

DAY = Span(microseconds(NOON), microseconds(NOON) + 86_400 * MICROSECOND)


@pytest.fixture
def people() -> list[Participant]:
    """Three, with as many heart rates as there are numbers below, two of them with steps too."""
    found: list[Participant] = [ParticipantFactory() for _ in range(3)]
    for person, n, step in zip(found, (700, 90, 3), (1, 7, 300), strict=True):
        store(person, deliver(batch([60 + i % 9 for i in range(n)], step=step)), now=NOW)
    for person in found[:2]:
        store(person, deliver(batch([5.0] * 20, metric="steps", step=60, seconds=60)), now=NOW)
    return found


def intervals_of(span: Span = DAY) -> list[raw.ReadInterval]:
    """The span of every series that is stored."""
    stored = Measurement.objects.order_by("participant_id", "metric_id", "source_id")
    keys = [raw.Key(*row) for row in stored.values_list("participant_id", "metric_id", "source_id").distinct()]
    return [raw.ReadInterval(key, span.start, span.end) for key in keys]


def places(intervals: list[raw.ReadInterval], samples: raw.Samples) -> list[raw.Place]:
    return [raw.Place(int(t), intervals[i].key) for t, i in zip(samples.time, samples.series, strict=True)]


def stored_places() -> list[raw.Place]:
    rows = Measurement.objects.values_list("time", "participant_id", "metric_id", "source_id")
    return sorted(raw.Place(microseconds(time), raw.Key(*key)) for time, *key in rows)


@pytest.mark.parametrize("size", [1, 65, 500, 100_000])
def test_all_samples_come_in_order_whatever_the_size_of_a_piece(people: list[Participant], size: int) -> None:
    wanted = intervals_of()
    found = [place for piece in raw.pieces(wanted, size=size) for place in places(wanted, piece)]
    assert found == stored_places()


@pytest.mark.parametrize("limit", [1, 7, 100, 823])
def test_pages_follow_each_other_without_loss(people: list[Participant], limit: int) -> None:
    wanted = intervals_of()
    after: raw.Place | None = None
    found: list[raw.Place] = []
    while True:
        page, after = raw.page(wanted, after=after, limit=limit)
        assert len(page) <= limit
        found += places(wanted, page)
        if after is None or (limit == 1 and len(found) > 40):
            break
    assert found == stored_places()[: len(found)]
    assert limit == 1 or len(found) == 833


def test_no_sample_comes_twice_while_others_are_stored(people: list[Participant]) -> None:
    wanted = intervals_of()
    page, after = raw.page(wanted, after=None, limit=100)
    found = places(wanted, page)
    assert after is not None
    # Late data on both sides of the place.
    store(people[2], deliver(batch([70.0] * 5, start=NOON + dt.timedelta(seconds=2), step=1)), now=NOW)
    store(people[2], deliver(batch([70.0] * 5, start=NOON + dt.timedelta(seconds=400), step=1)), now=NOW)
    while after is not None:
        page, after = raw.page(wanted, after=after, limit=100)
        found += places(wanted, page)
    assert len(found) == len(set(found))
    assert found == sorted(found)
    assert {place for place in stored_places() if place.time > found[99].time} <= set(found)


def test_lengths_of_intervals_come_along(people: list[Participant]) -> None:
    wanted = intervals_of()
    (piece,) = raw.pieces(wanted)
    metric = np.array([wanted[i].key.metric_id for i in piece.series])
    assert set(piece.seconds[metric == 2].tolist()) == {60}
    assert set(piece.seconds[metric == 1].tolist()) == {-1}


def test_a_span_has_its_end_outside(people: list[Participant]) -> None:
    wanted = intervals_of(Span(DAY.start + MICROSECOND, DAY.start + 7 * MICROSECOND))
    found = [t for piece in raw.pieces(wanted) for t in piece.time.tolist()]
    assert (min(found) - DAY.start) // MICROSECOND == 1
    assert (max(found) - DAY.start) // MICROSECOND == 6


def test_only_the_sources_asked_for_are_read(people: list[Participant]) -> None:
    wanted = intervals_of()
    store(people[0], deliver(batch([9.0] * 30, metric="steps", step=60, source=PHONE)), now=NOW)
    assert sum(map(len, raw.pieces(wanted))) == 833


def test_a_read_holds_no_more_than_a_piece(people: list[Participant], monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = intervals_of()
    read, most = binary_copy.read, []

    def counted(statement: str, parameters: dict[str, Any]) -> Any:
        rows = list(read(statement, parameters))
        most.append(sum(len(arrays[0]) for _, arrays in rows))
        return rows

    monkeypatch.setattr(binary_copy, "read", counted)
    assert sum(map(len, raw.pieces(wanted, size=320))) == 833
    assert max(most) <= 320
    assert len(most) > 3


@pytest.mark.parametrize("size", [1, 65, 100_000])
def test_a_series_is_read_interval_after_interval(people: list[Participant], size: int) -> None:
    intervals: list[raw.ReadInterval] = []
    for whole in intervals_of():
        cuts = [DAY.start, *(DAY.start + n * 97 * MICROSECOND for n in range(1, 8)), DAY.end]
        # Every second interval, the later ones first: the order in which they are given does not matter.
        intervals += [raw.ReadInterval(whole.key, a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)][::-1]
    found = [place for piece in raw.pieces(intervals, size=size) for place in places(intervals, piece)]
    inside = [
        place
        for place in stored_places()
        if any(one.key == place.key and one.start <= place.time < one.end for one in intervals)
    ]
    assert found == inside
    assert 0 < len(found) < 833


def test_nothing_is_asked_of_an_empty_span(people: list[Participant]) -> None:
    wanted = intervals_of()
    beyond = raw.Place(DAY.end, wanted[-1].key)
    assert list(raw.pieces(wanted, after=beyond)) == []
    assert raw.page([], after=None, limit=5)[1] is None
