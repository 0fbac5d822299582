"""The set-up script: it says what to do before any long work."""

from __future__ import annotations

import ast
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded import setup
from config.embedded.setup import SetupError
from deploy import bootstrap

# What the script imports of the product.
READ_BY_IT = ("config/__init__.py", "config/embedded/__init__.py", "config/embedded/setup.py")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VAR", tmp_path / "var")
    for name in ("PYTHON", "REDIS_URL", "REDIS_URL_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def fake_python(folder: Path, version: str) -> str:
    """A program that answers as a Python of that version does."""
    path = folder / f"python{version}"
    path.write_text(f"#!/bin/sh\necho {version.replace('.', ' ')}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_python_too_old_is_named_with_the_way_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON", fake_python(root, "3.8"))
    with pytest.raises(SetupError, match=r"needs Python 3.11 to 3.14; .*python3.8 is 3.8, .*make demo PYTHON="):
        bootstrap.interpreters()


def test_a_python_too_new_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON", fake_python(root, "3.15"))
    with pytest.raises(SetupError, match=r"is 3\.15"):
        bootstrap.interpreters()


def test_a_python_that_does_not_run_is_passed_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = fake_python(root, "3.12")
    (root / "python3.13").write_text("#!/bin/sh\nexit 127\n")
    (root / "python3.13").chmod(0o755)
    monkeypatch.setenv("PATH", str(root))
    monkeypatch.setattr(sys, "executable", fake_python(root, "3.9"))
    assert bootstrap.interpreters() == [(good, (3, 12))]


def test_a_newer_python_without_redis_asks_uv_for_an_older_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "interpreters", lambda: [("/x/python3.14", (3, 14))])
    monkeypatch.setattr(bootstrap, "redis_installed", lambda: False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert bootstrap.python_for("embedded", serve=True) == bootstrap.FOR_UV


def test_a_newer_python_with_redis_installed_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "interpreters", lambda: [("/x/python3.14", (3, 14))])
    monkeypatch.setattr(bootstrap, "redis_installed", lambda: True)
    assert bootstrap.python_for("embedded", serve=True) == "/x/python3.14"


def test_macos_without_redis_says_how_to_install_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "interpreters", lambda: [("/x/python3.12", (3, 12))])
    monkeypatch.setattr(bootstrap, "redis_installed", lambda: False)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SetupError, match="brew install redis"):
        bootstrap.python_for("embedded", serve=True)


def test_a_redis_of_ones_own_in_dotenv_is_seen(root: Path) -> None:
    (root / ".env").write_text('# REDIS_URL=no\nexport REDIS_URL="redis://10.0.0.1/0"\n')
    assert bootstrap.configured("REDIS_URL")


def test_a_commented_or_empty_value_in_dotenv_is_none(root: Path) -> None:
    (root / ".env").write_text("# REDIS_URL=redis://10.0.0.1/0\nREDIS_URL=\n")
    assert not bootstrap.configured("REDIS_URL")


def test_a_taken_port_is_said_with_another_one_to_try() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=rf"Port {port} is taken .* PORT={port + 1 if port < 65535 else 8001} "):
            setup.check_port(port, patience_seconds=0)


@pytest.mark.parametrize("wrong", ["eighty", "0", "70000", "-1"])
def test_a_port_that_is_no_port_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", wrong)
    with pytest.raises(SetupError, match="PORT must be a number"):
        setup.port_wanted()


def test_a_second_start_in_the_same_folder_is_refused(root: Path) -> None:
    lock = setup.hold(root / "var" / "product.lock")
    assert lock is not None
    os.write(lock, b"process 1, http://127.0.0.1:8000\n")
    with pytest.raises(SetupError, match=r"already runs in this folder \(process 1, http://127.0.0.1:8000\)"):
        bootstrap.check_not_running()
    os.close(lock)


def test_the_script_runs_on_nothing_but_the_standard_library() -> None:
    script = Path(bootstrap.__file__)
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(script), "--help"], capture_output=True, text=True, check=True
    )
    assert "--lock" in ran.stdout


@pytest.mark.parametrize("path", ["deploy/bootstrap.py", *READ_BY_IT])
def test_an_old_python_can_read_the_script_and_say_that_it_is_too_old(path: str) -> None:
    ast.parse((setup.ROOT / path).read_text(), feature_version=(3, 7))


def test_the_script_may_be_started_from_any_folder(tmp_path: Path) -> None:
    script = [sys.executable, "-S", bootstrap.__file__, "--help"]
    ran = subprocess.run(script, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "--lock" in ran.stdout
