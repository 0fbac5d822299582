"""OAuth states of consents under way: kept in the browser's session until it comes back from the vendor's screen.

A `state` belongs to the session that made it and to the provider it was made for, is good once, and not for long.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from django.contrib.sessions.backends.base import SessionBase

KEY = "consents"
LASTS = dt.timedelta(minutes=15)
# A participant who goes back and forth makes several; the oldest are forgotten.
MOST = 5


@dataclass(frozen=True, slots=True)
class Pending:
    """Consent that was begun: for which invitation (its row), with which secret half of PKCE."""

    invitation_id: int
    verifier: str


def begin(session: SessionBase, invitation_id: int, provider: str, now: dt.datetime) -> tuple[str, str]:
    """Remember a new consent. Returns its state and its PKCE challenge (S256)."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    known: dict[str, Any] = session.get(KEY, {})
    known[state] = [invitation_id, provider, verifier, now.timestamp()]
    session[KEY] = dict(sorted(known.items(), key=lambda item: float(item[1][3]))[-MOST:])
    digest = hashlib.sha256(verifier.encode()).digest()
    return state, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def take(session: SessionBase, state: str, provider: str, now: dt.datetime) -> Pending | None:
    """Consent of a state, which is used up by this. None: not of this session, used before, or too old."""
    known: dict[str, Any] = session.get(KEY, {})
    begun = known.pop(state, None)
    if begun is None:
        return None
    session[KEY] = known
    # At once: a second answer with the same state must not find it, whatever becomes of this request.
    session.save()
    invitation_id, made_for, verifier, at = begun
    if made_for != provider or now.timestamp() - at > LASTS.total_seconds():
        return None
    return Pending(invitation_id, verifier)
