"""Consent documents, consents and erasures in the administration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from participants.admin.base import NoDeleteAdminMixin, ReadOnlyAdminMixin, ServiceAdminMixin
from participants.models import Consent, ConsentDocument, Erasure
from participants.privacy import consent

if TYPE_CHECKING:
    DocumentAdminBase = admin.ModelAdmin[ConsentDocument]
    ConsentAdminBase = admin.ModelAdmin[Consent]
    ErasureAdminBase = admin.ModelAdmin[Erasure]
    DocumentFormBase = forms.ModelForm[ConsentDocument]
else:  # Django's own classes take no type parameters when the program runs
    DocumentAdminBase = ConsentAdminBase = ErasureAdminBase = admin.ModelAdmin
    DocumentFormBase = forms.ModelForm


class DocumentForm(DocumentFormBase):
    class Meta:
        model = ConsentDocument
        fields = ("trial", "version", "title", "text", "effective_on")


@admin.register(ConsentDocument)
class ConsentDocumentAdmin(NoDeleteAdminMixin, ServiceAdminMixin, DocumentAdminBase):
    """A version is added and never edited: another text is another version, and participants are asked for it."""

    form = DocumentForm
    list_display = ("trial", "version", "title", "effective_on")
    list_filter = ("trial",)
    search_fields = ("trial__code", "version", "title")
    list_select_related = ("trial",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ConsentDocument, form: Any, change: bool) -> None:
        made = consent.document_add(**{name: form.cleaned_data[name] for name in form.Meta.fields})
        obj.pk = made.pk


@admin.register(Consent)
class ConsentAdmin(ReadOnlyAdminMixin, ConsentAdminBase):
    """Kept and taken back on the participant's page, Consent and data."""

    list_display = ("participant", "document", "how", "given_at", "withdrawn_at")
    list_filter = ("how", ("withdrawn_at", admin.EmptyFieldListFilter), "participant__trial")
    search_fields = ("participant__study_id",)
    list_select_related = ("participant", "document__trial")
    date_hierarchy = "given_at"
    readonly_fields = ("participant", "document", "how", "given_at", "withdrawn_at")


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdminMixin, ErasureAdminBase):
    """Asked for and approved by two managers of the trial, on the participant's page. What was removed, by table."""

    list_display = ("public_id", "trial_code", "state", "asked_by", "asked_at", "decided_by", "done_at")
    list_filter = ("state", "participant__trial")
    search_fields = ("public_id",)
    list_select_related = ("participant__trial", "asked_by", "decided_by")
    date_hierarchy = "asked_at"
    fields = (
        "public_id", "participant", "state", "reason", "asked_by", "asked_at", "decided_by", "decided_at", "done_at",
        "report",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description="trial")
    def trial_code(self, erasure: Erasure) -> str:
        return str(erasure.participant.trial.code)
