"""Models of the sync: windows that a vendor is asked for, fingerprints, and the vendor's notices."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from ingestion.models.connections import Connection


class SyncWindow(models.Model):
    """Interval of one data type of one connection: the unit of work, the resume point and the evidence.

    There is one row for each interval that was ever requested. A re-read sets it due again; requested again while it
    is being read, `again` makes it due once more afterwards, so that what arrives meanwhile is not missed.

    `unreadable` and `unfinished` count records of the answer that are not stored: those that could not be read, and
    sessions that were still going on: passes ask again. Windows that were asked for together share an answer.
    """

    class State(models.TextChoices):
        DUE = "due", "waiting"
        CLAIMED = "claimed", "being fetched"
        DONE = "done", "received"
        FAILED = "failed", "failed"

    class Reason(models.TextChoices):
        SCHEDULED = "scheduled", "scheduled"
        WEBHOOK = "webhook", "vendor's notice"
        RESTATED = "restated", "corrected by the vendor"
        SWEEP = "sweep", "weekly full fetch"
        BACKFILL = "backfill", "older data"
        MANUAL = "manual", "by hand"
        UPLOADED = "uploaded", "device synced after missing data"
        HISTORY = "history", "weekly change check of past data"

    # What yields to everything else, and is no sign that we are late.
    YIELDING = (Reason.BACKFILL, Reason.HISTORY)

    class Kind(models.TextChoices):
        READ = "read", "data"
        FINGERPRINT = "look", "change check"

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="windows", db_index=False)
    data_type = models.CharField(max_length=60)
    kind = models.CharField(max_length=4, choices=Kind, default=Kind.READ)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=10, choices=Reason)
    state = models.CharField(max_length=8, choices=State, default=State.DUE)
    again = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    points = models.IntegerField(default=0)
    requests = models.IntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    unreadable = models.PositiveIntegerField(default=0, db_default=0)
    unfinished = models.PositiveIntegerField(default=0, db_default=0)
    error_code = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ("connection", "data_type", "starts_at")
        verbose_name = "data request"
        constraints = (
            models.UniqueConstraint(
                fields=("connection", "data_type", "kind", "starts_at", "ends_at"), name="syncwindow_once"
            ),
        )
        indexes = (
            models.Index(fields=("connection", "due_at"), condition=Q(state="due"), name="syncwindow_due"),
            models.Index(fields=("claimed_at",), condition=Q(state="claimed"), name="syncwindow_claimed"),
            models.Index(fields=("connection", "finished_at"), condition=Q(state="failed"), name="syncwindow_failed"),
        )

    def __str__(self) -> str:
        return f"{self.connection_id} {self.data_type} {self.starts_at:%Y-%m-%d %H:%M} {self.state}"


class Fingerprint(models.Model):
    """Hour of a data type as the vendor summed it up at the last restatement check: if it changed, the hour is read
    again.

    Of days that are no longer watched there is one row a UTC day, at its first hour: see ingestion.sync.restatements.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="fingerprints", db_index=False)
    data_type = models.CharField(max_length=60)
    hour = models.DateTimeField()
    value = models.CharField(max_length=120)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("connection", "data_type", "hour"), name="fingerprint_once"),)

    def __str__(self) -> str:
        return f"{self.connection_id} {self.data_type} {self.hour:%Y-%m-%d %H:%M}"


class WebhookDelivery(models.Model):
    """Notice as it came, kept until it is handled: the vendor has been told that we have it."""

    provider = models.CharField(max_length=40)
    body = models.BinaryField()
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("received_at",)
        verbose_name_plural = "webhook deliveries"
        indexes = (models.Index(fields=("received_at",), condition=Q(handled_at=None), name="webhook_waiting"),)

    def __str__(self) -> str:
        return f"{self.provider} {self.received_at:%Y-%m-%d %H:%M:%S}"
