"""Database engine: django-timescaledb's, made to work on servers without TimescaleDB too.

django-timescaledb 0.2.13 fails to migrate where the extension is not installed, drops primary keys
that a hypertable may well have, and lets TimescaleDB add an index on time that no query here uses
(30 bytes a row). The overrides below are all that is needed; one more keeps migrations from waiting for locks long.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper
from timescale.db.backends.postgresql.base import DatabaseWrapper as TimescaleWrapper
from timescale.db.backends.postgresql.schema import TimescaleSchemaEditor

AVAILABLE = "SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb')"
# A migration that cannot have its lock in this time fails and changes nothing: run it again.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '10s'"
GUARDED = tuple(f"participants_audit{name}" for name in ("entry", "detail", "seal", "head"))
CREATED = "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb')"
# Advisory locks under which one host at a time migrates (config/management/commands/migrate.py), held to the end of
# the transaction. The parameter is a number of ours.
TRY_LOCK_DATABASE = "SELECT pg_try_advisory_xact_lock(%s)"
LOCK_DATABASE = "SELECT pg_advisory_xact_lock(%s)"


def _yes(wrapper: Any, question: str) -> bool:
    with wrapper.cursor() as cursor:
        cursor.execute(question)
        return bool(cursor.fetchone()[0])


class SchemaEditor(TimescaleSchemaEditor):  # type: ignore[misc]  # its package has no types
    sql_add_hypertable = (
        "SELECT create_hypertable({table}, {partition_column}, chunk_time_interval => interval {interval}, "
        "migrate_data => {migrate}, create_default_indexes => false)"
    )

    def __enter__(self) -> Any:
        """Set a short lock timeout in a migration's transaction: whoever waits for it would wait behind it."""
        entered = super().__enter__()
        if self.atomic_migration and not self.collect_sql:
            self.execute(LOCK_TIMEOUT)
        return entered

    def _drop_primary_key(self, model: Any) -> None:
        """Keep it: our hypertables' keys contain the time column, as TimescaleDB asks."""

    def _create_hypertable(self, model: Any, field: Any, should_migrate: bool = False) -> None:
        if _yes(self.connection, CREATED):
            super()._create_hypertable(model, field, should_migrate)


class Operations(TimescaleWrapper.ops_class):  # type: ignore[misc]  # its package has no types
    def sql_flush(self, style: Any, tables: Any, **options: Any) -> list[str]:
        """Tests empty their database after each that commits; elsewhere the audit trail's tables refuse that."""
        statements: list[str] = super().sql_flush(style, tables, **options)
        if not str(self.connection.settings_dict["NAME"]).startswith(TEST_DATABASE_PREFIX):
            return statements
        guarded = [table for table in GUARDED if table in tables]
        off, on = (
            [f'ALTER TABLE "{table}" {verb} TRIGGER audit_is_not_emptied;' for table in guarded]
            for verb in ("DISABLE", "ENABLE")
        )
        return [*off, *statements, *on]


class DatabaseWrapper(TimescaleWrapper):  # type: ignore[misc]  # its package has no types
    SchemaEditorClass = SchemaEditor
    ops_class = Operations

    def chunked_cursor(self) -> Any:
        """A cursor of the server's inside a transaction, so that rows are not all held at once; else a plain one.

        Outside of one it would have to outlive its statement (WITH HOLD), and belong to a connection: behind PgBouncer
        the next statement is on another. So whoever iterates over very many rows opens a transaction.
        """
        return self.cursor() if self.get_autocommit() else super().chunked_cursor()

    def prepare_database(self) -> None:
        """Create the extension where the server has it; leave a plain PostgreSQL as it is."""
        if _yes(self, AVAILABLE):
            super().prepare_database()
        else:
            PostgresWrapper.prepare_database(self)
