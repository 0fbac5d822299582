"""A file of an export while it is written: its sums are taken on the way, and it appears under its name when whole."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any

from isal import isal_zlib


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as it lies there: bytes, SHA-256 in hexadecimal, CRC-32 as zip archives hold it."""

    size: int
    sha256: str
    crc32: int


class PartialFile(io.RawIOBase):
    """Takes bytes one after another, as any binary file does; going back is not possible.

    Closed before it was published, it leaves nothing behind. `path` is relative to its export.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._digest, self._crc, self._size = hashlib.sha256(), 0, 0
        self._done = False

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._digest.update(view)
        self._crc = isal_zlib.crc32(view, self._crc)
        self._size += len(view)
        self.take(view)
        return len(view)

    def publish(self) -> Stored:
        """Give it its own name; it is safely there when this returns."""
        self.finish()
        self._done = True
        return Stored(self._size, self._digest.hexdigest(), self._crc)

    def close(self) -> None:
        if not self.closed and not self._done:
            self._done = True
            self.discard()
        super().close()

    def take(self, data: memoryview) -> None:
        """Put the next bytes where they belong."""
        raise NotImplementedError

    def finish(self) -> None:
        """All bytes are there: make it visible."""
        raise NotImplementedError

    def discard(self) -> None:
        """Drop what was written."""
        raise NotImplementedError
