"""Statements that are compiled once in a process and run with other values each time.

Django spends several times as long on building a statement as PostgreSQL on answering it, and builds the same one
again at each request. A fixed query is therefore written in the ORM's words with named parameters, built at its
first use, and kept as SQL:

    @compiled(trial=ID, now=INSTANT)
    def _open(trial: Any, now: Any) -> Any:
        return Alert.objects.filter(participant__trial=trial, raised_at__lte=now, resolved_at=None)

    _open.rows(trial=trial.pk, now=now)

Several of them go to the server as one message, and are answered from it afterwards, wherever they are run:

    with run_together(_open.with_values(trial=trial.pk, now=now), _sites.with_values(trial=trial.pk)):
        _open.rows(trial=trial.pk, now=now)

What may vary is a parameter or it is constant: what builds the statement is given no values, only parameters, and a
date or an instant that is none is refused where the statement is built. Each run gives a value for each parameter.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import QuerySet
from django.db.models.query import ModelIterable, ValuesIterable, get_related_populators

from participants.conditions_sql import Fields, Parameter, People


class UnknownShape(Exception):
    """A statement that cannot be kept and run with other values. The message says why."""


Make = Callable[[list[tuple[Any, ...]], list[str]], list[Any]]


@dataclass(frozen=True, slots=True)
class Query:
    """A statement with its values."""

    statement: Statement
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A built statement: its text, its values with parameters among them, and what makes rows of what it returns."""

    sql: str
    values: tuple[Any, ...]
    make: Make


class _Built(Exception):
    """An aggregate's statement, caught on its way to the database."""

    def __init__(self, sql: str, values: Sequence[Any]) -> None:
        super().__init__(sql)
        self.sql, self.values = sql, tuple(values)


def _catch(_execute: Any, sql: str, values: Sequence[Any], _many: bool, _context: dict[str, Any]) -> None:
    raise _Built(sql, values)


class Statement:
    """A query that is built once. Its rows are what the built queryset's would be; of an aggregate one dictionary.

    Raises UnknownShape at its first use where it is none that can be kept; TypeError for values that are not its own.
    """

    def __init__(self, build: Callable[..., Any], fields: dict[str, Fields]) -> None:
        self._build, self._fields = build, fields
        self._kept: _Kept | None = None

    def rows(self, *, using: str = DEFAULT_DB_ALIAS, **values: Any) -> list[Any]:
        """Rows of the answer. One query; none inside `run_together`, where it was run with the others or before."""
        answers = _answers.get() if using == DEFAULT_DB_ALIAS else None
        key = _key(self, values) if answers is not None else None
        if answers is not None and (known := answers.get(key)) is not None:
            return list(known)
        sql, run, make = self.bound(values)
        with connections[using].cursor() as cursor:
            cursor.execute(sql, run)
            made = make(cursor.fetchall(), [column.name for column in cursor.description or ()])
        if answers is not None:
            answers[key] = made
        return list(made)

    def first(self, **values: Any) -> Any:
        """First row of the answer, None where there is none."""
        return next(iter(self.rows(**values)), None)

    def with_values(self, **values: Any) -> Query:
        """This query with its values, to be run together with others."""
        return Query(self, values)

    def bound(self, values: Mapping[str, Any]) -> tuple[str, list[Any], Make]:
        """The statement, its values as the database takes them, and what makes rows of what it returns."""
        kept = self._kept
        if kept is None:  # two threads may build it: the same
            kept = self._kept = self._checked()
        if values.keys() != self._fields.keys() or None in values.values():
            raise TypeError(f"Each of {', '.join(self._fields)} needs a value, and nothing else has one.")
        given = {name: field.get_db_prep_value(values[name], connection) for name, field in self._fields.items()}
        run = [given[v.name] if isinstance(v, Parameter) else v for v in kept.values]
        return *_with_people(kept.sql, run), kept.make

    def _checked(self) -> _Kept:
        try:
            with connection.execute_wrapper(_catch):
                answer = self._build(**{name: Parameter(name, field) for name, field in self._fields.items()})
        except _Built as built:
            kept = _Kept(
                built.sql, built.values, lambda rows, names: [dict(zip(names, row, strict=True)) for row in rows]
            )
        else:
            if not isinstance(answer, QuerySet):
                raise UnknownShape("It is neither a queryset nor an aggregate.")
            kept = _of_queryset(answer)
        check_values(kept.sql, kept.values, set(self._fields))
        return kept


class Written(Statement):
    """A statement that is written as SQL, with its parameters by name (`%(name)s`). Its rows are tuples."""

    def __init__(self, sql: str, **fields: Fields) -> None:
        super().__init__(lambda **_: None, fields)
        self._sql = sql

    def _checked(self) -> _Kept:
        places = re.split(r"%\((\w+)\)s", self._sql)
        values = tuple(Parameter(name, self._fields[name]) for name in places[1::2])
        check_values(sql := "%s".join(places[::2]), values, set(self._fields))
        return _Kept(sql, values, lambda rows, _: rows)


