"""Tables of what storing costs: prices, and ratios to COPY."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import bench
from benchmarks.ingest.days import Day
from benchmarks.ingest.prices import price
from benchmarks.processor_time import Cpu

LARGE = 10_000  # rows of a day that counts as large
WAYS = {
    "bare": "bare binary COPY",
    "new": "store: new, with rollups",
    "again": "store: the same again",
    "other new": "other writer: new",
    "other again": "other writer: the same again",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """What one payload cost, by the ways of WAYS."""

    rows: int
    days: int
    cpu: dict[str, Cpu]


def spread(people: list[list[Day]]) -> str:
    rows = sorted(len(day.samples) for person in people for day in person)
    low, middle, high = np.quantile(rows, (0.1, 0.5, 0.9))
    large = sum(n > LARGE for n in rows)
    return f"{middle:,.0f} rows in the median ({low:,.0f}-{high:,.0f}), {large} of over {LARGE:,}"


def show(pairs: dict[int, list[Pair]], insert: float) -> None:
    """`pairs`: by the days of a payload, the first of which is 1; `insert`: seconds a row, one statement each."""
    single = pairs[1]
    ways = [way for way in WAYS if way in single[0].cpu]
    lines = [prices(way, single) for way in ways]
    lines.append(["one autocommit INSERT a row", "", "", "", f"{insert * 1e6:.2f}", "", ""])
    head = ["", "ms a payload", "program", "server", "us a row", "program", "server"]
    bench.table(f"Prices by processor time, from {len(single)} days", head, lines)
    groups = {"a day": single, f"over {LARGE:,} rows": [pair for pair in single if pair.rows > LARGE]}
    groups |= {f"{size} days": longer for size, longer in pairs.items() if size > 1}
    groups = {f"{name} ({len(group)})": group for name, group in groups.items() if group}
    lines = [[WAYS[way], *(ratios(way, group) for group in groups.values())] for way in ways]
    bench.table("COPY's processor time to theirs, by payloads: medians of pairs (10-90 %)", ["", *groups], lines)
    lines = [
        [WAYS[way], *(f"{bench.median([pair.cpu[way].all for pair in group]) * 1000:.1f}" for group in groups.values())]
        for way in ways
    ]
    bench.table("Processor time of a payload, ms, medians", ["", *groups], lines)
    times = bench.median([insert * pair.rows / pair.cpu["new"].all for pair in single])
    print(f"\nOne INSERT a row takes {times:,.0f} times the writer's processor time for a new day.")


def prices(way: str, pairs: list[Pair]) -> list[str]:
    parts: tuple[Callable[[Cpu], float], ...] = (lambda c: c.all, lambda c: c.program, lambda c: c.server)
    rows = [pair.rows for pair in pairs]
    found = [price(rows, [part(pair.cpu[way]) for pair in pairs]) for part in parts]
    return [WAYS[way], *(f"{p.fixed * 1e3:.1f}" for p in found), *(f"{p.row * 1e6:.2f}" for p in found)]


def ratios(way: str, pairs: list[Pair]) -> str:
    each = [pair.cpu["bare"].all / pair.cpu[way].all for pair in pairs]
    low, middle, high = np.quantile(each, (0.1, 0.5, 0.9))
    return f"{middle:.2f} ({low:.2f}-{high:.2f})" if way != "bare" else "1"
