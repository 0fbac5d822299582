"""ETags of what an answer holds: who asks again with If-None-Match gets 304 and no body."""

from __future__ import annotations

import hashlib
from functools import partial

from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.request import Request
from rest_framework.response import Response


def conditional(request: Request, response: HttpResponseBase) -> None:
    """Give an answer to GET or HEAD a weak ETag of its content once it is rendered; make it a 304 where it is known."""
    if request.method in ("GET", "HEAD") and response.status_code == 200 and isinstance(response, Response):
        response.add_post_render_callback(partial(_answer, request))


def _answer(request: Request, response: Response) -> HttpResponseBase:
    if not response.has_header("ETag"):
        response.headers["ETag"] = f'W/"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    known = get_conditional_response(request._request, etag=response.headers["ETag"], response=response)
    return known or response
