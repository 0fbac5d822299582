"""Audit middleware: notes who sent a request, and by which channel, for the entries written meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from participants.audit import acting
from participants.models import Via

CHANNELS = (("/admin/", Via.ADMIN), ("/api/", Via.API), ("/data/", Via.API))


def audit_context(ask: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware. Entries carry the request's id, which the logs name too (its own, where nobody gave it one)."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        request_id = getattr(request, "request_id", "") or uuid.uuid4().hex
        via = next((channel for path, channel in CHANNELS if request.path_info.startswith(path)), Via.PAGE)
        with acting(via=via, request=request, request_id=request_id):
            return ask(request)

    return respond
