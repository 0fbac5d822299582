"""Clock of an export's stamps: inferred from its files together, for one alone does not tell.

It is decided once for all files of a run that share it, and what was imported earlier for the same participant has a
say. Where they contradict each other, or all look unusual, nothing of them is read until the clock is stated.
Files of one export may be on several clocks: which kinds share one, the formats say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from django.utils import timezone

from ingestion.file_imports.archives import Offered
from ingestion.file_imports.import_records import GIVEN, clock_in
from ingestion.models import ImportFile
from ingestion.providers import registry
from ingestion.providers.base.files import Clock, FileFormat, FileJob, ForeignFile, SharesClock
from participants.models import Trial

SHOWN = 3  # names in a message
ALL = ""  # what is said of all kinds of files


@dataclass(frozen=True, slots=True)
class Sibling:
    """File of the run that shares its clock with others."""

    file: Offered
    format: SharesClock
    job: FileJob


@dataclass(frozen=True, slots=True)
class ClockSigns:
    """File names by the clock that they look like being on. `sure`: not by a stamp that may be there by chance."""

    of: dict[Clock, list[str]]
    sure: bool


@dataclass(slots=True)
class Siblings:
    """Files of a run that share a clock. `whose`: their owner; `given`: clocks stated with it (parse_clocks)."""

    trial: Trial
    whose: str
    given: Mapping[str, Clock]
    find: Callable[[], Iterable[Sibling]]
    _decided: dict[str, tuple[Clock, str] | str] = field(default_factory=dict)  # or why nothing can be read
    _formats: dict[str, SharesClock] = field(default_factory=dict)

    def decide(self, reader: FileFormat, job: FileJob) -> None:
        """Give a job the clock of its file, if it shares one. Raises ForeignFile where it must be said first."""
        sharing = sharing_clock(reader)
        if sharing is None:
            return
        shared = sharing.clock_shared_by
        if shared not in self._decided:
            self._formats[shared] = sharing
            self._decided[shared] = self._given(shared) or self._infer_clock(shared)
        decided = self._decided[shared]
        if isinstance(decided, str):
            raise ForeignFile(decided)
        job.clock, job.clock_basis = decided

    def contradicted(self) -> list[str]:
        """Warnings, after the run, about earlier imports that were read on another clock."""
        contradictions = []
        for shared, decided in self._decided.items():
            # Where nothing was read because the times look local, what was read as UTC before is in question too.
            clock = Clock.LOCAL if isinstance(decided, str) else decided[0]
            others = [file for file in self._earlier(shared) if clock_in(file.assumptions) is not clock]
            if others:
                was = clock_in(others[0].assumptions) or Clock.UTC
                contradictions.append(
                    f"{_named([file.name for file in others])} of {self.whose} were imported earlier as {was.label}. "
                    f"An export's {_listed(_kinds(shared))} files are on one clock: if it is {clock.label}, offer them "
                    f"again with {self._formats[shared].clock_option} {_kinds(shared)[0]}={clock}."
                )
        return contradictions

    def _given(self, shared: str) -> tuple[Clock, str] | str | None:
        """Clock stated for these files; None: none was. One stated for all kinds does not count for files that are, by
        themselves, surely on the other clock: then the reason why nothing is read."""
        if shared in self.given:
            return self.given[shared], GIVEN
        clock = self.given.get(ALL)
        if clock is None:
            return None
        signs = self._clock_signs(shared)
        other = Clock.UTC if clock is Clock.LOCAL else Clock.LOCAL
        if signs.sure and signs.of[other] and not signs.of[clock]:
            return f"{_named(signs.of[other])} look like {other.label}, not {clock.label}; {self._say(shared)}"
        return clock, GIVEN

    def _say(self, shared: str) -> str:
        kind = _kinds(shared)[0]
        return f"say which with {self._formats[shared].clock_option} {kind}=local or {kind}=utc"

    def _infer_clock(self, shared: str) -> tuple[Clock, str] | str:
        signs, say = self._clock_signs(shared).of, self._say(shared)
        if signs[Clock.LOCAL] and signs[Clock.UTC]:
            return (
                f"its export's {_listed(_kinds(shared))} files contradict each other: "
                f"{_named(signs[Clock.LOCAL])} look like local time, "
                f"{_named(signs[Clock.UTC])} like UTC; {say}"
            )
        if signs[Clock.LOCAL]:
            return (
                f"the times of its export's {_listed(_kinds(shared))} files look local, not UTC as usual, or the "
                f"participant's time zone is the wrong one "
                f"({_named(signs[Clock.LOCAL])}); {say}"
            )
        if local := [file for file in self._earlier(shared) if clock_in(file.assumptions) is Clock.LOCAL]:
            when = timezone.localtime(local[0].started_at)
            return f"{_named([file.name for file in local])} was imported on local time on {when:%Y-%m-%d}; {say}"
        return Clock.UTC, "files cut at local midnight"

    def _clock_signs(self, shared: str) -> ClockSigns:
        """File names by the clock that they look like being on; those of chance only where none is sure."""
        sure: dict[Clock, list[str]] = {clock: [] for clock in Clock}
        chance: dict[Clock, list[str]] = {clock: [] for clock in Clock}
        for sibling in self.find():
            if sibling.format.clock_shared_by != shared:
                continue
            try:
                sign = sibling.format.sign_of_clock(sibling.job)
            except (ForeignFile, OSError):
                continue  # said where the file itself is read
            if sign:
                (sure if sign.sure else chance)[sign.clock].append(sibling.file.name)
        return ClockSigns(sure, sure=True) if any(sure.values()) else ClockSigns(chance, sure=False)

    def _earlier(self, shared: str) -> list[ImportFile]:
        formats = [reader.code for reader in registry.FILE_FORMATS if _shares(reader) == shared]
        read = (ImportFile.Status.DONE, ImportFile.Status.PARTIAL)
        return list(
            ImportFile.objects.filter(trial=self.trial, whose=self.whose, format__in=formats, status__in=read)
            .exclude(whose="")
            .order_by("started_at")
        )


def sharing_clock(reader: object) -> SharesClock | None:
    """Format whose files share a clock that they do not say; None for others."""
    return reader if isinstance(reader, SharesClock) and reader.clock_shared_by else None


def parse_clocks(text: str) -> dict[str, Clock]:
    """Parse stated clocks: one for all files (`local`), or by kind of file (`calories=local,steps=utc`).

    By the files that share a clock, ALL for what is said of all. Raises ValueError, the message fit to show.
    """
    clocks: dict[str, Clock] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, equals, clock = (piece.strip() for piece in part.rpartition("="))
        if clock not in tuple(Clock):
            raise ValueError(f"{part!r} names no clock: say local or utc")
        shared = next(
            (_shares(reader) for reader in registry.FILE_FORMATS if _shares(reader) and _kind(reader) == kind), None
        )
        if equals and shared is None:
            known = sorted(_kind(reader) for reader in registry.FILE_FORMATS if _shares(reader))
            raise ValueError(f"{kind!r} is no kind of file that leaves its clock unsaid: {', '.join(known)}")
        key = shared or ALL
        if clocks.setdefault(key, Clock(clock)) is not Clock(clock):
            raise ValueError(f"{_listed(_kinds(key)) or 'all'} files are on one clock, and two are given")
    return clocks


def _shares(reader: FileFormat) -> str:
    sharing = sharing_clock(reader)
    return sharing.clock_shared_by if sharing else ""


def _kind(reader: FileFormat) -> str:
    return reader.code.rpartition(".")[2]


def _kinds(shared: str) -> list[str]:
    """Kinds of files that share a clock, as their names begin; none for ALL."""
    return [_kind(reader) for reader in registry.FILE_FORMATS if shared and _shares(reader) == shared]


def _listed(kinds: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(kinds[:-1]), *kinds[-1:])))


def _named(names: list[str]) -> str:
    short = [name.rsplit("/", 1)[-1] for name in names[:SHOWN]]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(short) + more
