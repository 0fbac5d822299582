"""Models of corrections, asked for with a reason and done by a worker: what a participant has from one source is
deleted, or what was measured moves from one participant to another of the same trial.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from metrics.models.catalogue import Source
from participants.models import Participant
from participants.models.fields import DayField, LineField


class SourceDeletion(models.Model):
    """Deletion of what a source brought of a participant, and how much it was (metrics.corrections.data_deletion).

    `what`: a metric's code, "sleep", "exercise", or "" for all. `first`, `last`: local dates, both included; null: no
    bound. `removed`: rows by what they were.
    """

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="source_deletions")
    source = models.ForeignKey(Source, models.PROTECT, related_name="+")
    what = models.CharField(max_length=40, blank=True, default="")
    first = DayField(null=True, blank=True)
    last = DayField(null=True, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    reason = LineField(max_length=200, help_text="Why, for the audit trail. No names.")
    asked_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    removed = models.JSONField(default=dict)

    class Meta:
        ordering = ("-asked_at",)

    def __str__(self) -> str:
        return f"{self.what or 'everything'} of {self.source}, participant {self.participant_id}"

    @property
    def rows(self) -> int:
        """Number of rows that were deleted so far."""
        return sum(self.removed.values())


class DataMove(models.Model):
    """Move of what was measured of one participant to another (metrics.corrections.data_moves): how far it is, and what
    moved.
    """

    giver = models.ForeignKey(Participant, models.CASCADE, related_name="moves_away")
    receiver = models.ForeignKey(Participant, models.CASCADE, related_name="moves_here")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    reason = LineField(max_length=200)
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True, default="")
    moved_before = models.DateTimeField(null=True)  # what lies before has moved; null: nothing yet
    samples = models.BigIntegerField(default=0)
    nights = models.IntegerField(default=0)
    exercise = models.IntegerField(default=0)

    class Meta:
        ordering = ("-asked_at",)

    def __str__(self) -> str:
        return f"move of {self.giver_id} to {self.receiver_id}"
