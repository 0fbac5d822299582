"""Models of the team's work: alerts, e-mails and calls to participants, notes, digests."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from participants.models import CODE, Membership, Participant, Trial
from participants.models.fields import LineField


class Alert(models.Model):
    """Alert that a protocol's rule raised. One is open for each rule and participant.

    The rules raise, update and resolve it by themselves (dashboards.alerts.engine); people acknowledge, snooze and
    assign.
    """

    class Rule(models.TextChoices):
        NEVER_CONNECTED = "never_connected", "never connected"
        RECONNECT = "reconnect", "reconnect needed"
        NO_UPLOAD = "no_upload", "no upload"
        LOW_WEAR = "low_wear", "low wear"
        LOW_SLEEP = "low_sleep", "low sleep"

    class Level(models.IntegerChoices):
        WARN = 1, "warning"
        CRITICAL = 2, "critical"

    class Resolution(models.TextChoices):
        RECOVERED = "recovered", "resolved by itself"
        EXCUSED = "excused", "no longer monitored"
        RULE_OFF = "rule_off", "the protocol no longer has the rule"

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="alerts", db_index=False)
    rule = models.CharField(max_length=16, choices=Rule)
    level = models.SmallIntegerField(choices=Level)
    raised_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    facts = models.JSONField(default=dict)  # what the rule saw, newest
    compared_with = models.DateTimeField(
        null=True
    )  # when the status summary was written that it was last compared with
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=12, choices=Resolution, blank=True, default="")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    snoozed_until = models.DateTimeField(null=True, blank=True)
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ("-level", "raised_at")
        constraints = (
            models.UniqueConstraint(
                fields=("participant", "rule"), condition=Q(resolved_at=None), name="alert_open_once"
            ),
        )
        indexes = (models.Index(fields=("participant", "raised_at"), name="alert_by_participant"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.rule}"


class AlertEvent(models.Model):
    """Event of an alert, and by whom; `by` is null for what the rules did."""

    class What(models.TextChoices):
        RAISED = "raised", "raised"
        WORSE = "worse", "became critical"
        BETTER = "better", "no longer critical"
        ACKNOWLEDGED = "acknowledged", "acknowledged"
        SNOOZED = "snoozed", "snoozed"
        ASSIGNED = "assigned", "assigned"
        RESOLVED = "resolved", "resolved"

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    what = models.CharField(max_length=12, choices=What)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    note = LineField(max_length=200, blank=True)

    class Meta:
        ordering = ("alert", "at", "pk")

    def __str__(self) -> str:
        return f"{self.alert_id} {self.what}"


class MessageTemplate(models.Model):
    """Message template of a trial in one language: text with `{{ variables }}`.

    dashboards.messaging.template_engine lists the variables.
    """

    trial = models.ForeignKey(Trial, models.CASCADE, related_name="message_templates")
    code = models.CharField(max_length=40, validators=[CODE])
    language = models.CharField(max_length=8, default="en")
    title = LineField(max_length=120, help_text="As managers see it in the list.")
    subject = LineField(max_length=160)
    body = models.TextField(help_text="Plain text; an empty line begins a paragraph, `1.` a list.")
    causes = models.JSONField(default=list, blank=True, help_text="Causes that it is about; empty: any.")
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ("trial", "title", "language")
        constraints = (models.UniqueConstraint(fields=("trial", "code", "language"), name="messagetemplate_once"),)

    def __str__(self) -> str:
        return f"{self.title} ({self.language})"


class Outreach(models.Model):
    """An e-mail or a call to a participant: why, by whom, and whether data came back. Holds no name or address."""

    class Kind(models.TextChoices):
        EMAIL = "email", "e-mail"
        CALL = "call", "call"

    class State(models.TextChoices):
        HELD = "held", "held"  # goes out at send_after, unless there is no reason any more by then
        SENDING = "sending", "sending"
        SENT = "sent", "sent"
        BOUNCED = "bounced", "bounced"
        FAILED = "failed", "failed"
        DROPPED = "dropped", "not sent"

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="outreaches", db_index=False)
    kind = models.CharField(max_length=5, choices=Kind, default=Kind.EMAIL)
    template = models.ForeignKey(MessageTemplate, models.SET_NULL, null=True, blank=True, related_name="+")
    title = LineField(max_length=160)  # subject of an e-mail, gist of a call
    language = models.CharField(max_length=8, blank=True)
    body = models.TextField(blank=True)  # as sent, but for the name; of a call, what was said
    reason = LineField(max_length=200)
    alert = models.ForeignKey(Alert, models.SET_NULL, null=True, blank=True, related_name="outreaches")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    batch = models.UUIDField(default=uuid.uuid4)  # what was sent together
    created_at = models.DateTimeField()
    send_after = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.HELD)
    state_at = models.DateTimeField()
    state_reason = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    message_id = models.CharField(max_length=120, blank=True)
    newest_before = models.DateTimeField(null=True, blank=True)  # newest sample when it was sent
    back_at = models.DateTimeField(null=True, blank=True)  # when newer data first arrived afterwards

    class Meta:
        ordering = ("-created_at",)
        verbose_name = "e-mail or call"
        verbose_name_plural = "e-mails and calls"
        constraints = (models.UniqueConstraint(fields=("batch", "participant"), name="outreach_once_a_batch"),)
        indexes = (
            models.Index(fields=("participant", "created_at"), name="outreach_by_participant"),
            models.Index(fields=("send_after",), condition=Q(state="held"), name="outreach_held"),
            models.Index(
                fields=("state", "kind"),
                condition=Q(state__in=("held", "sending", "failed", "bounced")),
                name="outreach_unsettled",
            ),
            models.Index(
                fields=("participant",), condition=Q(back_at=None, state="sent"), name="outreach_without_answer"
            ),
        )

    def __str__(self) -> str:
        return f"{self.participant_id} {self.kind} {self.created_at:%Y-%m-%d %H:%M}"


class Note(models.Model):
    """Note of the team on a participant. Pseudonymous like everything; never edited."""

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="notes", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    text = models.TextField(max_length=2000)

    class Meta:
        ordering = ("-at",)
        indexes = (models.Index(fields=("participant", "at"), name="note_by_participant"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.at:%Y-%m-%d %H:%M}"


class Digest(models.Model):
    """A manager's digest of a day: the row is the claim that it is sent once."""

    membership = models.ForeignKey(Membership, models.CASCADE, related_name="digests", db_index=False)
    on = models.DateField()
    claimed_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-on",)
        constraints = (models.UniqueConstraint(fields=("membership", "on"), name="digest_once"),)

    def __str__(self) -> str:
        return f"{self.membership_id} {self.on}"
