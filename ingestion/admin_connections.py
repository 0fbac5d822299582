"""Connections in the admin: what was asked of vendors, and what came of it. Tokens are never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ingestion import tasks
from ingestion.admin_evidence import Evidence
from ingestion.models import Connection, ConnectionEvent, Device, Invitation, SyncWindow, WebhookDelivery
from ingestion.sync import plan

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


class EventInline(Evidence, EventInlineBase):
    model = ConnectionEvent
    fields = ("at", "status", "reason")
    extra = 0


class DeviceInline(Evidence, DeviceInlineBase):
    model = Device
    fields = ("model", "kind", "battery_percent", "battery_status", "last_sync_at", "seen_at")
    extra = 0


@admin.register(Connection)
class ConnectionAdmin(Evidence, ConnectionAdminBase):
    list_display = (
        "participant",
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
    fields = (
        "participant", "provider", "status", "status_since", "status_reason", "scopes", "connected_at",
        "next_due_at", "busy_until", "last_pull_at", "last_data_at", "swept_at",
    )  # fmt: skip
    inlines = (DeviceInline, EventInline)
    actions = ("pull_now", "try_failed_again")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        return super().get_queryset(request).annotate(
            windows_due=Count("windows", filter=Q(windows__state=SyncWindow.State.DUE)),
            windows_failed=Count("windows", filter=Q(windows__state=SyncWindow.State.FAILED)),
        )  # fmt: skip

    @admin.display(description="due", ordering="windows_due")
    def due(self, obj: Connection) -> int:
        return int(getattr(obj, "windows_due", 0))

    @admin.display(description="failed", ordering="windows_failed")
    def failed(self, obj: Connection) -> int:
        return int(getattr(obj, "windows_failed", 0))

    @admin.action(description="Pull the newest data now", permissions=("view",))
    def pull_now(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        now = timezone.now()
        asked = [row for row in queryset.select_related("participant__trial") if row.asks]
        count = sum(plan.plan_pass(row, now, SyncWindow.Reason.MANUAL) for row in asked)
        for row in asked:
            tasks.queue_connection(row.pk)
        self.message_user(request, f"{count} windows of {len(asked)} connections are due.", messages.SUCCESS)

    @admin.action(description="Try failed windows again", permissions=("view",))
    def try_failed_again(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        now, count = timezone.now(), 0
        for row in queryset.select_related("participant__trial"):
            count += plan.requeue_failed(row, now)
            tasks.queue_connection(row.pk)
        self.message_user(request, f"{count} failed windows are due again.", messages.SUCCESS)


@admin.register(SyncWindow)
class SyncWindowAdmin(Evidence, WindowAdminBase):
    list_display = (
        "connection", "data_type", "kind", "starts_at", "ends_at", "reason", "state", "attempts", "error_code",
        "points", "requests", "finished_at",
    )  # fmt: skip
    list_filter = ("state", "kind", "reason", "data_type", "error_code", "connection__trial")
    list_select_related = ("connection__participant__trial",)
    search_fields = ("connection__participant__study_id",)
    show_full_result_count = False  # there are thousands a participant
    actions = ("try_again",)

    @admin.action(description="Read these again", permissions=("view",))
    def try_again(self, request: HttpRequest, queryset: QuerySet[SyncWindow]) -> None:
        settled = queryset.filter(state__in=(SyncWindow.State.FAILED, SyncWindow.State.DONE))
        connections = set(settled.values_list("connection_id", flat=True))
        count = settled.update(
            state=SyncWindow.State.DUE, reason=SyncWindow.Reason.MANUAL, due_at=timezone.now(), attempts=0
        )
        for pk in connections:
            tasks.queue_connection(pk)
        self.message_user(request, f"{count} windows are due again.", messages.SUCCESS)


@admin.register(Invitation)
class InvitationAdmin(Evidence, InvitationAdminBase):
    list_display = ("participant", "created_by", "created_at", "expires_at", "opened_at", "used_at", "cancelled_at")
    list_select_related = ("participant__trial", "created_by")
    search_fields = ("participant__study_id",)
    exclude = ("nonce",)  # with it the link could be made


@admin.register(Device)
class DeviceAdmin(Evidence, DeviceAdminBase):
    list_display = ("connection", "model", "kind", "battery_percent", "battery_status", "last_sync_at", "seen_at")
    list_select_related = ("connection__participant__trial",)
    search_fields = ("connection__participant__study_id", "model")
    exclude = ("external_id",)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(Evidence, DeliveryAdminBase):
    list_display = ("received_at", "provider", "handled_at", "outcome")
    list_filter = ("provider",)
    exclude = ("body",)
    show_full_result_count = False
