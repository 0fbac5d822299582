"""Aggregates over participants whose SQL is made once in a process and run with other values each time.

Django spends several times as long on building a statement with some dozens of conditions as PostgreSQL on answering
it, and builds the same one again at each request. The conditions stay in the ORM's words: they are built here with a
moment that stands for any, and what depends on the moment is put in when the statement is run.

That is right only of statements of one shape, which is checked when the statement is built: one SELECT that a condition
may be appended to, in which every instant and date keeps its distance from the moment, and nothing else depends on it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from participants.models import Participant

# Stands for "now" in a statement.
SOME_MOMENT = dt.datetime(1970, 6, 15, 12, tzinfo=dt.UTC)
SOME_DAY = dt.date(1970, 6, 15)
# The same statement built for another moment tells what depends on it. The day moves by another length than the moment,
# so that neither is taken for the other.
OTHER_MOMENT = SOME_MOMENT + dt.timedelta(days=41, hours=5, minutes=7)
OTHER_DAY = SOME_DAY + dt.timedelta(days=97)

# What may not stand outside of parentheses, because a condition is appended at the end.
_CLAUSE = re.compile(
    r"\b(?:WHERE|(?<!WITHIN )GROUP|HAVING|WINDOW|UNION|INTERSECT|EXCEPT|ORDER|LIMIT|OFFSET|FETCH|FOR)\b", re.IGNORECASE
)
_SELECT = re.compile(r"\bSELECT\b", re.IGNORECASE)
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_IDENTIFIER = re.compile(r'"(?:[^"]|"")*"')
_PARENTHESES = re.compile(r"\([^()]*\)")

Aggregation = Callable[[QuerySet[Any], dt.datetime, dt.date], dict[str, Any]]


class UnknownShape(Exception):
    """A statement that cannot be kept and run with other values. The message says why."""


class _Built(Exception):
    """The statement, caught on its way to the database."""

    def __init__(self, sql: str, parameters: tuple[Any, ...]) -> None:
        super().__init__(sql)
        self.sql, self.parameters = sql, parameters


def _catch(_execute: Any, sql: str, parameters: tuple[Any, ...], _many: bool, _context: dict[str, Any]) -> None:
    raise _Built(sql, tuple(parameters))


def _moved(value: Any, now: dt.datetime, day: dt.date) -> Any:
    """A parameter for this moment: instants and dates keep their distance from it."""
    if isinstance(value, dt.datetime):
        return now + (value - SOME_MOMENT)
    return day + (value - SOME_DAY) if isinstance(value, dt.date) else value


class Prepared:
    """An aggregate over participants, kept as SQL.

    `aggregate` aggregates all participants at a moment, in the ORM's words, by one statement. It must depend on its
    moment and day alone. Raises UnknownShape at the first use where its statement is none that can be kept.
    """

    def __init__(self, aggregate: Aggregation) -> None:
        self._aggregate = aggregate
        self._sql, self._parameters = "", ()  # type: tuple[str, tuple[Any, ...]]

    def of(self, people: QuerySet[Any], now: dt.datetime, day: dt.date = SOME_DAY) -> dict[str, Any]:
        """Result that `aggregate` would give for these participants. One query."""
        if not self._sql:  # two threads may build it: the same
            self._sql, self._parameters = self._checked()
        try:
            who, parameters = people.order_by().values("pk").query.sql_with_params()
        except EmptyResultSet:  # known to be nobody
            who, parameters = "NULL", ()
        moved = [_moved(value, now, day) for value in self._parameters]
        with connection.cursor() as cursor:
            cursor.execute(f"{self._sql} WHERE participants_participant.id IN ({who})", (*moved, *parameters))
            names = [column.name for column in cursor.description or ()]
            return dict(zip(names, cursor.fetchone() or (), strict=True))

    def _checked(self) -> tuple[str, tuple[Any, ...]]:
        """The statement and its parameters at SOME_MOMENT, known to be of the shape that `of` runs."""
        sql, parameters = self._build(SOME_MOMENT, SOME_DAY)
        check_shape(sql, parameters)
        other_sql, others = self._build(OTHER_MOMENT, OTHER_DAY)
        if sql != other_sql or len(parameters) != len(others):
            raise UnknownShape("At another moment the statement is another.")
        for number, (value, other) in enumerate(zip(parameters, others, strict=True), 1):
            if _moved(value, OTHER_MOMENT, OTHER_DAY) != other:
                raise UnknownShape(
                    f"Parameter {number} of {len(parameters)} does not move as its moment does: {value!r}"
                )
        return sql, parameters

    def _build(self, now: dt.datetime, day: dt.date) -> tuple[str, tuple[Any, ...]]:
        with connection.execute_wrapper(_catch):
            try:
                self._aggregate(Participant.objects.order_by(), now, day)
            except _Built as built:
                return built.sql, built.parameters
        raise UnknownShape("It runs no statement.")


def check_shape(sql: str, parameters: tuple[Any, ...]) -> None:
    """Raises UnknownShape unless a condition on participants may be appended to this statement."""
    if sql.count("%") != sql.count("%s") or sql.count("%s") != len(parameters):
        raise UnknownShape(f"{len(parameters)} parameters, and not a place for each.")
    outside = _LITERAL.sub("", sql)
    while outside != (outer := _PARENTHESES.sub("", outside)):
        outside = outer
    if 'FROM "participants_participant"' not in outside:
        raise UnknownShape("It does not read participants_participant.")
    outside = _IDENTIFIER.sub("", outside)
    if not outside.upper().startswith("SELECT ") or len(_SELECT.findall(outside)) != 1 or ";" in outside:
        raise UnknownShape("It is not one SELECT.")
    if clause := _CLAUSE.search(outside):
        raise UnknownShape(f"No condition can be appended after its {clause[0].upper()}.")
