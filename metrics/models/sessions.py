"""Models of sessions: nights with their stages, and exercise."""

from __future__ import annotations

from django.db import models

from metrics.models.catalogue import Source
from participants.models import Participant


class SleepStage(models.TextChoices):
    """Fitbit's stages and, before them, its classic levels. `restless` and `asleep` are classic."""

    AWAKE = "awake", "awake"
    LIGHT = "light", "light"
    DEEP = "deep", "deep"
    REM = "rem", "REM"
    ASLEEP = "asleep", "asleep"
    RESTLESS = "restless", "restless"


class SleepSession(models.Model):
    participant = models.ForeignKey(Participant, models.CASCADE, related_name="sleep_sessions", db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, related_name="+", db_index=False)
    external_id = models.CharField(max_length=64)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    date = models.DateField()  # local date of waking
    is_main = models.BooleanField(default=True)  # of its source and date one at most: metrics.writing.sleep decides
    claimed_main = models.BooleanField(null=True)  # what its source says of that; null: nothing
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
