"""What the timeline of wear and gaps is made of: days, missing stretches, and where their marks stand."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

# Rows of the timeline, in pixels from its top.
WORN_TOP, GAP_TOP, ROW_HEIGHT = 32, 60, 18


@dataclass(frozen=True, slots=True)
class Day:
    """A local day as judged; `judged` False: only data are known of it, no verdict."""

    date: dt.date
    status: str
    reason: str
    worn_minutes: int
    day_minutes: int
    judged: bool = True


@dataclass(frozen=True, slots=True)
class Missing:
    """A missing stretch, aware instants."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    cause: str


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle in the timeline. `x` and `width` in percent, `y` and `height` in pixels."""

    x: str
    width: str
    y: float
    height: float
    classes: str
    words: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A day's mark: a symbol of the sprite with words beside it (empty where there is no room)."""

    x: str
    symbol: str
    text: str
    words: str


@dataclass(frozen=True, slots=True)
class Label:
    x: str
    text: str
    strong: bool = False


@dataclass(slots=True)
class Timeline:
    """What the template draws. `now` is empty where now lies outside."""

    fine: bool
    marks: list[Mark] = field(default_factory=list)
    runs: list[Block] = field(default_factory=list)
    worn: list[Block] = field(default_factory=list)
    gaps: list[Block] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)
    now: str = ""
    now_late: bool = False  # no room for a word to the right of it
    summary: str = ""
    sentence: str = ""


class Scale:
    """Instants to percent of the shown time.

    By timestamps: between two times of one zone Python would count the clock's hours, not those of a changed clock.
    """

    def __init__(self, start: dt.datetime, end: dt.datetime) -> None:
        self.start, self.end = start, end
        self.seconds = end.timestamp() - start.timestamp()

    def at(self, instant: dt.datetime) -> float:
        return max(0.0, min(100.0, (instant.timestamp() - self.start.timestamp()) / self.seconds * 100))

    def span(self, start: dt.datetime, end: dt.datetime) -> tuple[str, str]:
        left = self.at(start)
        return f"{left:.3f}%", f"{max(self.at(end) - left, 0.05):.3f}%"
