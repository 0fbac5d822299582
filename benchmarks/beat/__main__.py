"""Benchmark of what the clock brings though nothing has changed: a minute of beat, and an hour's evaluation.

    python -m benchmarks.beat [--sizes 1000x30 10000x30] [--minutes 7] [--hours 2] [--against FOLDER]

Everybody is connected, no data comes in. All tasks that beat sends each minute, one after the other in one process and
with all that they queue; alone, `dashboards.watch`, which keeps the alerts; and the hourly evaluation of everybody,
which has been done twice beforehand. Processor time of Python and of PostgreSQL. --against measures the product of
another checkout beside this one, in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path

from benchmarks import bench, checkouts
from benchmarks.beat.child import HOUR, MINUTE, WATCH
from benchmarks.checkouts import Done, Work


def run(given: argparse.Namespace) -> None:
    products = [checkouts.ROOT, given.against] if given.against else [checkouts.ROOT]
    for size in given.sizes:
        with contextlib.ExitStack() as ending:
            works = [
                ending.enter_context(checkouts.started(product, "benchmarks.beat.child", *size.split("x")))
                for product in products
            ]
            said = works[0].said
            print(f"{size}: made and settled in {said['seconds']:.0f} s, {said['server']}", flush=True)
            times = {MINUTE: given.minutes, HOUR: given.hours}
            times |= dict.fromkeys([WATCH, *(name for name in said["each_minute"] if name != WATCH)], given.minutes)
            report(size, {name: measured(works, name, n) for name, n in times.items()})


def measured(works: list[Work], name: str, times: int) -> list[list[Done]]:
    return [checkouts.in_turns(works, name, number) for number in range(times)]


def report(size: str, done: dict[str, list[list[Done]]]) -> None:
    both = len(next(iter(done.values()))[0]) > 1
    head = ["in all, ms", "Python", "server", "queries"]
    rows = []
    for name, times in done.items():
        row = [name]
        for which in range(len(times[0])):
            cpu = [each[which].cpu for each in times]
            row += [f"{bench.median([one.all for one in cpu]) * 1000:,.1f}"]
            row += [f"{bench.median([one.program for one in cpu]) * 1000:,.1f}"]
            row += [f"{bench.median([one.server for one in cpu]) * 1000:,.1f}", f"{times[0][which].queries:,}"]
        if both:
            row.append(f"{bench.median([ours.cpu.all / other.cpu.all for ours, other in times]):.2f}")
        rows.append(row)
    heads = [*head, *(f"other: {name}" for name in head), "ours/other"] if both else head
    bench.table(f"{size}, nothing new: processor time, medians", ["", *heads], rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sizes", nargs="+", default=["1000x30", "10000x30"], metavar="PEOPLExDAYS")
    arguments.add_argument("--minutes", type=int, default=7, help="how often a minute is measured")
    arguments.add_argument("--hours", type=int, default=2, help="how often an hour's evaluation is")
    arguments.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout of the product")
    given = arguments.parse_args()
    os.environ.setdefault("SECRET_KEY", "benchmarks-only")
    with checkouts.redis():
        run(given)


if __name__ == "__main__":
    main()
