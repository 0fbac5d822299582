"""Accounts in the administration: sign-ins, read-only. Second factors' secrets are shown to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin

from participants.admin.base import ReadOnlyAdminMixin
from participants.models import ColleagueInvitation, SignIn

if TYPE_CHECKING:
    SignInAdminBase = admin.ModelAdmin[SignIn]
    InvitationAdminBase = admin.ModelAdmin[ColleagueInvitation]
else:
    SignInAdminBase = InvitationAdminBase = admin.ModelAdmin

for model in (EmailAddress, Authenticator):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(SignIn)
class SignInAdmin(ReadOnlyAdminMixin, SignInAdminBase):
    list_display = ("at", "user", "outcome", "method", "address", "browser")
    list_filter = ("outcome", "method", "at")
    search_fields = ("user__email",)
    date_hierarchy = "at"
    list_select_related = ("user",)


@admin.register(ColleagueInvitation)
class ColleagueInvitationAdmin(ReadOnlyAdminMixin, InvitationAdminBase):
    """Made and revoked on the trial's team page."""

    list_display = (
        "email",
        "trial",
        "role",
        "site",
        "invited_by",
        "sent_at",
        "expires_at",
        "accepted_at",
        "revoked_at",
    )
    list_filter = ("trial", "role")
    search_fields = ("email",)
    list_select_related = ("trial", "site")
    exclude = ("code_hash",)
