"""Models of synthetic devices: who wears one, and how far its data have been taken in."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from participants.models import Participant
from participants.models.fields import DayField


class SyntheticDevice(models.Model):
    """Synthetic device, worn by a participant of a demo trial, and how far its data have been taken in.

    What is stored is the interval [pulled_from, pulled_until) and grows at both ends; both are null before the first
    pull. Seed and number make the synthetic participant: the same two always make the same data.
    """

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="synthetic_devices")
    provider = models.CharField(max_length=40)
    device = models.CharField(max_length=60)
    seed = models.PositiveBigIntegerField()
    number = models.PositiveIntegerField(default=1)
    starts_on = DayField(help_text="The first local day it is worn.")
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
