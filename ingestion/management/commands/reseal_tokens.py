"""`manage.py reseal_tokens`: put all that is sealed under the newest of TOKEN_KEYS, so that an old key can go."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from participants.privacy import key_rotation


class Command(BaseCommand):
    help = (
        "Seal tokens, contact data and second factors anew with the first of TOKEN_KEYS; afterwards the older keys "
        "may be dropped. May be stopped and started again at any time."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only tell what is still under older keys")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if not options["check"]:
                for name, rows in key_rotation.reseal().items():
                    self.stdout.write(f"{name}: {rows} sealed anew")
            found = key_rotation.check()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        for one in found:
            lost = f", {one.lost} that no key opens" if one.lost else ""
            self.stdout.write(f"{one.name}: {one.newest} under the newest key, {one.older} under older ones{lost}")
        if lost_ones := sum(one.lost for one in found):
            raise CommandError(
                f"No key in TOKEN_KEYS opens {lost_ones} of them: put the old key back at the list's end."
            )
        if older := sum(one.older for one in found):
            raise CommandError(f"{older} are under older keys: run reseal_tokens before you drop any.")
        self.stdout.write(self.style.SUCCESS("Everything is under the newest key: older ones may be dropped."))
