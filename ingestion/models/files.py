"""Models of imported files, and of the rows of them that were rejected."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from metrics.models import Metric, Source
from participants.models import Participant, Trial


class ImportFile(models.Model):
    """File offered to a trial, known by its content. Once done, the same content is not read again.

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

    read_before = False  # whether an earlier reading of it stored rows; of the object in a run's hands, not of the row
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
    traced = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Whether all that it stored is known (ImportedPart)."
    )
    claim = models.UUIDField(null=True, editable=False)  # of the run that reads it; the last that began
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-started_at",)
        permissions = (("undo_importfile", "Can undo imports"),)
        constraints = (
            models.UniqueConstraint(
                fields=("trial", "sha256", "format", "whose"),
                condition=Q(status__in=("running", "done", "partial", "undoing")),
                name="importfile_live_once",
            ),
        )

    def __str__(self) -> str:
        return self.name


class ImportedPart(models.Model):
    """Rows an import stored of one participant in one transaction, and what was there before.

    Written by ingestion.file_imports.provenance, which knows the content. The order of ids is that of storing, for a
    participant's writers take turns. `metric` is null for sessions, `source` too for the device's clock.
    """

    class Kind(models.TextChoices):
        SAMPLES = "samples", "samples"
        SLEEP = "sleep", "nights"
        EXERCISE = "exercise", "exercise"
        OFFSETS = "offsets", "changes of the device's clock"

    import_file = models.ForeignKey(ImportFile, models.CASCADE, related_name="parts")
    participant = models.ForeignKey(Participant, models.CASCADE, related_name="imported_parts", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind)
    metric = models.ForeignKey(Metric, models.PROTECT, null=True, db_index=False, related_name="+")
    source = models.ForeignKey(Source, models.PROTECT, null=True, db_index=False, related_name="+")
    first_at = models.DateTimeField(help_text="The earliest of its rows: time, or begin.")
    last_at = models.DateTimeField(help_text="The latest of its rows: time, or begin.")
    rows = models.IntegerField()
    added = models.IntegerField(help_text="Of these rows, those that were not there before.")
    changed = models.IntegerField(help_text="Of these rows, those that were there with another value.")
    stored_at = models.DateTimeField()
    content = models.BinaryField()

    class Meta:
        ordering = ("id",)
        indexes = (
            models.Index(fields=("participant", "kind", "source", "metric", "first_at"), name="importedpart_of_series"),
        )

    def __str__(self) -> str:
        return f"{self.rows} {self.kind} of participant {self.participant_id}"


class RejectedRow(models.Model):
    """Row that was rejected: where it stood and why. Its content is not kept: it may be anything."""

    import_file = models.ForeignKey(ImportFile, models.CASCADE, related_name="rejected_rows")
    line = models.PositiveIntegerField(
        help_text="Line in the file, or number of the record in a JSON list; 1 is the first."
    )
    reason = models.CharField(max_length=200)

    class Meta:
        ordering = ("import_file", "line")

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"
