"""The move from plain PostgreSQL to TimescaleDB: loaded tables become hypertables and no row changes."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.backends.postgresql.schema import DatabaseSchemaEditor

from metrics.storage import hypertables, timescale
from metrics.storage.timescale import Tier
from metrics.writing.writer import store
from tests.factories import ParticipantFactory
from tests.metrics.samples import NOW, deliver, random_day

pytestmark = pytest.mark.django_db


def rows() -> dict[str, list[tuple[str]]]:
    found = {}
    with connection.cursor() as cursor:
        for model, _ in hypertables.TO_CONVERT:
            cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t ORDER BY 1")  # noqa: S608
            found[model._meta.db_table] = list(cursor.fetchall())
    return found


def test_loaded_ordinary_tables_become_hypertables_with_every_row() -> None:
    if timescale.tier() is Tier.PLAIN:
        pytest.skip("needs TimescaleDB")
    # As a dump of a plain PostgreSQL leaves them; the test's own transaction brings the true ones back.
    with connection.cursor() as cursor:
        for model, _ in hypertables.TO_CONVERT:
            cursor.execute(f"DROP TABLE {model._meta.db_table} CASCADE")
    plain = DatabaseSchemaEditor(connection, atomic=False)
    plain.deferred_sql = []
    for model, _ in hypertables.TO_CONVERT:
        plain.create_model(model)
    for statement in plain.deferred_sql:
        plain.execute(statement)
    person = ParticipantFactory()
    store(person, deliver(random_day(1)), now=NOW)
    store(person, deliver(random_day(2)), now=NOW)  # corrections, so that there are revisions
    before = rows()
    assert all(before.values())
    out = StringIO()
    call_command("store_hypertables", stdout=out)
    assert out.getvalue().count("is a hypertable now") == len(hypertables.TO_CONVERT)
    assert timescale.hypertables() == {model._meta.db_table for model, _ in hypertables.TO_CONVERT}
    assert rows() == before


def test_what_is_a_hypertable_already_is_left_alone() -> None:
    if timescale.tier() is Tier.PLAIN:
        pytest.skip("needs TimescaleDB")
    out = StringIO()
    call_command("store_hypertables", stdout=out)
    assert "Nothing to do" in out.getvalue()


def test_a_server_without_timescaledb_is_told_from_one_with_it() -> None:
    if timescale.tier() is not Tier.PLAIN:
        pytest.skip("needs plain PostgreSQL")
    with pytest.raises(CommandError, match="no TimescaleDB"):
        call_command("store_hypertables")
