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
_NONE = pa.array([], pa.string())


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
    parse = _Parser(dialect, names, columns, quoted=quoted)
    line = dialect.lines + 1
    for rows, position in whole_lines(stream, line):
        batch, malformed = parse.rows(rows, line)
        lines = _lines(line, batch.num_rows, malformed)
        line += batch.num_rows + len(malformed)
        chunk = Chunk(rows=batch.num_rows + len(malformed), position=position)
        chunk.reject(malformed, f"not {len(names)} cells")
        block = Block(dict(zip(batch.schema.names, batch.columns, strict=True)), lines)
        blank = np.logical_and.reduce([lengths(column) == 0 for column in batch.columns])
        chunk.skip("blank line", int(np.count_nonzero(blank)))
        yield block.where(~blank), chunk


def whole_lines(stream: IO[bytes], line: int = 1) -> Iterator[tuple[bytes, int]]:
    """What is left of a stream, in pieces of whole lines of at most BLOCK bytes, and how far it is read with each.

    Arrow's own reader of streams reads some thirty blocks ahead, which is most of an import's memory. `line`: that of
    the first. Raises ForeignFile for a line that is longer than a piece.
    """
    rest = b""
    while read := stream.read(BLOCK - len(rest)):
        piece = rest + read
        end = piece.rfind(b"\n") + 1
        if not end and len(piece) >= BLOCK:
            raise ForeignFile(f"the rows after line {line - 1} cannot be told apart: a row of over {BLOCK:,} bytes")
        rest = piece[end:]
        if end:
            yield piece[:end], stream.tell() - len(rest)
            line += piece.count(b"\n")
    if rest:
        yield rest, stream.tell()


class _Parser:
    """Parser of the rows of a CSV file, some at a time."""

    def __init__(self, dialect: Dialect, names: list[str], columns: Collection[str], *, quoted: bool) -> None:
        self._names = names
        self._malformed: list[int] = []
        self._parse = pacsv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if quoted or dialect.quoted else False,
            ignore_empty_lines=False,
            invalid_row_handler=self._skip,
        )
        self._convert = pacsv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            include_columns=[name for name in names if name in columns],
            strings_can_be_null=False,
        )

    def rows(self, text: bytes, line: int) -> tuple[Any, list[int]]:
        """The good rows of whole lines as a record batch, and the lines of the others. `line`: that of the first."""
        self._malformed = []
        options = pacsv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=self._names)
        try:
            table = pacsv.read_csv(pa.py_buffer(text), options, self._parse, self._convert)
        except pa.ArrowInvalid as error:
            raise ForeignFile(f"the rows after line {line - 1} cannot be told apart: {error}") from error
        columns = [pa.concat_arrays(column.chunks) if column.num_chunks else _NONE for column in table.columns]
        batch = pa.RecordBatch.from_arrays(columns, names=table.column_names)
        return batch, [number + line - 1 for number in self._malformed]

    def _skip(self, row: Any) -> str:
        self._malformed.append(row.number)
        return "skip"


def _lines(start: int, count: int, malformed: list[int]) -> NDArray[np.int64]:
    """Lines of `count` good rows, from `start`, among which the malformed ones lie."""
    lines = np.arange(start, start + count + len(malformed), dtype=np.int64)
    return np.delete(lines, np.array(malformed) - start) if malformed else lines
