"""Compression of the API's responses: zstd or gzip, as the program accepts; streams in constant memory.

BREACH guesses a secret from the lengths of answers that a browser fetches with its cookies while an attacker varies
what is in them. What is asked with a session's cookie is therefore left as it is: tokens are sent by programs alone,
and no page of another site can make a browser send one.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

OF_PROGRAMS = ("/api/", "/data/")
# Below this the headers weigh more than what is saved.
SMALLEST = 860
LEVEL = {"gzip": 5, "zstd": 3}
TEXTUAL = re.compile(r"(text/|application/(.*\+)?(json|x-ndjson|ndjson|yaml))", re.IGNORECASE)
_CODING = re.compile(r"\s*([a-z0-9*-]+)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?", re.IGNORECASE)


def chosen(accept: str) -> str:
    """The coding for an Accept-Encoding: the highest q, of equals the smallest response. "" leaves it as it is."""
    accepted: dict[str, float] = {}
    for part in accept.split(","):
        match = _CODING.fullmatch(part)
        if match:
            accepted[match[1].lower()] = float(match[2] or 1)
    others = accepted.get("*", 0.0)
    quality = {name: accepted.get(name, others) for name in ("zstd", "gzip")}
    best = max(quality, key=lambda name: quality[name])
    unchanged = accepted.get("identity", 0.0)
    return best if quality[best] > 0 and quality[best] >= unchanged else ""


class Compression:
    """Middleware. Leaves alone: pages, what is small or packed already, parts of files, and what a session asks."""

    def __init__(self, ask: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.ask = ask

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.ask(request)
        if not request.path_info.startswith(OF_PROGRAMS) or not _fit(response):
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        coding = chosen(request.headers.get("Accept-Encoding", ""))
        if coding and request.method != "HEAD" and settings.SESSION_COOKIE_NAME not in request.COOKIES:
            _compress(response, coding)
        return response


def _fit(response: HttpResponseBase) -> bool:
    if response.has_header("Content-Encoding") or response.has_header("Content-Range"):
        return False
    if response.has_header("Accept-Ranges") or not TEXTUAL.match(response.headers.get("Content-Type", "")):
        return False
    return response.streaming or len(getattr(response, "content", b"")) >= SMALLEST


def _compress(response: Any, coding: str) -> None:
    if response.streaming:
        # Django closes the stream beneath by itself: it has noted it when it was set.
        response.streaming_content = _parts(response.streaming_content, coding)
        del response.headers["Content-Length"]
    else:
        packed = b"".join(_parts((response.content,), coding))
        response.content = packed
        response.headers["Content-Length"] = str(len(packed))
    response.headers["Content-Encoding"] = coding
    etag = response.headers.get("ETag", "")
    if etag.startswith('"'):
        response.headers["ETag"] = f"W/{etag}"  # other bytes, the same content


def _parts(pieces: Iterable[bytes], coding: str) -> Iterator[bytes]:
    return _gzip(pieces) if coding == "gzip" else _zstd(pieces)


def _gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(LEVEL["gzip"], zlib.DEFLATED, 31)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


class _Taken(io.RawIOBase):
    """A file to which Arrow writes and from which the next part is taken."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self.parts = b"".join(self.parts), []
        return taken


def _zstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    import pyarrow as pa

    taken = _Taken()
    with pa.CompressedOutputStream(pa.PythonFile(taken, mode="w"), "zstd") as packer:
        for piece in pieces:
            packer.write(piece)
            if packed := taken.take():
                yield packed
    yield taken.take()
