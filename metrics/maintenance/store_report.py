"""Report on the store for operators: what it holds and weighs by table, participant and chunk, and what waits."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max, Min, Sum

from metrics.maintenance import sql
from metrics.maintenance.routine import waiting
from metrics.models import (
    DayRollup,
    DayStatusHistory,
    Gap,
    HourRollup,
    ImplausibleCount,
    Measurement,
    MinuteRollup,
    ParticipantDay,
    Revision,
    SleepSession,
)
from metrics.storage import sql as storage_sql
from metrics.storage.hypertables import SIZED, TABLES, chunks, days_a_chunk, intervals, sending
from metrics.storage.timescale import Tier, hypertables, tier
from participants.models import Participant, Trial

MODELS = (
    Measurement, MinuteRollup, HourRollup, DayRollup, ImplausibleCount, Revision, ParticipantDay, DayStatusHistory, Gap,
    SleepSession,
)  # fmt: skip
LARGEST = 10


@dataclass(frozen=True, slots=True)
class TableReport:
    """`rows`: None where the server has not counted yet. `compressed`: bytes now of what took `uncompressed` before."""

    name: str
    rows: int | None
    bytes: int
    table_bytes: int
    index_bytes: int
    compressed_bytes: int = 0
    uncompressed_bytes: int = 0

    @property
    def bytes_a_row(self) -> float | None:
        return self.bytes / self.rows if self.rows else None

    @property
    def ratio(self) -> float | None:
        """Compression ratio: how many times smaller the compressed chunks have become."""
        return self.uncompressed_bytes / self.compressed_bytes if self.compressed_bytes else None


@dataclass(frozen=True, slots=True)
class ChunksReport:
    """Chunks of a hypertable by state. `days`: of chunks to come. Times: first and last instant of all, UTC."""

    table: str
    days: int
    uncompressed: int
    compressed: int
    partial: int
    oldest: dt.datetime | None
    newest: dt.datetime | None


@dataclass(frozen=True, slots=True)
class LargestReport:
    participant: str
    samples: int
    first_on: dt.date
    last_on: dt.date


@dataclass(frozen=True, slots=True)
class StoreReport:
    """`other_bytes`: of the database beside the tables listed. `next`: what waits to be done, in plain words."""

    tier: str
    postgresql: str
    timescaledb: str
    exact: bool
    database_bytes: int
    other_bytes: int
    participants: int
    tables: list[TableReport]
    chunks: list[ChunksReport]
    largest: list[LargestReport]
    retention: list[str]
    next: list[str]

    def as_dict(self) -> dict[str, Any]:
        tables = [asdict(table) | {"bytes_a_row": table.bytes_a_row, "ratio": table.ratio} for table in self.tables]
        return asdict(self) | {"tables": tables}


def report(now: dt.datetime, *, exact: bool = False) -> StoreReport:
    """The store as it stands. `exact` counts every row, which reads everything; else the server's estimates."""
    kind, hyper = tier(), hypertables()
    tables = [_table(model._meta.db_table, kind, hyper, exact=exact) for model in MODELS]
    whole = int(_one(sql.DATABASE)[0])
    return StoreReport(
        tier=kind.value,
        postgresql=str(_one(storage_sql.SERVER_VERSION)[0]),
        timescaledb="" if kind is Tier.PLAIN else str(_one(storage_sql.EXTENSION_VERSION)[0]),
        exact=exact,
        database_bytes=whole,
        other_bytes=max(0, whole - sum(table.bytes for table in tables)),
        participants=sending(),
        tables=tables,
        chunks=_chunks(),
        largest=_largest(),
        retention=_retention(),
        next=_next(now, kind, hyper),
    )


def _one(statement: str, parameters: list[str] | None = None) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _table(name: str, kind: Tier, hyper: set[str], *, exact: bool) -> TableReport:
    is_hyper = name in hyper
    if exact:
        rows = int(_one(sql.ROWS_EXACT.format(table=name))[0])
    else:
        rows = int(_one(sql.ROWS_HYPERTABLE if is_hyper else sql.ROWS_PLAIN, [name])[0])
    sizes = _one(sql.BYTES_HYPERTABLE, [name]) if is_hyper else _one(sql.BYTES_PLAIN, [name] * 3)
    packed = _one(sql.COMPRESSED, [name]) if is_hyper and kind is Tier.COMMUNITY else (0, 0)
    return TableReport(name, rows if rows >= 0 else None, *(int(size) for size in (*sizes, *packed)))


def _chunks() -> list[ChunksReport]:
    lengths, reports = intervals(), []
    for table in TABLES:
        of = chunks([table])
        if table in lengths:
            reports.append(
                ChunksReport(
                    table=table,
                    days=lengths[table].days,
                    uncompressed=sum(not chunk.compressed for chunk in of),
                    compressed=sum(chunk.compressed and not chunk.partial for chunk in of),
                    partial=sum(chunk.partial for chunk in of),
                    oldest=min((chunk.starts_at for chunk in of), default=None),
                    newest=max((chunk.ends_at for chunk in of), default=None),
                )
            )
    return reports


def _largest() -> list[LargestReport]:
    """Participants with most samples, counted by their days: those deleted since by retention included."""
    rows = (
        DayRollup.objects.values("participant_id")
        .annotate(samples=Sum("n"), first_on=Min("date"), last_on=Max("date"))
        .order_by("-samples")[:LARGEST]
    )
    people = Participant.objects.select_related("trial").in_bulk([row["participant_id"] for row in rows])
    return [
        LargestReport(
            f"{people[row['participant_id']].trial.code}/{people[row['participant_id']].study_id}",
            row["samples"],
            row["first_on"],
            row["last_on"],
        )
        for row in rows
    ]


def _retention() -> list[str]:
    lines = []
    for trial in Trial.objects.exclude(retain_raw_days=None, raw_removed_before=None):
        keeps = f"keeps samples for {trial.retain_raw_days} days" if trial.retain_raw_days else "keeps all samples now"
        cutoff = trial.raw_removed_before
        lines.append(f"{trial.code} {keeps}" + (f"; those before {cutoff:%Y-%m-%d} are deleted." if cutoff else "."))
    return lines


def _next(now: dt.datetime, kind: Tier, hyper: set[str]) -> list[str]:
    lines = []
    if kind is Tier.PLAIN:
        lines.append("Nothing is compressed on plain PostgreSQL: beyond some 50 participants move to TimescaleDB.")
    elif not set(SIZED) <= hyper:
        lines.append("The tables were made before TimescaleDB came: manage.py store_hypertables (docs/upgrading.md).")
    elif kind is Tier.APACHE:
        lines.append("Nothing is compressed in TimescaleDB's Apache edition: the Community edition takes a tenth.")
    lengths = intervals(SIZED)
    if set(lengths) == set(SIZED):
        now_days = tuple(lengths[table].days for table in SIZED)
        fitting = days_a_chunk(sending(), now_days)
        lines += [
            f"New chunks of {table} will have {days} days instead of {before}."
            for table, days, before in zip(SIZED, fitting, now_days, strict=True)
            if days != before and settings.CHUNKS_BY_TRIAL_SIZE
        ]
    if kind is Tier.COMMUNITY:
        left = waiting(chunks(SIZED), now)
        touched = sum(chunk.partial for chunk in left)
        lines += [f"{touched} chunks wait to be compressed anew, after late data."] if touched else []
        lines += [f"{len(left) - touched} old chunks wait to be compressed."] if len(left) > touched else []
        lines += ["The nightly maintenance does it; now: python manage.py store_care"] if left else []
    return lines or ["Nothing waits to be done."]
