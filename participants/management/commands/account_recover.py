"""`manage.py account_recover`: removes a lost second factor, so that its owner can set up a new one.

Make sure, by another way than e-mail, that it is the owner who asks. They are told, their sessions end, and it is
recorded.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from participants.accounts import services as accounts_services
from participants.models import User


class Command(BaseCommand):
    help = "Remove the second factors of an account, so that its owner sets up a new one when signing in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--reason", required=True, help="why, and how you know that it is the owner: kept in the trail"
        )

    def handle(self, *args: Any, email: str, reason: str, **options: Any) -> None:
        user = User.objects.by_address(email).first()
        if user is None:
            raise CommandError(f"There is no account {email}.")
        if not accounts_services.second_factor_recover(user, reason=reason):
            raise CommandError(f"{user.email} has no second factor.")
        self.stdout.write(f"{user.email} sets up a new second factor when they sign in next.")
