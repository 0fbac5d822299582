"""Compression of exported text files: gzip, which everything opens, or zstd, which is quicker to read."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

import pyarrow as pa
from isal import igzip

from metrics.models import Export

SUFFIXES = {"": "", Export.Compression.GZIP.value: ".gz", Export.Compression.ZSTD.value: ".zst"}
# ISA-L's levels go from 0 to 3. Files of the first are a tenth larger than those of zlib's sixth, in a twelfth of its
# time (1.2 M rows of heart rate as CSV).
GZIP_LEVEL = 1


def compression_of(export: Export) -> str:
    """How an export's text files are compressed: a key of SUFFIXES, empty where they are not."""
    return export.compression if export.compressed else ""


def open_compressed(out: BinaryIO, compression: str) -> BinaryIO:
    """A stream whose bytes go into `out`, compressed (a key of SUFFIXES; empty: `out` itself).

    Closing it ends what is compressed and leaves `out` open. The same bytes always give the same file.
    """
    if compression == Export.Compression.GZIP:
        return cast(BinaryIO, igzip.IGzipFile("", "wb", GZIP_LEVEL, out, mtime=0))  # type: ignore[no-untyped-call]
    if compression == Export.Compression.ZSTD:
        return cast(BinaryIO, pa.CompressedOutputStream(pa.PythonFile(_Lent(out), "w"), "zstd"))
    return out


class _Lent(io.RawIOBase):
    """A stream that its borrower cannot close: pyarrow closes what it was given."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._out.write(data)
