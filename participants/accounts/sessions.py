"""Sessions in the database, looked up by a statement that is built once: each request begins with it."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from participants.compiled_sql import compiled
from participants.conditions_sql import INSTANT, TEXT


@compiled(key=TEXT, now=INSTANT)
def _sessions(key: Any, now: Any) -> Any:
    return Session.objects.filter(session_key=key, expire_date__gt=now)


class SessionStore(db.SessionStore):
    """Django's, but for how a session is found."""

    def _get_session_from_db(self) -> Any:
        session = _sessions.first(key=self.session_key or "", now=timezone.now())
        if session is None:
            self._session_key = None
        return session
