"""Django's `changepassword`, which leaves an entry in the audit trail here."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import changepassword

from participants.audit import record
from participants.models import User


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        result: str | None = super().handle(*args, **options)
        user = User.objects.by_address(options["username"] or "").first()
        record("user.set_password", thing=f"user:{user.pk}" if user else "")
        return result
