"""Models of accounts: sign-ins, pending enrolment files, and invitations of colleagues."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from participants.models.trials import Site, Trial
from participants.models.users import Membership, User


class SignIn(models.Model):
    """An attempt to sign in to an account that exists: its own history. Never the password, never a full address."""

    class Outcome(models.TextChoices):
        OK = "ok", "signed in"
        FAILED = "failed", "failed"
        LOCKED = "locked", "refused: too many attempts"

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    at = models.DateTimeField(default=timezone.now)
    outcome = models.CharField(max_length=8, choices=Outcome)
    method = models.CharField(max_length=40, help_text="password, password and app, passkey, ...")
    address = models.CharField(max_length=43, blank=True, help_text="The network they came from: its last part is cut.")
    browser = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ("-at", "-pk")
        indexes = (models.Index(fields=("user", "-at"), name="sign_in_of_user"),)

    def __str__(self) -> str:
        return f"{self.user_id} {self.at:%Y-%m-%d %H:%M} {self.outcome}"


class EnrolmentPreview(models.Model):
    """A file of people to enrol that waits for its confirmation (participants.enrolment.pending_upload).

    An erasure in its trial takes it away, whomever it names; so does an hour's sweep once the session is over.
    """

    trial = models.ForeignKey(Trial, models.CASCADE, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    encrypted = models.BooleanField(db_column="sealed")
    text = models.TextField()
    made_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        db_table = "participants_enrolmentdraft"

    def __str__(self) -> str:
        return f"file {self.pk} of {self.user_id}"


class ColleagueInvitation(models.Model):
    """A manager invites a colleague by e-mail to a trial. The link's code is made when it is sent and kept hashed."""

    trial = models.ForeignKey(Trial, models.CASCADE, related_name="colleague_invitations")
    site = models.ForeignKey(Site, models.CASCADE, null=True, blank=True, help_text="Empty: all sites of the trial.")
    role = models.CharField(max_length=12, choices=Membership.Role)
    email = models.EmailField("e-mail address")
    code_hash = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    # Of what is not sent yet: how often it was tried, and when last.
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return f"{self.email} into {self.trial_id}: {self.role}"

    @property
    def open(self) -> bool:
        """Whether its link still works, once it was sent."""
        return self.accepted_at is None and self.revoked_at is None and self.expires_at > timezone.now()
