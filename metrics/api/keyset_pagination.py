"""Pages of long lists by their key: whatever its depth, a page costs one look into an index, and no row comes twice.

REST framework's own cursor counts rows of the same first value, at most 1,000 of them: a trial has more days than
that on one date.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from participants.api.base.exceptions import BadParameters
from participants.api.base.pagination import Pages


class KeysetPages(Pages):
    """Forward pages in the order of the view's `key`: fields that are unique together and never null.

    `then`: what chooses among rows of one key, where a view takes the first of each.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self._address = request.build_absolute_uri()
        key: Sequence[str] = view.key
        size = self.get_page_size(request) or self.page_size
        if cursor := request.query_params.get(self.cursor_query_param):
            queryset = _beyond(queryset, key, cursor)
        rows = list(queryset.order_by(*key, *view.then)[: size + 1])
        self._next = _cursor(rows[size - 1], key) if len(rows) > size else None
        return rows[:size]

    def get_next_link(self) -> str | None:
        return replace_query_param(self._address, self.cursor_query_param, self._next) if self._next else None

    def get_previous_link(self) -> None:
        """Forward only: who reads on keeps what they have."""


def _cursor(row: Model, key: Sequence[str]) -> str:
    values = [getattr(row, field) for field in key]
    plain = [value.isoformat() if isinstance(value, dt.date) else value for value in values]
    return base64.urlsafe_b64encode(orjson.dumps(plain)).decode().rstrip("=")


def _beyond(queryset: QuerySet[Any], key: Sequence[str], cursor: str) -> QuerySet[Any]:
    """Rows behind a key: (a, b) > (x, y), which is a > x, or a = x and b > y."""
    try:
        values = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(values, list) or len(values) != len(key):
            raise ValueError
        if not all(type(value) in (int, str) for value in values) or any("\0" in str(value) for value in values):
            raise ValueError
        behind, same = Q(), Q()
        for field, value in zip(key, values, strict=True):
            behind |= same & Q(**{f"{field}__gt": value})
            same &= Q(**{field: value})
        # The first field alone too: an index begins with it.
        return queryset.filter(behind, **{f"{key[0]}__gte": values[0]})
    except (ValueError, TypeError, OverflowError, binascii.Error, ValidationError):
        raise BadParameters({"cursor": ["Is no cursor of ours."]}) from None
