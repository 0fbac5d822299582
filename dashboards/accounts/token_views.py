"""Pages of API tokens: the user's own, and a trial's service accounts with theirs. A key is shown once, when made."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from dashboards.accounts.forms import ServiceAccountForm, TokenForm
from dashboards.ui.access import Request, led_trial, signed_in
from participants.accounts.service_accounts import (
    service_account_create,
    service_account_end,
    service_accounts,
)
from participants.forms import SeeOther
from participants.models import ApiToken, Trial, User
from participants.services.api_tokens import token_create, token_revoke
from participants.team_texts import gettext
from participants.user_input import form_data


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@sensitive_variables("key")
def tokens(request: Request) -> HttpResponse:
    """Page of the user's tokens. POST creates one, and this response alone shows its key."""
    form = TokenForm(request.user, form_data(request).form or None)
    key = _made(form, request.user, request.user) if request.method == "POST" else ""
    context = {"form": form, "key": key, "tokens": _tokens_of(request.user), "now": timezone.now()}
    return render(request, "account/tokens.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def token_end(request: Request, pk: int) -> HttpResponse:
    """Asks before a token of one's own, or of a service account that one looks after, is revoked."""
    token = get_object_or_404(ApiToken.objects.select_related("user"), pk=pk, revoked_at=None)
    back = _back(request.user, token)
    if request.method == "POST":
        token_revoke(token)
        messages.success(request, gettext("{token} does not work any more.").format(token=token.name))
        return SeeOther(back)
    return render(request, "account/token_end.html", {"token": token, "back": back})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@sensitive_variables("key")
def service(request: Request, code: str) -> HttpResponse:
    """Page of a trial's service accounts and their tokens. With POST an account is made, or a token for one of them."""
    trial = led_trial(request, code)
    accounts = service_accounts(trial)
    chosen = accounts.filter(pk=form_data(request).number("account") or 0).first()
    form = ServiceAccountForm(form_data(request).form if request.method == "POST" and not chosen else None)
    token_form = TokenForm(chosen.user, form_data(request).form) if chosen else TokenForm(request.user)
    key = _made(token_form, chosen.user, request.user) if chosen else ""
    if request.method == "POST" and not chosen and _account_made(trial, form):
        return SeeOther(reverse("dashboards:service-accounts", args=[trial.code]))
    context = {
        "trial": trial,
        "form": form,
        "token_form": token_form,
        "key": key,
        "accounts": [(account, _tokens_of(account.user)) for account in accounts],
        "now": timezone.now(),
    }
    wrong = form.errors or token_form.errors
    return render(request, "dashboards/accounts/service_accounts.html", context, status=400 if wrong else 200)


@require_POST
@signed_in
def service_end(request: Request, code: str, pk: int) -> HttpResponse:
    """End a service account: its membership, its tokens, itself."""
    trial = led_trial(request, code)
    membership = get_object_or_404(service_accounts(trial), pk=pk)
    service_account_end(membership)
    messages.success(
        request,
        gettext("{first_name} has ended, and its tokens with it.").format(first_name=membership.user.first_name),
    )
    return SeeOther(reverse("dashboards:service-accounts", args=[trial.code]))


def _back(user: User, token: ApiToken) -> str:
    """Where the token is listed for the user; 404 where it is none of theirs."""
    if token.user_id == user.pk:
        return reverse("dashboards:tokens")
    trial = get_object_or_404(Trial.objects.led_by(user), pk=token.user.service_trial_id)
    return reverse("dashboards:service-accounts", args=[trial.code])


def _tokens_of(user: User) -> Any:
    return user.api_tokens.filter(revoked_at=None).prefetch_related("trials")


def _made(form: TokenForm, user: User, by: User) -> str:
    """The key of a new token, or "" where the form says what is wrong."""
    if not form.is_valid():
        return ""
    try:
        return token_create(user=user, by=by, **form.token_arguments())[1]
    except ValidationError as wrong:
        form.add_error(None, wrong.messages)
        return ""


def _account_made(trial: Trial, form: ServiceAccountForm) -> bool:
    if not form.is_valid():
        return False
    try:
        service_account_create(trial=trial, **form.cleaned_data)
    except ValidationError as wrong:
        form.add_error(None, wrong.messages)
        return False
    return True
