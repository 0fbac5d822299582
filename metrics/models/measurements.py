"""Models of what was measured: the narrow measurement table, its rollups, nights, exercise, days. They name no vendor.

Rows of the big tables are written by `writer.py` and read by `queries.py`, nowhere else. Their references to
participants carry no database constraint: a constraint costs a look-up for every one of 17 million samples a
day, and the writer, which alone writes, has the participant at hand.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from timescale.db.models.fields import TimescaleDateTimeField

from metrics.models.catalogue import Metric, Source
from participants.models import Participant

CHUNK = "7 days"


def loose(model: Any) -> Any:
    """A reference of a big table: no constraint, no index of its own (the natural key's index leads with it)."""
    return models.ForeignKey(model, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")


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
    """Aggregates of the plausible samples that fall into a bucket, by its first instant. The mean is total / n."""

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
    """Aggregates of a local day's plausible samples. `minutes`: distinct minutes with one."""

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


class ImplausibleCount(models.Model):
    """Stored values of a local day that do not count: outside the metric's plausible range
    (metrics.selection.plausible_range).
    """

    pk = models.CompositePrimaryKey("participant_id", "metric_id", "source_id", "date")
    participant = loose(Participant)
    metric = loose(Metric)
    source = loose(Source)
    date = models.DateField()
    n = models.IntegerField()
    newest = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("participant", "metric", "source", "date"), name="implausiblecount_key"),
        )


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
    """A value that was replaced, and when. It goes where its rows are taken back or deleted, and at an erasure."""

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
