"""Monitoring: rules of Prometheus, routes of Alertmanager, dashboards of Grafana; and its checks."""
