"""Models of consent documents, consents, erasures and reinstatements."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from participants.models.fields import DayField, LineField
from participants.models.participants import Participant
from participants.models.trials import CODE, Trial
from participants.models.users import User
from participants.user_input import FIRST_INSTANT, LAST_INSTANT, OUT_OF_BOUNDS


class ConsentDocument(models.Model):
    """A version of what participants agree to. Never edited: another text is another version."""

    trial = models.ForeignKey(Trial, models.CASCADE, related_name="consent_documents")
    version = models.CharField(max_length=20, validators=[CODE])
    title = LineField(max_length=200)
    text = models.TextField(blank=True, help_text="As participants read it, or where the signed form is kept.")
    effective_on = DayField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("trial", "-effective_on", "-pk")
        constraints = (models.UniqueConstraint(fields=("trial", "version"), name="consentdocument_version_once"),)

    def __str__(self) -> str:
        return f"{self.trial.code} consent {self.version}"


class Consent(models.Model):
    """Consent: a participant agreed to a version, and when they took it back. Added and ended, never deleted."""

    class How(models.TextChoices):
        PAPER = "paper", "on paper"
        ONLINE = "online", "on the connect page"

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="consents")
    document = models.ForeignKey(ConsentDocument, models.PROTECT, related_name="consents")
    how = models.CharField(max_length=8, choices=How)
    given_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("participant", "-given_at")
        constraints = (
            models.UniqueConstraint(
                fields=("participant", "document"),
                condition=Q(withdrawn_at=None),
                name="consent_once",
                violation_error_message="The participant has agreed to this version already.",
            ),
            models.CheckConstraint(
                name="consent_ends_after_start",
                condition=Q(withdrawn_at=None) | Q(withdrawn_at__gte=F("given_at")),
                violation_error_message="Consent cannot be withdrawn before it was given.",
            ),
            # An instant that Python cannot hold would break every page that reads the row.
            models.CheckConstraint(
                name="consent_given_within_bounds",
                condition=Q(given_at__range=(FIRST_INSTANT, LAST_INSTANT)),
                violation_error_message=OUT_OF_BOUNDS,
            ),
        )

    def __str__(self) -> str:
        return f"{self.participant_id} {self.document.version}"


class Reinstatement(models.Model):
    """Request to undo a withdrawal made by mistake: one user asks, another approves."""

    class State(models.TextChoices):
        ASKED = "asked", "waiting for a second person"
        APPROVED = "approved", "undone"
        REFUSED = "refused", "refused"

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="reinstatements")
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    asked_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    reason = LineField(max_length=200, help_text="Why the withdrawal was a mistake. No names.")
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-asked_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("participant",), condition=Q(state="asked"), name="reinstatement_open_once"
            ),
            models.CheckConstraint(
                name="reinstatement_by_two",
                condition=~Q(state="approved") | ~Q(asked_by=F("decided_by")),
                violation_error_message="Another person must approve.",
            ),
        )

    def __str__(self) -> str:
        return f"reinstatement of {self.participant_id}"


class Erasure(models.Model):
    """Request to delete a participant's data for good: one user asks, another approves.

    The row is what is left: it says how much was removed, and nothing of what it was.
    """

    class State(models.TextChoices):
        ASKED = "asked", "waiting for a second person"
        APPROVED = "approved", "being carried out"
        DONE = "done", "done"
        REFUSED = "refused", "refused"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="erasures")
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    asked_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    reason = LineField(max_length=200, help_text="Why, e.g. their written request of a date. No names.")
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    report = models.JSONField(default=dict)  # table -> rows removed; files -> number

    class Meta:
        ordering = ("-asked_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("participant",), condition=Q(state__in=["asked", "approved"]), name="erasure_open_once"
            ),
            models.CheckConstraint(
                name="erasure_by_two",
                condition=~Q(state__in=["approved", "done"]) | ~Q(asked_by=F("decided_by")),
                violation_error_message="Another person must approve.",
            ),
        )

    def __str__(self) -> str:
        return f"erasure {self.public_id}"
