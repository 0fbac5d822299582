"""The links between the pages of a long table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page


@dataclass(frozen=True, slots=True)
class Pages:
    """`query(number)` makes the query string of a page."""

    page: Page[Any]
    query: Callable[[str], str]

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """Number and query of each link; an empty query for the ellipsis."""
        shown = self.page.paginator.get_elided_page_range(self.page.number, on_each_side=1, on_ends=1)
        return [(str(n), self.query(str(n)) if isinstance(n, int) else "") for n in shown]

    @property
    def several(self) -> bool:
        return self.page.paginator.num_pages > 1

    @property
    def earlier(self) -> str:
        return self.query(str(self.page.previous_page_number())) if self.page.has_previous() else ""

    @property
    def later(self) -> str:
        return self.query(str(self.page.next_page_number())) if self.page.has_next() else ""
