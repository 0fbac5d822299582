"""Benchmark of the pages: what each costs in processor time of Python and of PostgreSQL, in queries and in kB.

    python -m benchmarks.pages [--sizes 1000x30 10000x30 1000x365] [--requests 7] [--pages NAME ...] [--against FOLDER]

Trials of so many participants and days, each in a database of its own with a process of its own; their pages come in
turns, through Django's test client: middleware, session, queries and templates, no network. First, as the unit, a
signed-in page with nothing on it. Pages of participants are those of five, in turns. What is not counted: the first
requests, which fill caches. --against measures the product of another checkout beside this one, page by page in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import os
import time
from pathlib import Path

from benchmarks import checkouts
from benchmarks.checkouts import Done, Work
from benchmarks.pages import report

WARM = 2  # requests that are not counted


def sized(text: str) -> tuple[int, int]:
    people, _, days = text.partition("x")
    return int(people), int(days)


def run(given: argparse.Namespace) -> None:
    from benchmarks.pages.addresses import UNIT, pages

    names = [name for name in pages("") if any(fnmatch.fnmatch(name, wanted) for wanted in [UNIT, *given.pages])]
    products = [checkouts.ROOT, given.against] if given.against else [checkouts.ROOT]
    measured: dict[tuple[str, str], list[list[Done]]] = {}
    with contextlib.ExitStack() as ending:
        sizes: dict[str, list[Work]] = {}
        for size in given.sizes:
            numbers = map(str, sized(size))
            arguments = list(numbers)
            sizes[size] = [
                ending.enter_context(checkouts.started(product, "benchmarks.pages.child", *arguments))
                for product in products
            ]
            said = sizes[size][0].said
            print(f"{size}: made in {said['seconds']:.0f} s, {said['server']}", flush=True)
        for number in range(-WARM, given.requests):
            for name in names:
                for size, works in sizes.items():
                    done = checkouts.in_turns(works, name, number)
                    if number >= 0:
                        measured.setdefault((name, size), []).append(done)
    report.show(names, given.sizes, measured)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sizes", nargs="+", default=["1000x30", "10000x30", "1000x365"], metavar="PEOPLExDAYS")
    arguments.add_argument("--requests", type=int, default=7)
    arguments.add_argument("--pages", nargs="+", default=["*"], metavar="NAME", help="names, also as alert*")
    arguments.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout of the product")
    given = arguments.parse_args()
    os.environ.setdefault("SECRET_KEY", "benchmarks-only")
    with checkouts.redis():
        began = time.perf_counter()
        run(given)
        print(f"\nDone in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
