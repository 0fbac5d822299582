"""All files of an export as one zip archive, made while it is sent. Nothing is compressed again, and sizes and sums are
known beforehand, so the archive's length is too, and any byte range of it can be sent alone: a broken download goes on.

The same files always make the same bytes. Zip64 where sizes ask for it (APPNOTE.TXT 6.3.10).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from metrics.exports import store
from metrics.models import Export, ExportFile

LIMIT = 0xFFFFFFFF
UTF8 = 0x800
STORED = 0
BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Piece:
    """A byte range of the archive: bytes at hand, or a whole stored file."""

    size: int
    text: bytes = b""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive as pieces that follow one another. `etag` changes with any byte of it."""

    export: Export
    pieces: list[Piece]
    size: int
    etag: str

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes [start, end) in blocks. Raises FileNotFoundError where a file is gone."""
        at = 0
        for piece in self.pieces:
            low, high = max(start - at, 0), min(end - at, piece.size)
            if low < high:
                yield from self._byte_range(piece, low, high)
            at += piece.size
            if at >= end:
                return

    def _byte_range(self, piece: Piece, low: int, high: int) -> Iterator[bytes]:
        if not piece.path:
            yield piece.text[low:high]
            return
        with store.open_file(self.export, piece.path, low, high) as file:
            left = high - low
            while left and (block := file.read(min(BLOCK, left))):
                left -= len(block)
                yield block


def archive(export: Export, files: Sequence[ExportFile]) -> Archive:
    """The archive of these files, in one folder that is named after the trial and the export."""
    when = export.finished_at or export.asked_at
    top = f"{export.trial.code}-{export.format}-{when:%Y%m%dT%H%MZ}"
    pieces: list[Piece] = []
    directory: list[bytes] = []
    at = 0
    for file in files:
        name = f"{top}/{file.path}".encode()
        head = _local(name, file, when)
        directory.append(_central(name, file, when, at))
        pieces += [Piece(len(head), head), Piece(file.size, path=file.path)]
        at += len(head) + file.size
    tail = b"".join(directory)
    tail += _end(len(directory), len(tail), at)
    pieces.append(Piece(len(tail), tail))
    named = "".join(f"{file.path} {file.sha256}\n" for file in files)
    return Archive(export, pieces, at + len(tail), hashlib.sha256(f"{top}\n{named}".encode()).hexdigest()[:32])


def _dos(when: dt.datetime) -> tuple[int, int]:
    """Time and date as MS-DOS had them, in UTC."""
    at = when.astimezone(dt.UTC)
    return at.hour << 11 | at.minute << 5 | at.second // 2, (at.year - 1980) << 9 | at.month << 5 | at.day


def _local(name: bytes, file: ExportFile, when: dt.datetime) -> bytes:
    large = file.size >= LIMIT
    extra = struct.pack("<HHQQ", 1, 16, file.size, file.size) if large else b""
    size = LIMIT if large else file.size
    numbers = (0x04034B50, 45 if large else 20, UTF8, STORED, *_dos(when), file.crc32, size, size)
    return struct.pack("<IHHHHHIIIHH", *numbers, len(name), len(extra)) + name + extra


def _central(name: bytes, file: ExportFile, when: dt.datetime, at: int) -> bytes:
    wide = [*([file.size] * 2 if file.size >= LIMIT else []), *([at] if at >= LIMIT else [])]
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    size, version = min(file.size, LIMIT), 45 if wide else 20
    made_by = 3 << 8 | version  # Unix, so that the permissions below count
    numbers = (0x02014B50, made_by, version, UTF8, STORED, *_dos(when), file.crc32, size, size)
    rest = (len(name), len(extra), 0, 0, 0, 0o100644 << 16, min(at, LIMIT))
    return struct.pack("<IHHHHHHIIIHHHHHII", *numbers, *rest) + name + extra


def _end(entries: int, size: int, at: int) -> bytes:
    """The end of the central directory; before it the wide one where a number does not fit."""
    records = b""
    if entries >= 0xFFFF or size >= LIMIT or at >= LIMIT:
        records = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, entries, entries, size, at)
        records += struct.pack("<IIQI", 0x07064B50, 0, at + size, 1)
    few = min(entries, 0xFFFF)
    return records + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, few, few, min(size, LIMIT), min(at, LIMIT), 0)
