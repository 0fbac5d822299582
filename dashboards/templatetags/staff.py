"""The administration's first page, for its template."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import timezone

from dashboards.admin import home

register = template.Library()


@register.simple_tag(takes_context=True, name="staff_desk")
def desk(context: dict[str, Any]) -> dict[str, Any]:
    """Items, tasks and groups of whoever asks."""
    user = context["user"]
    return {
        "items": home.items(user, timezone.now()),
        "tasks": home.tasks(user),
        "groups": home.groups(context.get("app_list", [])),
    }
