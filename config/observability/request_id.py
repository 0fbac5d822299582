"""Request ids: middleware that puts one in the response, log lines, the audit trail and the tasks that it starts."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.observability import context

FIT = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestId:
    """Outermost. A proxy's own id is kept where it is fit to be stored; what others send along is not heeded."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "") if settings.BEHIND_PROXY else ""
        request_id = given if FIT.fullmatch(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        with context.request(request_id):
            response = self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        return response
