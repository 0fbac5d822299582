"""Models of the audit trail, and of API tokens and their repeated writes."""

from __future__ import annotations

from django.db import models
from django.db.models import Q, Value
from django.utils import timezone

from participants.models.fields import LineField
from participants.models.participants import Participant
from participants.models.trials import Trial
from participants.models.users import User
from participants.querysets import AuditQuerySet


class Via(models.TextChoices):
    """The channel by which somebody came."""

    PAGE = "page", "page"
    ADMIN = "admin", "administration"
    API = "api", "API"
    TASK = "task", "background task"
    COMMAND = "command", "command line"


class AuditEntry(models.Model):
    """Audit entry: who did or viewed what. Appended by participants.audit alone; the database refuses any change.

    Whom it names is kept by number and without a constraint: an entry outlives users, trials and participants.
    `mac` authenticates the entry itself (participants.audit.hash_chain); the order of all entries is kept
    by AuditCheckpoint.
    """

    at = models.DateTimeField()
    action = models.CharField(max_length=60)  # noun.verb, e.g. participant.view
    via = models.CharField(max_length=8, choices=Via)
    actor = models.ForeignKey(User, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False)
    actor_name = models.CharField(max_length=254, blank=True)  # the e-mail address then; empty: the platform itself
    token = models.ForeignKey(
        "participants.ApiToken", models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    trial = models.ForeignKey(
        Trial, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    participant = models.ForeignKey(
        Participant, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    thing = models.CharField(max_length=80, blank=True)  # which object, e.g. alert:12
    request_id = models.CharField(max_length=64, blank=True)
    detail_digest = models.CharField(max_length=64, blank=True)  # of AuditDetail; empty: there is none
    key_id = models.CharField(max_length=8)  # which of AUDIT_KEYS made the mac
    mac = models.CharField(max_length=64)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "audit entries"
        indexes = (
            models.Index(fields=("participant", "at"), condition=~Q(participant=None), name="audit_by_participant"),
            models.Index(fields=("trial", "at"), name="audit_by_trial"),
            models.Index(fields=("actor", "at"), name="audit_by_actor"),
            models.Index(fields=("at",), name="audit_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action}"


class AuditDetail(models.Model):
    """Detail of an audit entry: old and new values, the reason. Apart, because an erasure removes it.

    The entry keeps a salted digest of it: a changed detail is found, and of a removed one nothing can be guessed.
    """

    entry = models.OneToOneField(AuditEntry, models.DO_NOTHING, primary_key=True, related_name="detail")
    salt = models.CharField(max_length=32)
    subject = models.CharField(max_length=100, blank=True)  # the participant's study id then
    old = models.JSONField(default=dict)
    new = models.JSONField(default=dict)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = (models.Index(fields=("subject",), condition=~Q(subject=""), name="audit_by_subject"),)

    def __str__(self) -> str:
        return f"detail of {self.entry_id}"


class AuditCheckpoint(models.Model):
    """A link of the chain over all entries, in the order in which they were given checkpoints: positions have no holes.

    `entry_id` is a number without a constraint, so that a deleted entry leaves its checkpoint behind.
    """

    position = models.BigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField(unique=True)
    key_id = models.CharField(max_length=8)
    mac = models.CharField(max_length=64)  # over the mac before it and the entry's own
    created_at = models.DateTimeField(db_column="sealed_at", default=timezone.now)

    class Meta:
        db_table = "participants_auditseal"
        ordering = ("position",)

    def __str__(self) -> str:
        return f"checkpoint {self.position}"


class AuditHead(models.Model):
    """The chain's last position, authenticated: so that links cut off at the end are missed. One row, id 1."""

    position = models.BigIntegerField()
    key_id = models.CharField(max_length=8)
    mac = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"head at {self.position}"


class ApiToken(models.Model):
    """A program's key to the API: what its user may see, at most. The key itself is shown once and not stored."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = LineField(max_length=80, help_text="What it is for, e.g. nightly analysis.")
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)  # SHA-256 of 256 random bits: nothing slower is needed
    can_write = models.BooleanField(default=False)
    all_trials = models.BooleanField(default=False, help_text="Whatever its user sees, also trials to come.")
    trials = models.ManyToManyField(Trial, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} (wt_{self.prefix}…)"


class IdempotencyKey(models.Model):
    """A write that a program may send again: the same key and body get the first response, nothing is done twice."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    token = models.ForeignKey(ApiToken, models.CASCADE, null=True, related_name="+", db_index=False)  # null: a session
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=500)
    body_digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.PositiveSmallIntegerField(null=True)  # null: being worked on
    headers = models.JSONField(default=dict)
    rights = models.JSONField(default=list, db_default=Value([], models.JSONField()))  # participants.write_rights
    encrypted_body = models.TextField(db_column="sealed_body", blank=True)  # answers may hold an invitation's link

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("user", "token", "key"), nulls_distinct=False, name="idempotencykey_of_token_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
