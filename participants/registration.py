"""Hook registry: functions registered by one package and called by another that must not import it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


class Hook(Generic[Function]):
    """Functions to be called at one point, in the order in which they were registered."""

    def __init__(self) -> None:
        self.functions: list[Function] = []

    def register(self, function: Function) -> None:
        """Have it called too; one that is registered already stays where it is."""
        if function not in self.functions:
            self.functions.append(function)

    def __iter__(self) -> Iterator[Function]:
        return iter(self.functions)
