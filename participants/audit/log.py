"""Audit log: who did or viewed what. Everything that changes or shows a participant's record calls this.

Who acts is known from the context that a request, a task or a command runs in, so services need no argument for it.
An entry is written in the caller's transaction: what was rolled back was not done. Entries are chained shortly after
(participants.audit.hash_chain).
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from participants.audit import hash_chain
from participants.audit.hash_chain import detail_digest
from participants.models import ApiToken, AuditDetail, AuditEntry, Participant, Trial, User, Via

# A chart of a page that was opened so recently belongs to that view.
SAME_VIEW = dt.timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Acting:
    """Actor and channel. `request`: its user and token are read only when something is recorded."""

    via: str = Via.COMMAND
    user: User | None = None
    request: HttpRequest | None = None
    request_id: str = ""

    def who(self) -> tuple[User | None, ApiToken | None]:
        """The user, or None for the platform itself and for people without an account; and the token they came with."""
        user = self.user
        token = getattr(self.request, "auth", None)
        if user is None and self.request is not None:
            requester = getattr(self.request, "user", None)
            user = requester if isinstance(requester, User) or (requester and requester.is_authenticated) else None
        return user, token if isinstance(token, ApiToken) else None


_nobody = Acting()
_acting: ContextVar[Acting] = ContextVar("acting", default=_nobody)


@contextmanager
def acting(
    *, via: str, user: User | None = None, request: HttpRequest | None = None, request_id: str = ""
) -> Iterator[None]:
    """Context in which entries are recorded of this user (or this request's) and channel."""
    token = _acting.set(Acting(via, user, request, request_id))
    try:
        yield
    finally:
        _acting.reset(token)


def record(
    action: str,
    *,
    trial: Trial | None = None,
    participant: Participant | None = None,
    thing: str = "",
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Append one entry in the caller's transaction. `action` is noun.verb; `old`, `new`: the values that changed."""
    detail = AuditDetail(
        subject=participant.study_id if participant else "",
        old=_plain(old),
        new=_plain(new),
        reason=reason[:500],
    )
    return _append(action, [(participant, trial or (participant.trial if participant else None), detail)], thing)[0]


def record_view(
    participants: Participant | Iterable[Participant], action: str = "participant.view", *, part: bool = False
) -> None:
    """Record that participants' data were read: one entry each.

    `part`: what was read belongs to a page; nothing is written of those whom the same user viewed within the last
    15 minutes.
    """
    viewed = [participants] if isinstance(participants, Participant) else list(participants)
    if part and viewed:
        user, _ = _acting.get().who()
        recent = AuditEntry.objects.filter(
            participant__in=[participant.pk for participant in viewed],
            at__gte=timezone.now() - SAME_VIEW,
            actor=user,
            action__endswith=".view",
        )
        known = set(recent.values_list("participant_id", flat=True))
        viewed = [participant for participant in viewed if participant.pk not in known]
    if viewed:
        _append(action, [(participant, None, AuditDetail()) for participant in viewed], "")


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Old and new values of the keys of `after` whose value differs."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


@transaction.atomic(savepoint=False)
def _append(
    action: str, about: list[tuple[Participant | None, Trial | None, AuditDetail]], thing: str
) -> list[AuditEntry]:
    now, context = timezone.now(), _acting.get()
    user, token = context.who()
    entries = []
    for participant, trial, detail in about:
        detail.salt = secrets.token_hex(16)
        entry = AuditEntry(
            at=now,
            action=action,
            via=context.via,
            actor_id=user.pk if user else None,
            actor_name=user.email if user else "",
            token_id=token.pk if token else None,
            trial_id=participant.trial_id if participant else trial.pk if trial else None,
            participant_id=participant.pk if participant else None,
            thing=thing,
            request_id=context.request_id,
            detail_digest=detail_digest(detail) if _says_something(detail) else "",
        )
        entry.key_id, entry.mac = hash_chain.authenticate(entry)
        entries.append(entry)
    AuditEntry.objects.bulk_create(entries)
    details = []
    for entry, (_, _, detail) in zip(entries, about, strict=True):
        if entry.detail_digest:
            detail.entry = entry
            details.append(detail)
    if details:
        AuditDetail.objects.bulk_create(details)
    return entries


def _says_something(detail: AuditDetail) -> bool:
    return bool(detail.subject or detail.old or detail.new or detail.reason)


def _plain(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Values as JSON gives them back: what is digested must be what is read again."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values or {}), cls=DjangoJSONEncoder))
    return plain


def record_user_created(user: User) -> None:
    """Record that a user was made (querysets.user_created)."""
    new = {name: getattr(user, name) for name in ("email", "is_staff", "is_superuser")}
    record("user.create", thing=f"user:{user.pk}", new=new)
