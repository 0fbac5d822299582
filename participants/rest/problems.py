"""Errors as RFC 9457 problem details: what is wrong, where, and what to do."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import set_rollback

MEDIA_TYPE = "application/problem+json"
logger = logging.getLogger(__name__)


class Problem(exceptions.APIException):
    """An error with a title, a sentence on what to do, and further members, e.g. `errors` by parameter."""

    def __init__(self, status: int, title: str, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or title)
        self.status_code = status
        self.title = title
        self.sentence = detail
        self.extra = extra


class BadParameters(Problem):
    """400, with every parameter that is wrong and why: `{"max_points": ["..."]}`."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        names = ", ".join(errors)
        super().__init__(400, "The request is not right.", f"Look at: {names}.", errors=errors)


def body(status: int, title: str, detail: str = "", **extra: Any) -> dict[str, Any]:
    """The members of a problem."""
    said = {"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status}
    return said | ({"detail": detail} if detail else {}) | extra


def handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. Services' errors become 400 or 409; what nobody foresaw stays Django's 500."""
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is no such thing, or it is not yours to see.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    elif isinstance(error, ValidationError):
        error = exceptions.ValidationError(serializers.as_serializer_error(error))
    elif isinstance(error, RequestDataTooBig):
        error = Problem(413, "The body is too large.")
    elif isinstance(error, SuspiciousOperation):
        error = Problem(400, "The request is malformed.")
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    headers: dict[str, str] = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    return Response(_told(error), status=error.status_code, headers=headers, content_type=MEDIA_TYPE)


def _told(error: exceptions.APIException) -> dict[str, Any]:
    if isinstance(error, Problem):
        return body(error.status_code, error.title, error.sentence, **error.extra)
    if isinstance(error, exceptions.ValidationError):
        errors = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        return body(400, "The request is not right.", f"Look at: {', '.join(errors)}.", errors=errors)
    return body(error.status_code, HTTPStatus(error.status_code).phrase, str(error.detail))


def plain(request: HttpRequest, status: int, detail: str = "") -> HttpResponse:
    """A problem outside DRF: addresses under /api/ that do not exist, errors that nobody foresaw."""
    return JsonResponse(body(status, "", detail), status=status, content_type=MEDIA_TYPE)
