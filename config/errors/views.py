"""Error pages of the whole site: problem details for programs, pages for people."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponseBase
from django.views import defaults

from config.errors import outages
from participants.api.base.exceptions import plain

# Addresses that programs ask. /data/ is the one of the product's first version.
OF_PROGRAMS = ("/api/", "/data/")


def for_program(request: HttpRequest) -> bool:
    return request.path_info.startswith(OF_PROGRAMS)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Response to what Django refuses before any view: a host that is not ours, a body that is too large."""
    if for_program(request):
        return plain(request, 400, "The request is malformed.")
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if for_program(request):
        return plain(request, 404, "There is no such address. The API is described at /api/docs.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Response to an unforeseen error.

    It is logged; the response tells nothing of it but the request's id, in X-Request-ID.

    Django calls this while it handles the fault, also of a middleware: where a server is away, that is what is said.
    """
    if outage := outages.outage_of(sys.exc_info()[1]):
        return outages.outage_response(request, outage, program=for_program(request))
    if for_program(request):
        return plain(request, 500, "This is our fault and has been logged. Name the X-Request-ID to the operator.")
    return defaults.server_error(request)
