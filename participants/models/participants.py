"""Models of participants, their pauses and contact data. Knows nothing of devices or measurements."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from participants.models.fields import DayField, LineField
from participants.models.trials import CODE, Site, Trial, validate_time_zone
from participants.querysets import ParticipantQuerySet
from participants.study_ids import differs_in_case

STUDY_ID_TAKEN = "This study id is taken in this trial."


class Participant(models.Model):
    """A person in a trial, known by their study id alone. Names and addresses do not belong here."""

    class Status(models.TextChoices):
        INVITED = "invited", "invited"
        ACTIVE = "active", "active"
        PAUSED = "paused", "paused"
        COMPLETED = "completed", "completed"
        WITHDRAWN = "withdrawn", "withdrawn"
        ERASED = "erased", "erased"

    trial = models.ForeignKey(Trial, models.PROTECT, related_name="participants")
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True, related_name="participants")
    study_id = models.CharField(max_length=64, validators=[CODE], help_text="Pseudonym, unique in the trial. No names.")
    time_zone = models.CharField(
        max_length=64, validators=[validate_time_zone], help_text="Where the participant's days begin and end."
    )
    status = models.CharField(max_length=12, choices=Status, default=Status.INVITED)
    monitoring_starts_on = DayField(null=True, blank=True)
    monitoring_ends_on = DayField(null=True, blank=True)
    withdrawn_on = DayField(null=True, blank=True, help_text="The first day that does not count any more.")
    arm = LineField(max_length=40, blank=True)
    # Set by the migration that made study ids compare without case, of the younger of two that were there already.
    case_twin = models.BooleanField(
        "differs in case alone",
        default=False,
        db_default=False,
        editable=False,
        help_text="An older participant of the trial has this study id in other upper and lower case.",
    )
    enrolled_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ParticipantQuerySet.as_manager()

    class Meta:
        ordering = ("trial", "study_id")
        constraints = (
            models.UniqueConstraint(
                fields=("trial", "study_id"),
                name="participant_study_id_once",
                violation_error_message=STUDY_ID_TAKEN,
            ),
            models.UniqueConstraint(
                "trial",
                Lower("study_id"),
                condition=Q(case_twin=False),
                name="participant_study_id_any_case",
                violation_error_message=STUDY_ID_TAKEN,
            ),
            models.CheckConstraint(
                name="participant_ends_after_start",
                condition=Q(monitoring_ends_on=None)
                | Q(monitoring_starts_on=None)
                | Q(monitoring_ends_on__gte=F("monitoring_starts_on")),
                violation_error_message="Monitoring ends before it starts.",
            ),
        )

    def __str__(self) -> str:
        return self.study_id

    def clean(self) -> None:
        if self.site_id and self.trial_id and self.site and self.site.trial_id != self.trial_id:
            raise ValidationError({"site": "This site belongs to another trial."})
        self._clean_study_id()

    def _clean_study_id(self) -> None:
        """Say whose study id this is already, before the constraints do without naming them."""
        if not self.trial_id or not CODE.regex.match(self.study_id):  # type: ignore[union-attr]
            return
        for other in Participant.objects.filter(trial=self.trial_id).exclude(pk=self.pk).spelt_like([self.study_id]):
            if other.study_id == self.study_id:
                raise ValidationError({"study_id": STUDY_ID_TAKEN})
            if not (self.case_twin or other.case_twin):
                raise ValidationError({"study_id": differs_in_case(other.study_id)})


class Pause(models.Model):
    """Days that do not count: a hospital stay, a holiday without the device. Both ends are included."""

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="pauses")
    starts_on = DayField()
    ends_on = DayField(null=True, blank=True, help_text="Empty: still paused.")
    reason = LineField(max_length=200, help_text="No names, no diagnoses.")
    # The days of a withdrawal that was undone: whatever the protocol says of pauses, nothing of them is had.
    withdrawn = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        ordering = ("participant", "starts_on")
        constraints = (
            models.CheckConstraint(
                name="pause_ends_after_start",
                condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")),
                violation_error_message="The pause ends before it starts.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.participant} from {self.starts_on}"


class Contact(models.Model):
    """Contact data of a participant.

    Apart from everything else, encrypted (participants.privacy.encryption), with its own permission.

    Read and written by participants.privacy.contacts alone.
    """

    participant = models.OneToOneField(Participant, models.CASCADE, primary_key=True, related_name="contact")
    encrypted_name = models.TextField(db_column="sealed_name", blank=True, editable=False)
    encrypted_email = models.TextField(db_column="sealed_email", blank=True, editable=False)
    encrypted_phone = models.TextField(db_column="sealed_phone", blank=True, editable=False)
    language = models.CharField(max_length=8, default="en", help_text="Of what we write to them: en, nl, de, ...")
    opted_out_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    bounce_reason = models.CharField(max_length=200, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        permissions = (("contact_participant", "Can write to participants"),)

    def __str__(self) -> str:
        return f"contact of {self.participant_id}"
