"""Administration of connections: sync windows and their outcome, devices, invitations, notices. Tokens are never shown.

Staff start what a manager may start too, by the same services: a pull, the past, another try, the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ingestion.admin.invitations import Invite
from ingestion.admin.schedule import SchedulePage
from ingestion.connections import invitations
from ingestion.connections import services as connections_services
from ingestion.models import Connection, ConnectionEvent, Device, Invitation, SyncWindow, WebhookDelivery
from ingestion.sync import manual
from participants.admin.base import ConfirmationForm, ConfirmedAction, ReadOnlyAdminMixin
from participants.admin.participants import ParticipantAdmin
from participants.forms import DayField

if TYPE_CHECKING:
    ConnectionAdminBase = admin.ModelAdmin[Connection]
    WindowAdminBase = admin.ModelAdmin[SyncWindow]
    InvitationAdminBase = admin.ModelAdmin[Invitation]
    DeviceAdminBase = admin.ModelAdmin[Device]
    DeliveryAdminBase = admin.ModelAdmin[WebhookDelivery]
    EventInlineBase = admin.TabularInline[ConnectionEvent, Connection]
    DeviceInlineBase = admin.TabularInline[Device, Connection]
else:
    ConnectionAdminBase = WindowAdminBase = InvitationAdminBase = DeviceAdminBase = admin.ModelAdmin
    DeliveryAdminBase = admin.ModelAdmin
    EventInlineBase = DeviceInlineBase = admin.TabularInline

NOT_NOW = "no data can be requested now: the connection is not active"

ParticipantAdmin.offer(Invite())


class Operate(ConfirmedAction):
    """Action on connections, for staff who may run them."""

    permissions: ClassVar[list[str]] = ["operate"]
    form: type[forms.Form] = ConfirmationForm
    related = ("participant__trial",)

    def fit(self, row: Any) -> str:
        return "" if row.asks else "is not active"

    def run(self, row: Connection, cleaned_data: dict[str, Any]) -> None:
        raise NotImplementedError

    def do(self, request: HttpRequest, row: Any, cleaned_data: dict[str, Any]) -> None:
        try:
            self.run(row, cleaned_data)
        except manual.NotConnected:
            raise ValueError(NOT_NOW) from None


class PullNow(Operate):
    title, button, done = "Fetch the newest data now", "Fetch now", "connections are fetching data"
    says = "The next regular data requests are made at once."

    def run(self, row: Connection, cleaned_data: dict[str, Any]) -> None:
        manual.sync_now(row, timezone.now())


class TryFailedAgain(Operate):
    title, button, done = "Try failed data requests again", "Try again", "connections are tried again"
    says = "Data requests that were given up are tried again, with all their attempts."

    def run(self, row: Connection, cleaned_data: dict[str, Any]) -> None:
        manual.requeue(row, timezone.now())


class FirstDay(forms.Form):
    first = DayField(label="From")


class Backfill(Operate):
    title, button, done = "Fetch older data", "Fetch", "connections are fetching older data"
    says = (
        "All data from a day on are requested, whatever was received before, the newest first; nothing from before "
        "monitoring."
    )
    form = FirstDay

    def run(self, row: Connection, cleaned_data: dict[str, Any]) -> None:
        manual.backfill(row, cleaned_data["first"], timezone.now())


class Disconnect(Operate):
    title, button, done, severe = "Disconnect", "Disconnect", "disconnected", True
    says = (
        "No more data are requested from the vendor from this moment on, and our access there is given back. Data that "
        "were received are kept. "
        "To go on later they need a new link."
    )

    def fit(self, row: Any) -> str:
        ended = row.status not in (Connection.Status.ACTIVE, Connection.Status.RECONNECT)
        return f"is {row.get_status_display()}" if ended else ""

    def run(self, row: Connection, cleaned_data: dict[str, Any]) -> None:
        connections_services.disconnect(row, reason="staff", now=timezone.now())


class ReadAgain(Operate):
    title, button, done = "Request these again", "Request again", "data requests are made again"
    says = "The data are requested again, whatever the result was."
    related = ("connection__participant__trial",)

    def fit(self, row: Any) -> str:
        if row.state in (SyncWindow.State.DUE, SyncWindow.State.CLAIMED):
            return f"is {row.get_state_display()}"
        return "" if row.connection.asks else "its connection is not active"

    def run(self, row: Any, cleaned_data: dict[str, Any]) -> None:
        manual.read_again(row, timezone.now())


class CancelInvitation(ConfirmedAction):
    title, button, done, severe = "Cancel", "Cancel the links", "invitations cancelled", True
    says = "The links stop working at once."
    form = ConfirmationForm
    permissions: ClassVar[list[str]] = ["cancel"]
    related = ("participant__trial",)

    def fit(self, row: Invitation) -> str:
        return "was used" if row.used_at else "is cancelled already" if row.cancelled_at else ""

    def do(self, request: HttpRequest, row: Invitation, cleaned_data: dict[str, Any]) -> None:
        invitations.invitation_cancel(row, now=timezone.now())


class MayOperate:
    """Permission mixin: who may change connections may run them, although nobody edits them."""

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ingestion.change_connection")


class EventInline(ReadOnlyAdminMixin, EventInlineBase):
    model = ConnectionEvent
    fields = ("at", "status", "reason")
    extra = 0


class DeviceInline(ReadOnlyAdminMixin, DeviceInlineBase):
    model = Device
    fields = ("model", "kind", "battery_percent", "battery_status", "last_sync_at", "seen_at")
    extra = 0


@admin.register(Connection)
class ConnectionAdmin(SchedulePage, MayOperate, ReadOnlyAdminMixin, ConnectionAdminBase):
    list_display = (
        "participant",
        "trial_code",
        "provider",
        "status",
        "status_reason",
        "status_since",
        "last_data_at",
        "due",
        "failed",
    )
    list_filter = ("status", "provider", "trial")
    list_select_related = ("participant__trial",)
    search_fields = ("participant__study_id",)
    show_full_result_count = False
    date_hierarchy = "connected_at"
    fields = (
        "participant", "provider", "status", "status_since", "status_reason", "scopes", "connected_at",
        "next_due_at", "busy_until", "last_pull_at", "last_data_at", "swept_at",
    )  # fmt: skip
    inlines = (DeviceInline, EventInline)
    actions = (PullNow().action(), TryFailedAgain().action(), Backfill().action(), Disconnect().action())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        return super().get_queryset(request).annotate(
            windows_due=Count("windows", filter=Q(windows__state=SyncWindow.State.DUE)),
            windows_failed=Count("windows", filter=Q(windows__state=SyncWindow.State.FAILED)),
        )  # fmt: skip

    @admin.display(description="trial", ordering="trial")
    def trial_code(self, obj: Connection) -> str:
        return obj.participant.trial.code

    @admin.display(description="due", ordering="windows_due")
    def due(self, obj: Connection) -> int:
        return int(getattr(obj, "windows_due", 0))

    @admin.display(description="failed", ordering="windows_failed")
    def failed(self, obj: Connection) -> int:
        return int(getattr(obj, "windows_failed", 0))


@admin.register(SyncWindow)
class SyncWindowAdmin(MayOperate, ReadOnlyAdminMixin, WindowAdminBase):
    list_display = (
        "connection", "data_type", "kind", "starts_at", "ends_at", "reason", "state", "attempts", "error_code",
        "points", "unreadable", "unfinished", "requests", "finished_at",
    )  # fmt: skip
    list_filter = ("state", "kind", "reason", "connection__trial")
    list_select_related = ("connection__participant__trial",)
    search_fields = ("connection__participant__study_id", "data_type", "error_code")
    show_full_result_count = False  # there are thousands a participant
    actions = (ReadAgain().action(),)


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdminMixin, InvitationAdminBase):
    """Invitations, made on the participants' list; the link is shown once, to whoever made it."""

    list_display = (
        "participant", "trial", "created_by", "created_at", "expires_at", "opened_at", "used_at", "cancelled_at",
    )  # fmt: skip
    list_filter = (
        ("used_at", admin.EmptyFieldListFilter),
        ("opened_at", admin.EmptyFieldListFilter),
        ("cancelled_at", admin.EmptyFieldListFilter),
        "participant__trial",
    )
    list_select_related = ("participant__trial", "created_by")
    search_fields = ("participant__study_id", "created_by__email")
    date_hierarchy = "created_at"
    show_full_result_count = False
    exclude = ("nonce",)  # with it the link could be made
    actions = (CancelInvitation().action(),)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ingestion.add_invitation")

    @admin.display(description="trial", ordering="participant__trial")
    def trial(self, obj: Invitation) -> str:
        return obj.participant.trial.code


@admin.register(Device)
class DeviceAdmin(ReadOnlyAdminMixin, DeviceAdminBase):
    list_display = ("connection", "model", "kind", "battery_percent", "battery_status", "last_sync_at", "seen_at")
    list_filter = ("kind", "battery_status", "connection__trial")
    list_select_related = ("connection__participant__trial",)
    search_fields = ("connection__participant__study_id", "model")
    show_full_result_count = False
    exclude = ("external_id",)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdminMixin, DeliveryAdminBase):
    list_display = ("received_at", "provider", "handled_at", "outcome")
    list_filter = ("provider", ("handled_at", admin.EmptyFieldListFilter))
    date_hierarchy = "received_at"
    exclude = ("body",)
    show_full_result_count = False
