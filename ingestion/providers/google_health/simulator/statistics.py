"""Statistics of requests and responses."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

from ingestion.providers.google_health.simulator.faults import Faults
from ingestion.providers.google_health.simulator.oauth import OAuth
from ingestion.providers.google_health.simulator.webhooks import Webhooks


class Statistics:
    """Counters, thread-safe. Bytes are those of the bodies sent, compressed where they were."""

    def __init__(self, faults: Faults, oauth: OAuth, webhooks: Webhooks) -> None:
        self.faults = faults
        self._oauth = oauth
        self._webhooks = webhooks
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> dict[str, Any]:
        """Begin to count anew; refreshes too."""
        with self._lock:
            self._since = time.time()
            self._requests = self._points = self._bytes = 0
            self._plain = 0
            self._statuses: Counter[str] = Counter()
            self._paths: Counter[str] = Counter()
            self._busy = time.process_time()
        self._oauth.refreshes.clear()
        return {}

    def count(self, kind: str, status: int, *, points: int, plain: int, sent: int) -> None:
        """Count one response: `plain` bytes before compression, `sent` on the wire."""
        with self._lock:
            self._requests += 1
            self._points += points
            self._plain += plain
            self._bytes += sent
            self._statuses[str(status)] += 1
            self._paths[kind] += 1

    def report(self) -> dict[str, Any]:
        with self._lock:
            counts: dict[str, Any] = {
                "seconds": round(time.time() - self._since, 3),
                "cpu_seconds": round(time.process_time() - self._busy, 3),
                "requests": self._requests,
                "points": self._points,
                "bytes": self._plain,
                "bytes_sent": self._bytes,
                "statuses": dict(self._statuses),
                "paths": dict(self._paths),
            }
        refreshes = {str(number): count for number, count in self._oauth.refreshes.items()}
        return {
            **counts,
            "refreshes": refreshes,
            "faults": {"profile": self.faults.name, "given": dict(self.faults.given)},
            "webhooks": {"answers": dict(self._webhooks.answers), "pending": self._webhooks.pending},
        }
