"""Table of Google Health data types: the only place where their names, members and units stand.

Each type has three spellings (kebab in paths, snake in filters, camel in answers), which are written out and never
derived. Left out on purpose: `respiratory-rate-sleep-summary` (its values were seen a thousand times too small, and
zero or negative where nothing was computed; the nightly rate comes from `daily-respiratory-rate`).
"""

from __future__ import annotations

import datetime as dt

from ingestion.providers.google_health.google_type import (
    MAX_SESSIONS_PAGE,
    GoogleType,
    Kind,
    Member,
    RollupMembers,
)
from metrics.batch import Sessions

SCOPE = "https://www.googleapis.com/auth/googlehealth."
ACTIVITY = f"{SCOPE}activity_and_fitness.readonly"
MEASUREMENTS = f"{SCOPE}health_metrics_and_measurements.readonly"
SLEEP = f"{SCOPE}sleep.readonly"
# Opens the account's settings and its paired devices.
SETTINGS = f"{SCOPE}settings.readonly"
SCOPES = (ACTIVITY, MEASUREMENTS, SLEEP, SETTINGS)

# Of what is one a day or less, twelve weeks fit a page; a list has no limit of its own.
TWELVE_WEEKS = dt.timedelta(weeks=12)

TYPES: tuple[GoogleType, ...] = (
    GoogleType(
        code="heart-rate",
        snake="heart_rate",
        payload="heartRate",
        kind=Kind.SAMPLE,
        scope=MEASUREMENTS,
        metrics=("heart_rate",),
        members=(Member("beatsPerMinute", "heart_rate", "1/min", required=True),),
        # An hour holds at most 3,600 points a source, which the server answers in one page; pages lose ties.
        window=dt.timedelta(hours=1),
        rollup=RollupMembers("beatsPerMinuteAvg", "beatsPerMinuteMin", "beatsPerMinuteMax"),
        fingerprinted=True,
    ),
    GoogleType(
        code="steps",
        snake="steps",
        payload="steps",
        kind=Kind.INTERVAL,
        scope=ACTIVITY,
        metrics=("steps",),
        members=(Member("count", "steps", "steps", absent=0.0),),
        rollup=RollupMembers(totals=("countSum",)),
        fingerprinted=True,
    ),
    GoogleType(
        code="distance",
        snake="distance",
        payload="distance",
        kind=Kind.INTERVAL,
        scope=ACTIVITY,
        metrics=("distance",),
        members=(Member("millimeters", "distance", "mm", divisor=1000.0, absent=0.0),),
        rollup=RollupMembers(totals=("millimetersSum",)),
        fingerprinted=True,
    ),
    GoogleType(
        code="active-zone-minutes",
        snake="active_zone_minutes",
        payload="activeZoneMinutes",
        kind=Kind.INTERVAL,
        scope=ACTIVITY,
        metrics=("active_zone_minutes",),
        members=(Member("activeZoneMinutes", "active_zone_minutes", "min", absent=0.0),),
        rollup=RollupMembers(
            totals=("sumInFatBurnHeartZone", "sumInCardioHeartZone", "sumInPeakHeartZone"),
        ),
        fingerprinted=True,
        # One point a heart-rate zone.
        summed=True,
    ),
    GoogleType(
        code="total-calories",
        snake="total_calories",
        payload="totalCalories",
        kind=Kind.ROLLUP,
        scope=ACTIVITY,
        metrics=("energy",),
        members=(Member("kcalSum", "energy", "kcal", absent=0.0),),
        rollup=RollupMembers(totals=("kcalSum",)),
        fingerprinted=True,
        page_size=1440,
        answer=1440,
        # Asked for in windows of this length.
        seconds=60,
    ),
    GoogleType(
        code="oxygen-saturation",
        snake="oxygen_saturation",
        payload="oxygenSaturation",
        kind=Kind.SAMPLE,
        scope=MEASUREMENTS,
        metrics=("spo2",),
        members=(Member("percentage", "spo2", "%"),),
        announced=False,
    ),
    GoogleType(
        code="heart-rate-variability",
        snake="heart_rate_variability",
        payload="heartRateVariability",
        kind=Kind.SAMPLE,
        scope=MEASUREMENTS,
        metrics=(
            "hrv_rmssd",
            "hrv_sdnn",
        ),
        members=(
            Member("rootMeanSquareOfSuccessiveDifferencesMilliseconds", "hrv_rmssd", "ms"),
            Member("standardDeviationMilliseconds", "hrv_sdnn", "ms"),
        ),
        # Computed over five minutes each.
        seconds=300,
        # Some 80 a night.
        sweep=dt.timedelta(weeks=4),
    ),
    GoogleType(
        code="weight",
        snake="weight",
        payload="weight",
        kind=Kind.SAMPLE,
        scope=MEASUREMENTS,
        metrics=("weight",),
        members=(Member("weightGrams", "weight", "g", divisor=1000.0),),
        sweep=TWELVE_WEEKS,
    ),
    GoogleType(
        code="body-fat",
        snake="body_fat",
        payload="bodyFat",
        kind=Kind.SAMPLE,
        scope=MEASUREMENTS,
        metrics=("body_fat",),
        members=(Member("percentage", "body_fat", "%"),),
        sweep=TWELVE_WEEKS,
    ),
    GoogleType(
        code="daily-resting-heart-rate",
        snake="daily_resting_heart_rate",
        payload="dailyRestingHeartRate",
        kind=Kind.DAILY,
        scope=MEASUREMENTS,
        metrics=("resting_heart_rate",),
        members=(Member("beatsPerMinute", "resting_heart_rate", "1/min"),),
        by_day=True,
        sweep=TWELVE_WEEKS,
    ),
    GoogleType(
        code="daily-heart-rate-variability",
        snake="daily_heart_rate_variability",
        payload="dailyHeartRateVariability",
        kind=Kind.DAILY,
        scope=MEASUREMENTS,
        metrics=("hrv_rmssd_24h",),
        members=(Member("averageHeartRateVariabilityMilliseconds", "hrv_rmssd_24h", "ms"),),
        by_day=True,
        sweep=TWELVE_WEEKS,
    ),
    GoogleType(
        code="daily-oxygen-saturation",
        snake="daily_oxygen_saturation",
        payload="dailyOxygenSaturation",
        kind=Kind.DAILY,
        scope=MEASUREMENTS,
        metrics=("spo2_24h",),
        members=(Member("averagePercentage", "spo2_24h", "%"),),
        by_day=True,
        sweep=TWELVE_WEEKS,
    ),
    GoogleType(
        code="daily-respiratory-rate",
        snake="daily_respiratory_rate",
        payload="dailyRespiratoryRate",
        kind=Kind.DAILY,
        scope=MEASUREMENTS,
        metrics=("respiratory_rate",),
        members=(Member("breathsPerMinute", "respiratory_rate", "1/min"),),
        by_day=True,
        sweep=TWELVE_WEEKS,
    ),
    GoogleType(
        code="daily-sleep-temperature-derivations",
        snake="daily_sleep_temperature_derivations",
        payload="dailySleepTemperatureDerivations",
        kind=Kind.DAILY,
        scope=MEASUREMENTS,
        metrics=("skin_temperature_deviation",),
        members=(
            Member(
                "nightlyTemperatureCelsius",
                "skin_temperature_deviation",
                "Cel",
                minus="baselineTemperatureCelsius",
            ),
        ),
        by_day=True,
        sweep=TWELVE_WEEKS,
    ),
    GoogleType(
        code="daily-vo2-max",
        snake="daily_vo2_max",
        payload="dailyVo2Max",
        kind=Kind.DAILY,
        scope=ACTIVITY,
        metrics=("vo2_max",),
        members=(Member("vo2Max", "vo2_max", "mL/(kg.min)"),),
        by_day=True,
        sweep=TWELVE_WEEKS,
        announced=False,
    ),
    GoogleType(
        code="sleep",
        snake="sleep",
        payload="sleep",
        kind=Kind.SLEEP,
        scope=SLEEP,
        metrics=(),
        sessions=Sessions.SLEEP,
        page_size=MAX_SESSIONS_PAGE,
        takes_family=False,
    ),
    GoogleType(
        code="exercise",
        snake="exercise",
        payload="exercise",
        kind=Kind.SESSION,
        scope=ACTIVITY,
        metrics=(),
        sessions=Sessions.EXERCISE,
        page_size=MAX_SESSIONS_PAGE,
    ),
)
DATA_TYPES: dict[str, GoogleType] = {data_type.code: data_type for data_type in TYPES}
