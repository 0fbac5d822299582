"""Prometheus metrics of the sync: requests to vendors, windows, lost grants.

Labels are providers' slugs, the calls of LiveProvider and our own terms: neither participants nor addresses.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import httpx
from django.db import transaction
from prometheus_client import Counter, Histogram

from ingestion.providers.base.errors import AccessGone, TokenExpired, VendorBusy, VendorError
from ingestion.providers.base.live import LiveProvider

BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
REQUEST_SECONDS = Histogram(
    "wearable_vendor_request_seconds", "Seconds of one HTTP request to a vendor.", ["provider", "kind"], buckets=BUCKETS
)
ERRORS = Counter("wearable_vendor_errors", "Calls that a vendor did not fulfil.", ["provider", "kind"])
TOKEN_FAILURES = Counter("wearable_token_failures", "Connections whose grant ended at the vendor's.", ["provider"])
WINDOWS = Counter("wearable_sync_windows_finished", "Windows that were seen through.", ["state"])

# What a provider is asked; all else that it can do needs no request.
ASKING = frozenset({"exchange", "refresh", "revoke", "identity", "devices", "settings", "pull", "fingerprints"})
_call: ContextVar[str] = ContextVar("call", default="other")


class TimedClient(httpx.Client):
    """HTTP client (httpx's) that times each request to a provider until its response is whole, failed ones too.

    A client and no transport: with a transport of one's own httpx no longer heeds the proxy that HTTPS_PROXY names.
    """

    def __init__(self, provider: str, **options: Any) -> None:
        super().__init__(**options)
        self._provider = provider

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        with REQUEST_SECONDS.labels(self._provider, _call.get()).time():
            return super().send(request, **options)


class _Counted:
    """Provider whose calls are timed by name and whose refusals are counted. All else is the provider's own."""

    def __init__(self, below: LiveProvider) -> None:
        self._below = below

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._below, name)
        return _watched(self._below.slug, name, attribute) if name in ASKING else attribute


def counted(provider: LiveProvider) -> LiveProvider:
    """Provider with its calls counted."""
    return cast(LiveProvider, _Counted(provider))


def _watched(provider: str, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def watched(*args: Any, **kwargs: Any) -> Any:
        with _named(name):
            try:
                return call(*args, **kwargs)
            except TokenExpired:
                raise  # no refusal: it is refreshed and asked again
            except VendorError as error:
                ERRORS.labels(provider, kind_of(error)).inc()
                raise

    return watched


@contextmanager
def _named(call: str) -> Iterator[None]:
    token = _call.set(call)
    try:
        yield
    finally:
        _call.reset(token)


def kind_of(error: VendorError) -> str:
    """Kind of an error: gone is about a participant's grant; busy passes by itself; broken needs a person."""
    match error:
        case AccessGone():
            return "gone"
        case VendorBusy():
            return "busy"
        case _:
            return "broken"


def windows_finished(state: str, number: int) -> None:
    """Count windows when the transaction that ends them is committed."""
    transaction.on_commit(functools.partial(WINDOWS.labels(state).inc, number))


def token_failed(provider: str) -> None:
    """Count a grant that ended, when it is committed that the connection is lost."""
    transaction.on_commit(TOKEN_FAILURES.labels(provider).inc)
