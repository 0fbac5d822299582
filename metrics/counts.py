"""What became of a delivery, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Counts:
    """What became of the samples, nights and exercise of a delivery.

    `repeated`: samples at the instant of another in the same batch. `flagged`: stored although implausible.
    By reason: `rejected`, not stored; `skipped`, left out on purpose. `removed`: stored before and
    absent from what replaces the stretch.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    repeated: int = 0
    flagged: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    sleep_new: int = 0
    sleep_changed: int = 0
    sleep_unchanged: int = 0
    removed: int = 0
    sleep_removed: int = 0
    exercise_new: int = 0
    exercise_changed: int = 0
    exercise_unchanged: int = 0
    exercise_removed: int = 0

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = asdict(self), asdict(other)
        rejected = dict(Counter(mine.pop("rejected")) + Counter(theirs.pop("rejected")))
        skipped = dict(Counter(mine.pop("skipped")) + Counter(theirs.pop("skipped")))
        return Counts(rejected=rejected, skipped=skipped, **{name: mine[name] + theirs[name] for name in mine})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
