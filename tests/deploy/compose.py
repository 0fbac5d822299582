"""Reads docker-compose.yml as Docker Compose does: merged, and its variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from tests.paths import ROOT

# A variable with its default, which may hold another one.
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?::-((?:[^${}]|\$\{[^{}]*\})*))?\}")


def filled(text: str, variables: Mapping[str, str]) -> str:
    """`text` with each ${NAME:-default} replaced; an empty variable counts as none, as Compose has it."""
    return VARIABLE.sub(lambda v: variables.get(v[1]) or filled(v[2] or "", variables), text).replace("$$", "$")


@cache
def file() -> dict[str, Any]:
    """The whole file, with the variables still in it."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = file()["services"]
    return found


def command(name: str, variables: Mapping[str, str]) -> list[str]:
    return [filled(part, variables) for part in services()[name]["command"]]


def environment(name: str, variables: Mapping[str, str]) -> dict[str, str]:
    return {key: filled(value, variables) for key, value in services()[name]["environment"].items()}


def start_order() -> list[str]:
    """The services of no profile, each after all that it waits for."""
    waiting = {name: set(each.get("depends_on", {})) for name, each in services().items() if "profiles" not in each}
    order: list[str] = []
    while waiting:
        ready = [name for name, needs in waiting.items() if needs <= set(order)]
        assert ready, f"these wait for each other: {sorted(waiting)}"
        order += ready
        for name in ready:
            del waiting[name]
    return order
