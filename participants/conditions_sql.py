"""Parts of statements that are compiled once (participants.compiled_sql): parameters and their types, and conditions
that are the same SQL for lists of any length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.models import Expression, F, QuerySet

ID = models.BigIntegerField()
NUMBER = models.IntegerField()
IDS = ArrayField(models.BigIntegerField())
TEXT = models.TextField()
TEXTS = ArrayField(models.TextField())
DATE = models.DateField()
DATES = ArrayField(models.DateField())
INSTANT = models.DateTimeField()
TRUTH = models.BooleanField()
Fields: TypeAlias = "models.Field[Any, Any]"


class Parameter(Expression):
    """Stands in a statement for a value that is given when it runs."""

    def __init__(self, name: str, field: Fields) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]

    def get_group_by_cols(self) -> list[Any]:
        return []


@dataclass(frozen=True, slots=True)
class People:
    """Participants as a statement of their trials' and their own row ids: to be put into others, built once for all.

    `values`: lists among them.
    """

    sql: str
    values: tuple[Any, ...]

    @classmethod
    def of(cls, people: QuerySet[Any]) -> People:
        """These participants."""
        try:
            sql, values = people.order_by().values_list("trial_id", "pk").query.sql_with_params()
        except EmptyResultSet:  # known to be nobody
            return cls("SELECT 0, 0 WHERE FALSE", ())
        return cls(sql, tuple(values))


class _PeopleField(models.Field):  # type: ignore[type-arg]  # not generic when it runs
    """Type of a parameter for which People are given."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value


PEOPLE = _PeopleField()


class AnyOf(Expression):
    """Condition that a field's value is one of a list's: a list of any length, an empty one too, by the same SQL."""

    conditional = True

    def __init__(self, name: str, values: Any, field: Fields = IDS) -> None:
        super().__init__(output_field=models.BooleanField())
        self.parts: list[Any] = [F(name), _as_expression(values, field)]

    def get_source_expressions(self) -> list[Any]:
        return self.parts

    def set_source_expressions(self, expressions: Sequence[Any]) -> None:
        self.parts = list(expressions)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        (left, one), (right, two) = (compiler.compile(part) for part in self.parts)
        return f"({left} = ANY({right}))", [*one, *two]


class PairIn(AnyOf):
    """Condition that two fields' values are one of the pairs of two lists of ids."""

    def __init__(self, names: tuple[str, str], firsts: Any, seconds: Any) -> None:
        super().__init__(names[0], firsts)
        self.parts = [F(names[0]), F(names[1]), _as_expression(firsts), _as_expression(seconds)]

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        compiled_parts = [compiler.compile(part) for part in self.parts]
        a, b, firsts, seconds = (sql for sql, _ in compiled_parts)
        # Of columns' names and places for values alone.
        condition = f"(({a}, {b}) IN (SELECT * FROM unnest({firsts}::bigint[], {seconds}::bigint[])))"  # noqa: S608
        return condition, [one for _, own in compiled_parts for one in own]


class WithinDates(AnyOf):
    """Condition that a date lies in one of the intervals of two lists of dates, both ends included."""

    def __init__(self, name: str, firsts: Any, lasts: Any) -> None:
        super().__init__(name, firsts)
        self.parts = [F(name), _as_expression(firsts, DATES), _as_expression(lasts, DATES)]

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        date, firsts, lasts = (compiler.compile(part) for part in self.parts)
        intervals = f"unnest({firsts[0]}::date[], {lasts[0]}::date[]) AS held(first, last)"
        condition = f"(EXISTS (SELECT 1 FROM {intervals} WHERE {date[0]} BETWEEN held.first AND held.last))"  # noqa: S608
        return condition, [*firsts[1], *lasts[1], *date[1]]


class Among(AnyOf):
    """Condition that a field's value is the row id of one of some people."""

    def __init__(self, name: str, people: Any) -> None:
        super().__init__(name, people)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        (left, one), (people, two) = (compiler.compile(part) for part in self.parts)
        condition = f"({left} IN (SELECT who.id FROM ({people}) AS who(trial_id, id)))"  # noqa: S608
        return condition, [*one, *two]


def _as_expression(values: Any, field: Fields = IDS) -> Any:
    return values if hasattr(values, "resolve_expression") else models.Value(list(values), output_field=field)
