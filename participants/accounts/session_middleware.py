"""Session lifetime: a session ends after some minutes without activity, after twelve hours in any case, and where its
owner signed out everywhere since.

What a page requests by itself (its pulse, progress bars) is no activity: the browser marks such requests, and those
that only a clock sends are known by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponseBase

from participants.accounts import session_user
from participants.models import User

SIGNED_IN, SEEN = "signed_in_at", "seen_at"  # in the session: seconds since 1970
UNATTENDED = "X-Unattended"
# Sent by a clock alone, whatever the browser says.
POLLS = frozenset({"pulse", "progress", "session"})
# The session is stored again at most so often: a request that only reads then writes nothing.
GRAIN_SECONDS = 60


def begin(request: HttpRequest, now: float | None = None) -> None:
    """The session's clock starts, or starts again."""
    moment = time.time() if now is None else now
    request.session[SIGNED_IN], request.session[SEEN] = moment, moment


def stay(request: HttpRequest) -> None:
    """Prolong a session whose user said that they are still there."""
    request.session[SEEN] = time.time()


def _signed_in(*, request: HttpRequest, **_: Any) -> None:
    begin(request)


user_logged_in.connect(_signed_in, dispatch_uid="session_life")


def seconds_left(request: HttpRequest, now: float | None = None) -> int:
    """Until the session ends if nothing more is done; 0 or less: it has ended."""
    moment = time.time() if now is None else now
    # A session from before this rule begins now.
    seen = float(request.session.get(SEEN, moment))
    signed_in = float(request.session.get(SIGNED_IN, moment))
    idle = seen + settings.SESSION_IDLE_MINUTES * 60 - moment
    return int(min(idle, signed_in + settings.SESSION_HOURS * 3600 - moment))


def ended_elsewhere(request: HttpRequest, user: User) -> bool:
    """Whether the user signed out everywhere after this session began."""
    return user.signed_out_at is not None and float(request.session.get(SIGNED_IN, 0)) < user.signed_out_at.timestamp()


class SessionLife:
    """Middleware, behind those of sessions, users and messages."""

    def __init__(self, ask: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.ask = ask

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if isinstance(request.user, User) and request.user.is_authenticated:
            session_user.keep(request.user, request.method)
            self._sign_out_if_ended(request, request.user)
        return self.ask(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: dict[str, Any]) -> None:
        """Activity keeps the session alive. The view's name is known only here."""
        if not request.user.is_authenticated or request.headers.get(UNATTENDED):
            return
        if request.resolver_match and request.resolver_match.url_name in POLLS:
            return
        now = time.time()
        if abs(now - float(request.session.get(SEEN, 0))) >= GRAIN_SECONDS:
            request.session[SEEN] = now
            request.session.setdefault(SIGNED_IN, now)

    @staticmethod
    def _sign_out_if_ended(request: HttpRequest, user: User) -> None:
        if ended_elsewhere(request, user):
            why, message = "everywhere", "You were signed out everywhere."
        elif seconds_left(request) <= 0:
            why, message = "idle", "You were signed out because nothing was done for a while, or after a whole day."
        else:
            return
        request.sign_out_reason = why  # type: ignore[attr-defined]  # for the audit trail
        logout(request)
        messages.info(request, message)


def clear_expired() -> None:
    """Delete the sessions that have expired from the database."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
