"""Files that were imported, and the rows of them that could not be taken."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from participants.models import Trial


class ImportFile(models.Model):
    """A file offered to a trial, known by its content. Once done, the same content is not read again.

    What a name or the operator tells is part of it: two kinds of minutes, all zero, are the same bytes.
    Of the same content there is at most one row that is not failed or undone.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        PARTIAL = "partial", "rows turned away"  # for a reason that can pass: offered again, it is read again
        FAILED = "failed", "failed"
        UNDOING = "undoing", "being undone"
        UNDONE = "undone", "undone"

    LIVE = (Status.RUNNING, Status.DONE, Status.PARTIAL, Status.UNDOING)

    trial = models.ForeignKey(Trial, models.PROTECT, related_name="imports")
    sha256 = models.CharField(max_length=64)
    name = models.CharField(max_length=300, help_text="File name as given, within its archive if it came in one.")
    size = models.BigIntegerField(help_text="bytes")
    format = models.CharField(max_length=60)
    whose = models.CharField(
        max_length=64, blank=True, help_text="Study id told by the file's name or the operator; empty: its rows say."
    )
    assumptions = models.JSONField(default=dict, help_text="What the file does not say and we took to be so.")
    counts = models.JSONField(
        default=dict, help_text="Rows read, new, changed, unchanged, repeated, flagged, rejected."
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    error = models.CharField(max_length=500, blank=True)
    claim = models.UUIDField(null=True, editable=False)  # of the run that reads it; the last that began
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-started_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("trial", "sha256", "format", "whose"),
                condition=Q(status__in=("running", "done", "partial", "undoing")),
                name="importfile_live_once",
            ),
        )

    def __str__(self) -> str:
        return self.name


class RejectedRow(models.Model):
    """A row that was not taken: where it stood and why. Its content is not kept: it may be anything."""

    import_file = models.ForeignKey(ImportFile, models.CASCADE, related_name="rejected_rows")
    line = models.PositiveIntegerField(
        help_text="Line in the file, or number of the record in a JSON list; 1 is the first."
    )
    reason = models.CharField(max_length=200)

    class Meta:
        ordering = ("import_file", "line")

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"
