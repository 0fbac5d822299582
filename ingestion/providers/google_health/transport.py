"""Transport to Google: sends requests, tries again after blips, counts the cost. Long waits are the caller's."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from ingestion.providers.base.errors import BrokenResponse

# Worth a second try at once. Others are refusals, or want a wait that no worker should be held for.
BLIPS = {500, 502, 503, 504}
FIRST_PAUSE = 0.4  # seconds; doubled from try to try


@dataclass(slots=True)
class Cost:
    """Cost of requests: those sent (each try counts) and bytes received, as JSON and as they came over the network."""

    requests: int = 0
    bytes: int = 0
    wire_bytes: int = 0


class Transport:
    """Transport of requests. `attempts`: tries of a request in all. `timeout` in seconds. `pause` waits for so many
    seconds."""

    def __init__(
        self, http: httpx.Client, *, attempts: int, timeout: float, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._http = http
        self._attempts = attempts
        self._timeout = timeout
        self._pause = pause

    def request(self, method: str, url: str, **content: object) -> httpx.Request:
        """Request for `send`. `content` is httpx's own: params, headers, data, json."""
        return self._http.build_request(method, url, timeout=self._timeout, **content)  # type: ignore[arg-type]

    def send(self, request: httpx.Request, *, cost: Cost | None = None, once: bool = False) -> httpx.Response:
        """Whole response, of whatever status. Raises BrokenResponse where none came, at the last try.

        `once`: what the request does can be done a single time only, so it is not tried again.
        """
        cost = cost if cost is not None else Cost()
        last = 1 if once else self._attempts
        for attempt in range(1, last + 1):
            cost.requests += 1
            trouble, response = "", None
            try:
                response = self._http.send(request)
            except httpx.TimeoutException:
                trouble = "timeout"
            except (httpx.TransportError, httpx.DecodingError):
                trouble = "connection_failed"
            if response is not None:
                cost.bytes += len(response.content)
                cost.wire_bytes += response.num_bytes_downloaded
                if response.status_code not in BLIPS or "Retry-After" in response.headers or attempt == last:
                    return response
            elif attempt == last:
                # httpx's own exception is not chained: it carries the request, and with it a token.
                raise BrokenResponse(trouble)
            self._pause(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311  jitter
        raise AssertionError("a transport has at least one attempt")
