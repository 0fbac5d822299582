"""Mixins of the administration: read-only pages, saving by services, actions that ask for confirmation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone

from participants.audit import record
from participants.forms import DayField, LineField, refusal_text
from participants.user_input import form_data

# A list longer than this is given by its number; so many rows are acted on at once at most.
SHOWN, AT_ONCE = 200, 2_000


class ReadOnlyAdminMixin:
    """Mixin of read-only pages: nobody adds to, edits or deletes evidence by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NoDeleteAdminMixin:
    """Mixin without deletion: what has a history is ended, withdrawn or superseded."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ServiceAdminMixin:
    """Mixin of pages that save by services: what a service refuses is told on the page, and nothing is changed.

    The form says beforehand what it can; a refusal that comes here is a race or a rule that needs the whole record.
    """

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        try:
            answer: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)  # type: ignore[misc]
        except (ValidationError, ValueError) as refused:
            if request.method != "POST":
                raise
            messages.error(request, refusal_text(refused))
            return HttpResponseRedirect(request.get_full_path())
        return answer


class AuditedAdminMixin:
    """Mixin for what is saved by its form alone: each change is recorded with old and new values."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)  # type: ignore[misc]
        names = [name for name in form.changed_data if "password" not in name]
        old = {name: _plain(form.initial.get(name)) for name in names} if change else {}
        new = {name: _plain(form.cleaned_data[name]) for name in names if name in form.cleaned_data}
        self._record(obj, "change" if change else "add", old=old, new=new)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._record(obj, "delete", old={"was": str(obj)})
        super().delete_model(request, obj)  # type: ignore[misc]

    def _record(self, obj: Any, verb: str, **values: Any) -> None:
        name = obj._meta.model_name
        record(f"{name}.{verb}", trial=getattr(obj, "trial", None), thing=f"{name}:{obj.pk}", **values)


def _plain(value: Any) -> Any:
    """A form's value as the trail keeps it: rows by their names."""
    if isinstance(value, models.Model):
        return str(value)
    if isinstance(value, (list, tuple, set, models.QuerySet)):
        return [_plain(member) for member in value]
    return value


class AuditReasonForm(forms.Form):
    """Form with the reason of a change, for the audit trail."""

    audit_reason = LineField(
        label="Reason of the change", max_length=200, required=False, help_text="For the audit trail. No names."
    )


def changed(form: Any, names: Iterable[str]) -> dict[str, Any]:
    """Values that a form changes among these fields."""
    return {name: form.cleaned_data[name] for name in names if name in form.changed_data and name in form.cleaned_data}


class DayForm(forms.Form):
    """A day and a reason."""

    on = DayField(label="Day")
    reason = LineField(max_length=200, help_text="For the audit trail. No names, no diagnoses.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "on" in self.fields:
            self.fields["on"].initial = timezone.now().date()


class ReasonForm(forms.Form):
    """A reason alone."""

    reason = LineField(max_length=200, help_text="For the audit trail. No names, no diagnoses.")


class ConfirmationForm(forms.Form):
    """Form without fields: only whether it is meant."""


class ConfirmedAction:
    """An action that says whom it touches, asks what it needs and whether it is meant, and only then does it.

    `fit(row)`: empty, or why the row is left out. `do(request, row, cleaned)`: the service, for one row. Each row is
    done in a transaction of its own: one that is refused is told and does not hold up the others.
    """

    form: type[forms.Form] = ReasonForm
    title: ClassVar[str] = ""
    says: ClassVar[str] = ""
    button: ClassVar[str] = ""
    done: ClassVar[str] = "done"
    severe: ClassVar[bool] = False
    permissions: ClassVar[list[str]] = ["change"]
    related: ClassVar[tuple[str, ...]] = ("trial", "site")

    def fit(self, row: Any) -> str:
        return ""

    def goes(self, row: Any) -> list[str]:
        """Lines below a row that say what the action does to it, where that is needed."""
        return []

    def do(self, request: HttpRequest, row: Any, cleaned: dict[str, Any]) -> None:
        raise NotImplementedError

    def finish(self, request: HttpRequest, rows: list[Any]) -> HttpResponse | None:
        """Response after the action; None: back to the list."""
        return None

    def action(self) -> Callable[..., HttpResponse | None]:
        """The function that the admin takes for an action."""

        def run(modeladmin: Any, request: HttpRequest, queryset: models.QuerySet[Any]) -> HttpResponse | None:
            return self._run(modeladmin, request, queryset)

        run.__name__ = type(self).__name__.lower()
        return admin.action(run, permissions=self.permissions, description=self.title)

    def _run(self, modeladmin: Any, request: HttpRequest, queryset: models.QuerySet[Any]) -> HttpResponse | None:
        rows = list(queryset.select_related(*self.related).order_by("pk")[: AT_ONCE + 1])
        if len(rows) > AT_ONCE:
            messages.error(request, f"Choose at most {AT_ONCE:,} at once.")
            return None
        touched = [row for row in rows if not self.fit(row)]
        confirmed = "confirmed" in form_data(request)
        form = self.form(form_data(request).form if confirmed else None)
        if confirmed and form.is_valid() and touched:
            did = self._all(request, touched, form.cleaned_data)
            return self.finish(request, did) if did else None
        left_out = [(row, why) for row in rows if (why := self.fit(row))]
        context = {
            **modeladmin.admin_site.each_context(request),
            "title": self.title,
            "opts": modeladmin.model._meta,
            "act": self,
            "name": type(self).__name__.lower(),
            "form": form,
            "touched": [(row, self.goes(row)) for row in touched[:SHOWN]],
            "more": len(touched) - SHOWN,
            "count": len(touched),
            "left_out": left_out[:SHOWN],
            "pks": [row.pk for row in rows],
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/act.html", context, status=400 if confirmed else 200)

    def _all(self, request: HttpRequest, rows: list[Any], cleaned: dict[str, Any]) -> list[Any]:
        did, refused = [], []
        for row in rows:
            try:
                with transaction.atomic():
                    self.do(request, row, cleaned)
            except (ValidationError, ValueError) as fault:
                refused.append(f"{row}: {refusal_text(fault)}")
            else:
                did.append(row)
        if did:
            messages.success(request, f"{len(did)} {self.done}.")
        if refused:
            more = f" And {len(refused) - 10} more." if len(refused) > 10 else ""
            messages.error(request, f"Not done: {' '.join(refused[:10])}{more}")
        return did
