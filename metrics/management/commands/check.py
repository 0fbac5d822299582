"""Django's `check`, and the kind of database server it found."""

from __future__ import annotations

from typing import Any

from django.core.management.commands.check import Command as DjangoCheck
from django.db import OperationalError, connection

from metrics.models import Measurement
from metrics.storage import sql, timescale


class Command(DjangoCheck):
    def handle(self, *app_labels: Any, **options: Any) -> None:
        super().handle(*app_labels, **options)
        try:
            self.stdout.write(store_line())
        except OperationalError as fault:
            self.stderr.write(self.style.WARNING(f"Store: the database cannot be reached: {fault}".strip()))


def store_line() -> str:
    """One line on the tier in use, and on what to do where the tables do not fit it."""
    tier = timescale.tier()
    with connection.cursor() as cursor:
        cursor.execute(sql.SERVER_VERSION)
        version = cursor.fetchone()[0]
    line = f"Store: {tier.value} (PostgreSQL {version})"
    table = Measurement._meta.db_table
    if table not in connection.introspection.table_names():
        return f"{line}; not migrated yet."
    if tier is timescale.Tier.PLAIN:
        return f"{line}; measurements are an ordinary table."
    if table not in timescale.hypertables():
        return f"{line}; measurements are an ordinary table, made before TimescaleDB came: see docs/upgrading.md."
    compression = "with" if tier is timescale.Tier.COMMUNITY else "without"
    return f"{line}; measurements are a hypertable {compression} compression."
