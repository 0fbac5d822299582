"""Databases of the tests: one that something is wrong with, one transaction for a whole module, one beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection, transaction
from psycopg import sql


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


@contextmanager
def one_transaction(blocker: Any) -> Iterator[None]:
    """One transaction for all that happens meanwhile, undone at the end. `blocker`: pytest-django's."""
    with blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def empty(name: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of an empty database of its own on the tests' server; dropped at the end."""
    name += getattr(request.config, "workerinput", {}).get("workerid", "")
    given, quoted = urlsplit(os.environ["DATABASE_URL"]), sql.Identifier(name)
    with psycopg.connect(urlunsplit(given), autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(quoted))
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(quoted))
        try:
            yield urlunsplit(given._replace(path=f"/{name}"))
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted))
