"""`manage.py reseal_tokens`: put participants' tokens under the newest of TOKEN_KEYS, so that an old key can go."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from ingestion import connections
from participants import vault


class Command(BaseCommand):
    help = "Seal all stored tokens anew with the first of TOKEN_KEYS. Afterwards the older keys may be dropped."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = connections.tokens_reseal()
        except (vault.CannotOpen, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS(f"{count} connections' tokens are sealed with the newest key."))
