"""Second factor: which accounts must have one, and the middleware that makes them set it up before anything else.

Whoever can see contact data needs one: managers and coordinators of any trial, staff and superusers. The rule is
asked at each request, so that it holds from the moment somebody becomes one. SECOND_FACTOR=optional (the demo) lifts
it; a second factor that somebody has set up is asked for in any case (allauth's login stages).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from participants.accounts.session_user import FACTORS
from participants.models import Membership, User
from participants.querysets import known_memberships

CONTACT_ROLES = (Membership.Role.MANAGER, Membership.Role.COORDINATOR)
# What can be reached without it: what sets it up, the way out, and what the pages themselves ask for.
OPEN = frozenset(
    {
        "login",
        "logout",
        "account_login",
        "account_logout",
        "account_reauthenticate",
        "mfa_index",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "session",
        "favicon",
    }
)


def required_of(user: User) -> bool:
    """Whether a user's role asks for a second factor, wherever it is enforced."""
    return user.is_staff or user.is_superuser or _contact_memberships(user.pk).exists()


def has(user: User) -> bool:
    """Whether an authenticator app or a passkey is set up. Recovery codes alone are none."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists())


def missing(user: User) -> bool:
    """Whether a user must set one up before anything else. One query, unless it was read with the user."""
    if settings.SECOND_FACTOR != "required":
        return False
    if user.known_factor is not None and (known := known_memberships(user)) is not None:
        obliged = user.is_staff or user.is_superuser or any(one.role in CONTACT_ROLES for one in known)
        return obliged and not user.known_factor
    users = User.objects.filter(pk=user.pk).filter(
        Q(is_staff=True) | Q(is_superuser=True) | Exists(_contact_memberships(OuterRef("pk")))
    )
    return users.exclude(Exists(Authenticator.objects.filter(user_id=OuterRef("pk"), type__in=FACTORS))).exists()


def may_remove(user: User, authenticator: Authenticator) -> bool:
    """Whether a factor may be removed: not the last one of a user who needs one."""
    if authenticator.type not in FACTORS or settings.SECOND_FACTOR != "required" or not required_of(user):
        return True
    others = Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exclude(pk=authenticator.pk)
    return bool(others.exists())


def _contact_memberships(user: Any) -> QuerySet[Membership]:
    return Membership.objects.filter(user=user, ended_at=None, role__in=CONTACT_ROLES)


class SecondFactorGate:
    """Middleware: pages go to the setting-up page, partials take the whole page there, the API answers 403."""

    def __init__(self, ask: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.ask = ask

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.ask(request)

    def process_view(
        self, request: HttpRequest, _view: Any, _args: Any, _kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is None or match.url_name in OPEN or not isinstance(request.user, User) or not missing(request.user):
            return None
        if request.path_info.startswith("/api/"):
            problem = {
                "type": "about:blank",
                "title": "A second factor is required",
                "status": 403,
                "detail": "Set up a second factor in your account before you use this session here.",
            }
            return JsonResponse(problem, status=403, content_type="application/problem+json")
        if getattr(request, "htmx", False):
            return HttpResponseClientRedirect(reverse("mfa_index"))
        return HttpResponseRedirect(reverse("mfa_index"))
