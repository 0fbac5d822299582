"""Filter language of list and reconcile, and the `fields` mask: read strictly, refused as Google refuses."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ingestion.providers.google_health.simulator.errors import GoogleError, invalid
from ingestion.providers.google_health.simulator.types import BY_SNAKE, DataType, Kind
from metrics.batch import microseconds

EARLIEST, LATEST = 0, 2**61

_RESTRICTION = re.compile(r'^([A-Za-z0-9_.\-]+)\s*(>=|<=|!=|=|<|>|:)\s*("[^"]*"|\S+)$')
_CIVIL = re.compile(r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?$")
_PHYSICAL = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$")

# The member of each kind and whether it is civil (local wall clock).
MEMBERS: dict[Kind, dict[str, bool]] = {
    Kind.INTERVAL: {"interval.start_time": False, "interval.civil_start_time": True},
    Kind.SAMPLE: {"sample_time.physical_time": False, "sample_time.civil_time": True},
    Kind.DAILY: {"date": True},
    Kind.SESSION: {"interval.civil_start_time": True},
    Kind.SLEEP: {"interval.end_time": False, "interval.civil_end_time": True},
}


@dataclass(frozen=True, slots=True)
class Window:
    """Window [low, high) in microseconds: of UTC, or of the wall clock if `civil`."""

    low: int = EARLIEST
    high: int = LATEST
    civil: bool = False

    @property
    def hours(self) -> float:
        return (self.high - self.low) / 3_600_000_000


def _bad(suffix: str, message: str) -> GoogleError:
    return invalid(f"INVALID_DATA_POINT_FILTER{suffix}", message)


def _literal(text: str, civil: bool, kind: Kind) -> int:
    pattern, suffix = (_CIVIL, "_CIVIL_DATE_TIME_FORMAT") if civil else (_PHYSICAL, "_TIMESTAMP_FORMAT")
    if not pattern.match(text) or (kind is Kind.DAILY and len(text) != 10):
        raise _bad(suffix, f"Invalid time in filter: {text}")
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise _bad(suffix, f"Invalid time in filter: {text}") from error
    return microseconds(moment.replace(tzinfo=dt.UTC) if civil else moment)


def _member(name: str, data_type: DataType) -> str:
    prefix, _, member = name.partition(".")
    if prefix != data_type.snake:
        known = BY_SNAKE.get(prefix)
        suffix = "_COLLECTION_MISMATCH" if known else "_DATA_TYPE_RESTRICTION"
        raise _bad(suffix, f"Filter on {prefix!r} does not fit data type {data_type.id}.")
    if member not in MEMBERS[data_type.kind]:
        raise _bad("_DATA_TYPE_MEMBER", f"Member {name!r} cannot be filtered on.")
    return member


@lru_cache(maxsize=4096)
def window(text: str, data_type: DataType) -> Window:
    """Window that a filter names. Raises GoogleError with the reason Google gives for each mistake."""
    if not text.strip():
        return Window()
    low, high, members, types = EARLIEST, LATEST, set(), set()
    for part in re.split(r"\s+AND\s+", text.strip()):
        match = _RESTRICTION.match(part.strip())
        if match is None:
            suffix = "_EXPRESSION_STRUCTURE" if re.search(r"\sOR\s|\(", part) else "_SYNTAX"
            raise _bad(suffix, f"Filter cannot be read at: {part}")
        name, operator, literal = match.groups()
        types.add(name.partition(".")[0])
        if len(types) > 1:
            raise _bad("_MIXED_DATA_TYPE_RESTRICTIONS", "A filter must name one data type.")
        member = _member(name, data_type)
        members.add(member)
        if len(members) > 1:
            raise _bad("_MIXED_TIME_RESTRICTIONS", "Physical and civil times cannot be mixed in a filter.")
        if operator not in (">=", "<"):
            raise _bad("_RESTRICTION_COMPARATOR", f"Comparator {operator} is not supported; use >= or <.")
        if not literal.startswith('"'):
            raise _bad("_RESTRICTION_ARGUMENT", "Times must be in double quotes.")
        value = _literal(literal[1:-1], MEMBERS[data_type.kind][member], data_type.kind)
        low, high = (max(low, value), high) if operator == ">=" else (low, min(high, value))
    return Window(low, high, MEMBERS[data_type.kind][members.pop()])


Mask = dict[str, Any]  # field -> mask of what is beneath it; an empty one keeps all


@lru_cache(maxsize=256)
def _parsed(text: str) -> Mask:
    tree: Mask = {}
    stack: list[Mask] = [tree]
    here: Mask = tree
    for sign in re.findall(r"[A-Za-z0-9_*]+|[/(),]", text):
        if sign == "(":
            stack.append(here)
        elif sign == ")":
            if len(stack) == 1:
                raise invalid(None, f"Invalid field selection {text}")
            here = stack.pop()
        elif sign == ",":
            here = stack[-1]
        elif sign != "/":
            here = here.setdefault(sign, {})
    if len(stack) != 1:
        raise invalid(None, f"Invalid field selection {text}")
    return tree


def mask(text: str | None) -> Mask:
    """Tree of a `fields` parameter; empty keeps everything."""
    return _parsed(text) if text and text != "*" else {}


def masked(value: Any, tree: Mask) -> Any:
    """JSON value with only what the mask names; lists are gone through."""
    if not tree or "*" in tree:
        return value
    if isinstance(value, list):
        return [masked(item, tree) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: masked(item, tree[key]) for key, item in value.items() if key in tree}
