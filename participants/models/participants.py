"""Who takes part in what: trials, their protocols, sites and people. Knows nothing of devices or data."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from functools import cache
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from participants.addresses import canonical
from participants.models.fields import DayField, LineField
from participants.querysets import ParticipantQuerySet, ProtocolQuerySet, SiteQuerySet, TrialQuerySet, UserManager
from participants.study_ids import differs_in_case

STUDY_ID_TAKEN = "This study id is taken in this trial."
CODE = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "Use letters, digits, full stop, hyphen and underscore; start with a letter or digit.",
)

# Of service accounts' addresses. A domain that is nobody's (RFC 2606): no mail for such an account ever leaves.
SERVICE_DOMAIN = "service.invalid"


@cache
def time_zones() -> frozenset[str]:
    """The IANA zones that this machine knows. Read once: it walks the whole database of zones."""
    return frozenset(zoneinfo.available_timezones())


def validate_time_zone(name: str) -> None:
    """Refuse what is not an IANA zone name such as Europe/Amsterdam."""
    if name not in time_zones():
        raise ValidationError("%(name)s is not an IANA time zone. Example: Europe/Amsterdam.", params={"name": name})


class User(AbstractUser):
    """Somebody who signs in: a member of a trial's team or of the staff. Never a participant."""

    username = None  # type: ignore[assignment]  # the e-mail address takes its place
    email = models.EmailField("e-mail address", unique=True)
    first_name = LineField("first name", max_length=150, blank=True)
    last_name = LineField("last name", max_length=150, blank=True)

    is_service = models.BooleanField(
        "service account", default=False, help_text="A program's account: it has tokens and no password."
    )
    # Set by the database with the first membership, if not before; a membership of another trial is refused there too.
    service_trial = models.ForeignKey(
        "Trial",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        db_index=False,
        related_name="+",
        help_text="The only trial that a service account and its tokens reach.",
    )
    signed_out_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Sessions from before this moment have ended."
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    # What the API token they came with allows at most (participants.rest.tokens); a person who signed in has no limits.
    token_trials: frozenset[int] | None = None
    read_only = False

    objects = UserManager()  # type: ignore[misc,assignment]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        """Before uniqueness is asked for: two ways to write an address are one address."""
        super().clean()
        self.email = canonical(self.email)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Whoever stores an account stores its address as it is looked up."""
        self.email = canonical(self.email)
        super().save(*args, **kwargs)


def expected_metrics() -> list[str]:
    """The metrics whose coverage each day is reported, unless the protocol names others: codes of the registry."""
    return ["heart_rate", "steps", "resting_heart_rate", "hrv_rmssd_24h", "respiratory_rate", "spo2_24h"]


def alert_rules() -> list[str]:
    """The rules that raise alerts, unless the protocol names others."""
    return ["never_connected", "reconnect", "no_upload", "low_wear", "low_sleep"]


def day_variants() -> list[int]:
    """Worn minutes of other definitions of a valid day, reported beside the protocol's own."""
    return [480, 720]


class Trial(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft", "draft"
        RECRUITING = "recruiting", "recruiting"
        RUNNING = "running", "running"
        CLOSED = "closed", "closed"

    code = models.CharField(
        max_length=32, unique=True, validators=[CODE], help_text="Short name, part of every address."
    )
    title = LineField(max_length=200)
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)
    is_demo = models.BooleanField("demo", default=False, help_text="Only demo trials take synthetic data.")
    starts_on = DayField(null=True, blank=True)
    ends_on = DayField(null=True, blank=True)
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="Default zone of its participants."
    )
    # Off unless a trial asks for it. Under a quarter, late uploads and queries about a visit would find nothing.
    retain_raw_days = models.PositiveIntegerField(
        "keep samples for days",
        null=True,
        blank=True,
        validators=[MinValueValidator(90)],
        help_text="Empty: for ever. Samples older than this are deleted each week, for good, and with them the values"
        " that were corrected later. Minutes, hours, days, nights and verdicts stay.",
    )
    # Set by participants.services when the trial is closed: from here on nothing is collected.
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Moves forward only (metrics.retention): whatever the trial decides later, what lies before is gone.
    raw_removed_before = models.DateTimeField("samples deleted before", null=True, blank=True, editable=False)

    objects = TrialQuerySet.as_manager()

    class Meta:
        ordering = ("code",)
        constraints = (
            models.CheckConstraint(
                name="trial_ends_after_start",
                condition=Q(ends_on=None) | Q(starts_on=None) | Q(ends_on__gte=F("starts_on")),
                violation_error_message="The trial ends before it starts.",
            ),
        )

    def __str__(self) -> str:
        return self.code


