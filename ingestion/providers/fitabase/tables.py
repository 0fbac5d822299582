"""Tables of Fitabase's files: known by their columns, their rows told apart by participant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingestion.providers.base.files import Chunk
from ingestion.providers.csv_columns import LABEL, Block, has, named_blocks, unlike
from ingestion.providers.csv_dialect import Opener
from ingestion.providers.fitabase.names import base, label_of, left_out
from ingestion.providers.text_cells import labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Kind of file, known by its columns, and by its name where several kinds have the same.

    `columns` are needed, `optional` are read where they are; more do no harm, save those in `without`. `named`: a
    pattern that the file's name must have.
    """

    code: str
    columns: tuple[str, ...]
    optional: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    named: str = ""

    @property
    def file_type(self) -> str:
        return self.code.split(".", 1)[1]

    def matches(self, name: str, head: bytes) -> bool:
        return (
            has(head, self.columns)
            and not any(has(head, [column]) for column in self.without)
            and left_out(name) is None
            and (not self.named or re.search(self.named, base(name), re.IGNORECASE) is not None)
        )

    def near_miss(self, name: str, head: bytes) -> str | None:
        if self.file_type.casefold() not in base(name).casefold():
            return None
        lack = unlike(head, self.columns)
        return f"named like {self.file_type}, but {lack}" if lack else None

    def label_in(self, name: str, head: bytes) -> str | None:
        return None if has(head, [LABEL]) else label_of(name)


def table_blocks(opener: Opener, table: Table) -> Iterator[tuple[Block, Chunk]]:
    """Rows of a file with the columns of its Table, by the names that stand there."""
    return named_blocks(opener, (LABEL, *table.columns, *table.optional))


def by_label(name: str, block: Block) -> Iterator[tuple[str | None, Block]]:
    """Rows of a block, participant by participant. `name`: of the file, which may tell whose it is."""
    if not len(block):
        return
    if LABEL not in block.columns:
        yield label_of(name), block
        return
    codes, names = labels(block.columns[LABEL])
    for code, label in enumerate(names):
        yield label, block.where(codes == code)
