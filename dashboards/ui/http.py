"""Responses that several pages give: JSON, and the address that HTMX puts into the browser's history."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse
from django_htmx.http import push_url

from dashboards.ui.access import Request


def pushed(request: Request, response: HttpResponse, query: str) -> HttpResponse:
    """Put the view's canonical address into the browser, unless it is there already (a refresh is no step back)."""
    address = f"{request.path}?{query}" if query else request.path
    if request.htmx.current_url_abs_path == address:
        return response
    return push_url(response, address)


def json(content: dict[str, Any], status: int = 200) -> HttpResponse:
    """Columns of numpy as JSON. NaN becomes null. Health data: never kept by a cache on the way."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return HttpResponse(
        body, status=status, content_type="application/json", headers={"Cache-Control": "private, no-store"}
    )
