"""Audit trail: who did or viewed what. `record` and `record_view` are what others call."""

from participants.audit.log import SAME_VIEW, Acting, acting, changes, record, record_view

__all__ = ["SAME_VIEW", "Acting", "acting", "changes", "record", "record_view"]
