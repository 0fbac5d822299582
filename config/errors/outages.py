"""Outages: the 503 while a server that we need is away says why, what became of the request, when to try again.

Told apart by the fault itself, so that an error of ours is never taken for an outage. Nothing here asks a database,
a session or a cache.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

import django.db
import kombu.exceptions
import psycopg
import redis
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from participants.api.base.exceptions import MEDIA_TYPE, body

RETRY_SECONDS = 15
SAFE = ("GET", "HEAD", "OPTIONS")
NOTHING_SAVED = "Nothing was saved."


@dataclass(frozen=True, slots=True)
class Outage:
    """`code` for programs, `title` and `says` for people."""

    code: str
    title: str
    says: str


AWAY = Outage(
    "database-away",
    "The database does not answer",
    "It is being restarted, or it cannot be reached. What is stored stays stored, and devices' data are fetched later.",
)
SLOW = Outage("database-slow", "The database is too slow", "It did not answer in time. What is stored stays stored.")
FULL = Outage(
    "disk-full",
    "Nothing can be stored at the moment",
    "A disk is full. Whoever runs this site must make room; until then pages can be read, and devices' data wait.",
)
READ_ONLY = Outage(
    "read-only",
    "Nothing can be stored at the moment",
    "The database takes no writes just now. Pages can be read, and devices' data wait.",
)
QUEUE_AWAY = Outage("queue-away", "The queue does not answer", "It is being restarted, or it cannot be reached.")
BY_KIND: dict[type[BaseException], Outage] = {
    psycopg.errors.DiskFull: FULL,
    psycopg.errors.ReadOnlySqlTransaction: READ_ONLY,
    psycopg.errors.QueryCanceled: SLOW,
    psycopg.errors.LockNotAvailable: SLOW,
    django.db.InterfaceError: AWAY,  # Django's own: the connection was closed under it
    redis.RedisError: QUEUE_AWAY,
    kombu.exceptions.OperationalError: QUEUE_AWAY,
}
# SQLSTATE classes and codes of a server that goes down, comes up, or takes no more connections.
AWAY_STATES = ("08", "57P", "53300")


def outage_of(fault: BaseException | None) -> Outage | None:
    """The outage behind a fault, by it or by what caused it; None where it is another kind of fault."""
    for cause in _chain(fault):
        if outage := _recognised(cause):
            return outage
    return None


def _chain(fault: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while fault is not None and id(fault) not in seen:
        seen.add(id(fault))
        yield fault
        fault = fault.__cause__ or fault.__context__


def _recognised(fault: BaseException) -> Outage | None:
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return FULL
    if isinstance(fault, psycopg.Error) and not isinstance(fault, tuple(BY_KIND)):
        state = fault.sqlstate or ""
        lost = not state and isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError)
        return AWAY if lost or state.startswith(AWAY_STATES) else None
    return next((outage for kind, outage in BY_KIND.items() if isinstance(fault, kind)), None)


def outage_response(request: HttpRequest, outage: Outage, *, program: bool) -> HttpResponse:
    """503: problem details for programs, a page for people. Who was only reading may try again at once."""
    saved = "" if request.method in SAFE else NOTHING_SAVED
    response: HttpResponse
    if program:
        says = " ".join(filter(None, (saved, outage.says)))
        problem = body(503, outage.title, says) | {"type": "about:blank", "code": outage.code}
        response = JsonResponse(problem, status=503, content_type=MEDIA_TYPE)
    else:
        # Without the request: who is signed in stands in the database.
        page = render_to_string("503.html", {"outage": outage, "saved": saved, "again": "" if saved else RETRY_SECONDS})
        response = HttpResponse(page, status=503)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response
