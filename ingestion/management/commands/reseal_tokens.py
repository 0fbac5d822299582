"""`manage.py reseal_tokens`: put all that is encrypted under the newest of TOKEN_KEYS, so that an old key can go."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from participants.privacy import key_rotation


class Command(BaseCommand):
    help = (
        "Re-encrypt tokens, contact data and second factors with the first of TOKEN_KEYS; afterwards the older keys "
        "may be dropped. May be stopped and started again at any time."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only tell what is still under older keys")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if not options["check"]:
                for name, rows in key_rotation.rotate_keys().items():
                    self.stdout.write(f"{name}: {rows} re-encrypted")
            uses = key_rotation.check()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        for use in uses:
            lost = f", {use.lost} that no key opens" if use.lost else ""
            self.stdout.write(f"{use.name}: {use.newest} under the newest key, {use.older} under older ones{lost}")
        if lost_ones := sum(use.lost for use in uses):
            raise CommandError(
                f"No key in TOKEN_KEYS opens {lost_ones} of them: put the old key back at the list's end."
            )
        if older := sum(use.older for use in uses):
            raise CommandError(f"{older} are under older keys: run reseal_tokens before you drop any.")
        self.stdout.write(self.style.SUCCESS("Everything is under the newest key: older ones may be dropped."))
