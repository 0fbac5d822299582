from django.apps import AppConfig


class IngestionConfig(AppConfig):
    name = "ingestion"

    def ready(self) -> None:
        from ingestion import erasure, subject_access, tasks  # noqa: F401  enqueued by name
        from ingestion.connections import devices, end_of_collection, grants
        from ingestion.file_imports.provenance_updates import Parts
        from ingestion.sync import evidence_changes, gap_evidence, planning
        from metrics.monitoring.evidence import changes, register_collector
        from metrics.writing.row_followers import followers
        from participants import hooks

        if not any(isinstance(follower, Parts) for follower in followers):
            followers.append(Parts())
        register_collector(gap_evidence.collect)
        changes.register(evidence_changes.may_have_changed)
        devices.devices_uploaded.register(planning.uploaded)
        hooks.participant_left.register(grants.let_go)
        hooks.trial_ends.register(end_of_collection.open_connections)
        hooks.trial_closed.register(end_of_collection.trial_closed)
        hooks.erasers.register(erasure.erase)
        hooks.subject_access_sections.register(subject_access.sections)
