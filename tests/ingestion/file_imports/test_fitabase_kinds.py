"""Each kind of Fitabase's files, by its data dictionary. All values invented; none of the people exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingestion.models import ImportFile, RejectedRow
from ingestion.providers.fitabase import FORMATS, left_out, listed
from metrics.models import ExerciseSession, Measurement, OffsetPeriod, SleepSession
from participants.models import Participant, Trial
from tests.factories import ParticipantFactory
from tests.ingestion.conftest import Import, Outcome, utc

NEW_YORK = "America/New_York"


class Files:
    """Writes Fitabase's files and imports them, into a trial in Amsterdam for people in New York."""

    def __init__(self, trial: Trial, folder: Path, import_data: Import) -> None:
        self.trial, self.folder, self._import = trial, folder, import_data

    def write(self, name: str, *rows: str) -> Path:
        path = self.folder / f"{name}_merged.csv"
        path.write_text("\r\n".join(rows) + "\r\n")
        return path

    def take(self, name: str, *rows: str, **options: Any) -> Outcome:
        return self._import(self.trial, self.write(name, *rows), **{"timezone": NEW_YORK, **options})

    def take_all(self, **options: Any) -> Outcome:
        return self._import(self.trial, self.folder, **options)


@pytest.fixture
def files(trial: Trial, tmp_path: Path, import_data: Import) -> Files:
    return Files(trial, tmp_path, import_data)


def sources(metric: str) -> set[tuple[str, int | None]]:
    rows = Measurement.objects.filter(metric__code=metric).values_list("source_id", "seconds")
    names = {source.pk: source.platform for source in {row.source for row in Measurement.objects.select_related()}}
    return {(names[source], seconds) for source, seconds in rows}


SAMPLES = [
    ("heartrate_1min", "Id,Time,Value", "7:21:00 AM,97", "heart_rate", 97.0, 60, "fitbit, means of 1 min"),
    ("heartrate_5min", "Id,Time,Value", "7:20:00 AM,97", "heart_rate", 97.0, 300, "fitbit, means of 5 min"),
    ("heartrate_15min", "Id,Time,Value", "7:15:00 AM,97", "heart_rate", 97.0, 900, "fitbit, means of 15 min"),
    ("heartrate_seconds", "Id,Time,Value", "7:21:05 AM,97", "heart_rate", 97.0, None, "fitbit"),
    ("minuteCaloriesNarrow", "Id,ActivityMinute,Calories", "7:21:00 AM,1.2", "energy", 1.2, 60, "fitbit"),
    ("hourlySteps", "Id,ActivityHour,StepTotal", "7:00:00 AM,900", "steps", 900.0, 3600, "fitbit, hourly totals"),
    ("hourlyCalories", "Id,ActivityHour,Calories", "7:00:00 AM,90", "energy", 90.0, 3600, "fitbit, hourly totals"),
    ("fitbitMinuteSpO2", "Id,Time,SpO2", "7:21:00 AM,96.5", "spo2", 96.5, None, "fitbit"),
    ("minuteSpO2", "Id,Time,SPO2", "7:21:00 AM,96.5", "spo2", 96.5, None, "fitbit"),
    ("fitbit5MinuteHRV", "Id,Time,RMSSD,Coverage,HF,LF", "7:20:00 AM,43.9,0.9,5,1", "hrv_rmssd", 43.9, 300, "fitbit"),
    (
        "minuteActiveZoneMinutes",
        "Id,ActivityMinute,FatBurnActiveZoneMinutes,CardioActiveZoneMinutes,PeakActiveZoneMinutes",
        "7:21:00 AM,1,2,0",
        "active_zone_minutes",
        3.0,
        60,
        "fitbit",
    ),
]


@pytest.mark.parametrize(("name", "header", "row", "metric", "value", "seconds", "platform"), SAMPLES)
def test_a_row_is_a_value_at_its_instant(
    files: Files, name: str, header: str, row: str, metric: str, value: float, seconds: int | None, platform: str
) -> None:
    outcome = files.take(name, header, f"P-1,4/12/2016 {row}")
    assert (outcome.failure, RejectedRow.objects.count()) == ("", 0)
    ((time, stored),) = utc("P-1", metric)
    assert stored == value
    hour, minute = row.split(" ", maxsplit=1)[0].split(":")[:2]
    assert time[:16] == f"2016-04-12T{int(hour) + 4:02}:{minute}"
    measured = Measurement.objects.get()
    assert (measured.seconds, measured.source.platform) == (seconds, platform)


