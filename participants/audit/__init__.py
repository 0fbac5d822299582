"""Audit trail: who did or looked at what. `record` and `record_view` are what others call."""

from participants.audit.log import SAME_LOOK, Acting, acting, changes, record, record_view

__all__ = ["SAME_LOOK", "Acting", "acting", "changes", "record", "record_view"]
