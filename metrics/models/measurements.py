"""What was measured: the narrow measurement table, its rollups, nights, exercise, days. Knows no vendor and no page.

Rows of the big tables are written by `writer.py` and read by `queries.py`, nowhere else. Their references to
participants carry no database constraint: a constraint costs a look-up for every one of 17 million samples a
day, and the writer, which alone writes, has the participant at hand.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from timescale.db.models.fields import TimescaleDateTimeField

from metrics.batch import SourceKey
from metrics.registry import Aggregate, Kind
from participants.models import Participant
from participants.models.fields import DayField, LineField

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
    """Stored values of a local day that do not count: outside the metric's plausible range (metrics.plausibility)."""

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


class DayStatus(models.TextChoices):
    """The verdict on a participant's local day. One letter, since there is one for each day of everybody."""

    PENDING = "p", "pending"
    VALID = "v", "valid"
    INVALID = "i", "invalid"
    LOST = "l", "lost"
    EXCLUDED = "x", "excluded"


class Exclusion(models.TextChoices):
    """Why a day does not count."""

    BEFORE_START = "before_start", "before monitoring began"
    AFTER_END = "after_end", "after monitoring ended"
    PAUSED = "paused", "paused"
    WITHDRAWN = "withdrawn", "withdrawn"
    PLATFORM = "platform", "a fault of the platform or the vendor"
    SHORT_DAY = "short_day", "a local day shorter than a valid day"


class Cause(models.TextChoices):
    """Why data are missing, in the order in which it is decided."""

    PAUSED = "paused", "paused"
    WITHDRAWN = "withdrawn", "withdrawn"
    NEVER_CONNECTED = "never_connected", "never connected"
    TOKEN_DEAD = "token_dead", "token dead"
    CONSENT_PARTIAL = "consent_partial", "consent partial"
    PLATFORM = "platform", "platform or vendor error"
    NOT_SYNCED = "not_synced", "not yet synced"
    BATTERY_FLAT = "battery_flat", "battery flat"
    OFF_WRIST = "off_wrist", "off the wrist"
    UNKNOWN = "unknown", "unknown"


class ParticipantDay(models.Model):
    """The verdict on a participant's local day as it stands. There is a row for each monitored day and each with data.

    Written by metrics.verdicts alone; what it was before stands in DayVerdict.
    """

    pk = models.CompositePrimaryKey("participant_id", "date")
    participant = models.ForeignKey(Participant, models.CASCADE, related_name="days", db_index=False)
    date = models.DateField()
    status = models.CharField(max_length=1, choices=DayStatus, default=DayStatus.PENDING)
    reason = models.CharField(max_length=12, choices=Exclusion, blank=True, default="")  # of an exclusion
    known_at = models.DateTimeField(null=True)  # since when the status is what it is
    protocol_version = models.PositiveSmallIntegerField(null=True)  # by which it was judged
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


class DayVerdict(models.Model):
    """A verdict as it became known: appended, never changed, so that what was known at a time can be asked again."""

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
        constraints = (models.UniqueConstraint(fields=("participant", "date", "known_at"), name="dayverdict_key"),)


class Gap(models.Model):
    """A missing stretch of a monitored day, [starts_at, ends_at), why, and the evidence. Within one local day.

    The last gap of today reaches to the day's end: readers cut it at now.
    """

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="gaps", db_index=False)
    date = models.DateField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    cause = models.CharField(max_length=16, choices=Cause)
    evidence = models.JSONField(default=dict)  # facts, see metrics.evidence; put into words by the pages
    known_at = models.DateTimeField()

    class Meta:
        ordering = ("participant", "starts_at")
        constraints = (models.UniqueConstraint(fields=("participant", "starts_at"), name="gap_key"),)
        indexes = (models.Index(fields=("participant", "date"), name="gap_by_date"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.starts_at:%Y-%m-%d %H:%M} {self.cause}"


class Access(models.TextChoices):
    """How things stand with the way that a participant's data take to us."""

    NONE = "none", "nothing to connect"  # imports only
    NEVER = "never", "never connected"
    OK = "ok", "connected"
    DEAD = "dead", "access ended"
    PARTIAL = "partial", "consent partial"


class Standing(models.Model):
    """How a participant stands: what the trial's pages show of them, one row each, kept by metrics.verdicts.

    Whatever moves with the clock is stored as the instant at which it turns, so a page needs no recomputation.
    `trail` and `nights` hold one letter a day from `trail_from` to `trail_until` (their today when last judged):
    see metrics.trails.
    """

    participant = models.OneToOneField(Participant, models.CASCADE, primary_key=True, related_name="standing")
    updated_at = models.DateTimeField()
    trail_from = models.DateField(null=True)
    trail_until = models.DateField(null=True)
    trail = models.TextField(blank=True)
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

    class Meta:
        indexes = (models.Index(fields=("updated_at",), name="standing_by_update"),)

    def __str__(self) -> str:
        return f"standing of {self.participant_id}"


class DataMove(models.Model):
    """What was measured of one participant becomes another's (metrics.moving): how far it is, and what moved."""

    giver = models.ForeignKey(Participant, models.CASCADE, related_name="moves_away")
    receiver = models.ForeignKey(Participant, models.CASCADE, related_name="moves_here")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    reason = LineField(max_length=200)
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True, default="")
    moved_before = models.DateTimeField(null=True)  # what lies before has moved; null: nothing yet
    samples = models.BigIntegerField(default=0)
    nights = models.IntegerField(default=0)
    exercise = models.IntegerField(default=0)

    class Meta:
        ordering = ("-asked_at",)

    def __str__(self) -> str:
        return f"move of {self.giver_id} to {self.receiver_id}"


class DataCheck(models.Model):
    """A check of the stored data and what it found (metrics.data_check). Participants by number, never by name."""

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
    """A trial's days judged anew, and what that changed: after a new protocol version, a correction, an upgrade."""

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
    days = models.IntegerField(default=0)  # days judged
    changed = models.JSONField(default=dict)  # "v>i" -> days that went from valid to invalid
    people = models.JSONField(
        default=dict
    )  # study id -> [days changed, adherence before, after], of those that changed
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-asked_at",)

    def __str__(self) -> str:
        return f"{self.trial_id} {self.asked_at:%Y-%m-%d %H:%M}"


class SleepSession(models.Model):
    participant = models.ForeignKey(Participant, models.CASCADE, related_name="sleep_sessions", db_index=False)
    source = models.ForeignKey(Source, models.PROTECT, related_name="+", db_index=False)
    external_id = models.CharField(max_length=64)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    date = models.DateField()  # local date of waking
    is_main = models.BooleanField(default=True)  # of its source and date one at most: metrics.nights decides
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
