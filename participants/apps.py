from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class ParticipantsConfig(AppConfig):
    name = "participants"
    default_auto_field = "django.db.models.AutoField"  # int4: participant ids are part of every measurement's key

    def ready(self) -> None:
        from participants import hooks, querysets, tasks  # noqa: F401  enqueued by name
        from participants.accounts import sign_in_log
        from participants.audit import log
        from participants.privacy import subject_access_sections

        sign_in_log.connect()
        querysets.user_created.register(log.record_user_created)
        hooks.subject_access_sections.register(subject_access_sections.sections)
        post_migrate.connect(_begin_audit_trail, sender=self)


def _begin_audit_trail(using: str, **_: Any) -> None:
    """The audit trail of a new database begins. A database that is about to be older has no such table yet."""
    from participants.audit import hash_chain

    names = connections[using].introspection.table_names()
    if using == "default" and "participants_audithead" in names:
        hash_chain.begin()