DAYS = [
    ("dailySteps", "Id,ActivityDay,StepTotal", "4/12/2016,900", "steps_24h", 900.0),
    ("dailyCalories", "Id,ActivityDay,Calories", "4/12/2016,2000", "energy_24h", 2000.0),
    ("dailyFloors", "Id,ActivityDay,Floors", "4/12/2016,7", "floors_24h", 7.0),
    ("dailyRestingHeartRate", "Id,ActivityDay,RestingHeartRate", "4/12/2016,61", "resting_heart_rate", 61.0),
    (
        "dailyFitbitActiveZoneMinutes",
        "Id,Date,FatBurnActiveZoneMinutes,CardioActiveZoneMinutes,PeakActiveZoneMinutes",
        "4/12/2016,10,8,2",
        "active_zone_minutes_24h",
        20.0,
    ),
    ("dailyCardioFitnessScore", "Id,DateTime,VO2Max", "4/12/2016 12:00:00 AM,39-43", "vo2_max", 41.0),
    ("dailyCardioFitnessScore", "Id,DateTime,VO2Max", "4/12/2016 12:00:00 AM,44.5", "vo2_max", 44.5),
    ("dailyHRV", "Id,SleepDay,DailyRMSSD,DeepRMSSD", "4/12/2016 12:00:00 AM,42.5,48", "hrv_rmssd_24h", 42.5),
    ("fitbitDailySpO2", "Id,SleepDay,AverageSpO2,MinSpO2", "4/12/2016 12:00:00 AM,96.5,92", "spo2_24h", 96.5),
    ("fitbitSkinTemperature", "Id,SleepDay,NightlyRelative", "4/12/2016,-0.4", "skin_temperature_deviation", -0.4),
    ("fitbitBreathingRate", "Id,SleepDay,AvgBreathsPerMinute", "4/12/2016,14.2", "respiratory_rate", 14.2),
]


@pytest.mark.parametrize(("name", "header", "row", "metric", "value"), DAYS)
def test_a_daily_value_lies_at_the_first_instant_of_its_local_day(
    files: Files, name: str, header: str, row: str, metric: str, value: float
) -> None:
    outcome = files.take(name, header, f"P-1,{row}")
    assert (outcome.failure, RejectedRow.objects.count()) == ("", 0)
    assert utc("P-1", metric) == [("2016-04-12T04:00:00", value)]
    assert Measurement.objects.get().seconds == 86_400


def test_daily_activity_brings_floors_and_the_resting_heart_rate_too(files: Files) -> None:
    header = (
        "Id,ActivityDate,TotalSteps,TotalDistance,VeryActiveMinutes,FairlyActiveMinutes,LightlyActiveMinutes,"
        "SedentaryMinutes,Calories,Floors,CaloriesBMR,MarginalCalories,RestingHeartRate"
    )
    files.take("dailyActivity", header, "P-1,4/12/2016,900,1.2,0,0,60,1000,2000,1,1400,300,61")
    files.take("dailyActivity", header, "P-1,4/13/2016,900,1.2,0,0,60,1000,2000,1,1400,300,")
    assert utc("P-1", "resting_heart_rate") == [("2016-04-12T04:00:00", 61.0)]
    assert len(utc("P-1", "floors_24h")) == 2
    assert ImportFile.objects.latest("pk").counts["skipped"] == {}


def test_daily_totals_in_two_files_are_one_value(files: Files) -> None:
    files.take("dailySteps", "Id,ActivityDay,StepTotal", "P-1,4/12/2016,900")
    files.take(
        "dailyIntensities",
        "Id,ActivityDay,SedentaryMinutes,LightlyActiveMinutes,FairlyActiveMinutes,VeryActiveMinutes",
        "P-1,4/12/2016,1000,60,0,0",
    )
    files.take(
        "dailyActivity",
        "Id,ActivityDate,TotalSteps,TotalDistance,VeryActiveMinutes,FairlyActiveMinutes,LightlyActiveMinutes,"
        "SedentaryMinutes,Calories",
        "P-1,4/12/2016,900,1.2,0,0,60,1000,2000",
    )
    assert utc("P-1", "steps_24h") == [("2016-04-12T04:00:00", 900.0)]
    assert ImportFile.objects.latest("pk").counts["unchanged"] == 5


def test_time_in_zones_is_not_taken_for_the_day_s_energy(files: Files) -> None:
    rows = ["Id,ActivityDay,ZoneName,Min,Max,Calories,Minutes", "P-1,4/12/2016,Peak,181,220,4,0"]
    assert "heart-rate zones" in files.take("heartRateZones", *rows).text
    assert "not recognised" in files.take("renamed", *rows).text
    assert not Measurement.objects.exists()


