"""Throttling: how often a token or a session may send requests, and the headers that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.cache import caches
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle

from participants.models import ApiToken

if TYPE_CHECKING:
    # REST framework's views import this module.
    from rest_framework.views import APIView

HELD = "throttled_by"


class PerToken(SimpleRateThrottle):
    """settings.API_RATE for each token; each user with a session; each address of the rest."""

    scope = "api"
    num_requests: int
    duration: int

    def __init__(self) -> None:
        # Counted for all processes together. Where that cache is away, nobody is held up.
        self.cache = caches["shared"]
        super().__init__()

    def get_rate(self) -> str:
        from django.conf import settings

        return str(settings.API_RATE)

    def get_cache_key(self, request: Request, view: APIView) -> str:
        if isinstance(request.auth, ApiToken):
            ident = f"token:{request.auth.pk}"
        elif request.user and request.user.is_authenticated:
            ident = f"user:{request.user.pk}"
        else:
            ident = f"address:{self.get_ident(request)}"
        return self.cache_format % {"scope": self.scope, "ident": ident}

    def allow_request(self, request: Request, view: APIView) -> bool:
        allowed = bool(super().allow_request(request, view))
        setattr(request, HELD, self)
        return allowed

    def headers(self) -> dict[str, str]:
        """RateLimit-Limit, -Remaining and -Reset (seconds), as of this request."""
        left = max(0, self.num_requests - len(self.history))
        reset = self.duration if not self.history else max(0, self.duration - (self.now - self.history[-1]))
        return {
            "RateLimit-Limit": str(self.num_requests),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(int(reset) + 1),
        }


def tell(request: Any, response: Response) -> None:
    """Put the headers on a response."""
    throttle = getattr(request, HELD, None)
    if isinstance(throttle, PerToken):
        for name, value in throttle.headers().items():
            response.headers[name] = value
