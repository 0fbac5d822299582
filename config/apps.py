"""App configurations: make the wiring known to Django, so that its system checks run."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class AdministrationConfig(AdminConfig):
    """Django's administration with our site."""

    default_site = "participants.admin_site.Administration"


class WiringConfig(AppConfig):
    name = "config"
    verbose_name = "Wiring"

    def ready(self) -> None:
        # Makes the Celery application, to which tasks are then sent; registers the checks, what tasks are recorded as,
        # and that workers say that they live.
        from config import celery, celery_audit, checks  # noqa: F401
        from config.health import heartbeats  # noqa: F401
        from config.observability import tasks  # noqa: F401  counts them
