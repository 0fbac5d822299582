"""Contact data in the admin: opened in the form of one participant, for staff with the contact's own permission.

Lists, searches and logs never show a name or an address; nobody sees encrypted text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from participants.admin.base import ConfirmedAction
from participants.forms import LineField
from participants.models import Contact
from participants.privacy import contacts, encryption

if TYPE_CHECKING:
    ContactAdminBase = admin.ModelAdmin[Contact]
    ContactFormBase = forms.ModelForm[Contact]
else:  # Django's own classes take no type parameters when the program runs
    ContactAdminBase, ContactFormBase = admin.ModelAdmin, forms.ModelForm


OPENED = ("name", "email", "phone")


class ContactForm(ContactFormBase):
    """Form of the values that contact_store takes.

    Filled with what contact_open gives when the page is shown (ContactAdmin).
    """

    name = LineField(max_length=200, required=False, help_text="As they are addressed; the first name comes first.")
    email = forms.EmailField(label="E-mail address", required=False)
    phone = LineField(label="Telephone", max_length=40, required=False)
    language = forms.ChoiceField(choices=list(contacts.LANGUAGES.items()), help_text="Of what we write to them.")

    class Meta:
        model = Contact
        fields = ("participant", "language")

    def open(self) -> None:
        """Fill in what is stored, which is recorded as opened."""
        try:
            details = contacts.contact_open(self.instance.participant)
        except encryption.CannotDecrypt as fault:
            for field in OPENED:
                self.fields[field].help_text = f"{fault} Saving replaces what is stored."
            return
        self.initial.update({name: getattr(details, name) for name in OPENED})

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if self.instance.pk:
            cleaned["participant"] = self.instance.participant
        return cleaned


class WriteAgain(ConfirmedAction):
    """Action for an address that a mail server called wrong by mistake."""

    title, button, done = "Write to this address again", "Write again", "written to again"
    says = "The address counts as one that takes e-mail. If it does not, it is marked again at the next e-mail."
    related = ("participant__trial",)

    def fit(self, row: Contact) -> str:
        return "" if row.bounced_at else "its address takes e-mail"

    def do(self, request: HttpRequest, row: Contact, cleaned: dict[str, Any]) -> None:
        contacts.bounce_lift(row.participant, reason=cleaned["reason"], now=timezone.now())


@admin.register(Contact)
class ContactAdmin(ContactAdminBase):
    form = ContactForm
    list_display = ("participant", "trial", "language", "can_be_written_to", "opted_out_at", "bounced_at", "updated_at")
    list_filter = (
        "participant__trial",
        "language",
        ("opted_out_at", admin.EmptyFieldListFilter),
        ("bounced_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("participant__trial",)
    search_fields = ("participant__study_id",)
    autocomplete_fields = ("participant",)
    actions = (WriteAgain().action(),)
    fieldsets = (
        (None, {"fields": ("participant", "name", "email", "phone", "language")}),
        ("State", {"fields": ("opted_out_at", "bounced_at", "bounce_reason", "updated_at")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Contact | None = None) -> tuple[str, ...]:
        return ("opted_out_at", "bounced_at", "bounce_reason", "updated_at", *(("participant",) if obj else ()))

    def get_fieldsets(self, request: HttpRequest, obj: Contact | None = None) -> Any:
        """Fieldsets: who may only view sees whether there is an address; opening one takes the change permission."""
        if obj and not self.has_change_permission(request, obj):
            return ((None, {"fields": ("participant", "language", "can_be_written_to")}), self.fieldsets[1])
        return self.fieldsets

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Contact | None = None,
    ) -> HttpResponse:
        """Open contact data where the page shows them: not for who may only view, nor for what was typed."""
        form = context["adminform"].form
        if obj and not form.is_bound and self.has_change_permission(request, obj):
            form.open()
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.display(description="trial", ordering="participant__trial")
    def trial(self, contact: Contact) -> str:
        return contact.participant.trial.code

    @admin.display(description="has an address", boolean=True)
    def can_be_written_to(self, contact: Contact) -> bool:
        return contacts.reach(contact).has_email

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        given = form.cleaned_data
        stored = contacts.contact_store(
            given["participant"],
            name=given["name"],
            email=given["email"],
            phone=given["phone"],
            language=given["language"],
        )
        obj.pk, obj._state = stored.pk, stored._state

    def delete_model(self, request: HttpRequest, obj: Contact) -> None:
        contacts.contact_remove(obj.participant)
