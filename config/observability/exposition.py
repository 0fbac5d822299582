"""Exposition of metrics: what this host's processes counted, in Prometheus' format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from config.observability import multiprocess


class Begun(MultiProcessCollector):
    """Files of all processes that hold something: one that is being made is empty for a moment."""

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for file in Path(self._path).glob("*.db") if _begun(file)]
        metrics: Iterable[Metric] = self.merge(files, accumulate=True)  # type: ignore[no-untyped-call]
        return metrics


def _begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # its process has ended meanwhile
        return False


def counted(accept: str) -> tuple[bytes, str]:
    """The text and its content type, in the form that `accept` asks for: of all processes of this program."""
    registry = REGISTRY
    if multiprocess.folder() is not None:
        registry = CollectorRegistry()
        Begun(registry)  # type: ignore[no-untyped-call]
    return encoded(registry, accept)


def encoded(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    encoder, content_type = choose_encoder(accept)
    return encoder(registry), content_type
