"""What was measured: the narrow measurement table, its rollups, nights, exercise, days. Knows no vendor and no page.

Rows of the big tables are written by `writer.py` and read by `queries.py`, nowhere else. Their references to
participants carry no database constraint: a constraint costs a look-up for every one of 17 million samples a
day, and the writer, which alone writes, has the participant at hand.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from timescale.db.models.fields import TimescaleDateTimeField

from metrics.batch import SourceKey
from metrics.registry import Aggregate, Kind
from participants.models import Participant

CHUNK = "7 days"


def loose(model: Any) -> Any:
    """A reference of a big table: no constraint, no index of its own (the natural key's index leads with it)."""
    return models.ForeignKey(model, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")


class SleepStage(models.TextChoices):
    """Fitbit's stages and, before them, its classic levels. `restless` and `asleep` are classic."""

    AWAKE = "awake", "awake"
    LIGHT = "light", "light"
    DEEP = "deep", "deep"
    REM = "rem", "REM"
    ASLEEP = "asleep", "asleep"
    RESTLESS = "restless", "restless"


class Metric(models.Model):
    """The registry as a table, for joins and foreign keys: filled from registry.py after each migrate."""

    id = models.SmallIntegerField(primary_key=True)
    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    unit = models.CharField("UCUM unit", max_length=20)
    kind = models.CharField(max_length=8, choices=[(k.value, k.value) for k in Kind])
    aggregate = models.CharField(max_length=4, choices=[(a.value, a.value) for a in Aggregate])
    concept = models.CharField(max_length=40)
    concept_system = models.CharField(max_length=60)
    plausible_low = models.FloatField()
    plausible_high = models.FloatField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.code


class Source(models.Model):
    """Where measurements come from: provider, platform, device model."""

    id = models.SmallAutoField(primary_key=True)
    provider = models.CharField(max_length=40)
    platform = models.CharField(max_length=60, blank=True)
    device_model = models.CharField(max_length=80, blank=True)
    synthetic = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("provider", "platform", "device_model", "synthetic"), name="source_once"),
        )

    def __str__(self) -> str:
        return " · ".join(part for part in (self.provider, self.platform, self.device_model) if part)

    @property
    def key(self) -> SourceKey:
        return SourceKey(self.provider, self.platform, self.device_model, self.synthetic)


class Measurement(models.Model):
    """One measured value. 4 + 2 + 2 + 8 + 8 bytes without padding; a null `seconds` costs nothing."""

    pk = models.CompositePrimaryKey("participant_id", "metric_id", "source_id", "time")
    participant = loose(Participant)
    metric = loose(Metric)
    source = loose(Source)
    time = TimescaleDateTimeField(interval=CHUNK)
    value = models.FloatField()
    seconds = models.IntegerField(null=True)  # length of an interval; null for a sample

    class Meta:
        # The same columns as the primary key: PostgreSQL makes one index of both. The composite key serves the
        # ORM; this constraint is the natural key that upserts name.
        constraints = (
            models.UniqueConstraint(fields=("participant", "metric", "source", "time"), name="measurement_natural_key"),
        )


class Rollup(models.Model):
    """Aggregates of the samples that fall into a bucket, by its first instant. The mean is total / n."""

    pk = models.CompositePrimaryKey("participant_id", "metric_id", "source_id", "bucket")
    participant = loose(Participant)
    metric = loose(Metric)
    source = loose(Source)
    bucket = TimescaleDateTimeField(interval=CHUNK)
    total = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    n = models.IntegerField()

    class Meta:
        abstract = True


class MinuteRollup(Rollup):
    """Kept only for metrics finer than a minute: of the others the measurement itself is the minute."""

    bucket = TimescaleDateTimeField(interval=CHUNK)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("participant", "metric", "source", "bucket"), name="minuterollup_key"),
        )


class HourRollup(Rollup):
    bucket = TimescaleDateTimeField(interval="28 days")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("participant", "metric", "source", "bucket"), name="hourrollup_key"),
        )


