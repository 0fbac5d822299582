"""Limit middleware: the size of a request, and the rate of requests without a login.

Counted by the minute in the shared cache, for all processes together. Where that is away nobody is held up and the
log says so: a participant must reach their page and a vendor's notice must be taken, and what guards both is a
signature, which this only keeps from being tried at leisure.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

GetResponse = Callable[[HttpRequest], HttpResponseBase]
SHARED = "shared"  # in settings.CACHES
MINUTE = 60
LONGEST_NUMBER = 15  # digits of a length that is worth reading
# Answers that say "not you" or "no such thing": who collects many of them is guessing.
REFUSALS = (400, 401, 403, 404, 410, 413)
FOR_PROGRAMS = ("/api/", "/webhooks/")
TITLES = {
    400: "The request is not right.",
    404: "There is no such thing.",
    413: "The request is too large.",
    429: "Too many requests.",
}


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a minute: of one address, for one code in the path (0: no matter), and refusals of one address."""

    address: int
    refused: int
    code: int = 0


# By the view's name. Signing in and the API's tokens have limits of their own. A clinic's participants may share an
# address, and so do a vendor's notices of everybody.
PARTICIPANT = Rate(address=240, refused=30, code=30)
RATES = {
    "ingestion:connect": PARTICIPANT,
    "ingestion:start": PARTICIPANT,
    "ingestion:stop": PARTICIPANT,
    "ingestion:callback": Rate(address=240, refused=30),
    "dashboards:opt-out": PARTICIPANT,
    "ingestion:webhook": Rate(address=6_000, refused=60),
}


def client_address(request: HttpRequest) -> str:
    """Whose request it is: an IPv4 address, or the /64 network of an IPv6 one, which is what one customer has.

    Behind a proxy the last of X-Forwarded-For counts, which our own proxy has written; what a client sends along
    stands before it.
    """
    sender = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_PROXY:
        sender = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or sender
    try:
        address = ipaddress.ip_address(sender)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def refusal(request: HttpRequest, status: int, *, retry_after: int = 0) -> HttpResponse:
    """The answer to what is too much: a page for people, problem details for programs."""
    response: HttpResponse
    if request.path_info.startswith(FOR_PROGRAMS):
        problem = {"type": "about:blank", "title": TITLES[status], "status": status}
        response = JsonResponse(problem, status=status, content_type="application/problem+json")
    else:
        response = render(request, f"{status}.html", status=status)
    if retry_after:
        response.headers["Retry-After"] = str(retry_after)
    return response


class RequestLimits:
    """Refuses bodies over settings.MOST_BODY_BYTES before anything is read of them, and addresses that cannot be.

    Servers read no more of a body than Content-Length says, and nothing without one.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path_info:  # no address of ours has one, and the database cannot be asked about it
            return refusal(request, 404)
        given = request.META.get("CONTENT_LENGTH") or "0"
        if not (given.isascii() and given.isdigit()):
            return refusal(request, 400)
        if len(given) > LONGEST_NUMBER or int(given) > settings.MOST_BODY_BYTES:
            return refusal(request, 413)
        return self.get_response(request)


class RateLimits:
    """Holds up who asks for the pages of RATES too often: 429, and when to come again."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code in REFUSALS and _rate(request):
            _count("refused", client_address(request))
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> HttpResponse | None:
        rate = _rate(request)
        if rate is None:
            return None
        address = client_address(request)
        over = (
            _counted("refused", address) >= rate.refused
            or _count(str(request.resolver_match and request.resolver_match.view_name), address) > rate.address
            or (rate.code and "code" in kwargs and _count("code", kwargs["code"]) > rate.code)
        )
        if not over:
            return None
        return refusal(request, 429, retry_after=MINUTE - int(time.time()) % MINUTE)


def _rate(request: HttpRequest) -> Rate | None:
    return RATES.get(request.resolver_match.view_name) if request.resolver_match else None


def _name(what: str, who: str) -> str:
    """The counter of this minute. Neither an address nor a code is written down as it is."""
    digest = hashlib.blake2b(who.encode("utf-8", "replace"), key=settings.SECRET_KEY.encode()[:64], digest_size=12)
    return f"rate:{what}:{digest.hexdigest()}:{int(time.time()) // MINUTE}"


def _counted(what: str, who: str) -> int:
    return int(caches[SHARED].get(_name(what, who), 0))


def _count(what: str, who: str) -> int:
    """Count one more; how many there are now. 0 where the cache is away."""
    name = _name(what, who)
    shared = caches[SHARED]
    shared.add(name, 0, 2 * MINUTE)
    try:
        return int(shared.incr(name))
    except ValueError:
        return 0
