"""Forms of the account pages. They check what people type; rules are in participants.accounts.services."""

from __future__ import annotations

import datetime as dt
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.webauthn.forms import AddWebAuthnForm, LoginWebAuthnForm, ReauthenticateWebAuthnForm
from django import forms
from django.conf import settings
from django.contrib.auth import password_validation
from django.http import HttpRequest
from django.shortcuts import render
from django.utils import timezone

from participants.accounts import emails
from participants.accounts.service_accounts import ROLES
from participants.forms import Decoder, LineField
from participants.models import Membership, Site, Trial, User
from participants.team_texts import gettext
from participants.user_input import canonical_address


def _credential() -> forms.JSONField:
    """Answer of a browser about a passkey (WebAuthn)."""
    return forms.JSONField(decoder=Decoder, widget=forms.HiddenInput)


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]  # allauth is untyped
    credential = _credential()


class PasskeySignInForm(LoginWebAuthnForm):  # type: ignore[misc]
    credential = _credential()


class PasskeyAgainForm(ReauthenticateWebAuthnForm):  # type: ignore[misc]
    credential = _credential()


class ResetForm(forms.Form):
    """Form that asks for a new password. Nothing is looked up here: the worker does, so every answer takes as long."""

    email = forms.EmailField(label="E-mail", widget=forms.EmailInput())

    def clean_email(self) -> str:
        """Canonical e-mail address: requests are counted by it."""
        return canonical_address(self.cleaned_data["email"])

    def clean(self) -> dict[str, Any] | None:
        if not settings.EMAIL_HOST:
            raise forms.ValidationError(emails.NO_SERVER)
        return super().clean()

    def save(self, request: HttpRequest, **_: Any) -> str:
        """Called by allauth when the form is valid and was not sent too often."""
        try:
            emails.queue("participants.mail_reset", self.cleaned_data["email"])
        except emails.CannotSend as fault:
            self.add_error(None, str(fault))
            page = render(request, "account/password_reset.html", {"form": self}, status=503)
            raise ImmediateHttpResponse(page) from None
        return str(self.cleaned_data["email"])


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # takes no type parameters when the program runs
    """Form of the user's name, as colleagues see it."""

    class Meta:
        model = User
        fields = ("first_name", "last_name")


class InviteForm(forms.Form):
    """Form that invites a colleague to a trial."""

    email = forms.EmailField(label="E-mail")
    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.VIEWER)
    site = forms.ModelChoiceField(Site.objects.none(), required=False, empty_label=gettext("all sites"))

    def __init__(self, trial: Trial, data: Any = None) -> None:
        super().__init__(data)
        self.fields["site"].queryset = trial.sites.all()  # type: ignore[attr-defined]


class JoinForm(forms.Form):
    """A new account: a name and a password."""

    first_name = LineField(label=gettext("First name"), max_length=150)
    last_name = LineField(label=gettext("Last name"), max_length=150)
    password1 = forms.CharField(label=gettext("Password"), widget=forms.PasswordInput(), strip=False)
    password2 = forms.CharField(label=gettext("Password again"), widget=forms.PasswordInput(), strip=False)

    def __init__(self, email: str, data: Any = None) -> None:
        super().__init__(data)
        self.email = email

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        first, second = cleaned.get("password1"), cleaned.get("password2")
        if first and second and first != second:
            self.add_error("password2", gettext("The two are not the same."))
        elif first:
            known = User(
                email=self.email, first_name=cleaned.get("first_name", ""), last_name=cleaned.get("last_name", "")
            )
            try:
                password_validation.validate_password(first, known)
            except forms.ValidationError as wrong:
                self.add_error("password1", wrong)
        return cleaned


ENDS = (
    (7, gettext("in a week")),
    (30, gettext("in 30 days")),
    (90, gettext("in 90 days")),
    (365, gettext("in a year")),
)
USUAL = 90


class TokenForm(forms.Form):
    """Form of an API token: its purpose, what it opens and how long."""

    name = LineField(label=gettext("Name"), max_length=80)
    trials = forms.ModelMultipleChoiceField(Trial.objects.none(), required=False)
    can_write = forms.BooleanField(label=gettext("It may also write"), required=False)
    days = forms.TypedChoiceField(label=gettext("It ends"), choices=ENDS, coerce=int, initial=USUAL)

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data)
        self.fields["trials"].queryset = Trial.objects.visible_to(user)  # type: ignore[attr-defined]

    def token_arguments(self) -> dict[str, Any]:
        """Arguments of token_create. No trial chosen: all that its user sees."""
        given = self.cleaned_data
        return {
            "name": given["name"],
            "can_write": given["can_write"],
            "trials": list(given["trials"]) or None,
            "expires_at": timezone.now() + dt.timedelta(days=given["days"]),
        }


class ServiceAccountForm(forms.Form):
    """A program and its role."""

    name = LineField(label=gettext("Name"), max_length=80)
    role = forms.ChoiceField(label=gettext("Role"), choices=ROLES, initial="analyst")
