"""Models of monitoring: participant-days, gaps with their causes, each participant's status, and runs over all days."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from metrics.models import attention
from metrics.models.statuses import Access, Cause, DayStatus, Exclusion
from participants.models import Participant
from participants.models.fields import DayField, LineField


class ParticipantDay(models.Model):
    """A participant's local day and its status as it stands. There is a row for each monitored day and each with data.

    Written by metrics.monitoring.evaluation alone; what it was before stands in DayStatusHistory.
    """

    pk = models.CompositePrimaryKey("participant_id", "date")
    participant = models.ForeignKey(Participant, models.CASCADE, related_name="days", db_index=False)
    date = models.DateField()
    status = models.CharField(max_length=1, choices=DayStatus, default=DayStatus.PENDING)
    reason = models.CharField(max_length=12, choices=Exclusion, blank=True, default="")  # of an exclusion
    known_at = models.DateTimeField(null=True)  # since when the status is what it is
    protocol_version = models.PositiveSmallIntegerField(null=True)  # by which it was evaluated
    day_minutes = models.SmallIntegerField(default=1440)  # 1380 and 1500 where clocks change
    worn_minutes = models.SmallIntegerField(default=0)  # minutes with a heart rate, from any source
    fault_minutes = models.SmallIntegerField(default=0)  # missing through a fault of the platform or the vendor
    asleep_minutes = models.SmallIntegerField(null=True)  # of the main sleep that ended on this day; null: none known
    coverage = models.JSONField(default=dict)  # expected metric's code -> minutes with data; a daily value counts 1
    heard_at = models.DateTimeField(null=True)  # newest sample of what is worn: a scale's shows no upload
    last_sample_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("participant", "date"), name="participantday_key"),)


class DayStatusHistory(models.Model):
    """A day's status as it became known: appended, never changed, so what was known at a time can be asked again."""

    pk = models.CompositePrimaryKey("participant_id", "date", "known_at")
    participant = models.ForeignKey(Participant, models.CASCADE, related_name="+", db_index=False)
    date = models.DateField()
    known_at = models.DateTimeField()
    status = models.CharField(max_length=1, choices=DayStatus)
    reason = models.CharField(max_length=12, choices=Exclusion, blank=True, default="")
    worn_minutes = models.SmallIntegerField()
    protocol_version = models.PositiveSmallIntegerField(null=True)
    # What it became known by, where that was neither data nor the clock: "ranges v1".
    why = models.CharField(max_length=40, blank=True, default="", db_default="")

    class Meta:
        db_table = "metrics_dayverdict"
        constraints = (models.UniqueConstraint(fields=("participant", "date", "known_at"), name="dayverdict_key"),)


