"""Pages of the user's own account: name, trials, sign-ins, and how long the session lives.

Passwords, second factors and passkeys are allauth's views, in our templates (config.urls_accounts).
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboards.accounts.forms import ProfileForm
from dashboards.ui.access import Request, signed_in
from participants.accounts import (
    emails,
    session_middleware,
    sign_in_log,
    two_factor,
)
from participants.accounts import (
    services as accounts_services,
)
from participants.forms import SeeOther
from participants.models import Membership, SignIn
from participants.team_texts import gettext
from participants.user_input import form_data

SHOWN = 100


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def account(request: Request) -> HttpResponse:
    """Page of the user's account. POST stores their name."""
    form = ProfileForm(form_data(request).form or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        accounts_services.account_rename(request.user, **form.cleaned_data)
        messages.success(request, gettext("Saved."))
        return SeeOther(reverse("dashboards:account"))
    memberships = Membership.objects.filter(user=request.user, ended_at=None).select_related("trial", "site")
    context = {
        "form": form,
        "memberships": memberships.order_by("trial__code", "site__name"),
        "led": set(accounts_services.led_by(request.user).values_list("pk", flat=True)),
        "has_factor": two_factor.has(request.user),
        "required": two_factor.required_of(request.user),
        "last": request.user.sign_ins.filter(outcome=SignIn.Outcome.OK)[:2],
    }
    return render(request, "account/overview.html", context, status=400 if form.errors else 200)


@require_safe
@signed_in
def sign_ins(request: Request) -> HttpResponse:
    """Page of the user's last sign-ins, with the attempts that failed."""
    return render(request, "account/sign_ins.html", {"sign_ins": request.user.sign_ins.all()[:SHOWN], "shown": SHOWN})


@require_POST
@signed_in
def sign_out_everywhere(request: Request) -> HttpResponse:
    """End all sessions of the user but this one."""
    sign_in_log.sign_out_everywhere(request, request.user, why="asked for")
    emails.notify(request.user, "sign_out_everywhere", request)
    messages.success(request, gettext("All your other sessions have ended."))
    return SeeOther(reverse("dashboards:sign-ins"))


@require_safe
@never_cache
@signed_in
def session(request: Request) -> HttpResponse:
    """Seconds that the session lives if nothing is done. This request is no activity."""
    return JsonResponse({"seconds_left": session_middleware.seconds_left(request)})


@require_POST
@signed_in
def session_stay(request: Request) -> HttpResponse:
    """Prolong the session: the user is still there. Without script the browser goes back to where it was."""
    session_middleware.stay(request)
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"seconds_left": session_middleware.seconds_left(request)})
    return SeeOther(reverse("dashboards:trial-list"))
