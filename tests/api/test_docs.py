"""The guide's examples, run as they stand against a real server: they end well and print what the guide says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from participants.models import Membership
from tests import factories
from tests.api.conftest import token_key
from tests.api.scene import scene
from tests.paths import ROOT

GUIDE = ROOT / "docs" / "api.md"
# A block of code, and what it prints.
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```\n\n```output\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "-- the next example --"


@pytest.fixture
def surroundings(transactional_db: None, live_server: Any) -> dict[str, str]:
    """What the guide tells to export: where the site is, and a manager's key."""
    manager = factories.MembershipFactory.create(trial=scene(), role=Membership.Role.MANAGER).user
    return {**os.environ, "SITE": live_server.url, "TOKEN": token_key(manager, can_write=True)}


def run(command: list[str], surroundings: dict[str, str]) -> str:
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_has_its_output() -> None:
    text = GUIDE.read_text()
    assert len(BLOCK.findall(text)) == len(re.findall(r"^```(?:sh|python)$", text, re.MULTILINE)) > 5


@pytest.mark.skipif(not shutil.which("curl"), reason="the guide's examples for the shell use curl: apt install curl")
def test_the_examples_for_the_shell_print_what_the_guide_says(surroundings: dict[str, str]) -> None:
    for kind, code, printed in BLOCK.findall(GUIDE.read_text()):
        if kind == "sh":
            assert run(["bash", "-euc", code], surroundings).strip() == printed.strip()


def test_the_examples_in_python_print_what_the_guide_says(surroundings: dict[str, str]) -> None:
    """One after the other in one program, as a reader would type them."""
    blocks = [(code, printed) for kind, code, printed in BLOCK.findall(GUIDE.read_text()) if kind == "python"]
    program = f"\nprint({MARK!r})\n".join(code for code, _ in blocks)
    printed = run([sys.executable, "-c", program], surroundings).split(MARK)
    assert [part.strip() for part in printed] == [said.strip() for _, said in blocks]