class Protocol(models.Model):
    """A version of a trial's rules. Never edited once effective: a change is a new version."""

    trial = models.ForeignKey(Trial, models.CASCADE, related_name="protocols")
    version = models.PositiveSmallIntegerField(default=1)
    effective_on = DayField()
    # The defaults and their sources: docs/data-model.md, "Days, gaps and adherence".
    valid_day_minutes = models.PositiveSmallIntegerField(
        default=600, validators=[MaxValueValidator(1440)], help_text="Worn minutes that make a day valid."
    )
    adherence_target = models.FloatField(default=0.7, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)])
    upload_warn_hours = models.PositiveSmallIntegerField(default=48)
    upload_critical_hours = models.PositiveSmallIntegerField(default=120)
    lost_after_hours = models.PositiveSmallIntegerField(default=168)
    device_keeps_hours = models.PositiveSmallIntegerField(
        default=168, help_text="How long the device keeps unsynced detail."
    )
    sleep_nights_warn = models.PositiveSmallIntegerField(
        default=5, help_text="Nights in the last 7, below which we warn."
    )
    sleep_nights_critical = models.PositiveSmallIntegerField(default=3)
    gap_minutes = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1)],
        help_text="Stretches without a heart rate of at least this length are gaps; shorter ones are drop-outs.",
    )
    battery_flat_percent = models.PositiveSmallIntegerField(
        default=10, validators=[MaxValueValidator(100)], help_text="A last reading up to this explains a silent device."
    )
    never_connected_hours = models.PositiveSmallIntegerField(
        default=72, help_text="Hours after the invitation, from which an alert says that nobody has connected."
    )
    expected_metrics = models.JSONField(
        default=expected_metrics, blank=True, help_text="Metrics whose coverage is reported for each day."
    )
    valid_day_variants = models.JSONField(
        default=day_variants,
        blank=True,
        help_text="Other definitions of a valid day, in worn minutes, shown beside it.",
    )
    valid_day_steps = models.PositiveIntegerField(
        default=1500, help_text="Steps that make a day valid by the step-based definition, shown beside it."
    )
    alert_rules = models.JSONField(default=alert_rules, blank=True, help_text="Rules that raise alerts.")
    contact_gap_hours = models.PositiveSmallIntegerField(
        default=24, help_text="A participant is not written to twice within so many hours."
    )
    quiet_from = models.TimeField(default=dt.time(21, 0), help_text="No e-mail from here on, participant's local time.")
    quiet_until = models.TimeField(default=dt.time(8, 0), help_text="No e-mail before this, participant's local time.")
    collect_in_pauses = models.BooleanField(
        default=True,
        db_default=True,
        help_text="Data of paused days are collected, though these days do not count. Without it nothing of them is"
        " asked for, stored, shown or exported.",
    )
    source_priority = models.JSONField(
        default=list,
        blank=True,
        help_text='Which source wins where several measured the same, e.g. ["Charge 6", "Sense 2"]: '
        "device models, platforms or providers, best first. Sources not named follow, most data first.",
    )

    objects = ProtocolQuerySet.as_manager()

    class Meta:
        ordering = ("trial", "-version")
        constraints = (models.UniqueConstraint(fields=("trial", "version"), name="protocol_version_once"),)

    def __str__(self) -> str:
        return f"{self.trial.code} v{self.version}"

    def clean(self) -> None:
        """Thresholds that follow one another must stand in their order."""
        wrong = {}
        if self.upload_critical_hours is not None and self.upload_warn_hours is not None:
            if self.upload_critical_hours <= self.upload_warn_hours:
                wrong["upload_critical_hours"] = "Critical comes after silent."
            if self.lost_after_hours is not None and self.lost_after_hours < self.upload_critical_hours:
                wrong["lost_after_hours"] = "Nothing is lost before it is critical."
        if self.sleep_nights_warn is not None and self.sleep_nights_critical is not None:
            if self.sleep_nights_warn > 7:
                wrong["sleep_nights_warn"] = "A week has seven nights."
            if self.sleep_nights_critical > self.sleep_nights_warn:
                wrong["sleep_nights_critical"] = "Critically few nights are no more than few."
        if wrong:
            raise ValidationError(wrong)


