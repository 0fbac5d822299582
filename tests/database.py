"""Database of the tests, as it is when something is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection


@contextmanager
def failing(part: str, fault: Exception) -> Iterator[None]:
    """Statements that hold this part of SQL raise the fault. They do not reach the server: its transaction goes on."""

    def answer(execute: Callable[..., Any], statement: str, parameters: Any, many: bool, context: Any) -> Any:
        if part in statement:
            raise fault
        return execute(statement, parameters, many, context)

    with connection.execute_wrapper(answer):
        yield


def unreachable(patch: pytest.MonkeyPatch) -> None:
    """Nothing listens where new connections to the database go from now on."""
    patch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    patch.setitem(connection.settings_dict, "PORT", "1")
