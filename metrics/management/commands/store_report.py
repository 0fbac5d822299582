"""`manage.py store_report`: what the store holds and weighs, and what waits to be done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from metrics.maintenance.store_report import StoreReport, report


class Command(BaseCommand):
    help = "Rows, bytes a row and compression by table, states of chunks, the largest participants, what waits."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exact", action="store_true", help="count all rows: reads everything")
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *, exact: bool, json: bool, **options: Any) -> None:
        store = report(timezone.now(), exact=exact)
        if json:
            self.stdout.write(orjson.dumps(store.as_dict(), option=orjson.OPT_INDENT_2).decode())
            return
        for line in lines(store):
            self.stdout.write(line)


def lines(store: StoreReport) -> list[str]:
    """The report for a terminal."""
    extension = f", TimescaleDB {store.timescaledb}" if store.timescaledb else ""
    return [
        f"{store.tier} (PostgreSQL {store.postgresql}{extension})",
        f"{size(store.database_bytes)} in all, {size(store.other_bytes)} of it in tables that are not listed. "
        f"{store.participants:,} participants whose devices send.",
        "",
        *_table(("table", "rows" if store.exact else "rows, about", "bytes", "table", "index", "B/row", "ratio"), [
            (t.name, count(t.rows), size(t.bytes), size(t.table_bytes), size(t.index_bytes), number(t.bytes_a_row),
             number(t.ratio))
            for t in store.tables
        ]),
        *(["", *_table(("chunks", "days", "plain", "compressed", "touched", "from", "to"), [
            (c.table, str(c.days), count(c.uncompressed), count(c.compressed), count(c.partial),
             day(c.oldest), day(c.newest))
            for c in store.chunks
        ])] if store.chunks else []),
        *(["", *_table(("largest participants", "samples", "from", "to"), [
            (p.participant, count(p.samples), p.first_on.isoformat(), p.last_on.isoformat()) for p in store.largest
        ])] if store.largest else []),
        *(["", *store.retention] if store.retention else []),
        "",
        *store.next,
    ]  # fmt: skip


def count(value: int | None) -> str:
    return "not counted" if value is None else f"{value:,}"


def day(at: dt.datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else ""


def number(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"


def size(value: float) -> str:
    """Bytes in decimal units, three digits."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.4g} TB"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, ["-" * width for width in widths], *rows)
    ]
