"""Audit trail and API tokens in the administration, read-only; a token can be revoked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from participants.admin.base import ConfirmationForm, ConfirmedAction, ReadOnlyAdminMixin
from participants.models import ApiToken, AuditDetail, AuditEntry
from participants.services import api_tokens

if TYPE_CHECKING:
    EntryAdminBase = admin.ModelAdmin[AuditEntry]
    TokenAdminBase = admin.ModelAdmin[ApiToken]
else:  # Django's own classes take no type parameters when the program runs
    EntryAdminBase = TokenAdminBase = admin.ModelAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdminMixin, EntryAdminBase):
    """Read-only for everybody: the database refuses any change too. `manage.py verify_audit` checks the chain."""

    list_display = ("at", "who", "action", "whom", "trial_code", "thing", "via")
    list_filter = ("via", "trial")
    search_fields = ("actor_name", "action", "participant__study_id", "trial__code", "thing")
    search_help_text = "Who (e-mail address), action (participant.withdraw), study id, trial or thing"
    date_hierarchy = "at"
    list_select_related = ("detail", "participant", "trial")
    show_full_result_count = False
    list_per_page = 50
    fields = (
        "at",
        "who",
        "via",
        "action",
        "trial_code",
        "whom",
        "thing",
        "before",
        "after",
        "reason",
        "request_id",
        "token",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        entries: QuerySet[AuditEntry] = super().get_queryset(request)
        return entries & AuditEntry.objects.visible_to(request.user)

    @admin.display(description="who", ordering="actor_name")
    def who(self, entry: AuditEntry) -> str:
        return entry.actor_name or "nobody signed in"

    @admin.display(description="participant")
    def whom(self, entry: AuditEntry) -> str:
        # By number and without a constraint: who was erased keeps a row, but nothing promises it.
        participant = entry.participant if entry.participant_id else None
        return participant.study_id if participant else "–"

    @admin.display(description="trial")
    def trial_code(self, entry: AuditEntry) -> str:
        return entry.trial.code if entry.trial_id and entry.trial else "–"

    @admin.display(description="before")
    def before(self, entry: AuditEntry) -> str:
        return self._said(entry, "old")

    @admin.display(description="after")
    def after(self, entry: AuditEntry) -> str:
        return self._said(entry, "new")

    @admin.display(description="reason")
    def reason(self, entry: AuditEntry) -> str:
        detail = self._detail(entry)
        return (detail.reason if detail else "") or "–"

    def _said(self, entry: AuditEntry, part: str) -> str:
        detail = self._detail(entry)
        values = getattr(detail, part) if detail else {}
        return "; ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()) or "–"

    def _detail(self, entry: AuditEntry) -> AuditDetail | None:
        return getattr(entry, "detail", None)


class Revoke(ConfirmedAction):
    title, button, done, severe = "Revoke", "Revoke", "tokens revoked", True
    says = "Programs that use these tokens are refused from this moment on."
    form = ConfirmationForm
    related = ("user",)
    permissions: ClassVar[list[str]] = ["revoke"]

    def fit(self, row: ApiToken) -> str:
        return "is revoked already" if row.revoked_at else ""

    def do(self, request: HttpRequest, row: ApiToken, cleaned: dict[str, Any]) -> None:
        api_tokens.token_revoke(row)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdminMixin, TokenAdminBase):
    """The key itself is shown once, to whoever made it, and stored nowhere."""

    list_display = ("name", "user", "prefix", "reach", "can_write", "expires_at", "last_used_at", "state")
    list_filter = ("can_write", ("revoked_at", admin.EmptyFieldListFilter), "trials")
    search_fields = ("name", "user__email", "prefix")
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    fields = (
        "name", "user", "prefix", "reach", "can_write", "created_at", "created_by", "expires_at", "last_used_at",
        "revoked_at",
    )  # fmt: skip
    readonly_fields = fields
    actions = (Revoke().action(),)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("trials")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("participants.change_apitoken")

    @admin.display(description="opens")
    def reach(self, token: ApiToken) -> str:
        if token.all_trials:
            return "whatever its user sees"
        return ", ".join(sorted(trial.code for trial in token.trials.all())) or "nothing"

    @admin.display(description="state")
    def state(self, token: ApiToken) -> str:
        if token.revoked_at:
            return "revoked"
        return "expired" if token.expires_at <= timezone.now() else "works"
