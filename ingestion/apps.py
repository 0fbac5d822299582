from django.apps import AppConfig


class IngestionConfig(AppConfig):
    name = "ingestion"

    def ready(self) -> None:
        from ingestion.file_imports.provenance_updates import Parts
        from metrics.writing.row_followers import followers

        followers.append(Parts())
