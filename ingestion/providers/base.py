"""What a provider is. A new vendor or file format is one new package beside this module and nothing else.

A file provider turns files into deliveries (columns of samples, nights, offsets); a synthetic provider makes
them up, for demo trials. Providers know formats: no database, no settings, no clock. `ingestion.services`
calls the writer.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, ClassVar, Protocol

from metrics.batch import Delivery


class ForeignFile(Exception):
    """The file is refused whole; the message says what is wrong and is fit to show."""


class TimeZoneNeeded(ForeignFile):
    """The file holds wall-clock times and nobody has said whose wall."""


@dataclass(slots=True)
class RowProblem:
    """A row that is not taken. `line`: 1 is the file's first line, or a JSON list's first record."""

    line: int
    reason: str


@dataclass(slots=True)
class Chunk:
    """A part of a file, small enough to hold: what it brought, by participant.

    `deliveries` maps the file's own participant label (an Id column, a part of the file's name) to what it
    brought; the label is None where the file does not say whose it is. `rows` counts the rows read, good or bad;
    `repeated` those that repeated an earlier row of this file exactly; `skipped` those left out on purpose, by reason
    (missing-value markers, say).
    """

    deliveries: dict[str | None, Delivery] = field(default_factory=dict)
    rows: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    position: int = 0  # bytes of the (uncompressed) file read so far, for the progress bar


@dataclass(slots=True)
class FileJob:
    """One file to be read. `open` gives its uncompressed bytes from the start, anew at each call.

    `zone_of` tells the time zone of a participant label for wall-clock formats, and raises TimeZoneNeeded if
    nobody has said. `assumptions` is filled by the reader with what the file does not say and it took to be so;
    it is stored with the import.
    """

    name: str
    open: Callable[[], IO[bytes]]
    zone_of: Callable[[str | None], zoneinfo.ZoneInfo]
    now: dt.datetime
    assumptions: dict[str, object] = field(default_factory=dict)


class FileFormat(Protocol):
    """One recognisable format, e.g. Fitabase's heart rate by seconds."""

    code: ClassVar[str]  # "fitabase.heartrate_seconds"

    def matches(self, name: str, head: bytes) -> bool:
        """Whether a file is of this format, from its first bytes (uncompressed, 64 KiB at most); the name is a hint."""
        ...

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        """The file's content, chunk by chunk. Raises ForeignFile where the file must be refused whole."""
        ...
