"""How much counters grew: they live as long as the process, and other tests count too."""

from __future__ import annotations

from prometheus_client import REGISTRY


class Growth:
    """Of a sample of this process, from the moment when this was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = self._now()

    def _now(self) -> float:
        return REGISTRY.get_sample_value(self._name, self._labels) or 0.0

    def __call__(self) -> float:
        return self._now() - self._before
