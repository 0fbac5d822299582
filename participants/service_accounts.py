"""Service accounts: programs that are members of a trial, so that their tokens do not end with somebody's job.

Made by a manager of all of the trial. Such an account has no password and no way to sign in; what it may do is its
role, and it is never a manager: rules and team are changed by people.
"""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from participants.api_tokens import token_revoke
from participants.audit import record
from participants.models import ApiToken, Membership, Trial, User
from participants.services import membership_end, membership_grant

ROLES = tuple(choice for choice in Membership.Role.choices if choice[0] != Membership.Role.MANAGER)
# A domain that is nobody's (RFC 2606): no mail for such an account ever leaves.
DOMAIN = "service.invalid"


def service_accounts(trial: Trial) -> QuerySet[Membership]:
    """The trial's service accounts, as the memberships that they have."""
    current = Membership.objects.filter(trial=trial, ended_at=None, user__is_service=True)
    return current.select_related("user").order_by("user__first_name", "pk")


@transaction.atomic
def service_account_create(*, trial: Trial, name: str, role: str) -> Membership:
    """A new account with a membership in the trial. Raises django's ValidationError for bad values."""
    if role not in dict(ROLES):
        raise ValidationError({"role": "A program is coordinator, analyst or viewer."})
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug or len(name) > 80:
        raise ValidationError({"name": "Give it a name of 1 to 80 characters, e.g. nightly analysis."})
    email = f"{slug}.{trial.code.lower()}@{DOMAIN}"
    if User.objects.filter(email=email).exists():
        raise ValidationError({"name": "There is, or was, a service account of this name in the trial."})
    user = User(email=email, first_name=name, is_service=True)
    user.set_unusable_password()
    user.full_clean()
    user.save()
    record("service_account.create", trial=trial, thing=f"user:{user.pk}", new={"name": name, "role": role})
    return membership_grant(user=user, trial=trial, role=role)


@transaction.atomic
def service_account_end(membership: Membership) -> None:
    """End the membership, revoke all its tokens and close the account."""
    user = membership.user
    for token in ApiToken.objects.filter(user=user, revoked_at=None):
        token_revoke(token)
    membership_end(membership, reason="service account ended")
    User.objects.filter(pk=user.pk, is_service=True).update(is_active=False)
    record("service_account.end", trial=membership.trial, thing=f"user:{user.pk}", old={"name": user.first_name})
