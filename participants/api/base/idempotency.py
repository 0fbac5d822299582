"""Idempotency keys: a write sent again with the same `Idempotency-Key` and body gets the first response, done once.

Row, act and stored response share one transaction: a crash leaves none of them, and a second request waits for the
first. Only what succeeded is kept; after an error the key may be used again.

A key is its token's (or its user's, with a session): another token's is another key. The stored response is given again
to those alone who would be let in now, and that it was is recorded.
"""

from __future__ import annotations

import datetime as dt
import hashlib

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from participants import write_rights
from participants.api.base.exceptions import Problem
from participants.audit import record
from participants.models import ApiToken, IdempotencyKey, User
from participants.privacy import encryption

HEADER = "Idempotency-Key"
KEPT = dt.timedelta(hours=24)
LONGEST = 255
REPLAYED = "Idempotency-Replayed"


class Replay(Exception):
    """Signal that a write was done already, with its stored response."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


def claim(request: Request, user: User) -> IdempotencyKey | None:
    """The row for a write that names a key; None where it names none. Call inside the write's transaction.

    Raises Replay where it was done already, Problem for a key that was used for something else; Http404 and
    PermissionDenied where it was done and this user would not be let in any more.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not (1 <= len(key) <= LONGEST and key.isascii() and key.isprintable()):
        raise Problem(400, "The idempotency key is not right.", f"{HEADER} has 1 to {LONGEST} printable characters.")
    digest = hashlib.sha256(request._request.body).hexdigest()
    request_facts = {"method": request.method or "", "path": request.get_full_path()[:500], "body_digest": digest}
    token = request.auth if isinstance(request.auth, ApiToken) else None
    IdempotencyKey.objects.filter(user=user, created_at__lt=timezone.now() - KEPT).delete()
    keys = IdempotencyKey.objects.filter(user=user, key=key)
    if keys.filter(rights=[]).exists():  # of a version before keys had tokens and rights: nobody knows whose it was
        raise Problem(409, "This was done before the site's upgrade.", "Read what became of it, or use another key.")
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(user=user, token=token, key=key, **request_facts)
    except IntegrityError:
        known = keys.get(token=token)
    if any(getattr(known, name) != value for name, value in request_facts.items()):
        raise Problem(422, "This idempotency key was used for another request.", "Send this one with a key of its own.")
    write_rights.recheck(user, known.rights)
    trial, participant = write_rights.about(known.rights)
    replayed = {"method": known.method, "path": known.path}
    record("answer.replay", trial=trial, participant=participant, thing=f"idempotency_key:{known.pk}", new=replayed)
    raise Replay(_stored(known))


def keep(row: IdempotencyKey, response: Response, let_in_for: list[write_rights.Right]) -> None:
    """Store a rendered response with what it was let in for. Encrypted: it may hold what is shown only once."""
    row.rights = let_in_for
    row.status = response.status_code
    row.headers = {name: response.headers[name] for name in ("Content-Type", "Location") if response.has_header(name)}
    row.encrypted_body = encryption.encrypt(response.content.decode())
    row.save(update_fields=["rights", "status", "headers", "encrypted_body"])


def _stored(row: IdempotencyKey) -> HttpResponse:
    response = HttpResponse(encryption.decrypt(row.encrypted_body).encode(), status=row.status)
    for name, value in row.headers.items():
        response.headers[name] = value
    response.headers[REPLAYED] = "true"
    return response