def test_the_wide_file_of_calories_has_a_minute_a_column(files: Files) -> None:
    header = "Id,ActivityHour," + ",".join(f"Calories{minute:02}" for minute in range(60))
    files.take("minuteCaloriesWide", header, "P-1,4/12/2016 7:00:00 AM," + ",".join(["1.5"] * 60))
    assert utc("P-1", "energy")[59] == ("2016-04-12T11:59:00", 1.5)


def test_weights_come_with_the_fat_that_was_measured(files: Files) -> None:
    header = "Id,Date,WeightKg,WeightPounds,Fat,BMI,IsManualReport,LogId"
    files.take(
        "weightLogInfo",
        header,
        "P-1,4/12/2016 11:59:59 PM,71.2,157,,24,True,1",
        "P-1,4/13/2016 7:00:00 AM,71.4,157.4,22,24,False,2",
    )
    assert utc("P-1", "weight") == [("2016-04-13T03:59:59", 71.2), ("2016-04-13T11:00:00", 71.4)]
    assert utc("P-1", "body_fat") == [("2016-04-13T11:00:00", 22.0)]
    assert ImportFile.objects.get().counts["skipped"] == {}


# --- the finest file counts ---------------------------------------------------------------------------------------


def test_coarse_and_fine_are_sources_of_their_own(files: Files) -> None:
    files.take("heartrate_1min", "Id,Time,Value", "P-1,4/12/2016 7:21:00 AM,97")
    files.take("heartrate_seconds", "Id,Time,Value", *(f"P-1,4/12/2016 7:21:{s:02} AM,98" for s in range(0, 60, 5)))
    assert sources("heart_rate") == {("fitbit, means of 1 min", 60), ("fitbit", None)}
    files.take("hourlySteps", "Id,ActivityHour,StepTotal", "P-1,4/12/2016 7:00:00 AM,120")
    files.take("minuteStepsNarrow", "Id,ActivityMinute,Steps", *(f"P-1,4/12/2016 7:{m:02}:00 AM,2" for m in range(60)))
    assert sources("steps") == {("fitbit, hourly totals", 3600), ("fitbit", 60)}


# --- nights -------------------------------------------------------------------------------------------------------

HALF_MINUTES = "Id,LogId,Time,Level,ShortWakes,SleepStage"
LOGS = "Id,LogId,StartTime,Duration,Efficiency,IsMainSleep,MinutesAsleep,TimeInBed,AwakeDuration,RestlessDuration"
STAGE_LOGS = (
    "Id,LogId,StartTime,Duration,Efficiency,IsMainSleep,SleepDataType,MinutesAfterWakeUp,MinutesAsleep,"
    "MinutesToFallAsleep,TimeInBed,ClassicAsleepDuration,StagesWakeDuration,StagesLightDuration,StagesDeepDuration,"
    "StagesREMDuration"
)


def half_minutes(count: int = 8) -> list[str]:
    words = ["light,,light", "light,,light", "light,wake,wake", "deep,,deep"]
    times = [f"4/12/2016 2:{21 + n // 2}:{'30' if n % 2 else '00'} AM" for n in range(count)]
    return [HALF_MINUTES, *(f"P-1,111,{time},{words[n % 4]}" for n, time in enumerate(times))]


def minutes() -> list[str]:
    return ["Id,date,value,logId", *(f"P-1,4/12/2016 2:{21 + n}:00 AM,1,111" for n in range(4))]


LOG = [LOGS, "P-1,111,4/12/2016 2:21:00 AM,240000,95,False,3,4,0,1"]
STAGE_LOG = [STAGE_LOGS, "P-1,111,4/12/2016 2:21:00 AM,240000,95,True,stages,0,3,0,4,,1,1,1,1"]


def test_half_minutes_of_stages_are_a_night(files: Files) -> None:
    assert files.take("30secondSleepStages", *half_minutes()).failure == ""
    night = SleepSession.objects.get()
    assert (night.external_id, night.starts_at.isoformat()) == ("111", "2016-04-12T06:21:00+00:00")
    assert night.ends_at.isoformat() == "2016-04-12T06:25:00+00:00"
    assert night.stages[:3] == [[0, 60, "light"], [60, 30, "awake"], [90, 30, "deep"]]


