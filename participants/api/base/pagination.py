"""Pagination with a cursor: nothing is left out or repeated while rows are added."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from participants.api.base.exceptions import BadParameters


class Pages(CursorPagination):
    """100 rows a page, at most 1,000 with `page_size`. A view says by what it is ordered: `ordering`, unique.

    What is no size and no cursor of ours is a 400 that names it, never quietly something else.
    """

    page_size = 100
    max_page_size = 1000
    page_size_query_param = "page_size"
    ordering = ("pk",)

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get(self.page_size_query_param)
        if text is None:
            return self.page_size
        if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= self.max_page_size):
            raise BadParameters({"page_size": [f"A whole number from 1 to {self.max_page_size}."]})
        return int(text)

    def decode_cursor(self, request: Request) -> Any:
        try:
            return super().decode_cursor(request)
        except (NotFound, UnicodeDecodeError):
            raise BadParameters({"cursor": ["Take it from `next` of the page before."]}) from None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Page of a queryset as the base class makes it; a cursor's position that is none of the list's values is named
        too.
        """
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, OverflowError, ValidationError, DataError):
            raise BadParameters({"cursor": ["Take it from `next` of the page before."]}) from None

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Parameters as the base class describes them, with the bounds of a size."""
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] = {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": self.max_page_size,
                    "default": self.page_size,
                }
        return parameters
