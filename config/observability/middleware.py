"""django-prometheus' middleware, with labels that nobody outside can choose."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django_prometheus.middleware import PrometheusAfterMiddleware  # type: ignore[import-untyped]


class Measured(PrometheusAfterMiddleware):  # type: ignore[misc]  # its package has no types
    """Innermost middleware: counts and times requests by view, method and status.

    The package writes the method of a latency as it came, and a request may name any: each would be a series more.
    """

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)
