"""The demo as version 0.1.0 made it, upgraded to today: nothing is lost, and the stored data keep their promises.

The dump is `make demo` of that version with 12 synthetic participants over four days and three of the simulator's,
taken by pg_dump; who and what they are is made up, and the keys are those that demo made for itself.
"""

from __future__ import annotations

import lzma
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests import database
from tests.paths import ROOT

DUMP = Path(__file__).with_name("demo-0.1.0.sql.xz")
KEYS = {
    "SECRET_KEY": "V3wupn9yP6XxZzs4tgxRUYed346xaILLjR6F3urBpc4Z_I4l1G8nD-WAfptcB_RAMYqyDNtoBThrI5qR",
    "TOKEN_KEYS": "fDym4xgNAwm431WtI1WI6LKPIsi52AXCaX5lF_CWh0RpuhgfSLlVRp6-bSBRpiN_TPWK5dFOf8tXLIhu",
}
COPY = re.compile(r"^COPY [^;]+ FROM stdin;\n", re.MULTILINE)
# What psql alone understands, and what servers older than the dump's do not know.
NOT_SQL = re.compile(r"^(\\(un)?restrict .*|SET transaction_timeout = 0;)\n", re.MULTILINE)
NAME = "upgrade_from_0_1_0"
KEPT = ("metrics_measurement", "metrics_sleepsession", "participants_participant", "participants_auditentry")


def load(url: str) -> None:
    """Restore the dump into an empty database: what psql would do, without psql."""
    text = NOT_SQL.sub("", lzma.decompress(DUMP.read_bytes()).decode())
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        at = 0
        for copied in COPY.finditer(text):
            _execute(cursor, text[at : copied.start()])
            end = text.index("\n\\.\n", copied.end() - 1) + 1
            with cursor.copy(copied.group().rstrip(";\n")) as copy:
                copy.write(text[copied.end() : end])
            at = end + 3
        _execute(cursor, text[at:])


def _execute(cursor: psycopg.Cursor, statements: str) -> None:
    if re.sub(r"--.*", "", statements).strip():
        cursor.execute(statements.encode())


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of its own on the tests' server, with the dump, upgraded; dropped at the end."""
    with database.empty(NAME, request) as address:
        load(address)
        yield address


def manage(url: str, *arguments: str) -> str:
    """What a management command of today prints. Fails where it does."""
    environment = {
        **os.environ,
        **KEYS,
        "DATABASE_URL": url,
        "SYNTHETIC": "True",
        "DEMO": "True",
        "ERASURE_JOURNAL": os.devnull,
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def counts(url: str) -> Mapping[str, int]:
    with psycopg.connect(url) as connection:
        found = {}
        for table in KEPT:
            row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
            assert row
            found[table] = row[0]
        return found


def test_an_upgrade_keeps_every_row_and_what_is_promised_of_them(url: str) -> None:
    before = counts(url)
    assert before["metrics_measurement"] > 700_000
    manage(url, "migrate")
    after = counts(url)
    assert {table: after[table] for table in KEPT[:3]} == {table: before[table] for table in KEPT[:3]}
    assert after["participants_auditentry"] >= before["participants_auditentry"]
    # Days are evaluated by the rules of today once somebody has seen what that changes: docs/upgrading.md.
    manage(url, "reevaluate_ranges", "DEMO", "--apply", "--all-days")
    assert "All holds of" in manage(url, "check_data")
    manage(url, "verify_audit")
