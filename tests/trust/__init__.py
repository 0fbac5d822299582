"""Accountability: the audit trail, consent, erasure."""
