"""Health endpoints `/health/live` and `/health/ready`, served before sessions, limits and host names are checked.

Who asks them is a load balancer or an orchestrator, by an address of its own and over plain HTTP inside; and they
must answer when the database and Redis, which sessions and limits need, do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from config.health import probes


@require_safe
def live(request: HttpRequest) -> HttpResponseBase:
    """Liveness: this process answers.

    Nothing else is checked, so that no outage makes an orchestrator kill healthy processes.
    """
    return JsonResponse({"status": "live"})


@require_safe
def ready(request: HttpRequest) -> HttpResponseBase:
    """Readiness of every part; 503 where nobody should be sent here."""
    parts = probes.parts()
    status = probes.status(parts)
    body = {"status": status, "parts": {name: asdict(part) for name, part in parts.items()}}
    return JsonResponse(body, status=503 if status == "unready" else 200)


ENDPOINTS = {"/health/live": live, "/health/ready": ready}


class HealthEndpoint:
    """Middleware: the two addresses, before whatever could keep them from answering."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = ENDPOINTS.get(request.path_info)
        return view(request) if view else self.get_response(request)
