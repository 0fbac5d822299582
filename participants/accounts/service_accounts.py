"""Service accounts: programs that are members of a trial, so that their tokens do not end with somebody's job.

Made by a manager of all of the trial. Such an account has no password and no way to sign in; what it may do is its
role, and it is never a manager: rules and team are changed by people. It belongs to the trial that it was made in: the
database refuses it elsewhere, and what it sees is bound to that trial (participants.querysets).
"""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from participants.audit import record
from participants.models import SERVICE_DOMAIN, Membership, Trial, User
from participants.services import membership_end, membership_grant

ROLES = tuple(choice for choice in Membership.Role.choices if choice[0] != Membership.Role.MANAGER)


def service_accounts(trial: Trial) -> QuerySet[Membership]:
    """The trial's service accounts, as the memberships that they have."""
    current = Membership.objects.filter(trial=trial, ended_at=None, user__is_service=True, user__service_trial=trial)
    return current.select_related("user").order_by("user__first_name", "pk")


@transaction.atomic
def service_account_create(*, trial: Trial, name: str, role: str) -> Membership:
    """A new account with a membership in the trial. Raises django's ValidationError for bad values."""
    if role not in dict(ROLES):
        raise ValidationError({"role": "A program is coordinator, analyst or viewer."})
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug or len(name) > 80:
        raise ValidationError({"name": "Give it a name of 1 to 80 characters, e.g. nightly analysis."})
    email = f"{slug}.{trial.code.lower()}@{SERVICE_DOMAIN}"
    if User.objects.by_address(email).exists():
        raise ValidationError({"name": "There is, or was, a service account of this name in the trial."})
    user = User(email=email, first_name=name, is_service=True, service_trial=trial)
    user.set_unusable_password()
    user.full_clean()
    user.save()
    record("service_account.create", trial=trial, thing=f"user:{user.pk}", new={"name": name, "role": role})
    return membership_grant(user=user, trial=trial, role=role)


@transaction.atomic
def service_account_end(membership: Membership) -> None:
    """End all of its memberships: with the last one its tokens are revoked and the account is closed."""
    for current in Membership.objects.filter(user=membership.user, trial=membership.trial, ended_at=None):
        membership_end(current, reason="service account ended")