def check_values(sql: str, values: Sequence[Any], names: set[str]) -> None:
    """Raises UnknownShape unless this statement's values are its parameters and constants."""
    if sql.count("%") != sql.count("%s") or sql.count("%s") != len(values):
        raise UnknownShape(f"{len(values)} values, and not a place for each.")
    if unused := names - {value.name for value in values if isinstance(value, Parameter)}:
        raise UnknownShape(f"Nothing depends on {', '.join(sorted(unused))}.")
    for value in values:
        if isinstance(value, dt.date | dt.time):
            raise UnknownShape(f"{value!r} is no parameter: it would stay what it is now.")


def _of_queryset(answer: QuerySet[Any]) -> _Kept:
    if answer._prefetch_related_lookups:  # type: ignore[attr-defined]
        raise UnknownShape("What is fetched besides is a statement of its own.")
    compiler: Any = answer.query.get_compiler(DEFAULT_DB_ALIAS)
    sql, values = compiler.as_sql()
    converters = compiler.get_converters([column for column, *_ in compiler.select[: compiler.col_count]])
    rows_of = _rows_of(answer, compiler)

    def make(fetched: list[tuple[Any, ...]], _: list[str]) -> list[Any]:
        return rows_of(list(compiler.apply_converters(fetched, converters)) if converters else fetched)

    return _Kept(sql, tuple(values), make)


def _rows_of(answer: QuerySet[Any], compiler: Any) -> Callable[[list[Any]], list[Any]]:
    """What makes instances, dictionaries or tuples of rows, as the queryset would."""
    kind: Any = answer._iterable_class
    query: Any = answer.query
    if issubclass(kind, ModelIterable):
        return _instances(compiler)
    names = list(query.selected or (*query.values_select, *query.annotation_select))
    if issubclass(kind, ValuesIterable):
        return lambda rows: [dict(zip(names, row, strict=True)) for row in rows]
    if kind.__name__ == "FlatValuesListIterable":
        return lambda rows: [row[0] for row in rows]
    return lambda rows: [tuple(row) for row in rows]


def _instances(compiler: Any) -> Callable[[list[Any]], list[Any]]:
    """What makes a model's instances of rows, with those that they refer to: django's ModelIterable, set up once."""
    info, select = compiler.klass_info, compiler.select
    model, fields = info["model"], info["select_fields"]
    start, end = fields[0], fields[-1] + 1
    names = [column.target.attname for column, *_ in select[start:end]]
    related = get_related_populators(info, select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]  # as Django 5.2 has it
    annotated = list(compiler.annotation_col_map.items())

    def instances(rows: list[Any]) -> list[Any]:
        made = []
        for row in rows:
            instance = model.from_db(DEFAULT_DB_ALIAS, names, row[start:end])
            for populator in related:
                populator.populate(row, instance)
            for name, place in annotated:
                setattr(instance, name, row[place])
            made.append(instance)
        return made

    return instances


_answers: ContextVar[dict[Any, list[Any]] | None] = ContextVar("answers", default=None)


def _key(statement: Statement, values: Mapping[str, Any]) -> Any:
    return id(statement), *(_hashable(value) for _, value in sorted(values.items()))


def _hashable(value: Any) -> Any:
    if isinstance(value, People):
        return value.sql, *(_hashable(one) for one in value.values)
    return tuple(value) if isinstance(value, list) else value


def _with_people(sql: str, run: list[Any]) -> tuple[str, list[Any]]:
    """The statement with People's own in their places."""
    if not any(isinstance(value, People) for value in run):
        return sql, run
    text: list[str] = []
    values: list[Any] = []
    for before, value in zip(pieces := sql.split("%s"), run, strict=False):
        people = isinstance(value, People)
        text += [before, value.sql if people else "%s"]
        values += value.values if people else [value]
    return "".join([*text, pieces[-1]]), values


@contextmanager
def run_together(*queries: Query) -> Iterator[None]:
    """Ask these in their order by one message; inside, each is answered by what was read. One query.

    For pages that only read: inside, no statement is run twice, and what changes meanwhile is not seen.
    """
    bound = [(query, *query.statement.bound(query.values)) for query in queries]
    answers = dict(_answers.get() or {})
    with connection.cursor() as cursor:
        compose: Any = connection.ops.compose_sql  # type: ignore[attr-defined]  # PostgreSQL's
        cursor.execute(";\n".join(compose(sql, run) for _, sql, run, _ in bound))
        for query, _, _, make in bound:
            names = [column.name for column in cursor.description or ()]
            answers[_key(query.statement, query.values)] = make(cursor.fetchall(), names)
            cursor.nextset()
    token = _answers.set(answers)
    try:
        yield
    finally:
        _answers.reset(token)


def compiled(**fields: Fields) -> Callable[[Callable[..., Any]], Statement]:
    """Decorator of what builds a statement: it is given a Parameter for each of these names."""
    return lambda build: Statement(build, fields)
