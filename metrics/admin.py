"""The administration's view of metrics and sources, to look at; and removals of what trials may not have, by two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from metrics.corrections import removal_requests
from metrics.models import Metric, Removal, Source
from metrics.models.removals import counts_text
from participants.admin.base import (
    ConfirmationForm,
    ConfirmedAction,
    NoDeleteAdminMixin,
    ReadOnlyAdminMixin,
    ServiceAdminMixin,
)
from participants.models import User

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:  # Django's own class takes no type parameters when the program runs
    Base = admin.ModelAdmin


class ReadOnly(ReadOnlyAdminMixin, Base):
    """Neither added nor changed nor deleted here."""


@admin.register(Metric)
class MetricAdmin(ReadOnly):
    list_display = ("code", "name", "unit", "kind", "aggregate", "concept", "plausible_low", "plausible_high")
    list_filter = ("kind", "aggregate")
    search_fields = ("code", "name")


@admin.register(Source)
class SourceAdmin(ReadOnly):
    list_display = ("__str__", "provider", "platform", "device_model", "synthetic")
    list_filter = ("synthetic", "provider")
    search_fields = ("provider", "platform", "device_model")


class Decide(ConfirmedAction):
    """Action by which another person decides what one asked for."""

    form = ConfirmationForm
    related = ("trial", "asked_by")
    permissions: ClassVar[list[str]] = ["decide"]
    approve = False

    def fit(self, row: Removal) -> str:
        return "" if row.state == Removal.State.ASKED else f"is {row.get_state_display()}"

    def do(self, request: HttpRequest, row: Removal, given: dict[str, Any]) -> None:
        if isinstance(request.user, User):
            removal_requests.removal_decide(row, by=request.user, approve=self.approve)


class Approve(Decide):
    title, button, done, severe = "Approve", "Delete for good", "approved", True
    says = (
        "What these trials have stored outside what they may have is deleted, with the files of exports that hold it. "
        "It cannot be had back. Nothing inside is touched. Who asked cannot approve."
    )
    approve = True


class Refuse(Decide):
    title, button, done = "Refuse", "Refuse", "refused"
    says = "Nothing is deleted. It can be requested again."


@admin.register(Removal)
class RemovalAdmin(NoDeleteAdminMixin, ServiceAdminMixin, Base):
    """Adding one asks for it: what there is to be deleted is counted, and another person decides."""

    list_display = ("trial", "state", "asked_by", "asked_at", "what", "decided_by", "how_far")
    list_filter = ("state", "trial")
    list_select_related = ("trial", "asked_by", "decided_by")
    search_fields = ("trial__code", "reason")
    autocomplete_fields = ("trial",)
    actions = (Approve().action(), Refuse().action())

    def get_fields(self, request: HttpRequest, obj: Removal | None = None) -> tuple[str, ...]:
        if obj is None:
            return "trial", "reason"
        return "trial", "reason", "state", "asked_by", "asked_at", "what", "decided_by", "decided_at", "how_far"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("metrics.change_removal")

    @admin.display(description="found")
    def what(self, row: Removal) -> str:
        return counts_text(row.found)

    @admin.display(description="deleted")
    def how_far(self, row: Removal) -> str:
        if row.state not in (Removal.State.APPROVED, Removal.State.DONE):
            return "–"
        return f"{counts_text(row.report)} ({row.done:,} of {row.total:,} participants checked)"

    def save_model(self, request: HttpRequest, obj: Removal, form: Any, change: bool) -> None:
        given = form.cleaned_data
        made = removal_requests.removal_request(given["trial"], by=request.user, reason=given["reason"])  # type: ignore[arg-type]
        obj.pk, obj._state = made.pk, made._state
