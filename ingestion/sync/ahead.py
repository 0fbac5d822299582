"""Requests to a vendor several at once: some wait for their answers while others are made, and results come in order.

A worker that sends one after the other waits for the network most of its time. Only the vendor's call runs in a thread:
what decides whether it may go out (limits, whether access has ended) runs in the caller's, right before it does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from ingestion.models import SyncWindow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """Request for a group of windows that may go out. `fetch` calls the vendor with an access token and touches no
    database."""

    group: list[SyncWindow]
    fetch: Callable[[str], T]
    token: str


@dataclass(frozen=True, slots=True)
class Sent(Generic[T]):
    """Request that has gone out, or goes out when its result is taken; that raises what the call raised."""

    request: Request[T]
    result: Callable[[], T]


def sent(requests: Iterator[Request[T]], at_once: int) -> Generator[Sent[T], None, None]:
    """Requests in their order, with up to `at_once` of them on their way; 1: each when its result is taken.

    The next is taken from `requests` when there is room for it. Where that raises, those on their way come first.
    Whoever stops early waits for them, and what has not gone out does not go out.
    """
    if at_once < 2:
        yield from (Sent(request, partial(request.fetch, request.token)) for request in requests)
        return
    waiting: deque[Sent[T]] = deque()
    over: Exception | None = None
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="vendor")
    try:
        while True:
            while over is None and len(waiting) < at_once:
                try:
                    request = next(requests)
                except Exception as error:
                    over = error
                else:
                    future = pool.submit(copy_context().run, request.fetch, request.token)
                    waiting.append(Sent(request, future.result))
            if not waiting:
                break
            yield waiting.popleft()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if over is not None and not isinstance(over, StopIteration):
        raise over
