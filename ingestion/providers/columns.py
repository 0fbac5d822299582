"""CSV files as text columns, block by block, each row with its line. No Python object per row."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from ingestion.providers.base import Chunk, ForeignFile
from ingestion.providers.cells import Mask, lengths

# About 100,000 rows of heart rate: small in memory, large enough for one COPY.
BLOCK = 3 * 2**20


def header_of(head: bytes) -> list[str]:
    """Column names of a CSV file's first line, without a byte-order mark; empty if that line is no text."""
    line = head.removeprefix(codecs.BOM_UTF8).split(b"\n", 1)[0]
    try:
        rows = list(csv.reader([line.decode("utf-8").rstrip("\r")]))
    except (UnicodeDecodeError, csv.Error):
        return []
    return [name.strip() for name in rows[0]] if rows else []


@dataclass(slots=True)
class Block:
    """Some rows of a CSV file: text columns by name, and each row's line in the file (int64, 1 is the header)."""

    columns: dict[str, Any]  # pyarrow.StringArray
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, mask: Mask) -> Block:
        """The rows under a mask; itself where that is all of them."""
        if mask.all():
            return self
        chosen = pa.array(mask)
        return Block({name: column.filter(chosen) for name, column in self.columns.items()}, self.lines[mask])


def blocks(stream: IO[bytes], wanted: Collection[str], *, quoted: bool = False) -> Iterator[tuple[Block, Chunk]]:
    """The wanted columns of a CSV file, block by block, each with a Chunk that counts its rows so far.

    `wanted` names that the header lacks are left out: callers check the header before. Rows with too few or too
    many cells are rejected by line, blank lines skipped. `quoted`: cells may be quoted, as they also may where those
    of the header are; only then is a quotation mark more than a letter, for an unpaired one would swallow good rows.
    """
    first = stream.readline()
    names = header_of(first)
    if len(set(names)) != len(names):
        raise ForeignFile("a column name occurs twice in the header")
    if not (rest := stream.read(1)):
        return
    malformed: list[int] = []

    def skip(row: Any) -> str:
        malformed.append(row.number + 1)
        return "skip"

    reader = pacsv.open_csv(
        pa.PythonFile(_Rest(rest, stream), mode="r"),
        read_options=pacsv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=names),
        parse_options=pacsv.ParseOptions(
            quote_char='"' if quoted or b'"' in first else False, ignore_empty_lines=False, invalid_row_handler=skip
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            include_columns=[name for name in names if name in wanted],
            strings_can_be_null=False,
        ),
    )
    yield from _with_lines(reader, malformed, len(names), stream)


class _Rest:
    """A stream put back together: bytes already read, then what is left."""

    closed = False

    def __init__(self, start: bytes, stream: IO[bytes]) -> None:
        self._start, self._stream = start, stream

    def read(self, size: int) -> bytes:
        start, self._start = self._start, b""
        return start + self._stream.read(max(size - len(start), 0))

    def close(self) -> None:
        """The stream belongs to whoever opened it."""


def _with_lines(reader: Any, malformed: list[int], width: int, stream: IO[bytes]) -> Iterator[tuple[Block, Chunk]]:
    """Give each row its line. The parser may be a block ahead, so only malformed lines up to here are counted."""
    line = 2
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            break
        except pa.ArrowInvalid as error:
            raise ForeignFile(f"the rows after line {line - 1} cannot be told apart: {error}") from error
        lines, bad = _lines(line, batch.num_rows, malformed)
        if batch.num_rows:
            line = int(lines[-1]) + 1
        chunk = Chunk(rows=batch.num_rows + len(bad), position=stream.tell())
        chunk.reject(bad, f"not {width} cells")
        block = Block(dict(zip(batch.schema.names, batch.columns, strict=True)), lines)
        blank = np.logical_and.reduce([lengths(column) == 0 for column in batch.columns])
        chunk.skip("blank line", int(np.count_nonzero(blank)))
        yield block.where(~blank), chunk
    if malformed:
        chunk = Chunk(rows=len(malformed), position=stream.tell())
        chunk.reject(malformed, f"not {width} cells")
        yield Block({name: pa.array([], pa.string()) for name in reader.schema.names}, np.zeros(0, np.int64)), chunk


def _lines(start: int, count: int, malformed: list[int]) -> tuple[NDArray[np.int64], list[int]]:
    """Lines of the next `count` good rows, from `start`; takes the malformed lines among them off the list."""
    bad: list[int] = []
    end = start + count
    while malformed and malformed[0] < end:
        bad.append(malformed.pop(0))
        end += 1
    lines = np.arange(start, end, dtype=np.int64)
    return (np.delete(lines, np.array(bad) - start) if bad else lines), bad
