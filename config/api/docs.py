"""Documentation of the API: as a document for programs, and as a page to read and try.

Open to everybody: it is the docs/openapi.yaml of the public source, holds no data, and whoever writes a program
against it may have a token and no password. What is tried on the page is done as whoever is signed in.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from participants.api.base.viewsets import ResourceView


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document. Made once by each process: it follows from the code alone."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


class SchemaView(ResourceView):
    """The document as JSON."""

    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(document())


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The page: Swagger UI from our own static files."""
    return render(request, "api/docs.html")
