"""Pages of a trial's team: members, invitations, and the page by which a colleague joins."""

from __future__ import annotations

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.core.internal import ratelimit
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dashboards.accounts.forms import InviteForm, JoinForm
from dashboards.ui.access import Request, signed_in, team_trial
from participants.accounts import emails
from participants.accounts import services as accounts_services
from participants.forms import SeeOther
from participants.models import Membership, Trial, User
from participants.team_texts import gettext
from participants.user_input import canonical_address, form_data

JOIN_RATE = {"join": "30/m/ip"}


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def team(request: Request, code: str) -> HttpResponse:
    """Members and open invitations; with POST one more is sent. For managers of all sites."""
    trial = team_trial(request, code)
    form = InviteForm(trial, form_data(request).form or None)
    if request.method == "POST" and form.is_valid() and _invite(request, trial, form):
        return SeeOther(reverse("dashboards:team", args=[trial.code]))
    members = Membership.objects.filter(trial=trial, ended_at=None).select_related("user", "site")
    context = {
        "trial": trial,
        "form": form,
        "members": members.order_by("user__email", "site__name"),
        "invitations": accounts_services.open_invitations(trial),
        "section": "team",
    }
    return render(request, "dashboards/accounts/team.html", context, status=400 if form.errors else 200)


def _invite(request: Request, trial: Trial, form: InviteForm) -> bool:
    fields = form.cleaned_data
    try:
        accounts_services.colleague_invite(
            trial=trial, email=fields["email"], role=fields["role"], site=fields["site"], by=request.user
        )
    except ValidationError as wrong:
        form.add_error(None, wrong.messages)
        return False
    except emails.CannotSend as fault:
        form.add_error(None, str(fault))
        return False
    messages.success(request, gettext("The invitation goes to {email}.").format(email=fields["email"]))
    return True


@require_POST
@signed_in
def revoke(request: Request, code: str, pk: int) -> HttpResponse:
    """Make an invitation's link useless."""
    trial = team_trial(request, code)
    invitation = get_object_or_404(accounts_services.open_invitations(trial), pk=pk)
    if accounts_services.colleague_revoke(invitation):
        messages.success(
            request, gettext("The invitation to {email} does not work any more.").format(email=invitation.email)
        )
    return SeeOther(reverse("dashboards:team", args=[trial.code]))


@require_POST
@signed_in
def again(request: Request, code: str, pk: int) -> HttpResponse:
    """Send an invitation's link once more."""
    trial = team_trial(request, code)
    invitation = get_object_or_404(accounts_services.open_invitations(trial), pk=pk)
    try:
        if accounts_services.invitation_again(invitation):
            messages.success(
                request,
                gettext("A new link goes to {email}; the one before does not work any more.").format(
                    email=invitation.email
                ),
            )
    except emails.CannotSend as fault:
        messages.error(request, str(fault))
    return SeeOther(reverse("dashboards:team", args=[trial.code]))


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, code: str) -> HttpResponse:
    """Accept an invitation. Opening the link changes nothing: mail scanners open links too."""
    limited = ratelimit.consume(request, app="dashboards", action="join", config=JOIN_RATE, limit_get=True)
    if not limited:
        return ratelimit.respond_429(request)  # type: ignore[no-any-return]  # allauth is not typed
    user = request.user if isinstance(request.user, User) else None
    try:
        invitation = accounts_services.invitation_by(code)
        known = accounts_services.has_account(invitation)
        form = JoinForm(invitation.email, form_data(request).form or None)
        context = {"invitation": invitation, "known": known, "form": form, "here": request.path}
        if user is not None and user.email != canonical_address(invitation.email):
            raise accounts_services.CannotJoin(
                gettext("This invitation is for another address. Sign out and open the link again.")
            )
        if request.method == "POST" and user is not None:
            accounts_services.colleague_join(code, user=user)
            messages.success(request, gettext("You are a member of {trial}.").format(trial=invitation.trial.code))
            return SeeOther(reverse("dashboards:trial", args=[invitation.trial.code]))
        if request.method == "POST" and not known and form.is_valid():
            return _joined(request, code, form)
    except accounts_services.CannotJoin as fault:
        return render(request, "account/join.html", {"fault": str(fault)}, status=410)
    return render(request, "account/join.html", context, status=400 if form.errors else 200)


def _joined(request: HttpRequest, code: str, form: JoinForm) -> HttpResponse:
    """A new colleague is signed in at once; the second factor follows, where the role asks for one."""
    fields = form.cleaned_data
    name = (fields["first_name"], fields["last_name"])
    user = accounts_services.colleague_join(code, user=None, name=name, password=fields["password1"])
    record_authentication(request, user, method="invitation")
    return perform_login(request, Login(user=user))  # type: ignore[no-any-return]  # allauth is not typed
