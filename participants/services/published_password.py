"""Published password of the demo, printed in its documents: where it opens an account, and where it must not.

It opens a demo alone: a site that is run as one (settings.DEMO) and has no trial with real participants. Elsewhere
nobody signs in with it, no account takes it, the site's check refuses to start while an account has it, and
`manage.py close_demo_accounts` closes those.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from participants.audit import record
from participants.models import ApiToken, Trial, User
from participants.services.api_tokens import token_revoke

PASSWORD = "wearable-demo-2026"  # noqa: S105  published on purpose: the demo's people are invented
ADDRESSES = ("manager@example.org", "coordinator@example.org", "staff@example.org")


def opens() -> bool:
    """Whether the published password opens this site: a demo without a real trial."""
    return bool(settings.DEMO) and not Trial.objects.filter(is_demo=False).exists()


def accounts() -> dict[int, str]:
    """Active accounts that have the published password, with their addresses.

    Hashes are slow by design: those of the demo's addresses and of members of demo trials are looked at, not all.
    Reads few columns, so that it can be asked before a database is brought up to date.
    """
    known = Q(email__in=ADDRESSES) | Q(memberships__trial__is_demo=True)
    rows = User.objects.filter(known, is_active=True).order_by("pk").distinct().values_list("pk", "email", "password")
    return {pk: email for pk, email, encoded in rows if check_password(PASSWORD, encoded)}


@transaction.atomic
def close() -> list[str]:
    """Close the accounts that have it, sessions and tokens too; their addresses. Nothing where the site is a demo."""
    addresses = {} if opens() else accounts()
    for user in User.objects.filter(pk__in=addresses):
        for token in ApiToken.objects.filter(user=user, revoked_at=None):
            token_revoke(token)
        user.is_active = False
        user.save(update_fields=["is_active"])
        record("account.close", thing=f"user:{user.pk}", reason="it had the demo's published password")
    return list(addresses.values())


def settle(is_demo: bool) -> None:
    """Check before a trial becomes real.

    Raises django's ValidationError while the published password opens an account.
    """
    if is_demo or Trial.objects.filter(is_demo=False).exists() or not (addresses := accounts()):
        return
    raise ValidationError(
        {
            "is_demo": f"The demo's published password opens {', '.join(addresses.values())}: with a real trial it "
            "would open that too. Give these accounts other passwords or run `manage.py close_demo_accounts`, or make "
            "this a demo trial."
        }
    )


class NotPublished:
    """Password validator: the published one is nobody's."""

    def validate(self, password: str, user: Any = None) -> None:
        if password == PASSWORD:
            raise ValidationError("This password is published: choose another.", code="password_published")

    def get_help_text(self) -> str:
        return "Your password can't be one that is printed in documents."
