"""All points of a span, from a server that loses what shares an instant with a page's last point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.google_health.pagination import all_pages
from ingestion.providers.google_health.requests import Span


@dataclass
class CannedResponse:
    points: list[tuple[int, str]]
    token: str = ""

    @property
    def sent(self) -> int:
        return len(self.points)


@dataclass
class Lossy:
    """Newest first, `cap` points a page; the next page begins after the last one's instant, as Google's does."""

    points: Sequence[tuple[int, str]]
    cap: int
    empty_first: bool = False
    asked: list[tuple[Span, str]] = field(default_factory=list)

    def __call__(self, span: Span, token: str) -> CannedResponse:
        self.asked.append((span, token))
        if self.empty_first and not token:
            return CannedResponse([], "first")
        high = int(token) if token.isdigit() else span.high
        found = sorted((p for p in self.points if span.low <= p[0] < high), reverse=True)
        page = found[: self.cap]
        return CannedResponse(page, str(page[-1][0]) if len(found) > self.cap else "")


POINTS = [(second, source) for second in range(100) for source in ("watch", "phone", "strap")]
WHOLE = Span(0, 100, 1)


def collected(server: Lossy, span: Span = WHOLE) -> list[tuple[int, str]]:
    return sorted(point for page in all_pages(span, server, 10_000) for point in page.points)


def test_such_a_server_loses_points_to_who_trusts_its_tokens() -> None:
    server = Lossy(POINTS, cap=10)
    got, token = [], ""
    while True:
        page = server(WHOLE, token)
        got += page.points
        if not (token := page.token):
            break
    assert len(got) < len(POINTS)


def test_no_point_is_lost_at_a_page_border() -> None:
    assert collected(Lossy(POINTS, cap=10)) == sorted(POINTS)


def test_a_span_that_fits_one_page_is_one_request() -> None:
    server = Lossy(POINTS, cap=1000)
    assert collected(server) == sorted(POINTS)
    assert len(server.asked) == 1


def test_an_empty_page_that_names_another_is_followed() -> None:
    server = Lossy(POINTS, cap=1000, empty_first=True)
    assert collected(server) == sorted(POINTS)
    assert [token for _, token in server.asked] == ["", "first"]


def test_a_full_page_is_not_trusted_even_without_a_token() -> None:
    def ask(span: Span, token: str) -> CannedResponse:
        return CannedResponse([p for p in POINTS if span.low <= p[0] < span.high][:30])

    assert sorted(p for page in all_pages(WHOLE, ask, 30) for p in page.points) == sorted(POINTS)


def test_an_instant_that_fills_a_page_alone_is_followed_by_its_token() -> None:
    def ask(span: Span, token: str) -> CannedResponse:
        return CannedResponse([(5, "c")]) if token else CannedResponse([(5, "a"), (5, "b")], "rest")

    found = [p for page in all_pages(Span(5, 6, 1), ask, 10) for p in page.points]
    assert found == [(5, "a"), (5, "b"), (5, "c")]


def test_parts_do_not_overlap_and_leave_no_hole() -> None:
    server = Lossy(POINTS, cap=7)
    all_pages(Span(3, 97, 1), server, 10_000)
    leaves = sorted(
        (s.low, s.high)
        for s, _ in server.asked
        if not any(other.low >= s.low and other.high <= s.high and other != s for other, _ in server.asked)
    )
    assert leaves[0][0] == 3
    assert leaves[-1][1] == 97
    assert all(before[1] == after[0] for before, after in pairwise(leaves))


def test_an_empty_page_that_names_itself_is_asked_again_for_a_while() -> None:
    left = iter([*[CannedResponse([], "same")] * 3, CannedResponse([(5, "a")])])
    assert [p for page in all_pages(WHOLE, lambda span, token: next(left), 10) for p in page.points] == [(5, "a")]


def test_empty_pages_without_an_end_break_the_answer() -> None:
    asked: list[str] = []

    def ask(span: Span, token: str) -> CannedResponse:
        asked.append(token)
        return CannedResponse([], "again")

    with pytest.raises(BrokenResponse, match="endless_pages"):
        all_pages(WHOLE, ask, 10)
    assert len(asked) < 20


def test_pages_without_an_end_break_the_answer() -> None:
    with pytest.raises(BrokenResponse, match="endless_pages"):
        all_pages(Span(5, 6, 1), lambda span, token: CannedResponse([(5, "a")], "again"), 10)


def test_a_span_is_cut_at_whole_units() -> None:
    halves = Span(0, 3_500_000, 1_000_000).halves()
    assert halves == (Span(0, 1_000_000, 1_000_000), Span(1_000_000, 3_500_000, 1_000_000))
    assert Span(0, 1_000_000, 1_000_000).halves() is None
