"""The heat map's geometry: day codes in, a few SVG paths out, one for each status. No page, no query.

All coordinates are pixels of the picture. Rows and columns count from zero; day codes are those of
metrics.monitoring.day_codes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.monitoring import day_codes
from participants.team_texts import gettext

DayCodes = NDArray[np.uint8]  # (people, days)

ROW = 18
TOP = 88  # of the first row: months, the bars of all, dates stand above
BARS_TOP, BARS_HEIGHT = 18, 44
ROOMY = 8  # columns narrower than this many pixels run into each other, and their marks are simpler
OVERVIEW_LINES, OVERVIEW_COLUMNS = 250, 120


@dataclass(frozen=True, slots=True)
class Kind:
    """A status in the map: the day codes that mean it, its class, its label, and its colour in the overview."""

    codes: str
    classes: str
    label: str
    overview: str


DAYS = (
    Kind(day_codes.VALID[2], "m-heat-3", "valid", "o-valid"),
    Kind(day_codes.VALID[1], "m-heat-2", "valid", "o-valid"),
    Kind(day_codes.VALID[0], "m-heat-1", "valid", "o-valid"),
    Kind(day_codes.INVALID, "m-invalid", "invalid", "o-invalid"),
    Kind(day_codes.PENDING, "m-pending m-solid", "pending", "o-pending"),
    Kind(day_codes.LOST, "m-lost", "lost", "o-lost"),
    Kind(day_codes.EXCLUDED, "m-excluded", "excluded", ""),
    Kind(day_codes.FAULT, "m-fault", gettext("technical problem"), "o-pending"),
)
NIGHTS = (
    Kind(day_codes.NIGHT, "m-night", "recorded", "o-night"),
    Kind(day_codes.NO_NIGHT, "m-no-night", gettext("no night"), "o-invalid"),
    Kind(day_codes.NIGHT_PENDING, "m-pending m-solid", "pending", "o-pending"),
)


@dataclass(frozen=True, slots=True)
class Path:
    classes: str
    d: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a day's bar over the map."""

    classes: str
    x: int
    y: float
    width: int
    height: float


def is_any(codes: DayCodes, of: str) -> NDArray[np.bool_]:
    """Which of them are among the codes `of`; by a table of all bytes, which is ten times as fast as np.isin."""
    table = np.zeros(256, dtype=np.bool_)
    table[np.frombuffer(of.encode("ascii"), dtype=np.uint8)] = True
    matches: NDArray[np.bool_] = table[codes]
    return matches


