"""Errors as problem details (RFC 9457): what is wrong, where, and what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    NON_FIELD_ERRORS,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from psycopg.errors import UniqueViolation
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


@contextmanager
def conflicts(*errors: type[Exception]) -> Iterator[None]:
    """Around a service: what the state of things forbids becomes a 409 with the service's own words.

    `errors`: those whose message is fit to show; ValueError where none is named.
    """
    fit_to_show = errors or (ValueError,)
    try:
        yield
    except fit_to_show as error:
        raise Problem(409, "It cannot be done as things stand.", str(error)) from error


def body(status: int, title: str, detail: str = "", **extra: Any) -> dict[str, Any]:
    """The members of a problem."""
    members = {"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status}
    return members | ({"detail": detail} if detail else {}) | extra


def handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. Services' errors become 400 or 409; what nobody foresaw stays Django's 500."""
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is no such thing, or it is not yours to see.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    elif isinstance(error, ValidationError):
        error = exceptions.ValidationError(_named(serializers.as_serializer_error(error)))
    elif isinstance(error, IntegrityError) and isinstance(error.__cause__, UniqueViolation):
        # Two at once: the service's own check passed for both.
        error = Problem(409, "It is there already.", "Somebody else was faster: read it again.")
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
    return Response(_problem_of(error), status=error.status_code, headers=headers, content_type=MEDIA_TYPE)


def _named(errors: dict[str, Any]) -> dict[str, Any]:
    """Django's name for what concerns no single field is no word for others."""
    return {("non_field_errors" if name == NON_FIELD_ERRORS else name): messages for name, messages in errors.items()}


def _problem_of(error: exceptions.APIException) -> dict[str, Any]:
    if isinstance(error, Problem):
        return body(error.status_code, error.title, error.sentence, **error.extra)
    if isinstance(error, exceptions.ValidationError):
        errors = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        return body(400, "The request is not right.", f"Look at: {', '.join(errors)}.", errors=errors)
    return body(error.status_code, HTTPStatus(error.status_code).phrase, str(error.detail))


def plain(request: HttpRequest, status: int, detail: str = "") -> HttpResponse:
    """A problem outside DRF: addresses under /api/ that do not exist, errors that nobody foresaw."""
    return JsonResponse(body(status, "", detail), status=status, content_type=MEDIA_TYPE)
