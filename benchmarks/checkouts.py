"""Children that measure this checkout's product, and beside it another checkout's in the same run.

A child loads one product on a database of its own, says that it is ready, and does by its parent's word one piece of
work after the other. So the same work of two products is measured in turns, A B A B, whatever else the machine does.
The other checkout is measured by this checkout's benchmarks, but what its data are made of is its own: that must fit
its tables.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import processor_time
from benchmarks.processor_time import Cpu
from config.embedded.redis_server import Redis

ROOT = Path(__file__).resolve().parent.parent
OF_ITS_OWN = ("courses.py", "monitoring_data.py", "monitoring_rows.py")
SETTINGS = {
    "GOOGLE_SIMULATOR_URL": "http://127.0.0.1:9",  # a vendor must be set up; it is not asked
    "TOKEN_KEYS": "benchmarks-only-" + "y" * 50,
    "DEBUG": "False",
    "LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True)
class Done:
    """One piece of work: its processor time, and what it says of itself."""

    cpu: Cpu
    queries: int
    facts: dict[str, Any]


class Work:
    """Child that has loaded a product, as its parent sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.said = self._answer()  # what it said when it was ready

    def do(self, name: str, number: int) -> Done:
        """Have it do this work for the `number`th time."""
        if self._process.stdin:
            self._process.stdin.write(json.dumps([name, number]) + "\n")
            self._process.stdin.flush()
        answer = self._answer()
        return Done(Cpu(*answer["cpu"]), answer["queries"], answer["facts"])

    def _answer(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit("A child that measures has ended; what it said is above.")
        return json.loads(line)


@contextlib.contextmanager
def started(checkout: Path, module: str, *arguments: str) -> Iterator[Work]:
    """A child of a checkout's product; DATABASE_URL says on which server."""
    with environment_of(checkout) as environment:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            cwd=checkout,
            env={**environment, **SETTINGS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Work(process)
        finally:
            if process.stdin:
                process.stdin.close()
            process.wait()


@contextlib.contextmanager
def environment_of(checkout: Path) -> Iterator[dict[str, str]]:
    """The environment in which Python, with -P, finds a checkout's product and our benchmarks."""
    with contextlib.ExitStack() as ending:
        paths = [str(checkout.resolve())]
        if checkout.resolve() != ROOT:
            paths.insert(0, ending.enter_context(_ours_for(checkout)))
        yield {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


@contextlib.contextmanager
def _ours_for(checkout: Path) -> Iterator[str]:
    """A folder with a package `benchmarks`: ours, but what makes data the other checkout's."""
    with tempfile.TemporaryDirectory(prefix="wearable-bench-") as folder:
        package = Path(folder) / "benchmarks"
        package.mkdir()
        for ours in (ROOT / "benchmarks").iterdir():
            theirs = checkout.resolve() / "benchmarks" / ours.name
            (package / ours.name).symlink_to(theirs if ours.name in OF_ITS_OWN else ours)
        yield folder


@contextlib.contextmanager
def redis() -> Iterator[None]:
    """A Redis for the children, where the product counts requests; REDIS_URL says where."""
    with tempfile.TemporaryDirectory(prefix="wearable-bench-") as folder:
        server = Redis(Path(folder) / "redis", Path(folder) / "redis.log")
        server.start(time.sleep)
        os.environ["REDIS_URL"] = server.url
        try:
            yield
        finally:
            server.stop()


def channel() -> Callable[[Any], None]:
    """For a child, at its beginning: where it answers its parent. What is printed otherwise goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: Any) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    return answer


def serve(answer: Callable[[Any], None], said: Any, work: Callable[[str, int], Callable[[], dict[str, Any]]]) -> None:
    """In a child: measure what the parent names, until it closes the line.

    `said`: what there is to know beforehand. `work`: the function of a name and a number, made ready outside the
    measure; it gives facts. The first time it is done once more, to count its queries.
    """
    from django.db import connection

    answer(said)
    for line in sys.stdin:
        name, number = json.loads(line)
        function, facts = work(name, number), dict[str, Any]()
        cpu = processor_time.measured(lambda: facts.update(function()), processor_time.own_backend())  # noqa: B023
        queries = 0
        if number == 0:
            counted, again = _Counted(), work(name, number)
            with connection.execute_wrapper(counted):
                again()
            queries = counted.n
        answer({"cpu": [cpu.program, cpu.server], "queries": queries, "facts": facts})


class _Counted:
    """Counts statements that pass through Django's cursors."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, execute: Any, *arguments: Any) -> Any:
        self.n += 1
        return execute(*arguments)


def in_turns(works: Sequence[Work], name: str, number: int) -> list[Done]:
    """Have each do the work; who comes first changes from time to time."""
    done = [(work, work.do(name, number)) for work in (works if number % 2 else list(reversed(works)))]
    return [next(result for other, result in done if other is work) for work in works]
