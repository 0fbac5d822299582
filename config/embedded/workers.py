"""How many processes share the tests: several for the whole suite, one where few tests were asked for.

A process costs some seconds and a database of its own before its first test, which a handful of tests do not repay.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.embedded.setup import SetupError

# Options that choose tests, or that want the terminal for themselves.
CHOOSING = ("-k", "-m", "--lf", "--last-failed", "--ff", "--failed-first", "--sw", "--stepwise", "--deselect")
ALONE = ("-n", "--numprocesses", "-s", "--capture=no", "--pdb", "--trace", "--co", "--collect-only", "--help")
# More than this and the database server is what they wait for.
MOST = 8


def options(arguments: Sequence[str], environment: Mapping[str, str], root: Path) -> list[str]:
    """What to give pytest besides `arguments`. WORKERS in the environment decides, where it is set (0: one process).

    Raises SetupError.
    """
    wanted = environment.get("WORKERS", "")
    if importlib.util.find_spec("xdist") is None:  # the environment of the synthetic devices
        count = 0
    elif wanted.isdigit():
        count = int(wanted)
    elif wanted:
        raise SetupError(f"WORKERS must be a number of processes, not {wanted!r}.")
    elif any(_chooses(argument, root) for argument in arguments):
        count = 0
    else:
        count = min(MOST, (os.cpu_count() or 1) + 1)  # one more: tests wait for a browser, a server, a clock
    # tests/conftest.py says what stays together; the order stays as it was collected.
    return ["-n", str(count), "--dist", "loadscope", "--no-loadscope-reorder"] if count else []


def _chooses(argument: str, root: Path) -> bool:
    if argument.startswith("--"):
        return argument.split("=", maxsplit=1)[0] in (*CHOOSING, *ALONE) or argument in ALONE
    if argument.startswith("-"):
        return argument[:2] in (*CHOOSING, *ALONE)
    return (root / argument.split("::", maxsplit=1)[0]).exists()
