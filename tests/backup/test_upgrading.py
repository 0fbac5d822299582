"""An upgrade keeps the data: a loaded database of the last release's state, migrated to today's.

The state is the baseline of deploy/migrations.toml. The rows are written by the product of today, which is then taken
back to the baseline: so they are what the writer writes, and nobody has to invent them for a schema of the past.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests import database
from tests.backup.scenario import Player
from tests.paths import ROOT

NAME = "upgrade_with_data"
# Django's own, which it fills by itself for what it finds.
OF_DJANGO = ("django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions")


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of its own on the tests' server; dropped at the end."""
    with database.empty(NAME, request) as address:
        yield address


def columns(connection: psycopg.Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in connection.execute(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t"
        " USING (table_schema, table_name) WHERE t.table_schema = 'public' AND t.table_type = 'BASE TABLE'"
        " ORDER BY c.table_name, c.ordinal_position"
    ):
        found.setdefault(table, []).append(column)
    return found


def rows(connection: psycopg.Connection, of: Mapping[str, list[str]]) -> dict[str, list[tuple[object, ...]]]:
    """The values of these columns as text, ordered, by table."""
    found = {}
    for table, names in of.items():
        if table not in OF_DJANGO:
            row = sql.SQL(", ").join(sql.Identifier(name) for name in names)
            query = sql.SQL("SELECT ROW({})::text FROM {} ORDER BY 1").format(row, sql.Identifier(table))
            found[table] = connection.execute(query).fetchall()
    return found


def test_an_upgrade_from_the_last_releases_migrations_keeps_every_row_and_value(url: str, tmp_path: Path) -> None:
    baseline: dict[str, str] = tomllib.loads((ROOT / "deploy" / "migrations.toml").read_text())["baseline"]
    product = Player(url, tmp_path / "erasures.jsonl")
    try:
        product("migrate")
        product("load 1 2")
        for app, migration in baseline.items():
            product(f"migrate {app} {migration}")
        with psycopg.connect(url) as connection:
            old = columns(connection)
            before = rows(connection, old)
        assert len(before["metrics_measurement"]) > 1000
        assert before["participants_auditentry"]
        product("migrate")
        product("command migrate")
        with psycopg.connect(url) as connection:
            after = rows(connection, {table: names for table, names in old.items() if table in columns(connection)})
        assert {table: len(found) for table, found in after.items()} == {t: len(r) for t, r in before.items()}
        assert after == before
        assert "holds" in product("command verify_audit")
        product("load 3 1")  # and the product goes on writing
    finally:
        product.end()
