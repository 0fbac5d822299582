"""The monitoring: what Prometheus asks and judges, whom Alertmanager tells, what Grafana shows; and its checks."""
