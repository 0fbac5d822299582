"""What the admin shows and nobody edits."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


class Evidence:
    """Nobody adds to, edits or deletes evidence by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
