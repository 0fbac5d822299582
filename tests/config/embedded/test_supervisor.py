"""`make run` from end to end, in a copy of the project: up, a second start, down."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.embedded.postgres import PostgresFault, programs
from config.embedded.processes import command_line
from config.embedded.redis_server import RedisFault, free_port, program
from tests.paths import ROOT

OURS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DB_NAME", "ALLOWED_HOSTS", "HTTPS", "DEBUG")


@dataclass
class Story:
    """What was seen from start to stop."""

    greeting: str
    page_status: int
    second_start: subprocess.CompletedProcess[str]
    manage: subprocess.CompletedProcess[str]
    exit_status: int
    stop_seconds: float
    published_after: bool
    left_over: list[str]


def processes_in(folder: Path) -> list[str]:
    if sys.platform.startswith("linux"):
        numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        lines = [command_line(number) for number in numbers]
    else:
        found = subprocess.run(["ps", "-ww", "-e", "-o", "args"], capture_output=True, text=True, check=True)
        lines = found.stdout.splitlines()
    return [line for line in lines if str(folder) in line]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    try:
        programs(), program()
    except (PostgresFault, RedisFault) as fault:
        pytest.skip(str(fault))
    with tempfile.TemporaryDirectory() as home:
        project = Path(home) / "a project"
        leave = shutil.ignore_patterns(".*", "var", "staticfiles", "node_modules", "__pycache__", "tests")
        shutil.copytree(ROOT, project, ignore=leave)
        yield tell(project)


def tell(project: Path) -> Story:
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    environment["PORT"] = str(free_port())
    command = [sys.executable, "-m", "config.embedded", "run"]
    product = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True)
    assert product.stdout is not None
    try:
        lines: list[str] = []
        for line in product.stdout:
            lines.append(line)
            if "keeps the data" in line:
                break
        with urllib.request.urlopen(f"http://127.0.0.1:{environment['PORT']}/login/", timeout=60) as page:
            page_status = page.status
        again = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        check = [sys.executable, "manage.py", "migrate", "--check"]
        manage = subprocess.run(check, cwd=project, env=environment, capture_output=True, text=True, check=False)
        asked = time.monotonic()
        product.send_signal(signal.SIGINT)
        product.wait(90)
        stop_seconds = time.monotonic() - asked
    finally:
        product.kill()
        product.stdout.close()
    published = (project / "var" / "embedded.env").exists()
    left = processes_in(project)
    return Story("".join(lines), page_status, again, manage, product.wait(), stop_seconds, published, left)


def test_the_greeting_names_the_address(story: Story) -> None:
    assert "Wearable Trials runs at http://127.0.0.1:" in story.greeting


def test_the_pages_answer(story: Story) -> None:
    assert story.page_status == 200


def test_a_second_start_says_that_one_runs(story: Story) -> None:
    assert story.second_start.returncode == 1
    assert "already runs in this folder" in story.second_start.stdout


def test_manage_finds_the_embedded_database_with_its_tables(story: Story) -> None:
    assert (story.manage.returncode, story.manage.stderr) == (0, "")


def test_ctrl_c_ends_it_in_good_order(story: Story) -> None:
    assert story.exit_status == 0
    assert story.stop_seconds < 60  # long, for a busy machine


def test_nothing_is_left_running(story: Story) -> None:
    assert (story.left_over, story.published_after) == ([], False)
