"""`manage.py api_token`: makes a token as /account/tokens/ does, for operators without a browser."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from participants.models import Trial, User
from participants.services.api_tokens import token_create


class Command(BaseCommand):
    help = "Make an API token for a user. Its key is printed once and stored nowhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="whose token it is")
        parser.add_argument("--name", required=True, help="what it is for")
        parser.add_argument("--days", type=int, default=90, help="how long it is valid, at most 366 (default: 90)")
        parser.add_argument("--write", action="store_true", help="it may also write, as far as the user's role goes")
        parser.add_argument("--trial", action="append", help="only this trial, by code; may be repeated")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.by_address(options["email"]).filter(is_active=True).first()
        if user is None:
            raise CommandError(f"Nobody active has the address {options['email']}.")
        codes = options["trial"]
        trials = list(Trial.objects.filter(code__in=codes)) if codes else None
        if trials is not None and len(trials) != len(set(codes)):
            raise CommandError(f"There is no trial {', '.join(sorted(set(codes) - {trial.code for trial in trials}))}.")
        try:
            _, key = token_create(
                user=user,
                name=options["name"],
                expires_at=timezone.now() + dt.timedelta(days=options["days"]),
                can_write=options["write"],
                trials=trials,
            )
        except (ValidationError, OverflowError) as wrong:
            raise CommandError("; ".join(getattr(wrong, "messages", [str(wrong)]))) from None
        self.stdout.write(key)