class Gap(models.Model):
    """A missing interval of a monitored day, [starts_at, ends_at), why, and the evidence. Within one local day.

    The last gap of today reaches to the day's end: readers cut it at now.
    """

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="gaps", db_index=False)
    date = models.DateField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    cause = models.CharField(max_length=16, choices=Cause)
    evidence = models.JSONField(
        default=dict
    )  # facts, see metrics.monitoring.evidence; the pages make sentences of them
    known_at = models.DateTimeField()

    class Meta:
        ordering = ("participant", "starts_at")
        constraints = (models.UniqueConstraint(fields=("participant", "starts_at"), name="gap_key"),)
        indexes = (models.Index(fields=("participant", "date"), name="gap_by_date"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.starts_at:%Y-%m-%d %H:%M} {self.cause}"


def _generated(expression: models.Expression, of: models.Field[Any, Any]) -> models.GeneratedField:
    return models.GeneratedField(expression=expression, output_field=of, db_persist=True)


class ParticipantStatusSummary(models.Model):
    """Status summary of a participant: what the trial's pages show of them, one row each, kept by
    metrics.monitoring.evaluation.

    Whatever moves with the clock is stored as the instant at which it turns, so a page needs no recomputation: also
    the attention status (metrics.models.attention).
    `day_codes` and `nights` hold one code a day from `day_codes_from` to `day_codes_until` (their today when last
    evaluated): see metrics.monitoring.day_codes.
    """

    participant = models.OneToOneField(Participant, models.CASCADE, primary_key=True, related_name="status_summary")
    updated_at = models.DateTimeField()
    evaluate_at = models.DateTimeField(null=True)  # when to evaluate again, as time passes alone; null: not known
    day_codes_from = models.DateField(null=True, db_column="trail_from")
    day_codes_until = models.DateField(null=True, db_column="trail_until")
    day_codes = models.TextField(blank=True, db_column="trail")
    nights = models.TextField(blank=True)
    valid_days = models.IntegerField(default=0)
    counted_days = models.IntegerField(default=0)  # neither excluded nor pending
    pending_days = models.IntegerField(default=0)
    lost_days = models.IntegerField(default=0)
    excluded_days = models.IntegerField(default=0)
    remaining_days = models.IntegerField(null=True)  # days to come until monitoring ends; null: no end is set
    adherence = models.FloatField(null=True)  # valid / counted; null: no day counts yet
    best_adherence = models.FloatField(null=True)  # were all pending and remaining days valid
    worn_share = models.FloatField(null=True)  # worn minutes / minutes of the counted days
    target = models.FloatField(default=0.7)  # the protocol's, for the days now
    low_wear = models.BooleanField(default=False)  # adherence is below the target
    out_of_reach = models.BooleanField(default=False)  # even the best attainable is
    # Low because its days were counted anew by other plausible ranges, and not lower since: no news of the participant.
    recounted = models.BooleanField(default=False, db_default=False)
    nights_recorded = models.SmallIntegerField(null=True)  # of the last 7 nights; null: fewer than 7 were monitored
    low_sleep = models.SmallIntegerField(default=0)  # 0 enough nights, 1 few, 2 critically few
    last_sample_at = models.DateTimeField(null=True)  # newest sample of what is worn: not of a scale
    arrived_at = models.DateTimeField(null=True)  # when the newest sample was stored
    silent_at = models.DateTimeField(null=True)  # when "no upload" turns a warning, critical, and data are overwritten
    critical_at = models.DateTimeField(null=True)
    overwritten_at = models.DateTimeField(null=True)
    access = models.CharField(max_length=8, choices=Access, default=Access.NONE)
    access_since = models.DateTimeField(null=True)
    excused = models.CharField(max_length=12, choices=Exclusion, blank=True, default="")  # why today does not count
    excused_since = models.DateField(null=True)
    excused_until = models.DateField(null=True)
    waiting = models.BooleanField(default=False)  # what is missing now is missing through our or the vendor's fault
    cause = models.CharField(
        max_length=16, choices=Cause, blank=True, default=""
    )  # of what is missing now, if anything
    cause_since = models.DateTimeField(null=True)
    evidence = models.JSONField(default=dict)
    device_model = models.CharField(max_length=80, blank=True, default="")
    battery_percent = models.PositiveSmallIntegerField(null=True)
    battery_at = models.DateTimeField(null=True)
    device_sync_at = models.DateTimeField(null=True)
    protocol_version = models.PositiveSmallIntegerField(null=True)
    # What follows from these for the attention status, computed by the database (metrics.models.attention).
    lasting_status = _generated(attention.lasting_status(), models.SmallIntegerField())
    lasting_statuses = _generated(attention.lasting_statuses(), models.SmallIntegerField())
    silent_from = _generated(attention.while_heard("silent_at"), models.DateTimeField(null=True))
    critical_from = _generated(attention.while_heard("critical_at"), models.DateTimeField(null=True))

    class Meta:
        db_table = "metrics_standing"
        indexes = (models.Index(fields=("updated_at",), name="standing_by_update"),)

    def __str__(self) -> str:
        return f"status of {self.participant_id}"


class PendingEvaluation(models.Model):
    """Days of a participant that are to be evaluated: marked in the transaction that changed what they are made of.

    `dates`: local dates whose data changed; `evidence_dates`: those of which only the evidence may have. While there is
    a row, the participant's days, gaps and status summary are those of before (metrics.monitoring.pending).
    """

    participant = models.OneToOneField(Participant, models.CASCADE, primary_key=True, related_name="+")
    dates = ArrayField(models.DateField(), default=list)
    evidence_dates = ArrayField(models.DateField(), default=list)
    marked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.participant_id} {len(self.dates)} days"


class DataCheck(models.Model):
    """A check of the stored data and what it found (metrics.maintenance.data_check). Participants by number, never by
    name.
    """

    class Invariant(models.TextChoices):
        COLLECTION = "collection", "nothing outside the collection interval"
        VALUES = "values", "daily values are what their samples say"
        STATUS = "status", "one status of a day in every table"

    EXAMPLES = 50

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    participants = models.IntegerField()
    since = models.DateField(null=True)  # days before were not looked at; null: all were
    found = models.JSONField(default=dict)  # invariant -> number of violations
    examples = models.JSONField(default=list)  # the first ones: [invariant, participant's number, date, what]

    class Meta:
        ordering = ("-finished_at",)

    def __str__(self) -> str:
        return f"check of {self.finished_at:%Y-%m-%d %H:%M}"


class Recompute(models.Model):
    """Re-evaluation of a trial's days, and what it changed: after a new protocol version, a correction, an upgrade."""

    trial = models.ForeignKey("participants.Trial", models.CASCADE, related_name="recomputes")
    since = DayField(null=True)  # local dates from here on; null: all
    why = LineField(max_length=200)
    ranges = models.PositiveSmallIntegerField(null=True)  # values are counted anew by this version of the ranges
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    total = models.IntegerField(default=0)  # participants
    done = models.IntegerField(default=0)
    days = models.IntegerField(default=0)  # days evaluated
    changed = models.JSONField(default=dict)  # "v>i" -> days that went from valid to invalid
    people = models.JSONField(
        default=dict
    )  # study id -> [days changed, adherence before, after], of those that changed
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-asked_at",)

    def __str__(self) -> str:
        return f"{self.trial_id} {self.asked_at:%Y-%m-%d %H:%M}"
