"""Contract of file formats: which files a format reads, and what it makes of their rows."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Protocol, runtime_checkable

from metrics.batch import Payload


class ForeignFile(Exception):
    """Refusal of a whole file; the message says what is wrong and is fit to show."""


class RowsRefused(Exception):
    """Refusal of the rows under this participant label; the rest of the file can be taken; the message says why."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Row that is not taken. `line`: 1 is the file's first line, or a JSON list's first record."""

    line: int
    reason: str


# Rows that are pointed at one by one, a file. Beyond that only their number is kept: a file of 30 million rows may
# be wrong in each of them.
PROBLEMS_SHOWN = 1000


@dataclass(slots=True)
class Chunk:
    """Part of a file, small enough to hold: what it brought, by participant.

    `payloads` maps the file's own participant label (an Id column, a part of the file's name) to what it
    brought; the label is None where the file does not say whose it is. `rows` counts the rows read, good or bad;
    `rejected` those not taken, by reason, of which `problems` names the first lines; `skipped` those left out on
    purpose, by reason (missing-value markers, say); `noted` what was kept but deserves saying (clock changes).
    """

    payloads: dict[str | None, Payload] = field(default_factory=dict)
    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    problems: list[RowProblem] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    position: int = 0  # bytes of the (uncompressed) file read so far, for the progress bar

    def payload(self, label: str | None) -> Payload:
        """Payload of a label in this chunk, made empty at its first use."""
        return self.payloads.setdefault(label, Payload())

    def reject(self, lines: Iterable[int], reason: str) -> None:
        """Count rows as rejected and name the first of their lines."""
        count = 0
        for line in lines:
            count += 1
            if len(self.problems) < PROBLEMS_SHOWN:
                self.problems.append(RowProblem(int(line), reason))
        if count:
            self.rejected[reason] += count

    def skip(self, reason: str, count: int = 1) -> None:
        """Count rows as left out on purpose."""
        if count:
            self.skipped[reason] += int(count)


class Clock(StrEnum):
    """Clock that the stamps of a file are on, where the file does not say it."""

    UTC = "utc"
    LOCAL = "local"  # the clock on the wall where the participant was

    @property
    def label(self) -> str:
        """Text of it among an import's assumptions."""
        return {"utc": "UTC", "local": "local time"}[self]


@dataclass(frozen=True, slots=True)
class ClockSign:
    """Clock that a file alone looks like being on. `sure`: both its ends say so; else it may be chance."""

    clock: Clock
    sure: bool = True


@dataclass(slots=True)
class FileJob:
    """File to be read. `open` gives its uncompressed bytes from the start, anew at each call.

    `zone_of` tells the time zone of a participant label for wall-clock formats; it raises RowsRefused where rows of
    this label cannot be taken, ForeignFile where nobody has said whose file it is. `companion` tells how to open a file
    of another name in the same folder or archive, None where there is none. `clock`: of files that share one without
    saying it, and why it is taken. `note_clock` takes what a file says of a label's clock: instants (microseconds UTC)
    and seconds east of UTC. `options` are a format's own switches. `assumptions` is filled by the reader with what the
    file does not say and it took to be so; it is stored with the import.
    """

    name: str
    open: Callable[[], IO[bytes]]
    zone_of: Callable[[str | None], zoneinfo.ZoneInfo]
    now: dt.datetime
    size: int = 0  # bytes, uncompressed
    companion: Callable[[str], Callable[[], IO[bytes]] | None] = lambda name: None
    clock: Clock = Clock.UTC
    clock_basis: str = ""
    note_clock: Callable[[str | None, Sequence[tuple[int, int]]], object] = lambda label, syncs: None
    options: Mapping[str, str] = field(default_factory=dict)
    assumptions: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotRead:
    """File that is not opened, by its name. `kind`: what it is, "" if that is not known. `reason` is fit to show."""

    kind: str
    reason: str


class FileFormat(Protocol):
    """Recognisable format, e.g. Fitabase's heart rate by seconds."""

    @property
    def code(self) -> str:
        """Code that is stored with the import: "fitabase.heartrate_seconds"."""
        ...

    def matches(self, name: str, head: bytes) -> bool:
        """Whether a file is of this format, from its first bytes (uncompressed, 64 KiB at most); the name is a hint."""
        ...

    def near_miss(self, name: str, head: bytes) -> str | None:
        """What a file lacks that is named like one of this format but does not match; None if it is not so named."""
        ...

    def label_in(self, name: str, head: bytes) -> str | None:
        """Participant label that a file's name tells; None where its rows say, or nothing does."""
        ...

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        """Content of the file, chunk by chunk. Raises ForeignFile where the file must be refused whole."""
        ...


@runtime_checkable
class SharesClock(Protocol):
    """Format whose files do not say what clock they are on, and share it with their siblings of the same export."""

    @property
    def clock_shared_by(self) -> str:
        """Name of the group of files that share it; empty: this format's do not."""
        ...

    @property
    def clock_option(self) -> str:
        """Option of the import command by which the clock is stated."""
        ...

    def sign_of_clock(self, job: FileJob) -> ClockSign | None:
        """Clock that a file alone looks like being on; None: nothing tells. Raises ForeignFile where its owner's zone
        cannot be had."""
        ...
