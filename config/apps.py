"""Makes the wiring known to Django as an app, so that its system checks run."""

from django.apps import AppConfig


class WiringConfig(AppConfig):
    name = "config"
    verbose_name = "Wiring"

    def ready(self) -> None:
        from config import audit_tasks, checks  # noqa: F401  registers the checks, and what tasks are recorded as
