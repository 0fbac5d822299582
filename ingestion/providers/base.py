"""What a provider is. A new vendor or file format is one new package beside this module and nothing else.

A file provider turns files into deliveries (columns of samples, nights, offsets); a synthetic provider makes
them up, for demo trials. Providers know formats: no database, no settings, no clock. `ingestion.imports`
calls the writer.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, ClassVar, Protocol

from metrics.batch import Delivery


class ForeignFile(Exception):
    """The file is refused whole; the message says what is wrong and is fit to show."""


class RowsRefused(Exception):
    """Rows under this participant label cannot be taken, the rest of the file can; the message says why."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that is not taken. `line`: 1 is the file's first line, or a JSON list's first record."""

    line: int
    reason: str


# Rows that are pointed at one by one, a file. Beyond that only their number is kept: a file of 30 million rows may
# be wrong in each of them.
PROBLEMS_SHOWN = 1000


@dataclass(slots=True)
class Chunk:
    """A part of a file, small enough to hold: what it brought, by participant.

    `deliveries` maps the file's own participant label (an Id column, a part of the file's name) to what it
    brought; the label is None where the file does not say whose it is. `rows` counts the rows read, good or bad;
    `rejected` those not taken, by reason, of which `problems` names the first lines; `skipped` those left out on
    purpose, by reason (missing-value markers, say); `noted` what was kept but deserves saying (clock changes).
    """

    deliveries: dict[str | None, Delivery] = field(default_factory=dict)
    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    problems: list[RowProblem] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    position: int = 0  # bytes of the (uncompressed) file read so far, for the progress bar

    def delivery(self, label: str | None) -> Delivery:
        """What this chunk brings for a label, made empty at its first use."""
        return self.deliveries.setdefault(label, Delivery())

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


@dataclass(slots=True)
class FileJob:
    """One file to be read. `open` gives its uncompressed bytes from the start, anew at each call.

    `zone_of` tells the time zone of a participant label for wall-clock formats; it raises RowsRefused where rows of
    this label cannot be taken, ForeignFile where nobody has said whose file it is. `companion` opens
    a file of another name in the same folder or archive, None where there is none. `options` are a format's own
    switches. `assumptions` is filled by the reader with what the file does not say and it took to be so; it is
    stored with the import.
    """

    name: str
    open: Callable[[], IO[bytes]]
    zone_of: Callable[[str | None], zoneinfo.ZoneInfo]
    now: dt.datetime
    size: int = 0  # bytes, uncompressed
    companion: Callable[[str], IO[bytes] | None] = lambda name: None
    options: Mapping[str, str] = field(default_factory=dict)
    assumptions: dict[str, object] = field(default_factory=dict)


class FileFormat(Protocol):
    """One recognisable format, e.g. Fitabase's heart rate by seconds."""

    @property
    def code(self) -> str:
        """Stored with the import: "fitabase.heartrate_seconds"."""
        ...

    def matches(self, name: str, head: bytes) -> bool:
        """Whether a file is of this format, from its first bytes (uncompressed, 64 KiB at most); the name is a hint."""
        ...

    def near_miss(self, name: str, head: bytes) -> str | None:
        """What a file lacks that is named like one of this format but does not match; None if it is not so named."""
        ...

    def chunks(self, job: FileJob) -> Iterator[Chunk]:
        """The file's content, chunk by chunk. Raises ForeignFile where the file must be refused whole."""
        ...


class SyntheticUnavailable(Exception):
    """Synthetic data cannot be made here; the message says why, and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class Wearer:
    """Who wears a synthetic device. `number` makes another person of the same seed; 1 is the first."""

    device: str
    seed: int
    number: int
    zone: zoneinfo.ZoneInfo
    starts_on: dt.date


class SyntheticProvider(Protocol):
    """Devices that do not exist. Output depends on the wearer and the date alone, so any day can be made again.

    `live`: data come through the day; otherwise a day comes when it is over.
    """

    code: ClassVar[str]  # also the provider of its sources
    devices: ClassVar[tuple[str, ...]]
    live: ClassVar[bool]

    def check(self) -> None:
        """Raises SyntheticUnavailable if the provider cannot work on this machine."""
        ...

    def day_starts_at(self, wearer: Wearer, on: dt.date) -> dt.datetime:
        """The first instant of a local day of the wearer, by the clock of her device."""
        ...

    def uploaded_until(self, wearer: Wearer, now: dt.datetime) -> dt.datetime | None:
        """Up to which instant her data have arrived by now; None if nothing has."""
        ...

    def day(self, wearer: Wearer, on: dt.date, since: dt.datetime, until: dt.datetime) -> Delivery:
        """What a local day brings with since <= time < until. Empty where nothing was measured."""
        ...
