"""Registers what staff see of contacting and of alerts in the administration."""

from dashboards import admin_alerts, admin_letters  # noqa: F401  registers alerts and letters
