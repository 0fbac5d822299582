"""Dialect of a CSV file: what separates its cells, and which sign its fractions have.

Spreadsheets of many countries save with semicolons, because there the comma is the decimal sign. What cannot be told
for sure is refused: a comma taken for the wrong thing is a value a thousand times too large.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Any

import pyarrow.compute as pc

from ingestion.providers.base.files import ForeignFile

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?\r?\n')
_FRACTION = r"^[+-]?\d*[{sign}]\d+$"
# May be a thousand as well as a fraction.
_GROUPED = r"^[+-]?[1-9]\d?\d?[.,]\d\d\d$"


@dataclass(frozen=True, slots=True)
class Dialect:
    """Dialect of a CSV file. `names`: of the columns, in order; none where the first line is no text or cannot be told
    apart.

    `lines`: how many lines stand before the rows. `quoted`: the header's names are quoted. `unclear`: why the header
    cannot be read, fit to show.
    """

    delimiter: str = ","
    names: tuple[str, ...] = ()
    lines: int = 1
    quoted: bool = False
    unclear: str = ""


def dialect_of(head: bytes) -> Dialect:
    """Dialect by a file's first line, behind a byte-order mark or a line `sep=;` of a spreadsheet if there is one."""
    text = head.removeprefix(codecs.BOM_UTF8)
    stated = _SEPARATOR_LINE.match(text)
    if stated:
        text = text[stated.end() :]
    line = text.split(b"\n", 1)[0].rstrip(b"\r")
    signs = stated.group(1).decode("latin-1") if stated else "".join(DELIMITERS)
    splits = {sign: names for sign in signs if len(names := _names(line, sign)) > 1}
    lines, quoted = 1 + bool(stated), b'"' in line
    if len(splits) > 1:
        both = " and ".join(DELIMITERS[sign] for sign in splits)
        why = f"its header has {both}: which of them separates the columns cannot be told"
        return Dialect(lines=lines, unclear=why)
    for sign, names in splits.items():
        return Dialect(sign, names, lines, quoted)
    return Dialect(signs[0], _names(line, signs[0]), lines, quoted)


def _names(line: bytes, sign: str) -> tuple[str, ...]:
    try:
        rows = list(csv.reader([line.decode("utf-8")], delimiter=sign))
    except (UnicodeDecodeError, csv.Error, TypeError, ValueError):
        return ()
    return tuple(name.strip() for name in rows[0]) if rows else ()


def decimal_sign(columns: Iterable[dict[str, Any]]) -> str:
    """Sign of fractions in a file that is not separated by commas: "," or ".".

    `columns`: text columns by name, block by block. Raises ForeignFile where both signs occur, and where every
    fraction may be thousands as well.
    """
    seen, sure, example = set[str](), False, ""
    for block in columns:
        for name, column in block.items():
            text = pc.utf8_trim_whitespace(column)
            for sign in ",.":
                fractions = text.filter(pc.match_substring_regex(text, _FRACTION.format(sign=sign)))
                if not len(fractions):
                    continue
                seen.add(sign)
                example = example or f"{fractions[0]} in {name}"
                sure = sure or not pc.all(pc.match_substring_regex(fractions, _GROUPED)).as_py()
    if len(seen) > 1:
        raise ForeignFile("its numbers have commas and full stops: which of them is the decimal sign cannot be told")
    if seen and not sure:
        raise ForeignFile(
            f"its numbers may be fractions or thousands ({example}): save it with a full stop as the decimal sign and "
            "commas between the cells"
        )
    return seen.pop() if seen else "."


def skip_lines(stream: IO[bytes], count: int) -> None:
    """Skip the first lines of a file."""
    for _ in range(count):
        stream.readline()


Opener = Callable[[], IO[bytes]]
