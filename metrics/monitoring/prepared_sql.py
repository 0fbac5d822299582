"""Aggregates over participants whose SQL is made once in a process and asked with other values each time.

Django spends several times as long on building a statement with some dozens of conditions as PostgreSQL on answering
it, and builds the same one again at each request. The conditions stay where they are said, in the ORM's words: they are
built here with a moment that stands for any, and what depends on the moment is put in when they are asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from participants.models import Participant

# Stands for "now" in a statement: no condition has it, or one near it, as a constant of its own.
SOME_MOMENT = dt.datetime(1970, 6, 15, 12, tzinfo=dt.UTC)
SOME_DAY = dt.date(1970, 6, 15)

Ask = Callable[[QuerySet[Any], dt.datetime, dt.date], dict[str, Any]]


class _Built(Exception):
    """The statement, caught on its way to the database."""

    def __init__(self, sql: str, parameters: tuple[Any, ...]) -> None:
        super().__init__(sql)
        self.sql, self.parameters = sql, parameters


def _catch(_execute: Any, sql: str, parameters: tuple[Any, ...], _many: bool, _context: dict[str, Any]) -> None:
    raise _Built(sql, parameters)


def _moved(value: Any, now: dt.datetime, day: dt.date) -> Any:
    """A parameter for this moment: instants and dates keep their distance from it."""
    if isinstance(value, dt.datetime):
        return now + (value - SOME_MOMENT)
    return day + (value - SOME_DAY) if isinstance(value, dt.date) else value


class Prepared:
    """An aggregate over participants, kept as SQL. `ask` aggregates all participants at a moment, in the ORM's words.

    `ask` must depend on its moment and day alone.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._sql, self._parameters = "", ()  # type: tuple[str, tuple[Any, ...]]

    def of(self, people: QuerySet[Any], now: dt.datetime, day: dt.date = SOME_DAY) -> dict[str, Any]:
        """What `ask` would give for these people. One query."""
        if not self._sql:  # two threads may build it: the same
            self._sql, self._parameters = self._build()
        try:
            who, parameters = people.order_by().values("pk").query.sql_with_params()
        except EmptyResultSet:  # known to be nobody
            who, parameters = "NULL", ()
        moved = [_moved(value, now, day) for value in self._parameters]
        with connection.cursor() as cursor:
            cursor.execute(f"{self._sql} WHERE participants_participant.id IN ({who})", (*moved, *parameters))
            names = [column.name for column in cursor.description or ()]
            return dict(zip(names, cursor.fetchone() or (), strict=True))

    def _build(self) -> tuple[str, tuple[Any, ...]]:
        with connection.execute_wrapper(_catch):
            try:
                self._ask(Participant.objects.order_by(), SOME_MOMENT, SOME_DAY)
            except _Built as built:
                return built.sql, built.parameters
        raise AssertionError("it asked nothing")
