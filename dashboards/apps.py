from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    name = "dashboards"

    def ready(self) -> None:
        from dashboards import subject_access, tasks  # noqa: F401  enqueued by name
        from participants import hooks

        hooks.subject_access_sections.register(subject_access.sections)
