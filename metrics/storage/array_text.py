"""Lists as the text of PostgreSQL's arrays, for statements with long lists that cast their parameters.

psycopg looks at each element of a list in Python to find its type; for some hundred numbers that costs more than the
statement. https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any


def array_text(values: Iterable[Any]) -> str:
    """Numbers, dates, aware datetimes, timedeltas, texts and None as one array. The statement names its type."""
    return "{" + ",".join(map(_element, values)) + "}"


def with_array_texts(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a statement, their lists as text."""
    return {name: array_text(value) if isinstance(value, list) else value for name, value in parameters.items()}


def _element(value: Any) -> str:
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        return "NULL"
    if isinstance(value, dt.date):  # a datetime is one too
        return f'"{value.isoformat()}"'
    if isinstance(value, dt.timedelta):
        return f'"{value.total_seconds()} seconds"'
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
