"""Writes that may be sent again: the same `Idempotency-Key` and body get the first answer, and nothing is done twice.

Row, act and stored answer share one transaction: a crash leaves none of them, and a second request waits for the
first. Only what succeeded is kept; after an error the key may be used again.
"""

from __future__ import annotations

import datetime as dt
import hashlib

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from participants import vault
from participants.models import IdempotencyKey, User
from participants.rest.problems import Problem

HEADER = "Idempotency-Key"
KEPT = dt.timedelta(hours=24)
LONGEST = 255
REPLAYED = "Idempotency-Replayed"


class Replay(Exception):
    """It was done already: here is what was answered."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


def claim(request: Request, user: User) -> IdempotencyKey | None:
    """The row for a write that names a key; None where it names none. Call inside the write's transaction.

    Raises Replay where it was done already, Problem for a key that was used for something else.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not (1 <= len(key) <= LONGEST and key.isascii() and key.isprintable()):
        raise Problem(400, "The idempotency key is not right.", f"{HEADER} has 1 to {LONGEST} printable characters.")
    digest = hashlib.sha256(request._request.body).hexdigest()
    said = {"method": request.method or "", "path": request.get_full_path()[:500], "body_digest": digest}
    IdempotencyKey.objects.filter(user=user, created_at__lt=timezone.now() - KEPT).delete()
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(user=user, key=key, **said)
    except IntegrityError:
        known = IdempotencyKey.objects.get(user=user, key=key)
    if any(getattr(known, name) != value for name, value in said.items()):
        raise Problem(422, "This idempotency key was used for another request.", "Send this one with a key of its own.")
    raise Replay(_stored(known))


def keep(row: IdempotencyKey, response: Response) -> None:
    """Store a rendered answer. Sealed: it may hold what is shown only once."""
    row.status = response.status_code
    row.headers = {name: response.headers[name] for name in ("Content-Type", "Location") if response.has_header(name)}
    row.sealed_body = vault.seal(response.content.decode())
    row.save(update_fields=["status", "headers", "sealed_body"])


def _stored(row: IdempotencyKey) -> HttpResponse:
    response = HttpResponse(vault.unseal(row.sealed_body).encode(), status=row.status)
    for name, value in row.headers.items():
        response.headers[name] = value
    response.headers[REPLAYED] = "true"
    return response
