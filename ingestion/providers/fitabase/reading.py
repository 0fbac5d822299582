"""What all Fitabase files have in common: whose rows they are, in what time zone, and which rows are no good."""

from __future__ import annotations

import zoneinfo
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ingestion.providers.base import Chunk, FileJob, RowsRefused
from ingestion.providers.cells import Mask, labels
from ingestion.providers.columns import LABEL, Block, blocks, header_of, unlike
from ingestion.providers.fitabase.names import base, label_of, left_out
from ingestion.providers.wallclock import WallClock
from metrics.batch import Refusal, SampleBatch, SourceKey, Times, Values

SOURCE = SourceKey("fitabase", "fitbit", "")


DATE_TIME = "date and time like 4/12/2016 7:21:00 AM"
DATE = "date like 4/12/2016"


class Table:
    """A Fitabase file is known by its columns. More columns than these do no harm."""

    code: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    @property
    def file_type(self) -> str:
        return self.code.split(".", 1)[1]

    def matches(self, name: str, head: bytes) -> bool:
        return set(self.columns) <= set(header_of(head)) and left_out(name) is None

    def near_miss(self, name: str, head: bytes) -> str | None:
        if self.file_type.casefold() not in base(name).casefold():
            return None
        lack = unlike(head, self.columns)
        return f"named like {self.file_type}, but {lack}" if lack else None

    def label_in(self, name: str, head: bytes) -> str | None:
        return None if LABEL in header_of(head) else label_of(name)


@dataclass(slots=True)
class Part:
    """Rows of one participant within a block, in file order."""

    label: str | None
    clock: WallClock
    block: Block
    chunk: Chunk


class People:
    """Clocks by participant label, made at first use and kept through the file."""

    def __init__(self, job: FileJob, *, whole_hours: bool = False) -> None:
        self._job, self._whole_hours = job, whole_hours
        self._clocks: dict[str | None, WallClock] = {}
        self._refused: dict[str | None, str] = {}

    def clock(self, label: str | None) -> WallClock:
        """Raises RowsRefused where this participant's rows cannot be taken."""
        if label in self._refused:
            raise RowsRefused(self._refused[label])
        if label not in self._clocks:
            try:
                zone: zoneinfo.ZoneInfo = self._job.zone_of(label)
            except RowsRefused as refusal:
                self._refused[label] = str(refusal)
                raise
            self._clocks[label] = WallClock(zone, whole_hours=self._whole_hours)
        return self._clocks[label]

    def take_notes(self, chunk: Chunk) -> None:
        """Move what the clocks noted since the last call into a chunk."""
        for clock in self._clocks.values():
            chunk.noted.update(clock.noted)
            clock.noted = Counter()


def parts(job: FileJob, wanted: Iterable[str], people: People) -> Iterator[tuple[Chunk, list[Part]]]:
    """The file's rows block by block, split by participant; rows of refused participants are rejected here."""
    for block, chunk in blocks(job.open, {LABEL, *wanted}):
        found: list[Part] = []
        for label, rows in _by_label(job, block):
            try:
                found.append(Part(label, people.clock(label), rows, chunk))
            except RowsRefused as refusal:
                chunk.reject(rows.lines, str(refusal))
        yield chunk, found


def _by_label(job: FileJob, block: Block) -> Iterator[tuple[str | None, Block]]:
    if not len(block):
        return
    if LABEL not in block.columns:
        yield label_of(job.name), block
        return
    codes, names = labels(block.columns[LABEL])
    for code, name in enumerate(names):
        yield name, block.where(codes == code)


def good_numbers(part: Part, column: str, usable: Mask) -> tuple[Values, Mask]:
    """A column's numbers and the rows that are usable with them; rows that were usable until now are rejected."""
    values, ok = part.block.numbers(column)
    part.chunk.reject(part.block.lines[usable & ~ok], f"{column} is not a number")
    return values, usable & ok


def good_times(part: Part, column: str, times: Times, ok: Mask, form: str) -> Mask:
    """Reject rows whose time is not in the expected form."""
    part.chunk.reject(part.block.lines[~ok], f"{column} is not a {form}")
    return ok


def good_instants(part: Part, time: Times, lines: NDArray[np.int64], job: FileJob) -> Mask:
    """Which rows' instants the writer will take; for rows that bring many samples, so that each is rejected once."""
    refusals = SampleBatch("steps", SOURCE, time, np.zeros(len(time))).refusals(job.now)
    _reject(part, refusals, lines)
    good: Mask = refusals == Refusal.NONE
    return good


def add_samples(part: Part, batch: SampleBatch, lines: NDArray[np.int64], job: FileJob) -> None:
    """Hand over what the writer will take; name the lines of what it would refuse."""
    refusals = batch.refusals(job.now)
    if refusals.any():
        _reject(part, refusals, lines)
        keep = refusals == Refusal.NONE
        seconds = None if batch.seconds is None else batch.seconds[keep]
        batch = SampleBatch(batch.metric, batch.source, batch.time[keep], batch.value[keep], seconds)
    if len(batch):
        part.chunk.delivery(part.label).samples.append(batch)


def _reject(part: Part, refusals: NDArray[np.int8], lines: NDArray[np.int64]) -> None:
    for refusal in set(refusals.tolist()) - {Refusal.NONE}:
        part.chunk.reject(lines[refusals == refusal], Refusal(refusal).text)
