"""Mutation operators: those of Cosmic Ray that are worth their time here, and what it lacks.

Faults that went unnoticed were dropped conditions, dropped arguments, locks and filters left out, and bounds in SQL.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import parso.tree  # noqa: F401  before Cosmic Ray, which imports its parts in a circle
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator

Position = tuple[tuple[int, int], tuple[int, int]]

# The other bound, the other answer, one more or less, a branch the other way: no pairs that mean the same to a test.
OF_COSMIC_RAY = (
    *(
        f"ReplaceComparisonOperator_{pair}"
        for pair in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")
    ),
    *(
        f"ReplaceBinaryOperator_{pair}"
        for pair in (
            "Add_Sub",
            "Sub_Add",
            "Mul_Add",
            "FloorDiv_Mul",
            "Div_Mul",
            "Mod_Mul",
            "BitOr_BitAnd",
            "BitAnd_BitOr",
        )
    ),
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_Delete_Invert",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "NumberReplacer",
    "ZeroIterationForLoop",
)


class Change(Operator):  # type: ignore[misc]  # its package has no types
    """A mutation at each of a node's `places`."""

    @abstractmethod
    def places(self, node: Any) -> list[Any]:
        """Places of this node that can be changed; empty for nodes that are not ours."""

    @abstractmethod
    def change(self, node: Any, place: Any) -> Any:
        """The node with one of its places changed."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        return iter([(node.start_pos, node.end_pos)] * len(self.places(node)))

    def mutate(self, node: Any, index: int) -> Any:
        return self.change(node, self.places(node)[index])

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return ()


class DropCondition(Change):
    """`a and b` without one of its conditions; `or` likewise."""

    def places(self, node: Any) -> list[int]:
        return list(range(0, len(node.children), 2)) if node.type in ("and_test", "or_test") else []

    def change(self, node: Any, place: int) -> Any:
        at = max(place - 1, 0)
        prefix = node.children[0].get_first_leaf().prefix
        del node.children[at : at + 2]
        node.children[0].get_first_leaf().prefix = prefix
        return node


class DropArgument(Change):
    """A call without one of its keyword arguments: a filter's condition, a default that was meant to be another."""

    def places(self, node: Any) -> list[int]:
        if node.type != "arglist" or node.parent.type == "decorator":
            return []
        return [n for n, child in enumerate(node.children) if child.type == "argument" and child.children[1] == "="]

    def change(self, node: Any, place: int) -> Any:
        end = place + 2 if place + 1 < len(node.children) else place + 1
        del node.children[place:end]
        return node


class DropCall(Change):
    """A chain without one of its calls: no lock, no filter."""

    CALLS = ("select_for_update", "filter", "exclude", "distinct", "order_by")

    def places(self, node: Any) -> list[int]:
        if node.type not in ("atom_expr", "power"):
            return []
        return [
            n
            for n, child in enumerate(node.children[:-1])
            if child.type == "trailer" and len(child.children) == 2 and child.children[1].value in self.CALLS
        ]

    def change(self, node: Any, place: int) -> Any:
        called = node.children[place].children[1].value
        if called == "select_for_update" or place + 2 < len(node.children) or place > 1:
            del node.children[place : place + 2]
        else:  # `objects.filter(...)` alone would leave a manager
            node.children[place].children[1].value = "all"
            arguments = node.children[place + 1]
            arguments.children = [arguments.children[0], arguments.children[-1]]
        return node


class Overwrite(Change):
    """`total += part` as `total = part`."""

    def places(self, node: Any) -> list[Any]:
        return [node] if node.type == "operator" and node.value in ("+=", "-=", "|=", "&=") else []

    def change(self, node: Any, place: Any) -> Any:
        node.value = "="
        return node


class SqlBound(Change):
    """A comparison in a statement's text with its bound on the other side."""

    COMPARISON = re.compile(r"(?<![<>=!-])(<=|>=|<|>)(?![<>=])")
    OTHER: ClassVar = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}

    def places(self, node: Any) -> list[Any]:
        if node.type not in ("string", "fstring_string") or "sql" not in _module_of(node):
            return []
        return list(self.COMPARISON.finditer(node.value))

    def change(self, node: Any, place: Any) -> Any:
        node.value = node.value[: place.start()] + self.OTHER[place.group()] + node.value[place.end() :]
        return node


def _module_of(node: Any) -> str:
    """Modules of SQL begin by saying so."""
    first = node.get_root_node().get_first_leaf()
    return first.value[:200].lower() if first.type == "string" else ""


OURS: tuple[type[Change], ...] = (DropCondition, DropArgument, DropCall, Overwrite, SqlBound)


def operators() -> dict[str, Any]:
    """All operators by name."""
    return {name: get_operator(f"core/{name}")() for name in OF_COSMIC_RAY} | {
        operator.__name__: operator() for operator in OURS
    }


def says_nothing(node: Any) -> bool:
    """Whether a node stands where no behaviour is decided: in a type annotation, or in how a data class is made."""
    below, above = node, node.parent
    while above is not None:
        if above.type == "decorator":
            return bool(above.children[1].get_first_leaf().value == "dataclass")
        if above.type == "annassign":
            return below is above.children[1]
        if above.type == "tfpdef":
            return below is above.children[-1]
        if above.type == "funcdef" and above.annotation is not None:
            return below is above.annotation
        below, above = above, above.parent
    return False
