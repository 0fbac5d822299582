"""Google's own description of the API, which ships with its Python library: whether it knows a request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.ingestion.providers.google_health.server import ReceivedRequest


def methods(resources: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in resources.values():
        yield from resource.get("methods", {}).values()
        yield from methods(resource.get("resources", {}))


def known(discovery: dict[str, Any], asked: ReceivedRequest) -> bool:
    """Whether path, parameters and the members of the body are described."""
    for method in methods(discovery["resources"]):
        pattern = "/" + re.sub(r"\\{\w+\\}", "[^/:]+", re.escape(method["flatPath"]).replace(r"\-", "-"))
        if method["httpMethod"] == asked.method and re.fullmatch(pattern, asked.path):
            allowed = set(method["parameters"]) | set(discovery["parameters"])
            body = discovery["schemas"][method["request"]["$ref"]]["properties"] if "request" in method else {}
            sent = asked.json if asked.body else {}
            return set(asked.query) <= allowed and set(sent) <= set(body)
    return False
