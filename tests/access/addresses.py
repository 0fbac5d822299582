"""Every address there is: each pattern of the URL configuration, each operation of the API's document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.urls import get_resolver

from config.api import docs
from tests.api.scene import KNOWN, PK

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# What stands in an address for a parameter, beside what the scene knows.
FILLED: dict[str, str | int] = {
    **KNOWN,
    "date": "2026-11-18",
    "verb": "acknowledge",
    "object_id": PK,
    "content_type_id": 1,
    "app_label": "participants",
    "url": "nothing",
    "rest": "nothing",
    "uidb36": "x",
    "key": "forged",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "export": "00000000-0000-4000-8000-000000000000",
    "path": "manifest.json",
}
# Where a parameter of that name is something else: by the beginning of the route.
ELSEWHERE: dict[str, dict[str, str | int]] = {
    "connect/": {"code": "forged"},
    "opt-out/": {"code": "forged"},
    "account/join/": {"code": "forged"},
    "trials/{code}/participants/{study_id}/consent/": {"verb": "withdraw"},
    "trials/{code}/participants/{study_id}/corrections/": {"verb": "zone"},
}
# What a page needs beside its address.
QUERIES = {
    "trials/{code}/participants/{study_id}/series.json": "metric=heart_rate&start=2026-11-18&end=2026-11-18",
    "trials/{code}/contact/": "to=AX-0042",
    "trials/{code}/calls/": "to=AX-0042",
    "api/v1/series": "trial=STRIDE-2&participants=AX-0042&metrics=heart_rate&start=2026-11-18&end=2026-11-19",
    "data/{study_id}/{metric}": "start_date=2026-11-18&end_date=2026-11-19",
    "data/{trial}/{study_id}/{metric}": "start_date=2026-11-18&end_date=2026-11-19",
}
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")


def routes() -> list[str]:
    """All patterns, as `trials/{code}/alerts/`, each once, in the order in which Django tries them."""
    return list(dict.fromkeys(_walk(get_resolver(), "")))


def _walk(resolver: Any, before: str) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = before + _PARAMETER.sub(lambda found: "{%s}" % (found[1] or found[2]), str(pattern.pattern))
        if hasattr(pattern, "url_patterns"):
            yield from _walk(pattern, route)
        else:
            yield re.sub(r"[\^$]|\\Z|\\(?=[.-])", "", route)


def operations() -> set[tuple[str, str]]:
    """Method and route of each operation of the document."""
    return {
        (method.upper(), path.removeprefix("/"))
        for path, item in docs.document()["paths"].items()
        for method in item
        if method.upper() in METHODS
    }


def address(route: str) -> str:
    """The route with what exists in the scene. Raises KeyError that says what to do for a parameter of a new name."""
    filled = dict(FILLED)
    for beginning, values in ELSEWHERE.items():
        if route.startswith(beginning):
            filled |= values

    def fill(found: re.Match[str]) -> str:
        if found[1] not in filled:
            raise KeyError(f"{route}: say in tests/access/addresses.py, FILLED, what stands for {found[1]!r}.")
        return str(filled[found[1]])

    query = QUERIES.get(route, "")
    return "/" + re.sub(r"\{(\w+)\}", fill, route) + (f"?{query}" if query else "")
