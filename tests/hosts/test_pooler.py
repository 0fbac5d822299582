"""Behind PgBouncer each transaction may be on another connection: nothing may be left to the next statement."""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from django.db import connection, transaction
from pytest_django import Settings

from metrics.batch import Payload
from metrics.exports import export_request, runner, service
from metrics.models import Export, HourRollup, Measurement, MinuteRollup
from metrics.storage.timescale import after_migrate
from metrics.writing.writer import store
from participants.audit import hash_chain
from participants.models import Participant
from tests import factories
from tests.hosts.pooler import pooler, through
from tests.metrics.samples import batch
from tests.paths import ROOT

NOW = dt.datetime(2026, 11, 23, 8, tzinfo=dt.UTC)
START = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
APPS = ("config", "participants", "metrics", "ingestion", "dashboards")
# What would outlive its transaction and be found, or missed, by somebody else.
LASTING = re.compile(
    r"pg_(try_)?advisory_lock|\bLISTEN\b|\bWITH HOLD\b|\bSET SESSION\b|\bPREPARE \w+ AS\b|set_config\([^)]*, false\)"
    r"|\bTEMP(ORARY)? TABLE\b(?![^;]*ON COMMIT DROP)|^\s*SET (?!LOCAL\b|TRANSACTION\b)[a-z_.]+ (=|TO) ",
    re.MULTILINE | re.DOTALL,
)


def _texts() -> Iterator[tuple[str, str]]:
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            tree = ast.parse(path.read_text())
            prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def test_no_statement_leaves_anything_to_its_session() -> None:
    assert [where for where, text in _texts() if LASTING.search(text)] == []


@pytest.mark.django_db(transaction=True)
def test_rows_are_not_read_through_a_cursor_that_outlives_its_transaction() -> None:
    factories.TrialFactory.create()
    with connection.cursor() as cursor:
        for _ in factories.TrialFactory._meta.model.objects.iterator(1):
            cursor.execute("SELECT count(*) FROM pg_cursors WHERE is_holdable")
            assert cursor.fetchone() == (0,)
    with transaction.atomic(), connection.cursor() as cursor:
        for _ in factories.TrialFactory._meta.model.objects.iterator(1):
            cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE '\\_django%%'")
            assert cursor.fetchone() == (1,), "many rows are not held in memory"


def _some_days(port: int, person: Participant, seed: int) -> None:
    """New samples, the same again, and restated ones: every way of the writer, and a reader in between."""
    chance = np.random.default_rng(seed)
    with through(port):
        for day in range(3):
            start = START + day * dt.timedelta(days=1)
            made = batch(list(chance.integers(50, 120, 500).astype(float)), start=start, step=100)
            store(person, Payload(samples=[made]), now=NOW)
            store(person, Payload(samples=[made]), now=NOW)
            made.value[::7] += 1.0
            store(person, Payload(samples=[made]), now=NOW)
            assert len(list(Measurement.objects.filter(participant=person).iterator(50))) == 500 * (day + 1)


def clients() -> int:
    """How many connections the database has: ours, and whatever tests before left to this process."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_eight_writers_share_two_connections(tmp_path: Path, settings: Settings) -> None:
    """And an export and the audit trail's proof after them, which read in long transactions."""
    after_migrate()
    settings.EXPORT_FOLDER = tmp_path / "exports"
    trial = factories.TrialFactory.create()
    people = [factories.ParticipantFactory.create(trial=trial, monitoring_starts_on=START.date()) for _ in range(8)]
    user = factories.MembershipFactory.create(trial=trial).user
    before = clients()
    with pooler(size=2) as port:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(_some_days, [port] * 8, people, range(8)))
        with through(port):
            export = service.create(user, export_request.check(user, trial, format="csv"))
            runner.export_run(export.pk)
            hash_chain.checkpoint()
            with transaction.atomic():
                assert list(hash_chain.faults()) == []
        assert clients() <= before + 2, "two of the pool, and what was there"
    counted = [Measurement.objects.filter(participant=person).count() for person in people]
    assert counted == [1500] * 8
    export.refresh_from_db()
    assert (export.state, export.rows_done) == (Export.State.DONE, 12_000)
    for rollup in (MinuteRollup, HourRollup):
        assert sum(rollup.objects.values_list("n", flat=True)) == 12_000
    total = sum(Measurement.objects.values_list("value", flat=True))
    assert np.isclose(sum(HourRollup.objects.values_list("total", flat=True)), total)
