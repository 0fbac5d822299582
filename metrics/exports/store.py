"""Where the files of exports lie: the only module that knows. Today a folder; object storage could take its place.

A file is written under a temporary name and appears under its own when it is whole. Names hold codes, never people's
names.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

from metrics.models import Export

PART = ".part"
READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as it lies there: bytes, SHA-256 in hexadecimal, CRC-32 as zip archives hold it."""

    size: int
    sha256: str
    crc32: int


def root() -> Path:
    return Path(settings.EXPORT_FOLDER)


def folder(export: Export) -> Path:
    """The folder of one export."""
    return root() / str(export.uuid)


def begin(export: Export) -> None:
    """Make the folder, for its owner's eyes only, and drop what a killed worker left half-written."""
    mine = folder(export)
    root().mkdir(parents=True, exist_ok=True)
    mine.mkdir(mode=0o700, exist_ok=True)
    for left in mine.rglob(f"*{PART}"):
        left.unlink()


def temporary(export: Export, path: str) -> Path:
    """Where the file is to be written until it is whole."""
    place = folder(export) / (path + PART)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def publish(export: Export, path: str) -> Stored:
    """Give a written file its own name; it is on the disk when this returns."""
    place = temporary(export, path)
    digest, crc, size = hashlib.sha256(), 0, 0
    with place.open("rb") as file:
        while block := file.read(READ):
            digest.update(block)
            crc = zlib.crc32(block, crc)
            size += len(block)
        os.fsync(file.fileno())
    place.replace(folder(export) / path)
    return Stored(size, digest.hexdigest(), crc)


def discard(export: Export, path: str) -> None:
    """Drop a file that is not to appear."""
    temporary(export, path).unlink(missing_ok=True)


def open_file(export: Export, path: str) -> BinaryIO:
    """A finished file. Raises FileNotFoundError where it is gone."""
    return (folder(export) / path).open("rb")


def remove(export: Export) -> None:
    """Delete all files of an export; nothing where there are none."""
    if folder(export).exists():
        shutil.rmtree(folder(export))


def all_folders() -> dict[str, Path]:
    """Every export's folder that is there, by the export's id."""
    if not root().exists():
        return {}
    return {path.name: path for path in root().iterdir() if path.is_dir() and _is_uuid(path.name)}


def remove_folder(path: Path) -> None:
    """Delete a folder of `all_folders`."""
    shutil.rmtree(path)


def _is_uuid(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
