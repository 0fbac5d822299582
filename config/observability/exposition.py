"""What this host's processes counted, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from config.observability import multiprocess


def counted(accept: str) -> tuple[bytes, str]:
    """The text and its content type, in the form that `accept` asks for: of all processes of this program."""
    registry = REGISTRY
    if multiprocess.folder() is not None:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return encoded(registry, accept)


def encoded(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    encoder, content_type = choose_encoder(accept)
    return encoder(registry), content_type
