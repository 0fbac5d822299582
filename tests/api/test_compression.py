"""Answers are packed as the program asks; what is small, packed or asked by a browser's session is left alone."""

from __future__ import annotations

import gzip
from typing import Any

import pyarrow as pa
import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from participants.api.base.compression import Compression, chosen

TEXT = b'{"value": 1234567890}\n' * 500


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip;q=0.8", "gzip"),
        ("gzip;q=0", ""),
        ("identity, gzip;q=0.5", ""),
        ("*", "zstd"),
        ("*;q=0.1, zstd;q=0", "gzip"),
        ("GZIP ; q=1.0", "gzip"),
        ("br, nonsense;q=2, ;;", ""),
    ],
)
def test_the_best_of_what_is_accepted(accept: str, coding: str) -> None:
    assert chosen(accept) == coding


def ask(response: Any, accept: str = "gzip", path: str = "/api/v1/x", **cookies: str) -> Any:
    request = RequestFactory().get(path, headers={"Accept-Encoding": accept})
    request.COOKIES.update(cookies)
    return Compression(lambda _: response)(request)


def unpacked(response: Any) -> bytes:
    content = b"".join(response) if response.streaming else response.content
    coding = response.headers.get("Content-Encoding")
    if coding == "gzip":
        return gzip.decompress(content)
    if coding == "zstd":
        unpacked: bytes = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
        return unpacked
    return content


@pytest.mark.parametrize("accept", ["gzip", "zstd", "identity"])
@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_unpacked_is_what_was_said(accept: str, streamed: bool) -> None:
    kind = "application/json"
    made = StreamingHttpResponse(iter([TEXT] * 3), kind) if streamed else HttpResponse(TEXT * 3, kind)
    answer = ask(made, accept)
    assert unpacked(answer) == TEXT * 3
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert answer.headers.get("Content-Encoding", "identity") == accept


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(b"{}", "application/json"),
        HttpResponse(TEXT, "application/vnd.apache.parquet"),
        HttpResponse(TEXT, "application/json", headers={"Content-Range": "bytes 0-9/10"}),
        HttpResponse(TEXT, "application/json", headers={"Accept-Ranges": "bytes"}),
        HttpResponse(TEXT, "application/json", headers={"Content-Encoding": "br"}),
    ],
    ids=["small", "packed by its kind", "part of a file", "a file", "packed already"],
)
def test_what_is_left_alone(response: HttpResponse) -> None:
    assert ask(response).content in (TEXT, b"{}")


def test_what_a_browsers_session_asks_is_not_packed() -> None:
    answer = ask(HttpResponse(TEXT, "application/json"), sessionid="x")
    assert not answer.has_header("Content-Encoding")


def test_pages_are_not_packed() -> None:
    assert not ask(HttpResponse(TEXT), path="/trials/").has_header("Content-Encoding")


def test_a_stream_is_packed_as_it_goes() -> None:
    """Nothing is gathered: after megabytes have gone in, parts have come out."""
    gone = []

    def pieces() -> Any:
        for number in range(200):
            gone.append(number)
            yield b"".join(b"%d,%d\n" % (number, n * 7919 % 100_003) for n in range(4000))

    for accept in ("gzip", "zstd"):
        gone.clear()
        parts = iter(ask(StreamingHttpResponse(pieces(), "text/csv"), accept))
        next(parts)
        next(parts)
        assert len(gone) < 100


@pytest.mark.django_db
def test_the_longest_answer_is_packed_for_a_token(reader: Client) -> None:
    answer = reader.get("/api/schema", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["ETag"].startswith("W/")
    assert len(answer.content) * 4 < len(gzip.decompress(answer.content))
