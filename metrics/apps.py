from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MetricsConfig(AppConfig):
    name = "metrics"

    def ready(self) -> None:
        from metrics import erasure, subject_access, tasks  # noqa: F401  enqueued by name
        from metrics.monitoring import evaluation
        from metrics.reevaluation import recompute
        from metrics.storage import timescale
        from participants import hooks

        hooks.participant_changed.register(evaluation.participant_changed)
        hooks.participants_changed.register(evaluation.participants_changed)
        hooks.trial_dates_changed.register(recompute.trial_changed)
        hooks.erasers.register(erasure.erase)
        hooks.subject_access_sections.register(subject_access.sections)
        post_migrate.connect(timescale.after_migrate, sender=self, dispatch_uid="metrics.after_migrate")
