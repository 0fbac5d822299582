"""Log of sign-ins and failed attempts, with time, network and method: for the account's owner, and the audit trail.

Addresses are cut to their network (a /24, a /48) before they are stored. Of an address that belongs to no account
only a keyed hash is kept: enough to see that somebody tries one address again and again.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.signals import password_changed, password_reset, password_set, user_logged_in
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_out
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from participants import audit
from participants.accounts import session_middleware
from participants.models import SignIn, User
from participants.user_input import canonical_address

BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
METHODS = {
    "password": "password",
    "password_reset": "password reset",
    "invitation": "invitation",
    Authenticator.Type.TOTP: "authenticator app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery code",
}


def network(request: HttpRequest) -> str:
    """The network a request came from: 203.0.113.0/24, 2001:db8:1::/48; empty where it is not known."""
    try:
        address = ipaddress.ip_address(get_adapter().get_client_ip(request))
    except (PermissionDenied, ValueError):
        return ""
    return str(ipaddress.ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False))


def browser(request: HttpRequest) -> str:
    """Chrome, Windows: as people know their device."""
    agent = request.headers.get("User-Agent", "")
    names = [next((name for mark, name in known if mark in agent), "") for known in (BROWSERS, SYSTEMS)]
    return ", ".join(name for name in names if name)[:40]


def failed(request: HttpRequest, email: str, outcome: str, method: str = "password") -> None:
    """An attempt that came to nothing."""
    user = User.objects.by_address(email).first()
    if user:
        _keep(request, user, outcome, method)
        thing = f"user:{user.pk}"
    else:
        thing = f"unknown:{salted_hmac('sign-in', canonical_address(email), algorithm='sha256').hexdigest()[:16]}"
    audit.record("account.sign_in_failed", thing=thing, new={"outcome": outcome, "from": network(request)})


def _keep(request: HttpRequest, user: User, outcome: str, method: str) -> None:
    SignIn.objects.create(
        user=user, outcome=outcome, method=method[:40], address=network(request), browser=browser(request)
    )


def _method(request: HttpRequest, user: User) -> str:
    records = get_authentication_records(request, user)
    used = [METHODS.get(record.get("type") or record["method"], record["method"]) for record in records]
    return " and ".join(dict.fromkeys(used)) or "password"


def _signed_in(*, request: HttpRequest, user: User, **_: Any) -> None:
    method = _method(request, user)
    _keep(request, user, SignIn.Outcome.OK, method)
    audit.record("account.sign_in", thing=f"user:{user.pk}", new={"method": method, "from": network(request)})


def _signed_out(*, request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        reason = getattr(request, "sign_out_reason", "")
        audit.record("account.sign_out", thing=f"user:{user.pk}", reason=reason)


def _code_failed(*, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    failed(request, user.email, SignIn.Outcome.FAILED, METHODS.get(authenticator.type, ""))


def sign_out_everywhere(request: HttpRequest | None, user: User, *, why: str) -> None:
    """End every session of a user but the one that asks, which begins again."""
    user.signed_out_at = timezone.now()
    user.save(update_fields=["signed_out_at"])
    if request is not None and request.user.pk == user.pk:
        session_middleware.begin(request, user.signed_out_at.timestamp())
    audit.record("account.sign_out_everywhere", thing=f"user:{user.pk}", reason=why)


def _factor(action: str) -> Any:
    def tell(*, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
        kind = METHODS.get(authenticator.type, authenticator.type)
        if authenticator.type == Authenticator.Type.RECOVERY_CODES:
            kind = "recovery codes"
        audit.record(f"account.second_factor_{action}", thing=f"user:{user.pk}", new={"kind": kind})
        # Who signed in elsewhere with the password alone does so again, with the second factor.
        if action == "set" and authenticator.type != Authenticator.Type.RECOVERY_CODES and user.pk == request.user.pk:
            sign_out_everywhere(request, user, why="a second factor was set up")

    return tell


def _password(action: str) -> Any:
    def tell(*, request: HttpRequest, user: User, **_: Any) -> None:
        audit.record(f"account.password_{action}", thing=f"user:{user.pk}")

    return tell


def connect() -> None:
    """Listen to what signs people in and out. Called once, when the app is ready."""
    for signal, name, receiver in (
        (user_logged_in, "in", _signed_in),
        (user_logged_out, "out", _signed_out),
        (mfa_signals.authentication_failed, "code", _code_failed),
        (mfa_signals.authenticator_added, "added", _factor("set")),
        (mfa_signals.authenticator_removed, "removed", _factor("removed")),
        (mfa_signals.authenticator_reset, "reset", _factor("reset")),
        (password_changed, "changed", _password("changed")),
        (password_set, "set", _password("set")),
        (password_reset, "reset", _password("reset")),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=f"sign-in-history-{name}-{id(signal)}")
