"""Forms for API tokens and service accounts. They check what people type; rules are in
participants.services.api_tokens.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone

from participants.accounts.service_accounts import ROLES
from participants.forms import LineField
from participants.models import Trial, User

ENDS = ((7, "in a week"), (30, "in 30 days"), (90, "in 90 days"), (365, "in a year"))
USUAL = 90


class TokenForm(forms.Form):
    """Form of an API token: its purpose, what it opens and how long."""

    name = LineField(label="Name", max_length=80)
    trials = forms.ModelMultipleChoiceField(Trial.objects.none(), required=False)
    can_write = forms.BooleanField(label="It may also write", required=False)
    days = forms.TypedChoiceField(label="It ends", choices=ENDS, coerce=int, initial=USUAL)

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

    name = LineField(label="Name", max_length=80)
    role = forms.ChoiceField(label="Role", choices=ROLES, initial="analyst")
