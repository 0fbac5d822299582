"""Memberships of a trial: granted, changed and ended, never deleted, so that the past can be told."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from participants import audit
from participants.models import ApiToken, Membership, Site, Trial, User
from participants.services.api_tokens import token_revoke
from participants.services.changes import change, locked, plain


class MembershipChanges(TypedDict, total=False):
    """Changes of a membership; what is not named stays. `digest_at`: the trial's time, None for none."""

    role: str
    site: Site | None
    digest_at: dt.time | None


@transaction.atomic
def membership_grant(
    *, user: User, trial: Trial, role: str, site: Site | None = None, now: dt.datetime | None = None, reason: str = ""
) -> Membership:
    """Make a user a member of a trial, or of one site of it, from now on (or another instant).

    Raises django's ValidationError for bad values, another trial's site or service account, and somebody who is a
    member there already.
    """
    membership = Membership(user=user, trial=trial, role=role, site=site, started_at=now or timezone.now())
    locked(trial)  # two at once: the second finds the first
    membership.full_clean()
    membership.save()
    _record("membership.grant", membership, new=_terms(membership), reason=reason)
    return membership


@transaction.atomic
def membership_change(
    membership: Membership, *, now: dt.datetime | None = None, reason: str = "", **changes: Unpack[MembershipChanges]
) -> Membership:
    """Change what a member may do, or when their digest comes. Returns the membership that holds from now on.

    Another role or site ends this membership and begins a new one at the same instant, so that what they were is
    kept. Raises ValueError where it has ended, django's ValidationError for bad values.
    """
    row = locked(membership)
    if row.ended_at:
        raise ValueError(f"{row.user} is no longer a member there: grant a new membership.")
    old, terms = _terms(row), dict(changes)
    if all(terms.get(name, getattr(row, name)) == getattr(row, name) for name in ("role", "site")):
        _, new = change(row, terms, may=MembershipChanges.__annotations__)
        if new:
            _record("membership.change", row, old={"digest_at": old["digest_at"]}, new=new, reason=reason)
        return row
    at = now or timezone.now()
    row.ended_at = at
    row.save(update_fields=["ended_at"])
    kept = {name: getattr(row, name) for name in MembershipChanges.__annotations__}
    follows = Membership(user=row.user, trial=row.trial, started_at=at, **{**kept, **terms})
    follows.full_clean()
    follows.save()
    before, after = audit.changes(old, _terms(follows))
    _record("membership.change", follows, old=before, new=after, reason=reason)
    return follows


@transaction.atomic
def membership_end(membership: Membership, *, now: dt.datetime | None = None, reason: str = "") -> Membership:
    """The user is a member no longer, from now on; one that has ended stays as it is. Returns it as it is stored now.

    A service account whose last membership this was is closed, and its tokens are revoked.
    """
    row = locked(membership)
    if row.ended_at is None:
        row.ended_at = now or timezone.now()
        row.save(update_fields=["ended_at"])
        _record("membership.end", row, old=_terms(row), reason=reason)
        _close_program(row)
    return row


def _close_program(ended: Membership) -> None:
    program = ended.user
    if not program.is_service or Membership.objects.filter(user=program, ended_at=None).exists():
        return
    for token in ApiToken.objects.filter(user=program, revoked_at=None):
        token_revoke(token)
    User.objects.filter(pk=program.pk).update(is_active=False)
    audit.record("service_account.end", trial=ended.trial, thing=f"user:{program.pk}", old={"name": program.first_name})


def _terms(membership: Membership) -> dict[str, Any]:
    names = ("user", *MembershipChanges.__annotations__)
    return {name: plain(getattr(membership, name)) for name in names}


def _record(action: str, membership: Membership, **values: Any) -> None:
    audit.record(action, trial=membership.trial, thing=f"membership:{membership.pk}", **values)