@pytest.mark.parametrize(
    ("name", "rows", "asleep", "main"),
    [("sleepLogInfo", LOG, 3, False), ("sleepStageLogInfo", STAGE_LOG, 3, True)],
)
def test_a_log_as_a_whole_is_a_night_with_the_minutes_that_it_states(
    files: Files, name: str, rows: list[str], asleep: int, main: bool
) -> None:
    assert files.take(name, *rows).failure == ""
    night = SleepSession.objects.get()
    assert (night.starts_at.isoformat(), (night.ends_at - night.starts_at).total_seconds()) == (
        "2016-04-12T06:21:00+00:00",
        240,
    )
    assert (night.asleep_minutes, night.is_main, night.stages) == (asleep, main, [])
    assert night.deep_minutes == (1 if name == "sleepStageLogInfo" else None)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]])
def test_four_files_of_one_log_are_one_night_in_stages_in_any_order(files: Files, order: list[int]) -> None:
    kinds = [
        ("30secondSleepStages", half_minutes()),
        ("minuteSleep", minutes()),
        ("sleepLogInfo", LOG),
        ("sleepStageLogInfo", STAGE_LOG),
    ]
    for place in order:
        name, rows = kinds[place]
        assert files.take(name, *rows).failure == ""
        (files.folder / f"{name}_merged.csv").unlink()
    night = SleepSession.objects.get()
    assert [stage[2] for stage in night.stages[:3]] == ["light", "awake", "deep"]


def test_what_a_log_says_of_the_main_sleep_reaches_its_stages(files: Files) -> None:
    files.write("sleepStageLogInfo", STAGE_LOGS, "P-1,111,4/12/2016 2:21:00 AM,240000,95,False,stages,0,3,0,4,,1,1,1,1")
    files.write("30secondSleepStages", *half_minutes())
    files.take_all()
    night = SleepSession.objects.get()
    assert (night.is_main, night.claimed_main, len(night.stages)) == (False, False, 6)


def test_a_log_ends_its_duration_after_its_start_over_a_change_of_clocks(files: Files) -> None:
    files.take("sleepLogInfo", LOGS, "P-1,111,11/5/2016 11:00:00 PM,32400000,95,True,500,540,0,0")
    night = SleepSession.objects.get()
    assert night.starts_at.isoformat() == "2016-11-06T03:00:00+00:00"
    assert (night.ends_at - night.starts_at).total_seconds() == 9 * 3600


def test_logs_that_cannot_be_are_rejected_by_line(files: Files) -> None:
    files.take(
        "sleepLogInfo",
        LOGS,
        "P-1,111,4/12/2016 2:21:00 AM,0,95,True,3,4,0,0",
        "P-1,,4/12/2016 2:21:00 AM,240000,95,True,3,4,0,0",
        "P-1,113,yesterday,240000,95,True,3,4,0,0",
    )
    assert list(RejectedRow.objects.values_list("line", flat=True)) == [2, 3, 4]
    assert not SleepSession.objects.exists()


# --- exercise -----------------------------------------------------------------------------------------------------

ACTIVITIES = "Id,Date,StartTime,Duration,Activity,ActivityType,LogType,Steps,Distance,Calories,AverageHeartRate"


def test_activity_logs_are_exercise(files: Files) -> None:
    rows = ["P-1,4/12/2016,18:58:00,3660000,Rowing Machine,90003,manual,1779,1.61,221,116"]
    files.take("activitylogs", ACTIVITIES, *rows, "P-1,4/13/2016,9:31:28,900000,Walk,90013,auto_detected,1500,0,99,0")
    rowing, walk = ExerciseSession.objects.order_by("starts_at")
    assert (rowing.starts_at.isoformat(), rowing.ends_at.isoformat()) == (
        "2016-04-12T22:58:00+00:00",
        "2016-04-12T23:59:00+00:00",
    )
    assert (rowing.activity, rowing.name, rowing.distance_m, rowing.energy_kcal, rowing.steps) == (
        "rowing_machine",
        "Rowing Machine",
        1610.0,
        221.0,
        1779,
    )
    assert (walk.distance_m, walk.mean_heart_rate, walk.steps) == (None, None, 1500)
    outcome = files.take("activitylogs", ACTIVITIES, *rows, "P-1,4/14/2016,late,900000,Walk,90013,,0,0,0,0")
    assert outcome.failure.startswith("1 row was turned away")
    assert ExerciseSession.objects.count() == 2
    assert RejectedRow.objects.get().line == 3


# --- clocks -------------------------------------------------------------------------------------------------------

