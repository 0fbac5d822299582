"""Administration of message templates: staff edit them, one row for each language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from dashboards.messaging import template_engine
from dashboards.models import MessageTemplate
from metrics.models import Cause
from participants.admin.base import AuditedAdminMixin
from participants.privacy import contacts

if TYPE_CHECKING:
    TemplateAdminBase = admin.ModelAdmin[MessageTemplate]
    TemplateFormBase = forms.ModelForm[MessageTemplate]
else:  # Django's own classes take no type parameters when the program runs
    TemplateAdminBase, TemplateFormBase = admin.ModelAdmin, forms.ModelForm


class TemplateForm(TemplateFormBase):
    """Form of a message template, which may name only variables that exist."""

    language = forms.ChoiceField(choices=list(contacts.LANGUAGES.items()))
    causes = forms.MultipleChoiceField(
        choices=Cause.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Causes that it is about. None: it is never proposed, and fits any cause.",
    )

    class Meta:
        model = MessageTemplate
        fields = ("trial", "code", "language", "title", "subject", "body", "causes", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["body"].help_text = (
            "Plain text; an empty line begins a paragraph, lines with 1. or - are a list. "
            f"Variables: {', '.join(f'{{{{ {name} }}}}' for name in template_engine.VARIABLES)}."
        )

    def clean_subject(self) -> str:
        return self._checked("subject")

    def clean_body(self) -> str:
        return self._checked("body")

    def _checked(self, field: str) -> str:
        text: str = self.cleaned_data[field]
        try:
            template_engine.check(text)
        except template_engine.InvalidTemplate as fault:
            raise ValidationError(str(fault)) from fault
        return text


@admin.register(MessageTemplate)
class MessageTemplateAdmin(AuditedAdminMixin, TemplateAdminBase):
    form = TemplateForm
    list_display = ("title", "language", "trial", "code", "active")
    list_filter = ("trial", "language", "active")
    list_select_related = ("trial",)
    search_fields = ("title", "code", "subject", "trial__code")
    autocomplete_fields = ("trial",)

    def get_readonly_fields(self, request: HttpRequest, obj: MessageTemplate | None = None) -> tuple[str, ...]:
        return ("trial", "code") if obj else ()
