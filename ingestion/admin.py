"""Imports in the admin: what was read, what was assumed, which rows were rejected and why. Evidence: read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from ingestion import admin_connections  # noqa: F401  registers the connections
from ingestion.admin_evidence import Evidence
from ingestion.models import ImportFile, RejectedRow

if TYPE_CHECKING:
    FileAdmin = admin.ModelAdmin[ImportFile]
    RowInline = admin.TabularInline[RejectedRow, ImportFile]
else:
    FileAdmin, RowInline = admin.ModelAdmin, admin.TabularInline


class RejectedRowInline(Evidence, RowInline):
    model = RejectedRow
    fields = ("line", "reason")
    extra = 0


@admin.register(ImportFile)
class ImportFileAdmin(Evidence, FileAdmin):
    list_display = ("name", "trial", "format", "status", "rows", "rejected", "can_pass", "started_at", "finished_at")
    list_filter = ("status", "trial", "format")
    list_select_related = ("trial",)
    search_fields = ("name", "whose", "sha256", "error")
    date_hierarchy = "started_at"
    inlines = (RejectedRowInline,)

    @admin.display(description="rows")
    def rows(self, obj: ImportFile) -> int:
        return int(obj.counts.get("rows", 0))

    @admin.display(description="rejected")
    def rejected(self, obj: ImportFile) -> int:
        return sum(obj.counts.get("rejected", {}).values())

    @admin.display(description="of these for a reason that can pass")
    def can_pass(self, obj: ImportFile) -> int:
        return int(obj.counts.get("can_pass", 0))
