"""The removal of what a trial has stored and may not have: asked for by one person, approved by another."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from participants.models import Trial
from participants.models.fields import LineField


class Removal(models.Model):
    """Request to delete from a trial what was stored outside its participants' collection intervals.

    `found`: how much there was when it was asked for; `report`: how much was deleted so far. Both: "samples" by the
    metric's code, "nights", "exercise", "old values", "participants"; `found` also has "days". A killed worker's
    successor goes on with those after `reached`.
    """

    class State(models.TextChoices):
        ASKED = "asked", "waiting for a second person"
        APPROVED = "approved", "being carried out"
        DONE = "done", "done"
        REFUSED = "refused", "refused"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    trial = models.ForeignKey(Trial, models.CASCADE, related_name="removals")
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    reason = LineField(max_length=200, help_text="Why, for the audit trail. No names.")
    found = models.JSONField(default=dict)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reached = models.IntegerField(default=0)  # id of the last participant who is done
    begun = models.BooleanField(default=False)  # whether anything of the next participant was deleted already
    done = models.IntegerField(default=0)  # participants
    total = models.IntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    report = models.JSONField(default=dict)

    class Meta:
        ordering = ("-asked_at",)
        verbose_name = "removal of what is outside"
        verbose_name_plural = "removals of what is outside"
        constraints = (
            models.UniqueConstraint(
                fields=("trial",), condition=Q(state__in=["asked", "approved"]), name="removal_open_once"
            ),
            models.CheckConstraint(
                name="removal_by_two",
                condition=~Q(state__in=["approved", "done"]) | ~Q(asked_by=F("decided_by")),
                violation_error_message="Another person must approve.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.trial} {self.asked_at:%Y-%m-%d %H:%M}"


def counts_text(counts: dict[str, Any]) -> str:
    """Text of what was found or deleted, e.g. "of 2 participants 1,200 samples, 3 nights"."""
    amounts = {**counts, "samples": sum(counts.get("samples", {}).values())}
    parts = [
        f"{amounts[name]:,} {name}" for name in ("samples", "nights", "exercise", "old values") if amounts.get(name)
    ]
    if not parts and amounts.get("days"):
        parts = [f"{amounts['days']:,} days of samples that were deleted"]
    people = amounts.get("participants", 0)
    return f"of {people:,} participant{'s' * (people != 1)} {', '.join(parts)}" if parts else "nothing"
