"""The administration of messaging and alerts; importing it registers them."""

from dashboards.admin import alerts, message_templates  # noqa: F401  registers alerts and message templates
