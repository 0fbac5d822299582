"""What the files of an export tell together and a file alone does not: the clock that their stamps are on.

It is decided once for all files of a run that share it, and what was imported earlier for the same participant has a
say. Where they contradict each other, or all look unusual, nothing of them is read until somebody says which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.utils import timezone

from ingestion.archives import Offered
from ingestion.assumptions import GIVEN, clock_in
from ingestion.models import ImportFile
from ingestion.providers import registry
from ingestion.providers.base import Clock, FileFormat, FileJob, ForeignFile, SharesClock
from participants.models import Trial

SHOWN = 3  # names in a message


@dataclass(frozen=True, slots=True)
class Sibling:
    """A file of the run that shares its clock with others."""

    file: Offered
    format: SharesClock
    job: FileJob


@dataclass(slots=True)
class Siblings:
    """The files of a run that share a clock. `told`: the clock, if whoever imports says it; `whose`: their owner."""

    trial: Trial
    whose: str
    told: Clock | None
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
            self._decided[shared] = (self.told, GIVEN) if self.told else self._judge(shared)
        decided = self._decided[shared]
        if isinstance(decided, str):
            raise ForeignFile(decided)
        job.clock, job.clock_basis = decided

    def contradicted(self) -> list[str]:
        """What is to be said, after the run, of earlier imports that were read on another clock."""
        found = []
        for shared, decided in self._decided.items():
            # Where nothing was read because the times look local, what was read as UTC before is in question too.
            clock = Clock.LOCAL if isinstance(decided, str) else decided[0]
            others = [file for file in self._earlier(shared) if clock_in(file.assumptions) is not clock]
            if others:
                was = clock_in(others[0].assumptions) or Clock.UTC
                found.append(
                    f"{_named([file.name for file in others])} of {self.whose} were imported earlier as {was.label}. "
                    f"An export is on one clock: if it is {clock.label}, offer them again with "
                    f"{self._formats[shared].clock_told_by} {clock}."
                )
        return found

    def _judge(self, shared: str) -> tuple[Clock, str] | str:
        reader = self._formats[shared]
        say = f"say which with {reader.clock_told_by} local or utc"
        looks = self._looks(shared)
        if looks[Clock.LOCAL] and looks[Clock.UTC]:
            return (
                f"its export's files contradict each other: {_named(looks[Clock.LOCAL])} look like local time, "
                f"{_named(looks[Clock.UTC])} like UTC; {say}"
            )
        if looks[Clock.LOCAL]:
            return (
                f"its export's times look local, not UTC as usual, or the participant's time zone is the wrong one "
                f"({_named(looks[Clock.LOCAL])}); {say}"
            )
        if local := [file for file in self._earlier(shared) if clock_in(file.assumptions) is Clock.LOCAL]:
            when = timezone.localtime(local[0].started_at)
            return f"{_named([file.name for file in local])} was imported on local time on {when:%Y-%m-%d}; {say}"
        return Clock.UTC, "files cut at local midnight"

    def _looks(self, shared: str) -> dict[Clock, list[str]]:
        """Names of files by the clock that they look like being on; those of chance only where none is sure."""
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
        return sure if any(sure.values()) else chance

    def _earlier(self, shared: str) -> list[ImportFile]:
        formats = []
        for reader in registry.FILE_FORMATS:
            sharing = sharing_clock(reader)
            if sharing and sharing.clock_shared_by == shared:
                formats.append(reader.code)
        read = (ImportFile.Status.DONE, ImportFile.Status.PARTIAL)
        return list(
            ImportFile.objects.filter(trial=self.trial, whose=self.whose, format__in=formats, status__in=read)
            .exclude(whose="")
            .order_by("started_at")
        )


def sharing_clock(reader: object) -> SharesClock | None:
    """A format whose files share a clock that they do not say; None for others."""
    return reader if isinstance(reader, SharesClock) and reader.clock_shared_by else None


def _named(names: list[str]) -> str:
    short = [name.rsplit("/", 1)[-1] for name in names[:SHOWN]]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(short) + more
