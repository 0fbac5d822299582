"""Finder of SQL text in Python: constants that begin as statements do, and literals that are executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

# How a statement begins: its words in capitals, as all of ours are, so that no sentence is taken for one.
STATEMENT = re.compile(
    r"""\s*(?:--[^\n]*\s*)*\(?\s*(?:
        SELECT\s | INSERT\s+INTO\s | DELETE\s+FROM\s | UPDATE\s+\S+\s+(?:AS\s+\S+\s+|\S+\s+)?SET\b
        | WITH\s+(?:RECURSIVE\s+)?\S+
        | MERGE\s+INTO\s | TRUNCATE\b | COPY\s | LOCK\s+(?:TABLE\s)? | VALUES\s*\(
        | (?:CREATE|ALTER|DROP)\s+[A-Z]+\s | GRANT\s | REVOKE\s | COMMENT\s+ON\s
        | SET\s+(?:LOCAL|SESSION|TRANSACTION|CONSTRAINTS|ROLE)\b | RESET\s | SHOW\s | EXPLAIN\b | CALL\s | DO\s+\$
        | VACUUM\b | ANALYZE\b | REINDEX\s | CLUSTER\b | REFRESH\s+MATERIALIZED\s | CHECKPOINT\b
        | DECLARE\s | FETCH\s | LISTEN\s | NOTIFY\s | PREPARE\s | EXECUTE\s | SAVEPOINT\s | DISCARD\s
    )""",
    re.VERBOSE,
)
# What takes a statement as its first argument: of these also text that does not look like one is found.
TAKERS = {"execute", "executemany", "copy", "copy_expert", "raw", "RawSQL", "RunSQL", "SQL", "stream"}
LITERALS = (ast.Constant, ast.JoinedStr, ast.BinOp)


def statements(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of SQL in a module: constants that begin as statements do, and literals that are executed."""
    tree = ast.parse(source)
    inside = {id(part): node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            whole = inside.get(id(node))
            first = whole is None or whole.values[0] is node
            if first and STATEMENT.match(node.value):
                yield node.lineno, node.value
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], LITERALS):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            text = next((part for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)), None)
            if name in TAKERS and text is not None and isinstance(text.value, str):
                yield node.lineno, text.value
