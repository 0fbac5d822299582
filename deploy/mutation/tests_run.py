"""A run of tests in a copy of the checkout, in a process of its own. Imports nothing of ours: the copy is tried."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest


def run_tests(root: Path, environment: Mapping[str, str], tests: Sequence[str]) -> None:
    """Body of a process that runs tests of a copy; its exit status says whether they pass."""
    os.environ.update(environment)
    os.chdir(root)
    sys.path.insert(0, str(root))
    log = root / "var" / "tests.log"
    log.parent.mkdir(exist_ok=True)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.exit(
        pytest.main(["-q", "-x", "--assert=plain", "--reuse-db", "-p", "no:cacheprovider", f"--rootdir={root}", *tests])
    )
