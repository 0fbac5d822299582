"""The finder of SQL text: what it finds, and what it takes for no SQL."""

from __future__ import annotations

import pytest

from tests.sql_text import statements


@pytest.mark.parametrize(
    "code",
    [
        'cursor.execute("SELECT 1")',
        'cursor.execute(f"SET LOCAL statement_timeout = {n}")',
        'cursor.execute(f"{command} lock_timeout")',
        'cursor.execute("REASSIGN " + "OWNED")',
        'cursor.executemany("UPDATE metrics_day d SET n = %s", rows)',
        'QUERY = """\nWITH a AS (SELECT 1) TABLE a\n"""',
        "QUERY = '  delete_all' if x else 'DELETE FROM metrics_day'",
        'rows = {"oldest": "SELECT min(time) FROM metrics_measurement"}',
        'def f(sql="INSERT INTO t VALUES (1)"): ...',
        'people.extra(where=["UPDATE t SET a = 1"])',
        'RawSQL("date BETWEEN %s AND %s", dates)',
        'composed.SQL("COPY {} TO STDOUT")',
        'LOCK = "LOCK TABLE t IN SHARE MODE"',
        'TABLE = "CREATE TABLE t ()"',
        'COLUMN = "ALTER TABLE t ADD a int"',
        'QUERY = "(SELECT 1) UNION (SELECT 2)"',
    ],
)
def test_sql_is_found(code: str) -> None:
    assert list(statements(code))


@pytest.mark.parametrize(
    "code",
    [
        '"""SELECT what is needed."""',
        'def f():\n    """UPDATE the row SET aside."""',
        'text = "Select a metric, or create one."',
        'label = f"{name}: SELECT 1"',
        "cursor.execute(sql.COUNT, [1])",
        "cursor.execute(sql.VACUUM.format(chunk=name))",
        'command.execute_from("x")',
        "rows.update(n=1)",
        'reason = "With a trial that keeps nothing"',
        'lines.append("LOCKED")',
    ],
)
def test_other_text_is_not_taken_for_sql(code: str) -> None:
    assert not list(statements(code))
