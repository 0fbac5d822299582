"""Reports of imports: what became of each offered file, and how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from ingestion.file_imports import rejected_rows
from metrics.writing.writer import Counts


class Result(StrEnum):
    IMPORTED = "imported"
    KNOWN = "already imported"
    DRY = "dry run"
    LEFT_OUT = "left out"
    FAILED = "failed"


@dataclass(slots=True)
class Report:
    """Outcome of one offered file. `message` says why, where that needs saying."""

    name: str
    result: Result
    message: str = ""
    format: str = ""
    kind: str = ""  # of a file that is not opened
    number: int | None = None  # of its import, by which it can be undone
    counts: Counts = field(default_factory=Counts)
    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    assumptions: dict[str, object] = field(default_factory=dict)

    def as_counts(self) -> dict[str, object]:
        """Counts that are stored with the import."""
        written = self.counts.as_dict()
        written["rejected"] = dict(self.rejected)
        counts = {"skipped": dict(self.skipped), "noted": dict(self.noted), "can_pass": self.can_pass}
        return {"rows": self.rows, **written, **counts}

    def as_numbers(self) -> dict[str, object]:
        """Counts for the audit trail, without reasons: they may name a participant."""
        by_reason = ("rejected", "skipped", "noted")
        counts = self.as_counts()
        return counts | {name: sum(getattr(self, name).values()) for name in by_reason}

    @property
    def can_pass(self) -> int:
        """Number of rows rejected for a reason that can pass: offered again, the file is read again for them."""
        return rejected_rows.passing(self.rejected)


class Done:
    """Progress of a file in whole bytes of what lies on disk."""

    def __init__(self, size: int, progress: Callable[[int], object]) -> None:
        self._size, self._told, self._progress = size, 0, progress

    def reached(self, share: float) -> None:
        now = min(int(self._size * share), self._size)
        if now > self._told:
            self._progress(now - self._told)
            self._told = now

    def finish(self) -> None:
        self.reached(1.0)
