"""Geometry of the timeline of wear and gaps: days, missing intervals, and where their marks stand."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

# Rows of the timeline, in pixels from its top.
WORN_TOP, GAP_TOP, ROW_HEIGHT = 32, 60, 18
# A pixel of a narrow picture.
HAIR_PERCENT = 0.3


@dataclass(frozen=True, slots=True)
class Day:
    """A local day as evaluated; `evaluated` False: only data are known of it, no status."""

    date: dt.date
    status: str
    reason: str
    worn_minutes: int
    day_minutes: int
    evaluated: bool = True


@dataclass(frozen=True, slots=True)
class Missing:
    """A missing interval, aware instants."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    cause: str


@dataclass(frozen=True, slots=True)
class Extent:
    """An interval as it is drawn, `x` and `width` in percent of the picture: its width is its length.

    `thin`: it may be narrower than a pixel. Then a hairline stands at its beginning, which claims no time.
    """

    x: str
    width: str

    @property
    def thin(self) -> bool:
        return float(self.width.rstrip("%")) < HAIR_PERCENT


def extent(left: float, right: float) -> tuple[str, str]:
    """`x` and `width` of an interval from left to right, percent."""
    return f"{left:.3f}%", f"{right - left:.3f}%"


@dataclass(frozen=True, slots=True)
class Block(Extent):
    """A rectangle in the timeline. `y` and `height` in pixels."""

    y: float
    height: float
    classes: str
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A day's mark: a symbol of the sprite with a text beside it (empty where there is no room)."""

    x: str
    symbol: str
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Label:
    x: str
    text: str
    strong: bool = False


@dataclass(slots=True)
class Timeline:
    """Timeline as the template draws it. `now` is empty where now lies outside."""

    fine: bool
    marks: list[Mark] = field(default_factory=list)
    runs: list[Block] = field(default_factory=list)
    worn: list[Block] = field(default_factory=list)
    gaps: list[Block] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)
    now: str = ""
    now_late: bool = False  # no room for a text to the right of it
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
        return extent(self.at(start), self.at(end))
