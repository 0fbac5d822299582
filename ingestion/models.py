"""How data arrive: files that were imported, and the rows of them that could not be taken."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from participants.models import Participant, Trial


class ImportFile(models.Model):
    """A file offered to a trial, known by its content. Once done, the same content is not read again."""

    class Status(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    trial = models.ForeignKey(Trial, models.PROTECT, related_name="imports")
    sha256 = models.CharField(max_length=64)
    name = models.CharField(max_length=300, help_text="File name as given, within its archive if it came in one.")
    size = models.BigIntegerField(help_text="bytes")
    format = models.CharField(max_length=60)
    assumptions = models.JSONField(default=dict, help_text="What the file does not say and we took to be so.")
    counts = models.JSONField(
        default=dict, help_text="Rows read, new, changed, unchanged, repeated, flagged, rejected."
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    error = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-started_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("trial", "sha256"), condition=Q(status="done"), name="importfile_done_once"
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


class SyntheticDevice(models.Model):
    """A device that does not exist, worn by a participant of a demo trial, and how far its data have been taken in.

    What is stored is the stretch [pulled_from, pulled_until) and grows at both ends; both are null before the first
    pull. Seed and number make the wearer: the same two always make the same data.
    """

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="synthetic_devices")
    provider = models.CharField(max_length=40)
    device = models.CharField(max_length=60)
    seed = models.PositiveBigIntegerField()
    number = models.PositiveIntegerField(default=1)
    starts_on = models.DateField(help_text="The first local day it is worn.")
    pulled_from = models.DateTimeField(null=True, blank=True)
    pulled_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("participant", "provider", "device")
        constraints = (
            models.UniqueConstraint(fields=("participant", "provider", "device"), name="syntheticdevice_once"),
            models.CheckConstraint(
                name="syntheticdevice_pulled_both_ends",
                condition=Q(pulled_from=None, pulled_until=None) | Q(pulled_from__lte=F("pulled_until")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.participant}: {self.device}"