class Site(models.Model):
    trial = models.ForeignKey(Trial, models.CASCADE, related_name="sites")
    code = models.CharField(max_length=32, validators=[CODE])
    name = LineField(max_length=200)
    phone = LineField(max_length=40, blank=True, help_text="Where participants can call; part of e-mails.")
    email = models.EmailField("e-mail address", blank=True, help_text="Where participants' answers go.")

    objects = SiteQuerySet.as_manager()

    class Meta:
        ordering = ("trial", "name")
        constraints = (models.UniqueConstraint(fields=("trial", "code"), name="site_code_once"),)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What a user is in a trial, or in one site of it. Ended, never deleted, so that the past can be told."""

    class Role(models.TextChoices):
        MANAGER = "manager", "manager"
        COORDINATOR = "coordinator", "coordinator"
        ANALYST = "analyst", "analyst"
        VIEWER = "viewer", "viewer"

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    trial = models.ForeignKey(Trial, models.CASCADE, related_name="memberships")
    site = models.ForeignKey(Site, models.CASCADE, null=True, blank=True, help_text="Empty: all sites of the trial.")
    role = models.CharField(max_length=12, choices=Role, default=Role.VIEWER)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    digest_at = models.TimeField(
        "daily digest at",
        null=True,
        blank=True,
        default=dt.time(7, 0),
        help_text="The trial's time; managers and coordinators only. Empty: none.",
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("user", "trial", "site"),
                condition=Q(ended_at=None),
                nulls_distinct=False,
                name="membership_current_once",
                violation_error_message="This person is already a member there.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.trial}: {self.role}"

    def clean(self) -> None:
        if self.site_id and self.trial_id and self.site and self.site.trial_id != self.trial_id:
            raise ValidationError({"site": "This site belongs to another trial."})
        if self.user_id and self.user.is_service:
            if self.user.service_trial_id not in (None, self.trial_id):
                raise ValidationError({"user": "A service account works in its own trial only."})
            if self.role == self.Role.MANAGER:
                raise ValidationError({"role": "A program is coordinator, analyst or viewer."})


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
    """How to reach a participant. Apart from everything else, sealed (participants.vault), with its own permission.

    Read and written by participants.contacts alone.
    """

    participant = models.OneToOneField(Participant, models.CASCADE, primary_key=True, related_name="contact")
    sealed_name = models.TextField(blank=True, editable=False)
    sealed_email = models.TextField(blank=True, editable=False)
    sealed_phone = models.TextField(blank=True, editable=False)
    language = models.CharField(max_length=8, default="en", help_text="Of what we write to them: en, nl, de, ...")
    opted_out_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    bounce_reason = models.CharField(max_length=200, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        permissions = (("contact_participant", "Can write to participants"),)

    def __str__(self) -> str:
        return f"contact of {self.participant_id}"
