"""Administration of alerts with their history and of digests. Read-only: the program alone writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from dashboards.models import Alert, AlertEvent, Digest
from participants.admin.base import ReadOnlyAdminMixin

if TYPE_CHECKING:
    AlertBase = admin.ModelAdmin[Alert]
    EventBase = admin.ModelAdmin[AlertEvent]
    DigestBase = admin.ModelAdmin[Digest]
    EventRow = admin.TabularInline[AlertEvent, Alert]
else:  # Django's own classes take no type parameters when the program runs
    AlertBase = EventBase = DigestBase = admin.ModelAdmin
    EventRow = admin.TabularInline


class AlertEventInline(ReadOnlyAdminMixin, EventRow):
    model = AlertEvent
    fields = ("at", "what", "by", "note")
    extra = 0


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdminMixin, AlertBase):
    list_display = ("participant", "rule", "level", "raised_at", "resolved_at", "resolution", "assigned_to")
    list_filter = ("participant__trial", "rule", "level", "resolution")
    list_select_related = ("participant", "assigned_to")
    search_fields = ("participant__study_id",)
    date_hierarchy = "raised_at"
    inlines = (AlertEventInline,)


@admin.register(AlertEvent)
class AlertEventAdmin(ReadOnlyAdminMixin, EventBase):
    list_display = ("alert", "at", "what", "by", "note")
    list_filter = ("what", "alert__participant__trial")
    list_select_related = ("alert", "by")
    search_fields = ("alert__participant__study_id",)


@admin.register(Digest)
class DigestAdmin(ReadOnlyAdminMixin, DigestBase):
    list_display = ("membership", "on", "claimed_at", "sent_at", "error")
    list_filter = ("membership__trial",)
    list_select_related = ("membership__trial", "membership__user")
    search_fields = ("membership__user__email",)
    date_hierarchy = "on"
