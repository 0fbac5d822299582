"""Corrections of stored data: deleted, moved, restored or cut anew, each with its reason in the audit trail."""
