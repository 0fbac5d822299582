"""Sources of offered files: folders, single files, gzip and zip. Nothing is ever unpacked to disk.

What is offered may be hostile: archives that unpack to far more than they weigh (each file and all together, however
often packed), names and links that lead out of the folder or archive, the same name twice.

A file is scanned once before any of it is stored: its hash, the checksum of its compression, its encoding.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Self, cast

from ingestion.providers.base.files import ForeignFile

HEAD = 64 * 1024
PIECE = 2**20
# Text of health data shrinks to a tenth, rows of zeros to a hundredth. More than this is a trap, or not for us.
MOST_RATIO = 400
MOST_RATIO_FROM = 64 * 2**20  # bytes unpacked; below this the ratio does no harm
MOST_BYTES = 64 * 2**30  # a file, unpacked
MOST_MEMBERS = 500_000

BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Offered:
    """File that was offered. `direct`: named by who imports. `raw` opens its bytes as they lie there."""

    name: str
    path: str  # within the folder or archive that was named: what name rules look at
    size: int  # bytes as they lie there
    direct: bool
    raw: Callable[[], IO[bytes]]
    trouble: str = ""  # why it cannot be read at all

    @property
    def root(self) -> str:
        """Folder or archive that was named."""
        return self.name.removesuffix(self.path)

    def open(self) -> IO[bytes]:
        """Open the content without gzip. Raises OSError."""
        if _starts(self.raw, b"\x1f\x8b"):
            return cast("IO[bytes]", gzip.GzipFile(fileobj=self.raw()))
        return self.raw()


@dataclass(frozen=True, slots=True)
class FileScan:
    """Result of reading a file through once. `size`: bytes unpacked; `sha256`: of the bytes as they lie there."""

    sha256: str
    size: int
    head: bytes


class Inbox:
    """Files under the given paths, in order of their names. Keeps archives open until it is closed."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._open = ExitStack()
        self._by_name: dict[str, Offered] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def files(self) -> list[Offered]:
        """Files that were offered; what cannot be read is there too, with its trouble."""
        files = [_presentable(file) for path in self._paths for file in self._under(path)]
        self._by_name = {file.name: file for file in files}
        return files

    def beside(self, file: Offered, name: str) -> Offered | None:
        """File of another name in the same folder or archive folder, if it was offered too."""
        return self._by_name.get(file.name[: len(file.name) - len(_last(file.name))] + name)

    def _under(self, path: Path) -> Iterator[Offered]:
        try:
            if path.is_dir():
                yield from self._in_folder(path)
            else:
                yield from self._at(path, path.name, direct=True)
        except OSError as error:
            yield _unreadable(str(path), path.name, error, direct=True)

    def _in_folder(self, folder: Path) -> Iterator[Offered]:
        failures: list[OSError] = []
        for root, folders, names in os.walk(folder, onerror=failures.append):
            folders.sort()
            for name in sorted(names):
                path = Path(root, name)
                try:
                    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
                        raise OSError("a link that leads out of the folder")
                    yield from self._at(path, str(path.relative_to(folder)), direct=False)
                except OSError as error:
                    yield _unreadable(str(path), name, error, direct=True)
        for failure in failures:
            yield _unreadable(str(failure.filename or folder), str(folder), failure, direct=True)

    def _at(self, path: Path, within: str, *, direct: bool) -> Iterator[Offered]:
        if not path.is_file():
            if path.exists():
                raise OSError("neither a file nor a folder")
            raise FileNotFoundError("no such file or folder")
        if path.suffix.lower() == ".zip" or (direct and _starts(lambda: path.open("rb"), b"PK\x03\x04")):
            yield from self._in_zip(path, direct=direct)
            return
        yield Offered(str(path), within, path.stat().st_size, direct, lambda: path.open("rb"))

    def _in_zip(self, path: Path, *, direct: bool) -> Iterator[Offered]:
        try:
            archive = self._open.enter_context(zipfile.ZipFile(path))
        except (zipfile.BadZipFile, ValueError) as error:
            yield _unreadable(str(path), path.name, f"damaged or no zip archive ({error})", direct=True)
            return
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) > MOST_MEMBERS:
            yield _unreadable(str(path), path.name, f"more than {MOST_MEMBERS:,} files in one archive", direct=True)
            return
        unpacked, packed = sum(member.file_size for member in members), path.stat().st_size
        if unpacked > _most(packed):
            why = f"unpacks to {unpacked:,} bytes in all, suspiciously many for its {packed:,}"
            yield _unreadable(str(path), path.name, why, direct=True)
            return
        before = ""
        for member in sorted(members, key=lambda m: m.filename):
            yield _member(path, archive, member, twice=member.filename == before)
            before = member.filename


