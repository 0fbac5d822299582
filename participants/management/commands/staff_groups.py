"""Make the groups of staff: Enrolment staff and Trial administrators. Safe to run again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from participants.accounts.staff_groups import staff_groups_make


class Command(BaseCommand):
    help = "Make the staff's groups, or bring them back to what they may do. Their members stay."

    def handle(self, *args: Any, **options: Any) -> None:
        for group in staff_groups_make():
            self.stdout.write(
                f"{group.name}: {group.permissions.count()} permissions, {group.user_set.count()} members"
            )
