"""Requests as they come in and responses that go out, apart from any socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import orjson

from ingestion.providers.google_health.simulator.errors import GoogleError, invalid


@dataclass
class Request:
    """Request. `headers` compare without regard to case; `peer` is the caller's address."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    peer: str = "127.0.0.1"

    @cached_property
    def form(self) -> dict[str, str]:
        """Form-encoded body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @cached_property
    def scopes_ticked(self) -> list[str]:
        """Values of the form's repeated member `scope`."""
        return [value for name, value in parse_qsl(self.body.decode("utf-8", "replace")) if name == "scope"]

    def json(self) -> dict[str, Any]:
        """JSON object in the body; {} for none. Raises GoogleError for anything else."""
        if not self.body:
            return {}
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise invalid(None, f"Invalid JSON payload received. {error}") from error
        if not isinstance(value, dict):
            raise invalid(None, "Invalid JSON payload received. Expected an object.")
        return value


@dataclass(slots=True)
class Response:
    """Response. `delay` seconds pass before it is sent; `cut`: the connection breaks in the middle of the body.

    `points` counts the data points within, for the statistics.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    points: int = 0


JSON_TYPE = {"Content-Type": "application/json; charset=UTF-8"}


def json_response(
    value: Any, status: int = 200, *, pretty: bool = False, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON response."""
    body = (
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE) if pretty else orjson.dumps(value)
    )
    return Response(status, body, {**JSON_TYPE, **(headers or {})})


def refusal(error: GoogleError) -> Response:
    return json_response(error.body(), error.code, pretty=True, headers=error.headers)