def _presentable(file: Offered) -> Offered:
    """File with names that can be shown and stored, whatever bytes the file system has for them."""
    name, path = (text.encode("utf-8", "replace").decode() for text in (file.name, file.path))
    return file if (name, path) == (file.name, file.path) else replace(file, name=name, path=path)


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, twice: bool) -> Offered:
    trouble = ""
    if _leads_out(member.filename):
        trouble = "its name leads out of the archive"
    elif twice:
        trouble = "the archive has another file of this name"
    elif stat.S_ISLNK(member.external_attr >> 16):
        trouble = "a link, which no export has"
    elif member.flag_bits & 1:
        trouble = "encrypted: unlock the archive first"
    elif member.filename.lower().endswith(".zip"):
        trouble = "an archive within an archive: unpack the outer one first"
    elif member.file_size > _most(member.compress_size):
        trouble = f"unpacks to {member.file_size:,} bytes, suspiciously many for its {member.compress_size:,}"
    name = f"{path}/{member.filename}"
    return Offered(name, member.filename, member.compress_size, False, lambda: archive.open(member), trouble)


def _leads_out(name: str) -> bool:
    """Whether a member's name is absolute, climbs, or means a drive: on whatever system it was made to be unpacked."""
    parts = name.replace("\\", "/").split("/")
    return not parts[0] or ".." in parts or parts[0].endswith(":")


def _most(packed: int) -> int:
    """Largest number of bytes that so many packed ones may unpack to."""
    return min(max(packed * MOST_RATIO, MOST_RATIO_FROM), MOST_BYTES)


def _unreadable(name: str, within: str, why: object, *, direct: bool) -> Offered:
    text = (why.strerror or str(why)) if isinstance(why, OSError) else str(why)

    def fail() -> IO[bytes]:
        raise OSError(text)

    return Offered(name, within, 0, direct, fail, text)


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _starts(raw: Callable[[], IO[bytes]], magic: bytes) -> bool:
    with raw() as stream:
        return stream.read(len(magic)) == magic


class _Hashed:
    """Stream that hashes what passes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._hash, self.passed = stream, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        self.passed += len(data)
        return data

    def digest(self) -> str:
        """Hash of the whole stream: reads what is left."""
        while self.read(PIECE):
            pass
        return self._hash.hexdigest()


class Refused(ForeignFile):
    """Refusal of a file that fails the scan; known by its hash where that could be had."""

    def __init__(self, reason: str, sha256: str = "") -> None:
        super().__init__(reason)
        self.sha256 = sha256


def head_of(file: Offered) -> bytes:
    """First bytes of a file, unpacked, to recognise it by. Raises Refused."""
    try:
        with file.open() as stream:
            return stream.read(HEAD)
    except BROKEN as error:
        raise Refused(f"damaged or truncated: {error}") from error


def scan(file: Offered) -> FileScan:
    """Read a file through without keeping it. Raises Refused where it cannot be trusted as a whole, and OSError."""
    packed = _starts(file.raw, b"\x1f\x8b")
    with file.raw() as raw:
        hashed = _Hashed(raw)
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=cast("IO[bytes]", hashed)) if packed else hashed)
        try:
            # By what lies on the disk: an archive's member may be packed once more within.
            size, head = _check(
                stream, (lambda: min(_most(hashed.passed), _most(file.size))) if packed else lambda: MOST_BYTES
            )
        except ForeignFile as refusal:
            raise Refused(str(refusal), hashed.digest()) from refusal
        except BROKEN as error:
            try:
                sha256 = hashed.digest()
            except BROKEN:
                sha256 = ""
            raise Refused(f"damaged or truncated: {error}", sha256) from error
        return FileScan(hashed.digest(), size, head)


def _check(stream: IO[bytes], most: Callable[[], int]) -> tuple[int, bytes]:
    """Size and first bytes of a stream of text; raises ForeignFile for what is no text."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    size, head, pending = 0, b"", False
    while piece := stream.read(PIECE):
        if not size and piece.startswith(b"PK\x03\x04"):
            raise ForeignFile("a zip archive that is not named .zip, or lies within another archive")
        head += piece[: HEAD - len(head)]
        if b"\0" in piece:
            raise ForeignFile("not text: it has zero bytes")
        if pending or not piece.isascii():
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                raise ForeignFile(f"not UTF-8 text: byte {size + max(error.start, 0):,} is {error.reason}") from error
            pending = bool(decoder.getstate()[0])
        size += len(piece)
        if size > most():
            raise ForeignFile("unpacks to suspiciously many bytes for its size")
    if pending:
        raise ForeignFile("not UTF-8 text: it ends within a letter")
    if not size:
        raise ForeignFile("empty")
    return size, head
