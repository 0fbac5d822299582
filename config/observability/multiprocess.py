"""Metrics folder in which the processes of one program add their counters up (prometheus_client's multiprocess mode).

Needs no Django, and must run before prometheus_client is first imported: that decides at its import how it counts.
Each program has a folder of its own: PROMETHEUS_MULTIPROC_DIR, or a throw-away one where it forks.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

NAME = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "wearable-metrics-"  # the number of its process follows


def folder() -> Path | None:
    """The folder that this program counts in; None where it counts in its own memory."""
    given = os.environ.get(NAME, "").strip()
    return Path(given) if given else None


def ensure(named: str) -> None:
    """Make the folder where one is named, and forget an empty name: either would stop the first counter."""
    if named.strip():
        Path(named.strip()).mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        os.environ.pop(NAME, None)


def begin() -> Path:
    """Empty folder, made in the parent before its children fork. What earlier runs counted there is over.

    Where none is named, one is made that ends with this process.
    """
    path = folder()
    if path is None:
        _remove_those_of_the_dead()
        path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=_memory()))
        os.environ[NAME] = str(path)
        atexit.register(_remove, path, os.getpid())
    ensure(str(path))
    for file in path.glob("*.db"):
        file.unlink(missing_ok=True)
    return path


def ended(pid: int) -> None:
    """A child has ended: what it counted stays, what only living processes have goes."""
    from prometheus_client import multiprocess

    if folder() is not None:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def is_worker(arguments: Sequence[str] = sys.argv) -> bool:
    """Whether this is the parent process of a Celery worker: `celery -A config worker ...`."""
    return "celery" in Path(arguments[0]).parent.name + Path(arguments[0]).name and "worker" in arguments[1:]


def _memory() -> str:
    """Folder in memory, where no full disk can stop a program that only wants to count."""
    shared = "/dev/shm"  # noqa: S108  numbers alone, in a folder for their owner
    return shared if os.access(shared, os.W_OK) else tempfile.gettempdir()


def _remove_those_of_the_dead() -> None:
    """Folders of programs that were killed before they could remove them."""
    for left in Path(_memory()).glob(f"{PREFIX}*"):
        owner = left.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not _lives(int(owner)) and left.stat().st_uid == os.getuid():
            shutil.rmtree(left, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # children inherit what is registered
        shutil.rmtree(path, ignore_errors=True)