SYNCS = "Id,DateTime,SyncDateUTC,Provider,DeviceName"
SYNC = "P-1,4/12/2016 7:21:00 AM,4/12/2016 11:21:00 AM,FitbitApp,Charge 2"
BEATS = ["Id,Time,Value", "P-1,4/12/2016 7:21:00 AM,97"]


def test_new_people_get_the_zone_that_their_syncs_tell(files: Files) -> None:
    files.write("heartrate_seconds", *BEATS)
    files.write("syncEvents", SYNCS, SYNC)
    assert files.take_all().failure == ""
    assert utc("P-1", "heart_rate") == [("2016-04-12T11:21:00", 97.0)]
    assert Participant.objects.get().time_zone == NEW_YORK
    assumed = ImportFile.objects.get(format="fitabase.heartrate_seconds").assumptions["time zones"]
    assert list(assumed) == [f"{NEW_YORK}, fits 1 of 1 syncs in local time and UTC"]


def test_the_trial_s_own_zone_is_taken_where_the_syncs_fit_it(files: Files) -> None:
    files.take("syncEvents", SYNCS, "P-1,4/12/2016 9:00:00 AM,4/12/2016 7:00:00 AM,FitbitApp,Charge 2", timezone=None)
    assert not Participant.objects.exists()  # syncs alone bring nobody into a trial
    files.write("heartrate_seconds", *BEATS)
    files.take_all()
    assert Participant.objects.get().time_zone == "Europe/Amsterdam"


def test_a_zone_that_was_given_wins_over_the_syncs(files: Files) -> None:
    files.write("syncEvents", SYNCS, SYNC)
    files.write("heartrate_seconds", *BEATS)
    files.take_all(timezone="Asia/Tokyo")
    assert utc("P-1", "heart_rate") == [("2016-04-11T22:21:00", 97.0)]


def test_a_half_hour_s_zone_is_found(files: Files) -> None:
    files.write("syncEvents", SYNCS, "P-1,4/12/2016 4:51:00 PM,4/12/2016 11:21:00 AM,FitbitApp,Charge 2")
    files.write("heartrate_seconds", *BEATS)
    files.take_all()
    assert Participant.objects.get().time_zone == "Asia/Kolkata"


def test_syncs_on_a_journey_are_counted_and_move_no_day(files: Files) -> None:
    ParticipantFactory(trial=files.trial, study_id="P-1", time_zone="Europe/Amsterdam")
    rows = [
        "P-1,4/12/2016 1:00:00 PM,4/12/2016 11:00:00 AM,FitbitApp,Charge 2",
        "P-1,4/13/2016 7:00:00 AM,4/13/2016 11:00:00 AM,FitbitApp,Charge 2",
        "P-1,4/15/2016 1:00:00 PM,4/15/2016 11:00:00 AM,FitbitApp,Charge 2",
    ]
    outcome = files.take("syncEvents", SYNCS, *rows, timezone=None)
    assert "noted 1: sync on another clock" in outcome.text
    assert not OffsetPeriod.objects.exists()


def test_syncs_whose_stamps_do_not_fit_are_rejected(files: Files) -> None:
    files.take("syncEvents", SYNCS, "P-1,4/12/2016 7:21:00 AM,4/12/2016 11:41:00 AM,FitbitApp,Charge 2")
    assert "quarters of an hour" in RejectedRow.objects.get().reason


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("minuteMETsNarrow_merged.csv", "METs"),
        ("minuteIntensitiesWide_merged.csv", "levels of activity by minute"),
        ("hourlyIntensities_merged.csv", "levels of activity by hour"),
        ("P-1_sleepDay_20160412_20160512.csv", "nights are"),
        ("battery_merged.csv", "belong to a device that is connected"),
    ],
)
def test_what_is_known_and_not_kept_says_what_it_is(name: str, why: str) -> None:
    found = left_out(name)
    assert found is not None
    assert why in found.reason
    assert found.kind.startswith("fitabase.")


def test_no_kind_that_is_read_is_left_out_by_its_name() -> None:
    for form in FORMATS:
        name = f"{form.code.split('.')[1]}_merged.csv"
        assert left_out(name) is None
        assert listed(f"exports/{name}")


@pytest.mark.parametrize("file_type", ["heartrate_1min", "heartrate_15min", "heartrate_seconds"])
def test_a_file_type_of_two_parts_is_no_part_of_a_participant_s_name(files: Files, file_type: str) -> None:
    path = files.folder / f"ward_3_{file_type}_20160412_20160512.csv"
    path.write_text("Time,Value\n4/12/2016 7:00:00 AM,97\n")
    files.take_all()
    assert Participant.objects.get().study_id == "ward_3"
