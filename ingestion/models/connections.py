"""Models of a participant's consent to a vendor: the invitation, the grant, its devices and its history."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ingestion.providers.base.live import DeviceKind
from participants.models import Participant, Trial

TAKING_PART = (Participant.Status.INVITED, Participant.Status.ACTIVE, Participant.Status.PAUSED)


def nonce() -> str:
    return secrets.token_urlsafe(12)


class Invitation(models.Model):
    """Link with which a participant connects their device, without an account. The link itself is not stored."""

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="invitations")
    nonce = models.CharField(max_length=24, default=nonce, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.participant} {self.created_at:%Y-%m-%d}"


class Connection(models.Model):
    """A participant's account at a vendor. Tokens are stored encrypted (participants.privacy.encryption) and shown
    nowhere.
    """

    class Status(models.TextChoices):
        INVITED = "invited", "invited"
        ACTIVE = "active", "active"
        RECONNECT = "reconnect", "reconnect needed"
        REVOKED = "revoked", "disconnected"
        BLOCKED = "blocked", "blocked"

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="connections")
    trial = models.ForeignKey(Trial, models.CASCADE, related_name="+", editable=False)
    provider = models.CharField(max_length=40)
    external_user_id = models.CharField(max_length=80, blank=True, editable=False)
    status = models.CharField(max_length=12, choices=Status, default=Status.INVITED)
    status_since = models.DateTimeField(default=timezone.now)
    status_reason = models.CharField(max_length=80, blank=True)
    scopes = models.JSONField(default=list, blank=True)
    encrypted_tokens = models.TextField(db_column="sealed_tokens", blank=True, editable=False)
    token_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    connected_at = models.DateTimeField(null=True, blank=True)
    next_due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    busy_until = models.DateTimeField(null=True, blank=True)
    last_pull_at = models.DateTimeField(null=True, blank=True)
    last_data_at = models.DateTimeField(null=True, blank=True)
    swept_at = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(null=True, blank=True, editable=False)
    # From when on the account there is now is asked; what came before is the one's that they had then.
    account_since = models.DateTimeField(null=True, blank=True, editable=False)
    # Of an ended connection whose grant the vendor has not taken back yet: when it is asked next.
    give_back_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("participant", "provider")
        constraints = (
            models.UniqueConstraint(fields=("participant", "provider"), name="connection_once"),
            models.UniqueConstraint(
                fields=("trial", "provider", "external_user_id"),
                condition=~Q(external_user_id=""),
                name="connection_account_once_a_trial",
            ),
        )

    def __str__(self) -> str:
        return f"{self.participant} at {self.provider}"

    @property
    def asks(self) -> bool:
        """Whether the vendor may be asked for this participant's data at all."""
        open_ = self.status == self.Status.ACTIVE and self.trial.status != Trial.Status.CLOSED
        return open_ and self.participant.status in TAKING_PART

    @classmethod
    def asking(cls) -> models.QuerySet[Connection]:
        """Connections of which `asks` is true."""
        connections = cls.objects.filter(status=cls.Status.ACTIVE, participant__status__in=TAKING_PART)
        return connections.exclude(trial__status=Trial.Status.CLOSED)


class ConnectionEvent(models.Model):
    """Change of a connection's status, and when: the evidence behind the cause of a gap."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    status = models.CharField(max_length=12, choices=Connection.Status)
    reason = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ("connection", "at", "pk")

    def __str__(self) -> str:
        return f"{self.connection_id} {self.at:%Y-%m-%d %H:%M} {self.status}"


class Device(models.Model):
    """Device as its vendor last described it. Which of several is worn: ingestion.connections.devices."""

    class Kind(models.TextChoices):
        TRACKER = DeviceKind.TRACKER, "tracker"
        WATCH = DeviceKind.WATCH, "watch"
        SCALE = DeviceKind.SCALE, "scale"
        OTHER = DeviceKind.OTHER, "other"
        UNKNOWN = DeviceKind.UNKNOWN, "unknown"

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="devices")
    external_id = models.CharField(max_length=120)
    model = models.CharField(max_length=80, blank=True)
    kind = models.CharField(max_length=40, choices=Kind, blank=True)
    battery_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    battery_status = models.CharField(max_length=20, blank=True)
    last_sync_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ("connection", "model")
        constraints = (models.UniqueConstraint(fields=("connection", "external_id"), name="device_once"),)

    def __str__(self) -> str:
        return self.model or self.external_id


class DeviceReading(models.Model):
    """Description of a device at a time, kept when it changed: no vendor tells a battery's history."""

    device = models.ForeignKey(Device, models.CASCADE, related_name="readings", db_index=False)
    at = models.DateTimeField()
    battery_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    battery_status = models.CharField(max_length=20, blank=True)
    last_sync_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("device", "at")
        constraints = (models.UniqueConstraint(fields=("device", "at"), name="devicereading_once"),)

    def __str__(self) -> str:
        return f"{self.device_id} {self.at:%Y-%m-%d %H:%M} {self.battery_percent}"
