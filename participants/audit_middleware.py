"""Tells the audit trail who acts: whoever sent the request, and by which door she came."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from participants.audit import acting
from participants.models import Via

FIT = re.compile(r"[A-Za-z0-9._-]{8,64}")
DOORS = (("/admin/", Via.ADMIN), ("/api/", Via.API), ("/data/", Via.API))


def audit_context(ask: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware. Every answer carries the request's id: a proxy's own, if it is fit to be stored, or a new one."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if FIT.fullmatch(given) else uuid.uuid4().hex
        via = next((door for path, door in DOORS if request.path_info.startswith(path)), Via.PAGE)
        with acting(via=via, request=request, request_id=request_id):
            response = ask(request)
        response.headers["X-Request-ID"] = request_id
        return response

    return answer