class DayRollup(models.Model):
    """Aggregates of a local day. `minutes`: distinct minutes with a sample."""

    pk = models.CompositePrimaryKey("participant_id", "metric_id", "source_id", "date")
    participant = loose(Participant)
    metric = loose(Metric)
    source = loose(Source)
    date = models.DateField()
    minutes = models.SmallIntegerField()
    n = models.IntegerField()
    total = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("participant", "metric", "source", "date"), name="dayrollup_key"),
        )


class ParticipantDay(models.Model):
    """What is known of a participant's local day. There is a row once any data of that day came."""

    pk = models.CompositePrimaryKey("participant_id", "date")
    participant = models.ForeignKey(Participant, models.CASCADE, related_name="days", db_index=False)
    date = models.DateField()
    worn_minutes = models.SmallIntegerField(default=0)  # minutes with a heart rate, from any source
    asleep_minutes = models.SmallIntegerField(null=True)  # of the main sleep that ended on this day; null: none known
    last_sample_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("participant", "date"), name="participantday_key"),)


class SleepSession(models.Model):
    participant = models.ForeignKey(Participant, models.CASCADE, related_name="sleep_sessions", db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, related_name="+", db_index=False)
    external_id = models.CharField(max_length=64)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    date = models.DateField()  # local date of waking
    is_main = models.BooleanField(default=True)
    processed = models.BooleanField(default=True)  # False: the vendor may still revise it
    stages = models.JSONField(default=list)  # [[seconds from starts_at, seconds long, stage], ...]
    asleep_minutes = models.SmallIntegerField()
    awake_minutes = models.SmallIntegerField()
    light_minutes = models.SmallIntegerField(null=True)
    deep_minutes = models.SmallIntegerField(null=True)
    rem_minutes = models.SmallIntegerField(null=True)
    restless_minutes = models.SmallIntegerField(null=True)

    class Meta:
        ordering = ("participant", "starts_at")
        constraints = (
            models.UniqueConstraint(fields=("participant", "source", "external_id"), name="sleepsession_natural_key"),
        )
        indexes = (models.Index(fields=("participant", "date"), name="sleepsession_by_date"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.date}"


class ExerciseSession(models.Model):
    """A walk, a run or another exercise. Numbers are null where the source has none."""

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="exercise_sessions", db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, related_name="+", db_index=False)
    external_id = models.CharField(max_length=64)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    date = models.DateField()  # local date of the start
    activity = models.CharField(max_length=80, blank=True)
    name = models.CharField(max_length=120, blank=True)
    active_seconds = models.BigIntegerField(null=True)
    distance_m = models.FloatField(null=True)
    energy_kcal = models.FloatField(null=True)
    steps = models.BigIntegerField(null=True)
    mean_heart_rate = models.FloatField(null=True)

    class Meta:
        ordering = ("participant", "starts_at")
        constraints = (
            models.UniqueConstraint(
                fields=("participant", "source", "external_id"), name="exercisesession_natural_key"
            ),
        )
        indexes = (models.Index(fields=("participant", "date"), name="exercisesession_by_date"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.date} {self.activity}"


class OffsetPeriod(models.Model):
    """From `starts_at` until the next period, the device's clock stood so many seconds east of UTC.

    Null: back in the participant's own zone. Only departures from that zone need periods.
    """

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="offset_periods", db_index=False)
    starts_at = models.DateTimeField()
    utc_offset = models.IntegerField(null=True)

    class Meta:
        ordering = ("participant", "starts_at")
        constraints = (models.UniqueConstraint(fields=("participant", "starts_at"), name="offsetperiod_key"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.starts_at:%Y-%m-%d %H:%M} {self.utc_offset}"


class Revision(models.Model):
    """A value that was replaced, and when. Nothing that was ever stored is forgotten, short of an erasure."""

    pk = models.CompositePrimaryKey("participant_id", "metric_id", "source_id", "time", "changed_at")
    participant = loose(Participant)
    metric = loose(Metric)
    source = loose(Source)
    time = TimescaleDateTimeField(interval="28 days")
    old_value = models.FloatField()
    old_seconds = models.IntegerField(null=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("participant", "metric", "source", "time", "changed_at"), name="revision_key"
            ),
        )
