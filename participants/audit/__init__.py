"""Audit trail: who did or looked at what. `record` and `looked` are what others call."""

from participants.audit.log import SAME_LOOK, Acting, acting, changes, looked, record

__all__ = ["SAME_LOOK", "Acting", "acting", "changes", "looked", "record"]
