"""ETags of a response's content: If-None-Match gets 304 and no body, If-Match keeps a write from undoing another's."""

from __future__ import annotations

import hashlib
from functools import partial

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.request import Request
from rest_framework.response import Response

from participants.api.base.exceptions import Problem


def conditional(request: Request, response: HttpResponseBase) -> None:
    """Give a response to GET or HEAD a weak ETag of its content once it is rendered; make it a 304 where known."""
    if request.method in ("GET", "HEAD") and response.status_code == 200 and isinstance(response, Response):
        response.add_post_render_callback(partial(_conditional_response, request))


def _conditional_response(request: Request, response: Response) -> HttpResponseBase:
    if not response.has_header("ETag"):
        response.headers["ETag"] = _of(response.content)
    # Worth keeping, to be asked about again. Everything else is kept by nobody (config.middleware.headers).
    response.headers.setdefault("Cache-Control", "private, no-cache")
    known = get_conditional_response(request._request, etag=response.headers["ETag"], response=response)
    return known or response


def match(request: Request, content: bytes) -> None:
    """Raise a 412 where the request was meant for another state than this content. Without If-Match: nothing.

    Compared weakly, as its own ETags are weak: they stand for what a response holds.
    """
    condition = request.headers.get("If-Match")
    if condition is None or condition.strip() == "*":
        return
    ours = _of(content).removeprefix("W/").strip('"')
    if ours not in [tag.strip().removeprefix("W/").strip('"') for tag in condition.split(",")]:
        raise Problem(412, "It has changed meanwhile.", "Read it again and look whether your change still fits.")


def _of(content: bytes) -> str:
    return f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
