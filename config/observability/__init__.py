"""Observability: metrics for Prometheus, logs with ids, traces. See docs/observability.md."""
