"""What depends on the kind of database server, and what is set up on each kind.

Three tiers, one code path: plain PostgreSQL, TimescaleDB's Apache edition (hypertables) and its Community edition
(hypertables and columnar compression). Nothing in the queries needs either edition.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from metrics.models import HourRollup, Measurement, Metric, MinuteRollup
from metrics.registry import METRICS

log = logging.getLogger(__name__)

COMPRESSED = ((Measurement, "time"), (MinuteRollup, "bucket"), (HourRollup, "bucket"))


class Tier(StrEnum):
    PLAIN = "plain PostgreSQL"
    APACHE = "TimescaleDB, Apache edition"
    COMMUNITY = "TimescaleDB, Community edition"


def tier() -> Tier:
    """The kind of server behind the default connection, and whether our tables are hypertables there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('timescaledb.license', true)"
            " WHERE EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb')"
        )
        row = cursor.fetchone()
    if row is None:
        return Tier.PLAIN
    return Tier.COMMUNITY if row[0] == "timescale" else Tier.APACHE


def hypertables() -> set[str]:
    """Names of the tables that are hypertables; empty on plain PostgreSQL."""
    if tier() is Tier.PLAIN:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hypertable_name FROM timescaledb_information.hypertables WHERE hypertable_schema = 'public'"
        )
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

    Segments are series without the source: a person has few sources, and longer segments compress better.
    Idempotent; a change of `after_days` replaces the policy.
    """
    present = hypertables()
    with transaction.atomic(), connection.cursor() as cursor:
        for model, column in COMPRESSED:
            table = model._meta.db_table
            if table not in present:
                log.warning("%s is an ordinary table: it was made before TimescaleDB; see docs/running.md.", table)
                continue
            cursor.execute(
                f"ALTER TABLE {table} SET (timescaledb.compress,"
                f" timescaledb.compress_segmentby = 'participant_id, metric_id',"
                f" timescaledb.compress_orderby = 'source_id, {column}')"
            )
            cursor.execute("SELECT remove_compression_policy(%s, if_exists => true)", [table])
            cursor.execute(
                "SELECT add_compression_policy(%s, compress_after => make_interval(days => %s))", [table, after_days]
            )
