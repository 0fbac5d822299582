"""What the admin shows and nobody edits."""

from participants.admin_parts import Evidence

__all__ = ["Evidence"]
