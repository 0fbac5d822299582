"""Close the accounts that the demo's published password opens, where the site is no demo (any more)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from participants.services import published_password


class Command(BaseCommand):
    help = (
        "Close accounts that still have the demo's published password, but for a demo; then check whether the site "
        "may start."
    )
    # It is the way out of the check that refuses to start.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        for email in published_password.close():
            self.stdout.write(f"{email} was closed: the demo's published password opened it.")
        self.check(databases=["default"])
