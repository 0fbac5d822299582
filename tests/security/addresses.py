"""Every address of the site, made from the URL configuration itself: what is added to it is walked too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, URLResolver, get_resolver

PLACE = re.compile(r"<(?:[^:>]+:)?([^>]+)>")


@dataclass(frozen=True, slots=True)
class Place:
    """An address with places to fill. `name` with its namespaces, e.g. dashboards:trial."""

    name: str
    route: str

    def filled(self, samples: Mapping[str, str], default: str = "1") -> str:
        """The path with these values; `default` for what they do not name. A name may hold "name:place" alone."""

        def value(found: re.Match[str]) -> str:
            return samples.get(f"{self.name}:{found[1]}", samples.get(found[1], default))

        return PLACE.sub(value, self.route)


def places() -> list[Place]:
    """All of them, each route once."""
    found = {place.route: place for place in _within(get_resolver(), "", "")}
    return [found[route] for route in sorted(found)]


def _within(resolver: Any, before: str, space: str) -> Iterator[Place]:
    for entry in resolver.url_patterns:
        route = before + _route(entry)
        if isinstance(entry, URLResolver):
            name = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from _within(entry, route, name)
        elif isinstance(entry, URLPattern):
            yield Place(f"{space}{entry.name or ''}", "/" + route.lstrip("/"))


def _route(entry: Any) -> str:
    pattern = str(entry.pattern)
    if not hasattr(entry.pattern, "_regex"):
        return pattern
    return simplify_regex(pattern).lstrip("/")
