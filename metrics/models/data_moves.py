"""Model of a correction: what was measured moves from one participant to another of the same trial."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from participants.models import Participant
from participants.models.fields import LineField


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
