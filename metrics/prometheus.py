"""Counts what is stored, for Prometheus. Only what was committed counts."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from prometheus_client import Counter

from metrics.batch import Counts

STORED = Counter("wearable_points_stored", "Samples that were new or changed and were stored.", ["provider"])
UNCHANGED = Counter("wearable_points_unchanged", "Samples that were read again and stood so already.", ["provider"])


def count(provider: str, counts: Counts) -> None:
    """Count a batch of a provider when the transaction that stores it is committed."""
    transaction.on_commit(partial(_count, provider, counts.new + counts.changed, counts.unchanged))


def _count(provider: str, stored: int, unchanged: int) -> None:
    STORED.labels(provider).inc(stored)
    UNCHANGED.labels(provider).inc(unchanged)
