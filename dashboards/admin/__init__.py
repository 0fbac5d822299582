"""Registers what staff see of contacting and of alerts in the administration."""

from dashboards.admin import alerts, message_templates  # noqa: F401  registers alerts and letters
