"""Models of trials, the versions of their protocols, and their sites."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from functools import cache

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from participants.models.fields import DayField, LineField
from participants.querysets import ProtocolQuerySet, SiteQuerySet, TrialQuerySet

CODE = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "Use letters, digits, full stop, hyphen and underscore; start with a letter or digit.",
)


@cache
def time_zones() -> frozenset[str]:
    """The IANA zones that this machine knows. Read once: it walks the whole database of zones."""
    return frozenset(zoneinfo.available_timezones())


def validate_time_zone(name: str) -> None:
    """Refuse what is not an IANA zone name such as Europe/Amsterdam."""
    if name not in time_zones():
        raise ValidationError("%(name)s is not an IANA time zone. Example: Europe/Amsterdam.", params={"name": name})


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
        " that were corrected later. Minutes, hours, days, nights and day statuses stay.",
    )
    # Set by participants.services when the trial is closed: from here on nothing is collected.
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Moves forward only (metrics.maintenance.retention): whatever the trial decides later, what lies before is gone.
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
        help_text="Intervals without a heart rate of at least this length are gaps; shorter ones are drop-outs.",
    )
    battery_flat_percent = models.PositiveSmallIntegerField(
        default=10, validators=[MaxValueValidator(100)], help_text="A last reading up to this explains missing uploads."
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
        help_text="Data of paused days are collected, though these days do not count. Without it none of them are"
        " requested, saved, shown or exported.",
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

    @staticmethod
    def in_force(protocols: Sequence[Protocol], on: dt.date) -> Protocol:
        """The protocol that applies to a date: the newest version of those effective by then; before all, the first.

        `protocols`: a trial's, the latest effective first. Raises IndexError where there is none.
        """
        return next((protocol for protocol in protocols if protocol.effective_on <= on), protocols[-1])


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
