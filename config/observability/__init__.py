"""What the installation tells of itself: metrics for Prometheus, logs with ids, traces. See docs/observability.md."""
