"""Formats of Fitabase's files, by its data dictionary. Those that are not read stand in names.py.

Where several files tell of the same, the finest counts: totals and means over longer intervals are sources of their
own (samples.coarse), and of one sleep log the file with most detail is kept (sleep.py).
"""

from __future__ import annotations

from ingestion.providers.base.files import FileFormat
from ingestion.providers.fitabase.days import Daily, day
from ingestion.providers.fitabase.exercise import ActivityLogs
from ingestion.providers.fitabase.samples import HOUR, Samples, coarse, wide
from ingestion.providers.fitabase.sleep import Episodes
from ingestion.providers.fitabase.sleep_logs import COLUMNS, SleepLogs
from ingestion.providers.fitabase.syncs import SyncEvents

ZONES = tuple(f"{zone}ActiveZoneMinutes" for zone in ("FatBurn", "Cardio", "Peak"))
KILOMETRES = ("unit of TotalDistance", "kilometres (the file does not say; it is a setting of the project)")
LEVELS = {
    "SedentaryMinutes": "sedentary_24h",
    "LightlyActiveMinutes": "lightly_active_24h",
    "FairlyActiveMinutes": "fairly_active_24h",
    "VeryActiveMinutes": "very_active_24h",
}

# Kinds that only their name tells apart come before the one that has any name.
SAMPLES: tuple[FileFormat, ...] = (
    *(
        Samples(
            code=f"fitabase.heartrate_{minutes}min",
            columns=("Time", "Value"),
            named=rf"heartrate_{minutes}min",
            values={"Value": "heart_rate"},
            seconds=60 * minutes,
            source=coarse(f"means of {minutes} min"),
        )
        for minutes in (1, 5, 15)
    ),
    Samples(code="fitabase.heartrate_seconds", columns=("Time", "Value"), values={"Value": "heart_rate"}),
    Samples(
        code="fitabase.minuteStepsNarrow", columns=("ActivityMinute", "Steps"), values={"Steps": "steps"}, seconds=60
    ),
    Samples(
        code="fitabase.minuteCaloriesNarrow",
        columns=("ActivityMinute", "Calories"),
        values={"Calories": "energy"},
        seconds=60,
    ),
    wide("fitabase.minuteStepsWide", "Steps", "steps"),
    wide("fitabase.minuteCaloriesWide", "Calories", "energy"),
    Samples(
        code="fitabase.hourlySteps",
        columns=("ActivityHour", "StepTotal"),
        values={"StepTotal": "steps"},
        seconds=HOUR,
        source=coarse("hourly totals"),
    ),
    Samples(
        code="fitabase.hourlyCalories",
        columns=("ActivityHour", "Calories"),
        values={"Calories": "energy"},
        seconds=HOUR,
        source=coarse("hourly totals"),
    ),
    Samples(code="fitabase.fitbitMinuteSpO2", columns=("Time", "SpO2"), values={"SpO2": "spo2"}),
    Samples(code="fitabase.fitbit5MinuteHRV", columns=("Time", "RMSSD"), values={"RMSSD": "hrv_rmssd"}, seconds=5 * 60),
    *(
        Samples(
            code="fitabase.minuteActiveZoneMinutes",
            columns=(stamp, *ZONES),
            added={"active_zone_minutes": ZONES},
            seconds=60,
        )
        for stamp in ("ActivityMinute", "Time", "DateTime")
    ),
    Samples(
        code="fitabase.weightLogInfo",
        columns=("Date", "WeightKg"),
        optional=("Fat",),
        values={"WeightKg": "weight", "Fat": "body_fat"},
    ),
)

DAYS: tuple[FileFormat, ...] = (
    day(
        "fitabase.dailyActivity",
        "ActivityDate",
        {"TotalSteps": "steps_24h", "TotalDistance": "distance_24h", "Calories": "energy_24h", **LEVELS},
        optional={"Floors": "floors_24h", "RestingHeartRate": "resting_heart_rate"},
        factors={"TotalDistance": 1000},
        assumed=(KILOMETRES,),
    ),
    day("fitabase.dailySteps", "ActivityDay", {"StepTotal": "steps_24h"}),
    day("fitabase.dailyCalories", "ActivityDay", {"Calories": "energy_24h"}, without=("ZoneName",)),
    day("fitabase.dailyIntensities", "ActivityDay", LEVELS),
    day("fitabase.dailyFloors", "ActivityDay", {"Floors": "floors_24h"}),
    day("fitabase.dailyRestingHeartRate", "ActivityDay", {"RestingHeartRate": "resting_heart_rate"}),
    Daily(
        code="fitabase.dailyFitbitActiveZoneMinutes",
        columns=("Date", *ZONES),
        values={"active_zone_minutes_24h": (ZONES, 1)},
    ),
    day("fitabase.dailyCardioFitnessScore", "DateTime", {"VO2Max": "vo2_max"}, ranges=True),
    day("fitabase.fitbitDailyHRV", "SleepDay", {"DailyRMSSD": "hrv_rmssd_24h"}),
    day("fitabase.fitbitDailySpO2", "SleepDay", {"AverageSpO2": "spo2_24h"}),
    day("fitabase.fitbitSkinTemperature", "SleepDay", {"NightlyRelative": "skin_temperature_deviation"}),
    day("fitabase.fitbitBreathingRate", "SleepDay", {"AvgBreathsPerMinute": "respiratory_rate"}),
)

NIGHTS: tuple[FileFormat, ...] = (
    Episodes(
        code="fitabase.minuteSleep",
        columns=("date", "value", "logId"),
        levels={"1": "asleep", "2": "restless", "3": "awake"},
        seconds=60,
        log_type="sleepLogInfo",
    ),
    Episodes(
        code="fitabase.30secondSleepStages",
        columns=("Time", "SleepStage", "LogId"),
        levels={
            "wake": "awake",
            "awake": "awake",
            "light": "light",
            "deep": "deep",
            "rem": "rem",
            "asleep": "asleep",
            "restless": "restless",
        },
        seconds=30,
        log_type="sleepStageLogInfo",
    ),
    SleepLogs(code="fitabase.sleepStageLogInfo", columns=(*COLUMNS, "SleepDataType")),
    SleepLogs(code="fitabase.sleepLogInfo"),
)

FORMATS: tuple[FileFormat, ...] = (*SAMPLES, *DAYS, *NIGHTS, ActivityLogs(), SyncEvents())
