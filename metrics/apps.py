from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MetricsConfig(AppConfig):
    name = "metrics"

    def ready(self) -> None:
        from metrics.storage import timescale

        post_migrate.connect(timescale.after_migrate, sender=self, dispatch_uid="metrics.after_migrate")
