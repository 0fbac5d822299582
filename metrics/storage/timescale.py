"""Kinds of database server, and what is set up on each.

Three tiers, one code path: plain PostgreSQL, TimescaleDB's Apache edition (hypertables) and its Community edition
(hypertables and columnar compression). Nothing in the queries needs either edition. Chunks are maintained
by metrics.maintenance.routine.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from metrics.models import HourRollup, Measurement, Metric, MinuteRollup
from metrics.registry import METRICS
from metrics.storage import sql

log = logging.getLogger(__name__)

# A segment is a series, which is what is read, and its rows lie in the order of time: the natural key. Against segments
# over all sources it saves a fifth of the bytes of real heart rates and half of steps (docs/capacity.md), and a late
# row finds the rows that it might repeat without unpacking others.
SEGMENTS = "participant_id,metric_id,source_id"
COMPRESSED = ((Measurement, "time"), (MinuteRollup, "bucket"), (HourRollup, "bucket"))


class Tier(StrEnum):
    PLAIN = "plain PostgreSQL"
    APACHE = "TimescaleDB, Apache edition"
    COMMUNITY = "TimescaleDB, Community edition"


def tier() -> Tier:
    """The kind of server behind the default connection, and whether our tables are hypertables there."""
    with connection.cursor() as cursor:
        cursor.execute(sql.LICENCE)
        row = cursor.fetchone()
    if row is None:
        return Tier.PLAIN
    return Tier.COMMUNITY if row[0] == "timescale" else Tier.APACHE


def hypertables() -> set[str]:
    """Names of the tables that are hypertables; empty on plain PostgreSQL."""
    if tier() is Tier.PLAIN:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(sql.HYPERTABLES)
        return {row[0] for row in cursor.fetchall()}


def after_migrate(**kwargs: Any) -> None:
    """After each migrate: fill the metric table from the registry, set up what the server's edition offers."""
    if kwargs.get("using", "default") != "default" or not _migrated():
        return
    Metric.objects.bulk_create(
        [
            Metric(
                id=m.id,
                code=m.code,
                name=m.name,
                unit=m.unit,
                kind=m.kind.value,
                aggregate=m.aggregate.value,
                concept=m.concept,
                concept_system=m.system,
                plausible_low=m.plausible[0],
                plausible_high=m.plausible[1],
            )
            for m in METRICS
        ],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[f.name for f in Metric._meta.fields if f.name != "id"],
    )
    if tier() is Tier.COMMUNITY:
        enable_compression(settings.COMPRESS_AFTER_DAYS)


def _migrated() -> bool:
    return Metric._meta.db_table in connection.introspection.table_names()


def enable_compression(after_days: int) -> None:
    """Columnar compression of the big tables, older chunks by the database's own policy. Community edition only.

    Idempotent: what stands already is left alone, so that a migrate takes no lock for it; other settings hold for
    chunks that are compressed from then on. Raises OperationalError where a table stays locked for long.
    """
    present = hypertables()
    statements = compression_statements()
    for model, column in COMPRESSED:
        table = model._meta.db_table
        if table not in present:
            log.warning("%s is an ordinary table: it was made before TimescaleDB; see docs/upgrading.md.", table)
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.LONG_LOCK)
            cursor.execute(sql.LAYOUT, [table])
            if cursor.fetchone() != (SEGMENTS, column):
                cursor.execute(statements.layout.format(table=table, segments=SEGMENTS, order=column))
            cursor.execute(sql.POLICY, [table])
            if cursor.fetchall() != [(dt.timedelta(days=after_days),)]:
                cursor.execute(statements.remove_policy, [table])
                cursor.execute(statements.add_policy, [table, after_days])


@dataclass(frozen=True, slots=True)
class CompressionStatements:
    """Statements by which a version of TimescaleDB compresses: it has renamed them."""

    layout: str
    add_policy: str
    remove_policy: str
    compress: str


# From 2.18 on. Those before have the same under the name of compression; later ones may do away with it.
COLUMNSTORE = CompressionStatements(
    layout="ALTER TABLE {table} SET (timescaledb.enable_columnstore, timescaledb.segmentby = '{segments}',"
    " timescaledb.orderby = '{order}')",
    add_policy="CALL add_columnstore_policy(%s, after => make_interval(days => %s))",
    remove_policy="CALL remove_columnstore_policy(%s, if_exists => true)",
    compress="CALL convert_to_columnstore(%s, if_not_columnstore => true)",
)
COMPRESSION = CompressionStatements(
    layout="ALTER TABLE {table} SET (timescaledb.compress, timescaledb.compress_segmentby = '{segments}',"
    " timescaledb.compress_orderby = '{order}')",
    add_policy="SELECT add_compression_policy(%s, compress_after => make_interval(days => %s))",
    remove_policy="SELECT remove_compression_policy(%s, if_exists => true)",
    compress="SELECT compress_chunk(%s, if_not_compressed => true)",
)


def compression_statements() -> CompressionStatements:
    return COLUMNSTORE if version() >= (2, 18) else COMPRESSION


def version() -> tuple[int, ...]:
    """TimescaleDB's version, major and minor; empty where it is not installed."""
    with connection.cursor() as cursor:
        cursor.execute(sql.EXTENSION_VERSION)
        row = cursor.fetchone()
    return tuple(int(part) for part in row[0].split("-")[0].split(".")[:2]) if row else ()
