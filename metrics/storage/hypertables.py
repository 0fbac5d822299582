"""Tables that were loaded before TimescaleDB came, made into hypertables with the rows that they hold."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection, transaction

from metrics.models import HourRollup, Measurement, MinuteRollup, Revision
from metrics.storage import chunks, sql
from metrics.storage.timescale import Tier, after_migrate, hypertables, tier

# Each with its column of time and the length of its chunks, smallest table first: what goes wrong does so early.
TABLES = ((Revision, "time"), (HourRollup, "bucket"), (MinuteRollup, "bucket"), (Measurement, "time"))


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
    for model, column in TABLES:
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
        chunks.resize(chunks.sending())
        after_migrate()  # the Community edition's compression
