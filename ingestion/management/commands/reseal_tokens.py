"""`manage.py reseal_tokens`: put tokens and contact data under the newest of TOKEN_KEYS, so that an old key can go."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from ingestion import connections
from participants import contacts, vault


class Command(BaseCommand):
    help = "Seal tokens and contact data anew with the first of TOKEN_KEYS. Afterwards the older keys may be dropped."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tokens = connections.tokens_reseal()
            people = contacts.contacts_reseal()
        except (vault.CannotOpen, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            self.style.SUCCESS(f"{tokens} connections' tokens and {people} contacts are sealed with the newest key.")
        )
