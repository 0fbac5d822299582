"""User of a session: read with their memberships and whether they have a second factor, by one statement.

A request that only reads goes by what was read with the user for as long as it lasts, so that visibility is not asked
again in each statement. One that changes something asks anew, under its locks.
"""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef
from django.db.models.functions import JSONObject

from participants.compiled_sql import compiled
from participants.conditions_sql import ID
from participants.models import Membership, User
from participants.querysets import CurrentMembership

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
ONLY_READS = ("GET", "HEAD")


@compiled(pk=ID)
def _users(pk: Any) -> Any:
    current = Membership.objects.filter(user=OuterRef("pk"), ended_at=None)
    held = current.values(one=JSONObject(trial="trial_id", site="site_id", role="role"))
    factors = Authenticator.objects.filter(user_id=OuterRef("pk"), type__in=FACTORS)
    return User.objects.filter(pk=pk).annotate(held=ArraySubquery(held), factor=Exists(factors))


def session_user(pk: int) -> User | None:
    """The user of a session, with what `keep` keeps. One query."""
    user: User | None = _users.first(pk=pk)
    return user


def keep(user: User, method: str | None) -> None:
    """Go by what was read with the user, for the rest of a request that only reads."""
    held = getattr(user, "held", None)
    if held is not None and method in ONLY_READS:
        user.known_memberships = tuple(CurrentMembership(**one) for one in held)
        user.known_factor = user.factor  # type: ignore[attr-defined]
