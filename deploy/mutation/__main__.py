"""`make mutate`: change the code in one place at a time and look whether a test notices.

Each of a few processes has a copy of the checkout and a database of its own. Ends non-zero where fewer than 85 % of a
module's changes are noticed, those left out that equivalent.toml explains.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import random
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from deploy.mutation.operators import operators, says_nothing
from deploy.mutation.tests_run import run_tests

from cosmic_ray.ast import ast_nodes, get_ast  # isort: skip  after parso, which operators.py imports first
from cosmic_ray.mutating import mutate_code  # isort: skip

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).parent
COPIES = ROOT / "var" / "mutation"
WANTED = 0.85
# A mutant that loops is noticed, too: it takes so many times what the tests take.
PATIENCE, LEAST_SECONDS = 4.0, 30.0
# What every run of the tests imports beside our own code: imported once, in the process that the runs are forked from.
FORKED = multiprocessing.get_context("forkserver")
PRELOADED = [
    "pytest",
    "numpy",
    "pyarrow.parquet",
    "django.db",
    "django.forms",
    "psycopg",
    "celery",
    "httpx",
    "hypothesis",
]


@dataclass(frozen=True, slots=True)
class Mutant:
    """Mutant, a change of one place: which operator, at which of its places, and the line it changes."""

    module: str
    operator: str
    occurrence: int
    line: int
    text: str


@dataclass(slots=True)
class Module:
    """A module that holds rules, and what became of its mutants."""

    path: str
    tests: list[str]
    mutants: list[Mutant] = field(default_factory=list)
    survivors: list[Mutant] = field(default_factory=list)
    equivalent: int = 0
    seconds: float = 0.0

    @property
    def counted(self) -> int:
        return len(self.mutants) - self.equivalent

    @property
    def share(self) -> float:
        return 1 - len(self.survivors) / self.counted if self.counted else 1.0


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """All changes of a module's source, in the order of the operators and their places."""
    nodes, lines = list(ast_nodes(get_ast(source))), source.splitlines()
    for name, operator in operators().items():
        occurrence = 0
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                if not says_nothing(node):
                    yield Mutant(module, name, occurrence, start[0], lines[start[0] - 1].strip())
                occurrence += 1


def known() -> set[tuple[str, str, str]]:
    """Changes that change nothing, as (module, operator, line of code)."""
    rows: list[dict[str, Any]] = tomllib.loads((HERE / "equivalent.toml").read_text()).get("equivalent", [])
    return {(row["module"], row["change"], row["line"]) for row in rows}


class Copy:
    """A copy of the checkout in which one mutant at a time is tried."""

    def __init__(self, number: int) -> None:
        self.root = COPIES / str(number)
        shutil.rmtree(self.root, ignore_errors=True)
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        for name in listed.stdout.decode().split("\0"):
            if name and (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        beside = COPIES / "shared"  # tests with real data look for them there
        if not beside.exists() and (ROOT.parent / "shared").exists():
            beside.symlink_to(ROOT.parent / "shared")
        given = urlsplit(os.environ["DATABASE_URL"])
        url = urlunsplit(given._replace(path=f"/mutation{number}"))
        self.environment = {**os.environ, "DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}

    def passes(self, tests: Sequence[str], timeout: float | None) -> bool:
        """Whether the tests pass on what stands in this copy."""
        process = FORKED.Process(target=run_tests, args=(self.root, self.environment, tests))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode == 0

    def survives(self, mutant: Mutant, tests: Sequence[str], timeout: float) -> bool:
        """Whether no test notices a mutant. The module is put back."""
        file = self.root / mutant.module
        source = file.read_text(encoding="utf-8")
        mutated = mutate_code(source, operators()[mutant.operator], mutant.occurrence)
        if mutated is None or mutated == source:
            return False
        try:
            file.write_text(mutated, encoding="utf-8")
            return self.passes(tests, timeout)
        finally:
            file.write_text(source, encoding="utf-8")


def try_module(module: Module, copies: Sequence[Copy], most: int, say: Callable[[str], object]) -> None:
    """Try a module's mutants, several at a time. Raises SystemExit where its tests fail as they are."""
    waiting = _waiting(module, most)
    began = time.monotonic()
    for copy in copies:
        if not copy.passes(module.tests, None):
            raise SystemExit(f"The tests of {module.path} fail as they are: see {copy.root / 'var' / 'tests.log'}")
    seconds = max((time.monotonic() - began) / len(copies) * PATIENCE, LEAST_SECONDS)

    def work(copy: Copy) -> None:
        while True:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            if copy.survives(mutant, module.tests, seconds):
                module.survivors.append(mutant)
                say(f"  {mutant.module}:{mutant.line} {mutant.operator}: {mutant.text}")

    with ThreadPoolExecutor(len(copies)) as pool:
        for worked in [pool.submit(work, copy) for copy in copies]:
            worked.result()  # a mutant that could not be made is an error, not one that was noticed
    module.seconds = time.monotonic() - began


def _waiting(module: Module, most: int) -> queue.SimpleQueue[Mutant]:
    """Choose a module's mutants: those that are to be tried."""
    mutants = list(mutants_of(module.path, (ROOT / module.path).read_text(encoding="utf-8")))
    if most and len(mutants) > most:
        mutants = sorted(random.Random(1).sample(mutants, most), key=lambda mutant: mutant.line)  # noqa: S311
    equivalent = known()
    module.mutants = mutants
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in mutants:
        if (mutant.module, mutant.operator, mutant.text) in equivalent:
            module.equivalent += 1
        else:
            waiting.put(mutant)
    return waiting


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="paths of modules in modules.toml; none: all of them")
    parser.add_argument("--most", type=int, default=0, help="a sample of so many mutants a module")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    table: dict[str, list[str]] = tomllib.loads((HERE / "modules.toml").read_text())["tests"]
    if unknown := set(given.modules) - table.keys():
        parser.error(f"not in deploy/mutation/modules.toml: {', '.join(sorted(unknown))}")
    FORKED.set_forkserver_preload(PRELOADED)
    copies = [Copy(number) for number in range(given.processes)]
    modules = [Module(path, tests) for path, tests in table.items() if not given.modules or path in given.modules]
    for module in modules:
        sys.stdout.write(f"{module.path}\n")
        try_module(module, copies, given.most, lambda line: sys.stdout.write(f"{line}\n") and sys.stdout.flush())
    sys.stdout.write(f"\n{'module':44}{'changes':>8}{'equivalent':>11}{'unnoticed':>10}{'noticed':>9}{'seconds':>9}\n")
    for module in modules:
        sys.stdout.write(
            f"{module.path:44}{len(module.mutants):8}{module.equivalent:11}{len(module.survivors):10}"
            f"{module.share:9.0%}{module.seconds:9.0f}\n"
        )
    return 0 if all(module.share >= WANTED for module in modules) else 1


if __name__ == "__main__":
    sys.exit(main())
