"""Hypertables: their chunks, how long those to come are, and how those that are there stand; and tables that were
loaded before TimescaleDB came, made into hypertables with the rows that they hold.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from metrics.models import HourRollup, Measurement, MinuteRollup, Revision
from metrics.storage import sql
from metrics.storage.timescale import Tier, after_migrate, hypertables, tier
from participants.models import Participant

SIZED = tuple(model._meta.db_table for model in (Measurement, MinuteRollup, HourRollup))
TABLES = (*SIZED, Revision._meta.db_table)
# From so many participants on, days a chunk of each of SIZED. A chunk should fit into memory while it is written: a
# day of 1,000 participants' heart rates is 2.7 GB uncompressed.
STEPS = ((0, (7, 7, 28)), (150, (3, 7, 28)), (1_000, (1, 7, 28)), (5_000, (1, 1, 7)))
# Back to longer chunks only below this share of a step, so that a few who leave or come change nothing.
BACK = 0.7
# Those whose devices send, or will.
SENDING = (Participant.Status.INVITED, Participant.Status.ACTIVE, Participant.Status.PAUSED)
# Each with its column of time and the length of its chunks, smallest table first: what goes wrong does so early.
TO_CONVERT = ((Revision, "time"), (HourRollup, "bucket"), (MinuteRollup, "bucket"), (Measurement, "time"))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of [starts_at, ends_at) of a table. `partial`: compressed, but rows have come or changed since."""

    table: str
    name: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    compressed: bool
    partial: bool


def chunks(tables: Sequence[str] = TABLES) -> list[Chunk]:
    """All chunks by table and time; none on plain PostgreSQL."""
    if tier() is Tier.PLAIN:
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql.CHUNKS, [list(tables)])
        return [Chunk(*row) for row in cursor.fetchall()]


def intervals(tables: Sequence[str] = TABLES) -> dict[str, dt.timedelta]:
    """Length of new chunks, by table; empty on plain PostgreSQL."""
    if tier() is Tier.PLAIN:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(sql.INTERVALS, [list(tables)])
        return dict(cursor.fetchall())


def sending() -> int:
    """Number of participants whose devices send, over all trials: they share the chunks."""
    return Participant.objects.filter(status__in=SENDING).count()


def days_a_chunk(people: int, now: Sequence[int]) -> tuple[int, ...]:
    """Days a chunk of each of SIZED for so many participants. `now`: what they are; around a step they stay so."""
    step = max(i for i, (least, _) in enumerate(STEPS) if people >= least)
    summary = next((i for i, (_, days) in enumerate(STEPS) if days == tuple(now)), None)
    if summary is not None and summary > step and people >= BACK * STEPS[summary][0]:
        step = summary
    return STEPS[step][1]


def resize(people: int) -> dict[str, tuple[int, int]]:
    """Fit the length of chunks to come to the number of participants; returns (days before, days now) by table changed.

    Chunks that are there stay as they are. Nothing on plain PostgreSQL, and nothing where a table is not a hypertable.
    """
    lengths = intervals(SIZED)
    if set(lengths) != set(SIZED):
        return {}
    before = {table: lengths[table].days for table in SIZED}
    after = dict(zip(SIZED, days_a_chunk(people, list(before.values())), strict=True))
    changed = {table: (before[table], days) for table, days in after.items() if before[table] != days}
    with connection.cursor() as cursor:
        for table, (_, days) in changed.items():
            cursor.execute(sql.SET_INTERVAL, [table, days])
    return changed


class NoTimescale(Exception):
    """The server does not have the extension."""


def convert() -> Iterator[str]:
    """Yields the name of each table when it has become a hypertable; those that are one already are left alone.

    A transaction a table, in which nobody else can read or write it and its rows stand on the disk twice: an
    interrupted one leaves the table as it was. Raises NoTimescale, and OperationalError where the lock is not had
    within 10 seconds.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql.AVAILABLE)
        if not cursor.fetchone()[0]:
            raise NoTimescale("This server has no TimescaleDB.")
        cursor.execute(sql.CREATE_EXTENSION)
    before = hypertables()
    for model, column in TO_CONVERT:
        table = model._meta.db_table
        if table in before:
            continue
        length = getattr(model._meta.get_field(column), "interval")  # noqa: B009  only the engine's fields have one
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.LONG_LOCK)
            cursor.execute(sql.CREATE_HYPERTABLE, [table, column, length])
            cursor.execute(sql.ANALYZE.format(table=table))
        yield table
    if tier() is not Tier.PLAIN:
        resize(sending())
        after_migrate()  # the Community edition's compression