def counts(codes: DayCodes, kinds: tuple[Kind, ...]) -> list[list[int]]:
    """Of each row, how many days have each of the kinds' labels, in their order."""
    labels = list(dict.fromkeys(kind.label for kind in kinds))
    columns = [
        is_any(codes, "".join(kind.codes for kind in kinds if kind.label == label)).sum(axis=1).tolist()
        for label in labels
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Runs of true cells: (row, first column, length)."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, first = np.nonzero(edges == 1)
    _, last = np.nonzero(edges == -1)
    return list(zip(rows.tolist(), first.tolist(), (last - first).tolist(), strict=True))


# (x, y, width) of a cell's inside -> its mark.
Mark = Callable[[int, int, int], str]
MARKS: dict[str, Mark] = {
    "m-invalid": lambda x, y, w: f"M{x} {y + 9}h{w}v7h-{w}z",
    "m-pending m-solid": lambda x, y, w: f"M{x}.5 {y}.5h{w - 1}v15h-{w - 1}z",
    "m-lost": lambda x, y, w: f"M{x + w // 2 - 3} {y + 5}l6 6m0-6l-6 6",
    "m-excluded": lambda x, y, w: f"M{x + w // 2 - 3} {y + 8}h6",
    "m-fault": lambda x, y, w: (
        f"M{x + w // 2 - 5}.5 {y + 3}.5h10v10h-10zM{x + w // 2}.5 {y + 3}.5v10M{x + w // 2 - 5}.5 {y + 8}.5h10"
    ),
    "m-no-night": lambda x, y, w: f"M{x + w // 2 - 3} {y + 8}h6",
}
# The same where columns are a few pixels: runs in place of cells, told apart by height.
NARROW: dict[str, Mark] = {
    "m-invalid": MARKS["m-invalid"],
    "m-pending m-solid": lambda x, y, w: f"M{x} {y + 2}h{w}M{x} {y + 14}h{w}",
    "m-lost": lambda x, y, w: f"M{x} {y + 3}h{w}M{x} {y + 8}h{w}M{x} {y + 13}h{w}",
    "m-excluded": lambda x, y, w: f"M{x} {y + 8}h{w}",
    "m-fault": lambda x, y, w: f"M{x} {y + 5}h{w}M{x} {y + 11}h{w}",
    "m-no-night": lambda x, y, w: f"M{x} {y + 8}h{w}",
}


def _block(x: int, y: int, w: int) -> str:
    return f"M{x} {y}h{w}v16h-{w}z"


def cells(codes: DayCodes, kinds: tuple[Kind, ...], column: int) -> list[Path]:
    """The rows of a page: a path for each status that occurs."""
    roomy = column >= ROOMY
    paths = []
    for kind in kinds:
        mask = is_any(codes, kind.codes)
        if not mask.any():
            continue
        mark = (MARKS if roomy else NARROW).get(kind.classes, _block)
        if roomy:
            rows, days = np.nonzero(mask)
            places = zip(rows.tolist(), days.tolist(), strict=True)
            d = "".join(mark(day * column + 1, TOP + row * ROW + 1, column - 2) for row, day in places)
        else:
            d = "".join(mark(day * column, TOP + row * ROW + 1, n * column) for row, day, n in runs(mask))
        paths.append(Path(kind.classes, d))
    return paths


def bars(codes: DayCodes, kinds: tuple[Kind, ...], column: int) -> list[Path]:
    """Share of everybody's days that had each status, a bar for each column; excluded days do not count."""
    shown = [kind for kind in kinds if kind.overview]
    by_class: dict[str, NDArray[np.int32]] = {}
    for kind in shown:
        counted = is_any(codes, kind.codes).sum(axis=0, dtype=np.int32)
        by_class[kind.overview] = by_class.get(kind.overview, np.zeros_like(counted)) + counted
    total = np.maximum(sum(by_class.values()), 1)
    below = np.full(codes.shape[1], float(BARS_TOP + BARS_HEIGHT))
    width = column - 2 if column >= ROOMY else column
    inset = 1 if column >= ROOMY else 0
    paths = []
    for classes, counted in by_class.items():
        heights = counted * BARS_HEIGHT / total
        below -= heights
        d = "".join(
            f"M{day * column + inset} {top:.1f}h{width}v{height:.1f}h-{width}z"
            for day, (top, height) in enumerate(zip(below.tolist(), heights.tolist(), strict=True))
            if height >= 0.05
        )
        if d:
            paths.append(Path(classes, d))
    return paths


@dataclass(frozen=True, slots=True)
class Overview:
    """Everybody at once: a line for `people` persons and a column for `days` days shows what most of them have."""

    paths: list[Path]
    lines: int
    columns: int
    people: int
    days: int


def overview(codes: DayCodes, kinds: tuple[Kind, ...]) -> Overview:
    """Shrink the whole map to at most 250 lines and 120 columns."""
    if not len(codes):
        return Overview([], 0, codes.shape[1], 1, 1)
    people = max(-(-codes.shape[0] // OVERVIEW_LINES), 1)
    days = max(-(-codes.shape[1] // OVERVIEW_COLUMNS), 1)
    classes = list(dict.fromkeys(kind.overview for kind in kinds))
    rows = np.arange(0, codes.shape[0], people)
    columns = np.arange(0, codes.shape[1], days)
    counted = []
    for name in classes:
        mask = is_any(codes, "".join(kind.codes for kind in kinds if kind.overview == name))
        by_row = np.add.reduceat(mask, rows, axis=0, dtype=np.int32)
        counted.append(np.add.reduceat(by_row, columns, axis=1))
    counts = np.stack(counted)
    most = np.where(counts.any(axis=0), counts.argmax(axis=0), -1)
    paths = [
        Path(name, "".join(f"M{x} {y}h{n}v1h-{n}z" for y, x, n in runs(most == index)))
        for index, name in enumerate(classes)
        if name and (most == index).any()
    ]
    return Overview(paths, len(rows), len(columns), people, days)
