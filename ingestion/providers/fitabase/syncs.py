"""syncEvents: local and UTC time of each sync. They bring no values: they tell the clocks of their participants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ingestion.providers.base import Chunk, FileJob
from ingestion.providers.fitabase.clocks import SYNCS, offsets_of
from ingestion.providers.fitabase.reading import DATE_TIME, Part, People, read_parts
from ingestion.providers.fitabase.tables import Table
from ingestion.providers.wallclock import departures
from metrics.batch import instant

AWAY = "sync on another clock than that of the participant's time zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncEvents(Table):
    """Where a participant's clock departs from their time zone, and where it comes back."""

    code: str = SYNCS.code
    columns: tuple[str, ...] = SYNCS.columns

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        people = People(job, self)
        told: dict[str | None, list[tuple[int, int]]] = {}
        yield from read_parts(job, self, people, lambda part: _collect(part, told))
        journeys = Chunk(position=job.size)
        for label, syncs in told.items():
            zone = people.clock(label).zone
            stated = [(instant(at), offset) for at, offset in syncs]
            away = sum(at.astimezone(zone).utcoffset().total_seconds() != offset for at, offset in stated)  # type: ignore[union-attr]
            if away:
                journeys.noted[AWAY] += away
            if changes := departures(stated, zone):
                journeys.delivery(label).offsets.extend(changes)
        yield journeys


def _collect(part: Part, told: dict[str | None, list[tuple[int, int]]]) -> None:
    instants, offsets, ok, dated = offsets_of(part.block)
    part.chunk.reject(part.lines[~dated], f"DateTime or SyncDateUTC is not a {DATE_TIME}")
    part.chunk.reject(part.lines[dated & ~ok], "DateTime and SyncDateUTC do not stand whole quarters of an hour apart")
    told.setdefault(part.label, []).extend(zip(instants[ok].tolist(), offsets[ok].tolist(), strict=True))
