"""Metrics endpoints `/metrics` and `/metrics/state`, for Prometheus with its token, before hosts, sessions, limits.

Prometheus asks inside the network, by another name and over plain HTTP; and it must learn that the database or Redis
is away from an installation whose database or Redis is away.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from config.observability import collectors, exposition

TYPE = "text/plain; charset=utf-8"


def _refused(request: HttpRequest) -> HttpResponse | None:
    """The answer to who may not read; None: reading is allowed."""
    if not settings.METRICS_TOKEN:
        raise Http404
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), settings.METRICS_TOKEN.encode())
    if scheme.lower() == "bearer" and same:
        return None
    refusal = HttpResponse("A token is needed.\n", status=401, content_type=TYPE)
    refusal.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
    return refusal


@require_safe
def processes(request: HttpRequest) -> HttpResponseBase:
    """Metrics that the web processes of this host counted."""
    if refusal := _refused(request):
        return refusal
    text, content_type = exposition.counted(request.headers.get("Accept", ""))
    return HttpResponse(text, content_type=content_type)


@require_safe
def installation(request: HttpRequest) -> HttpResponseBase:
    """State of the whole installation, the same whichever process answers."""
    if refusal := _refused(request):
        return refusal
    text, content_type = exposition.encoded(collectors.REGISTRY, request.headers.get("Accept", ""))
    return HttpResponse(text, content_type=content_type)


ENDPOINTS = {"/metrics": processes, "/metrics/state": installation}


class MetricsEndpoint:
    """Middleware: the two addresses, where there is a token; else they do not exist, as any other."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = ENDPOINTS.get(request.path_info) if settings.METRICS_TOKEN else None
        return view(request) if view else self.get_response(request)
