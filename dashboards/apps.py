from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    name = "dashboards"

    def ready(self) -> None:
        from dashboards import subject_access
        from participants import hooks

        hooks.subject_access_sections.register(subject_access.chapters)
