from django.apps import AppConfig


class IngestionConfig(AppConfig):
    name = "ingestion"

    def ready(self) -> None:
        from ingestion.following import Parts
        from metrics.following import followers

        followers.append(Parts())
