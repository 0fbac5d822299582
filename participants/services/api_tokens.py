"""Tokens of programs: made once, shown once, kept as a digest, ended at any time."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import secrets
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import InternalError, OperationalError, transaction
from django.utils import timezone

from participants.audit import record
from participants.compiled_sql import compiled
from participants.conditions_sql import INSTANT, TEXT
from participants.models import ApiToken, Trial, User

log = logging.getLogger(__name__)

LONGEST = dt.timedelta(days=366)
# `last used` is written at most so often: a read does not become a write.
USED_EVERY = dt.timedelta(minutes=1)


@transaction.atomic
def token_create(
    *,
    user: User,
    name: str,
    expires_at: dt.datetime,
    can_write: bool = False,
    trials: Iterable[Trial] | None = None,
    by: User | None = None,
) -> tuple[ApiToken, str]:
    """A new token and its key, which is not stored and cannot be shown again.

    `trials`: those it opens, at most; None: whatever its user sees. Raises django's ValidationError.
    """
    now = timezone.now()
    if not now < expires_at <= now + LONGEST:
        raise ValidationError({"expires_at": "A token ends within a year from now."})
    chosen = None if trials is None else list(trials)
    seen = Trial.objects.visible_to(user)
    if chosen is not None and not chosen:
        raise ValidationError({"trials": "Name at least one trial."})
    if chosen and seen.filter(pk__in=[trial.pk for trial in chosen]).count() != len(chosen):
        raise ValidationError({"trials": "Only trials that its user sees."})
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = ApiToken(
        user=user,
        name=name,
        prefix=prefix,
        digest=_digest(secret),
        can_write=can_write,
        all_trials=chosen is None,
        expires_at=expires_at,
        created_by=by or user,
    )
    token.full_clean()
    token.save()
    token.trials.set(chosen or [])
    new = {"name": name, "user": user.email, "can_write": can_write, "expires_at": expires_at}
    codes = sorted(trial.code for trial in chosen) if chosen is not None else "all"
    record("token.create", thing=f"token:{token.pk}", new=new | {"trials": codes})
    return token, f"wt_{prefix}_{secret}"


@transaction.atomic
def token_revoke(token: ApiToken) -> None:
    """End a token at once; nothing happens to one that has ended."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        record("token.revoke", thing=f"token:{token.pk}", old={"name": token.name, "user": token.user.email})


@compiled(prefix=TEXT, now=INSTANT)
def _in_force(prefix: Any, now: Any) -> Any:
    tokens = ApiToken.objects.select_related("user").order_by("pk")
    return tokens.filter(prefix=prefix, revoked_at=None, expires_at__gt=now)


def token_find(key: str) -> ApiToken | None:
    """The token of a key that is in force, with its user; notes its use."""
    kind, _, rest = key.partition("_")
    prefix, _, secret = rest.partition("_")
    if kind != "wt" or not secret or "\0" in key:
        return None
    now = timezone.now()
    token: ApiToken | None = _in_force.first(prefix=prefix, now=now)
    if token is None or not secrets.compare_digest(token.digest, _digest(secret)) or not token.user.is_active:
        return None
    if token.last_used_at is None or token.last_used_at < now - USED_EVERY:
        _used(token, now)
    return token


def _used(token: ApiToken, now: dt.datetime) -> None:
    """Note it, where notes can be taken: on a full disk what was asked for can still be read."""
    try:
        with transaction.atomic():
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    except (OperationalError, InternalError) as fault:
        log.warning("the use of a token could not be noted: %s", type(fault.__cause__ or fault).__name__)


def limited_user(token: ApiToken) -> User:
    """The token's user, with what the token allows: participants.querysets heeds these limits."""
    user = token.user
    user.token_trials = None if token.all_trials else frozenset(token.trials.values_list("pk", flat=True))
    user.read_only = not token.can_write
    return user


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
