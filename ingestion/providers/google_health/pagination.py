"""Pagination that gets all points of a span although Google's pages cannot be trusted. Pure but for the call it is
given.

Where a page ends among points of one and the same time, the rest of them is never sent, without an error. So a page
that is followed by another is not taken: its span is cut in two and asked for again, until each part fits one page.
An empty page may be followed by one that is not; that one is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.google_health.requests import Span

# More than any honest answer takes: an hour of heart rate in single seconds would be 3,600 parts of half a page.
MOST_REQUESTS = 500
# Empty pages in a row; one may well name itself as the next.
MOST_EMPTY = 10


class AnyPage(Protocol):
    @property
    def token(self) -> str: ...

    @property
    def sent(self) -> int:
        """Number of records it held, those too that could not be read."""
        ...


P = TypeVar("P", bound=AnyPage)


def all_pages(span: Span, ask: Callable[[Span, str], P], full: int) -> list[P]:
    """Pages that cover a span, newest first. `ask` requests a span and a page token ("" for the first page).

    A page of `full` points or more is taken to be followed by another, whatever it says. Raises BrokenResponse where
    the pages do not end.
    """
    pages: list[P] = []
    pending, requests = [span], 0
    while pending:
        part = pending.pop()
        token, empty = "", 0
        while True:
            if (requests := requests + 1) > MOST_REQUESTS:
                raise BrokenResponse("endless_pages")
            page = ask(part, token)
            token = page.token
            empty = 0 if page.sent else empty + 1
            if empty > MOST_EMPTY:
                raise BrokenResponse("endless_pages")
            followed = bool(token) or page.sent >= full
            if followed and page.sent and (halves := part.halves()):
                pending += halves
                break
            # A span too short to be cut: nothing is left but to follow the token.
            pages.append(page)
            if not token:
                break
    return pages
