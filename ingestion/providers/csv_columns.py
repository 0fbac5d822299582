"""CSV files as text columns, block by block, each row with its line. No Python object per row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from ingestion.providers.base.files import Chunk, ForeignFile
from ingestion.providers.csv_dialect import Dialect, Opener, decimal_sign, dialect_of, skip_lines
from ingestion.providers.text_cells import Mask, lengths, numbers
from metrics.batch import Values

# About 100,000 rows of heart rate: small in memory, large enough for one COPY.
BLOCK = 3 * 2**20
HEAD = 64 * 1024  # a first line is not longer
LABEL = "Id"  # the column of participants' labels: never a number


def header_of(head: bytes) -> list[str]:
    """Column names of a CSV file's first line, without a byte-order mark; empty if that line is no text."""
    return list(dialect_of(head).names)


def has(head: bytes, columns: Iterable[str]) -> bool:
    """Whether a header has these columns, whatever their capitals: the same exports write them in several ways."""
    there = {name.casefold() for name in header_of(head)}
    return {column.casefold() for column in columns} <= there


def unlike(head: bytes, columns: Sequence[str]) -> str:
    """Columns that a header lacks, as text, or why it cannot be read; empty where it has them all."""
    dialect = dialect_of(head)
    if dialect.unclear:
        return dialect.unclear
    missing = [column for column in columns if not has(head, [column])]
    return f"its header lacks: {', '.join(missing[:5])}" if missing else ""


@dataclass(slots=True)
class Block:
    """Rows of a CSV file: text columns by name, and each row's line in the file (int64, 1 is the header).

    `decimal`: the sign of its fractions.
    """

    columns: dict[str, Any]  # pyarrow.StringArray
    lines: NDArray[np.int64]
    decimal: str = "."

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, mask: Mask) -> Block:
        """Rows under a mask; the block itself where that is all of them."""
        if mask.all():
            return self
        chosen = pa.array(mask)
        columns = {name: column.filter(chosen) for name, column in self.columns.items()}
        return Block(columns, self.lines[mask], self.decimal)

    def numbers(self, name: str) -> tuple[Values, Mask]:
        """Column as float64, and a mask of the cells that are a number or empty; see text_cells.numbers."""
        return numbers(self.columns[name], decimal=self.decimal)


def blocks(opener: Opener, columns: Collection[str], *, quoted: bool = False) -> Iterator[tuple[Block, Chunk]]:
    """Columns of a CSV file, block by block, each with a Chunk that counts its rows so far.

    `opener` gives the file's bytes from the start, anew at each call. Names in `columns` that the header lacks are left
    out: callers check the header before. Rows with too few or too many cells are rejected by line, blank lines
    skipped. `quoted`: cells may be quoted, as they also may where those of the header are; only then is a quotation
    mark more than a letter, for an unpaired one would swallow good rows. A file that is not separated by commas is
    read through before, for the sign of its fractions. Raises ForeignFile.
    """
    with opener() as stream:
        dialect = dialect_of(stream.read(HEAD))
    if dialect.unclear:
        raise ForeignFile(dialect.unclear)
    decimal = "."
    if dialect.delimiter != ",":
        numeric = [name for name in columns if name != LABEL]
        with opener() as stream:
            decimal = decimal_sign(block.columns for block, _ in _read(stream, dialect, numeric, quoted=quoted))
    with opener() as stream:
        for block, chunk in _read(stream, dialect, columns, quoted=quoted):
            block.decimal = decimal
            yield block, chunk


def named_blocks(opener: Opener, columns: Iterable[str], *, quoted: bool = False) -> Iterator[tuple[Block, Chunk]]:
    """Columns of a CSV file as `blocks` gives them, by the names that are given here, whatever their capitals in the
    file."""
    with opener() as stream:
        written = {name.casefold(): name for name in header_of(stream.read(HEAD))}
    names = {written[column.casefold()]: column for column in columns if column.casefold() in written}
    for block, chunk in blocks(opener, list(names), quoted=quoted):
        yield replace(block, columns={names[name]: column for name, column in block.columns.items()}), chunk


def _read(
    stream: IO[bytes], dialect: Dialect, columns: Collection[str], *, quoted: bool
) -> Iterator[tuple[Block, Chunk]]:
    named = [name for name in dialect.names if name]
    if len(set(named)) != len(named):
        raise ForeignFile("a column name occurs twice in the header")
    names = [name or f"(column {place})" for place, name in enumerate(dialect.names, start=1)]
    skip_lines(stream, dialect.lines)
    if not (rest := stream.read(1)):
        return
    malformed: list[int] = []

    def skip(row: Any) -> str:
        malformed.append(row.number + dialect.lines)
        return "skip"

    reader = pacsv.open_csv(
        pa.PythonFile(_Rest(rest, stream), mode="r"),
        read_options=pacsv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=names),
        parse_options=pacsv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if quoted or dialect.quoted else False,
            ignore_empty_lines=False,
            invalid_row_handler=skip,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            include_columns=[name for name in names if name in columns],
            strings_can_be_null=False,
        ),
    )
    yield from _with_lines(reader, malformed, len(names), stream, dialect.lines + 1)


class _Rest:
    """Stream put back together: bytes already read, then what is left."""

    closed = False

    def __init__(self, start: bytes, stream: IO[bytes]) -> None:
        self._start, self._stream = start, stream

    def read(self, size: int) -> bytes:
        start, self._start = self._start, b""
        return start + self._stream.read(max(size - len(start), 0))

    def close(self) -> None:
        """Do nothing: the stream belongs to whoever opened it."""


def _with_lines(
    reader: Any, malformed: list[int], width: int, stream: IO[bytes], line: int
) -> Iterator[tuple[Block, Chunk]]:
    """Give each row its line. The parser may be a block ahead, so only malformed lines up to here are counted."""
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
