"""Exports in a folder (EXPORT_FOLDER), which all hosts that write or serve them must share.

The folder has an id of its own in it, so that a host that does not share it is found out.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from django.conf import settings

from metrics.exports.partial_file import PartialFile
from metrics.models import Export

PART = ".part"
MARK = ".store"
SCHEME = "folder:"


def root() -> Path:
    return Path(settings.EXPORT_FOLDER)


def folder(export: Export) -> Path:
    """The folder of one export."""
    return root() / str(export.uuid)


def mark() -> str:
    """The folder's id; empty where nothing was ever written into it."""
    try:
        return SCHEME + (root() / MARK).read_text().strip()
    except FileNotFoundError:
        return ""


class Folder:
    """The store that EXPORT_FOLDER is."""

    def identity(self) -> str:
        """Made at the first call, once, whoever calls at the same time."""
        if not (root() / MARK).exists():
            root().mkdir(parents=True, exist_ok=True)
            own = root() / f"{MARK}-{uuid4()}"
            own.write_text(f"{uuid4()}\n")
            try:
                (root() / MARK).hardlink_to(own)
            except FileExistsError:
                pass  # another was quicker
            except OSError:  # a share without hard links
                own.replace(root() / MARK)
            finally:
                own.unlink(missing_ok=True)
        return mark()

    def begin(self, export: Export) -> None:
        """Make the folder, for its owner's eyes only, and drop what a killed worker left half-written."""
        own = folder(export)
        root().mkdir(parents=True, exist_ok=True)
        own.mkdir(mode=0o700, exist_ok=True)
        for left in own.rglob(f"*{PART}"):
            left.unlink()

    def partial_file(self, export: Export, path: str) -> PartialFile:
        return _FolderPartialFile(folder(export), path)

    def open(self, export: Export, path: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """A finished file from `start` on. Raises FileNotFoundError where it is gone."""
        file = (folder(export) / path).open("rb")
        file.seek(start)
        return file

    def holds(self, export: Export, path: str) -> bool:
        return (folder(export) / path).is_file()

    def remove(self, name: str) -> None:
        """Delete all files of an export, by its id; nothing where there are none."""
        if (root() / name).exists():
            shutil.rmtree(root() / name)

    def names(self) -> set[str]:
        """The ids of exports of which something is there."""
        if not root().exists():
            return set()
        return {path.name for path in root().iterdir() if path.is_dir() and is_uuid(path.name)}


class _FolderPartialFile(PartialFile):
    def __init__(self, where: Path, path: str) -> None:
        super().__init__(path)
        self._own, self._part = where / path, where / (path + PART)
        self._part.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("wb")

    def take(self, data: memoryview) -> None:
        self._file.write(data)

    def finish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._own)

    def discard(self) -> None:
        with suppress(OSError):  # a full disk does not take what is still to be written, which is not wanted any more
            self._file.close()
        self._part.unlink(missing_ok=True)


def is_uuid(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
