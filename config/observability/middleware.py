"""Middleware that counts requests, with labels that nobody outside can choose, and middleware that gives each an id:
in the response, log lines, the audit trail and the tasks that it starts.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_prometheus.middleware import PrometheusAfterMiddleware  # type: ignore[import-untyped]

from config.observability import context

FIT = re.compile(r"[A-Za-z0-9._-]{8,64}")


class Measured(PrometheusAfterMiddleware):  # type: ignore[misc]  # its package has no types
    """Innermost middleware: counts and times requests by view, method and status.

    The package writes the method of a latency as it came, and a request may name any: each would be a series more.
    """

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)


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
