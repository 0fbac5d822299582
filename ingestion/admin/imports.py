"""Administration of imports: what was read and assumed, which rows were rejected and why. Evidence: read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from ingestion.admin import connections  # noqa: F401  registers the connections
from ingestion.file_imports import undo
from ingestion.models import ImportFile, RejectedRow
from participants.admin.base import ConfirmedAction, ReadOnlyAdminMixin
from participants.after_commit import after_commit
from participants.task_queue import enqueue

if TYPE_CHECKING:
    FileAdmin = admin.ModelAdmin[ImportFile]
    RowInline = admin.TabularInline[RejectedRow, ImportFile]
else:
    FileAdmin, RowInline = admin.ModelAdmin, admin.TabularInline


class RejectedRowInline(ReadOnlyAdminMixin, RowInline):
    model = RejectedRow
    fields = ("line", "reason")
    extra = 0


class Undo(ConfirmedAction):
    title, button, done, severe = "Undo", "Undo", "being undone", True
    says = (
        "What these imports added is deleted, what they changed has its old value again, and days are re-checked. Rows "
        "that another import holds too stay. Offered again, the files are imported as new ones."
    )
    permissions: ClassVar[list[str]] = ["undo"]
    related = ("trial",)

    def fit(self, row: ImportFile) -> str:
        try:
            undo.check(row)
        except undo.CannotUndo as refused:
            return str(refused)
        return ""

    def goes(self, row: ImportFile) -> list[str]:
        return [str(stored) for stored in undo.stored_by(row)]

    def do(self, request: HttpRequest, row: ImportFile, cleaned_data: dict[str, Any]) -> None:
        undo.undo_begin(row, reason=cleaned_data["reason"])
        after_commit(enqueue, "ingestion.undo_import", row.pk)


@admin.register(ImportFile)
class ImportFileAdmin(ReadOnlyAdminMixin, FileAdmin):
    list_display = ("name", "trial", "format", "status", "rows", "rejected", "can_pass", "started_at", "finished_at")
    list_filter = ("status", "trial", "format")
    list_select_related = ("trial",)
    search_fields = ("name", "whose", "sha256", "error")
    date_hierarchy = "started_at"
    inlines = (RejectedRowInline,)
    actions = (Undo().action(),)

    def has_undo_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ingestion.undo_importfile")

    @admin.display(description="rows")
    def rows(self, obj: ImportFile) -> int:
        return int(obj.counts.get("rows", 0))

    @admin.display(description="rejected")
    def rejected(self, obj: ImportFile) -> int:
        return sum(obj.counts.get("rejected", {}).values())

    @admin.display(description="of these for a reason that can pass")
    def can_pass(self, obj: ImportFile) -> int:
        return int(obj.counts.get("can_pass", 0))
