"""The linter of migrations finds what would hold up people's work, and the engine gives migrations a lock timeout."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader

from config.db.base import LOCK_TIMEOUT
from deploy.migrations import CONFIG, newer, objections

pytestmark = pytest.mark.django_db
RULES = tomllib.loads(CONFIG.read_text())
KEY = ("participants", "9999_bad")


def rules_against(*operations: Any, **config: Any) -> set[str]:
    """The rules that object to a migration of these operations behind all others."""
    loader = MigrationLoader(connection, replace_migrations=False)
    made = type("Migration", (migrations.Migration,), {"operations": list(operations)})
    migration = made(KEY[1], KEY[0])
    leaf = loader.graph.leaf_nodes("participants")[0]
    loader.graph.add_node(KEY, migration)
    loader.graph.add_dependency(migration, KEY, leaf)
    return {one.rule for one in objections(loader, KEY, RULES | config)}


@pytest.mark.parametrize(
    ("operation", "rule"),
    [
        (migrations.AlterField("trial", "title", models.TextField()), "changing-column-type"),
        (
            migrations.AddIndex("participant", models.Index(fields=["study_id"], name="by_study")),
            "require-concurrent-index-creation",
        ),
        (
            migrations.AddConstraint(
                "participant", models.CheckConstraint(condition=~models.Q(study_id=""), name="some_id")
            ),
            "constraint-missing-not-valid",
        ),
        (migrations.RemoveField("participant", "arm"), "ban-drop-column"),
        (migrations.AddField("trial", "wave", models.IntegerField(default=1)), "old-code-inserts"),
        (migrations.RunSQL("UPDATE metrics_measurement SET value = 0"), "rows-of-loaded-table"),
        (migrations.RunSQL("CREATE INDEX CONCURRENTLY i ON metrics_measurement (time)"), "hypertable-index"),
        (migrations.RunPython(migrations.RunPython.noop), "run-python"),
    ],
)
def test_a_bad_migration_is_found(operation: Any, rule: str) -> None:
    assert rule in rules_against(operation)


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("trial", "wave", models.IntegerField(null=True)),
        migrations.AddField("trial", "wave", models.IntegerField(db_default=1)),
        migrations.CreateModel("Wave", [("id", models.BigAutoField(primary_key=True)), ("n", models.IntegerField())]),
    ],
)
def test_a_good_migration_passes(operation: Any) -> None:
    assert rules_against(operation) == set()


def test_an_exception_needs_a_reason() -> None:
    drop = migrations.RemoveField("participant", "arm")
    named = {"migration": ".".join(KEY), "rule": "ban-drop-column"}
    assert rules_against(drop, exception=[{**named, "why": "no code reads it since the last release"}]) == set()
    assert rules_against(drop, exception=[{**named, "why": " "}]) == {"ban-drop-column"}


@pytest.mark.django_db(transaction=True)  # what is not atomic refuses to be rendered inside a transaction
def test_the_migrations_of_this_version_have_no_objections() -> None:
    loader = MigrationLoader(connection, replace_migrations=False)
    assert [str(one) for key in newer(loader, RULES["baseline"]) for one in objections(loader, key, RULES)] == []


def test_a_migration_waits_shortly_for_locks() -> None:
    with connection.schema_editor(), connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("10s",)
    with connection.schema_editor(collect_sql=True) as editor:
        editor.execute("SELECT 1")
    assert LOCK_TIMEOUT not in editor.collected_sql
