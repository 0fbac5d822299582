"""Long lists by pages with a cursor: nothing is left out or told twice while rows are added."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class Pages(CursorPagination):
    """100 rows a page, at most 1,000 with `page_size`. A view says by what it is ordered: `ordering`, unique."""

    page_size = 100
    max_page_size = 1000
    page_size_query_param = "page_size"
    ordering = ("pk",)
