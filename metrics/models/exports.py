"""Models of exports: the request of a member of the team, how far it is, and the files that came of it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from participants.models import Participant, Trial


class Export(models.Model):
    """Data of a trial as files, asked for by one user and visible to that user alone.

    Whose data was settled when it was asked for (`people`). What is finished stands in ExportFile, so a killed worker's
    successor goes on after it. Times are UTC.
    """

    class Format(models.TextChoices):
        PARQUET = "parquet", "Parquet"
        CSV = "csv", "CSV"
        NDJSON = "ndjson", "NDJSON"
        DAILY = "daily", "Daily table"
        FHIR = "fhir", "HL7 FHIR R5"
        OMH = "omh", "Open mHealth"
        SUBJECT = "subject", "Everything about one participant"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"
        EXPIRED = "expired", "expired"

    class Clock(models.TextChoices):
        LOCAL = "local", "participants' local dates"
        UTC = "utc", "UTC dates"

    class Compression(models.TextChoices):
        GZIP = "gzip", "gzip"
        ZSTD = "zstd", "zstd"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    trial = models.ForeignKey(Trial, models.CASCADE, related_name="exports")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="exports")
    people = models.ManyToManyField(Participant, related_name="exports")
    format = models.CharField(max_length=8, choices=Format)
    compressed = models.BooleanField(default=True)  # of text formats
    compression = models.CharField(
        max_length=4, choices=Compression, default=Compression.GZIP, db_default=Compression.GZIP
    )
    metrics = models.JSONField(default=list)  # codes; empty: all
    sources = models.JSONField(default=list)  # ids; empty: all
    start_on = models.DateField(null=True)  # both dates included; null: from the first, to the last
    end_on = models.DateField(null=True)
    clock = models.CharField(max_length=5, choices=Clock, default=Clock.LOCAL)
    asked = models.JSONField(default=dict)  # the request as it was put, for the manifest
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    error = models.CharField(max_length=300, blank=True)
    rows_done = models.BigIntegerField(default=0)
    rows_expected = models.BigIntegerField(null=True)
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    claim = models.UUIDField(null=True)  # of the worker at work; another takes over where it is not heard of
    heard_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Put back for what may pass without us (a full disk, a store that is away): how often, and until when.
    put_back = models.PositiveSmallIntegerField(default=0, db_default=0)
    retry_at = models.DateTimeField(null=True)
    # Where its files lie: folder:ID, s3://bucket/prefix; empty: not begun, or in the folder of before there were ids.
    store = models.CharField(max_length=300, blank=True, default="", db_default="")

    class Meta:
        ordering = ("-asked_at",)
        indexes = (models.Index(fields=("state", "heard_at"), name="export_by_state"),)

    def __str__(self) -> str:
        return f"{self.format} of trial {self.trial_id}, {self.asked_at:%Y-%m-%d %H:%M}"

    @property
    def ended(self) -> bool:
        return self.state not in (self.State.WAITING, self.State.RUNNING)


class ExportFile(models.Model):
    """A finished file of an export. `path` is relative to the export's folder; `as_of`: the snapshot it was read in."""

    export = models.ForeignKey(Export, models.CASCADE, related_name="files")
    path = models.CharField(max_length=200)
    rows = models.BigIntegerField(null=True)  # null: no rows in it, as in a manifest
    size = models.BigIntegerField()  # bytes
    sha256 = models.CharField(max_length=64)
    crc32 = models.BigIntegerField()
    as_of = models.DateTimeField()

    class Meta:
        ordering = ("export", "path")
        constraints = (models.UniqueConstraint(fields=("export", "path"), name="exportfile_path_once"),)

    def __str__(self) -> str:
        return self.path
