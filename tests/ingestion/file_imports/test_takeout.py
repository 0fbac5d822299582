"""Account exports: every class of time stamp, markers of missing values, both trees, nights. All values invented."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import numpy as np
import pytest

from ingestion.models import ImportFile, RejectedRow
from ingestion.providers.takeout import left_out, listed
from metrics.models import ExerciseSession, Measurement, OffsetPeriod, SleepSession
from participants.models import Participant
from tests.ingestion.conftest import Export, Import, utc

TREE = "Takeout/Fitbit/Global Export Data"
DATA = "Takeout/Fitbit/Physical Activity_GoogleData"


def _beats(*stamps: str, bpm: int = 60, confidence: int = 2) -> list[dict[str, Any]]:
    return [{"dateTime": stamp, "value": {"bpm": bpm, "confidence": confidence}} for stamp in stamps]


def _hours(date: str, first: int, last: int) -> list[str]:
    return [f"{date} {hour:02}:{minute:02}:07" for hour in range(first, last) for minute in (0, 30)]


# --- class A: UTC without saying so ------------------------------------------------------------------------------


def test_json_heart_rates_are_utc(export: Export) -> None:
    assert export.take("heart_rate-2024-05-02.json", _beats("05/01/24 22:00:12", "05/02/24 21:59:58")).failure == ""
    assert utc("P-1", "heart_rate") == [("2024-05-01T22:00:12", 60.0), ("2024-05-02T21:59:58", 60.0)]


def test_heart_rates_without_confidence_are_left_out(export: Export) -> None:
    data = _beats("05/02/24 07:00:12") + _beats("05/02/24 07:00:17", confidence=0)
    assert "skipped 1: confidence 0" in export.take("heart_rate-2024-05-02.json", data).text
    assert len(utc("P-1", "heart_rate")) == 1


@pytest.mark.parametrize(
    ("zone", "stamps", "plain"),
    [
        ("Pacific/Noumea", [*_hours("05/01/24", 13, 24), *_hours("05/02/24", 0, 13)], True),
        ("America/Los_Angeles", [*_hours("05/02/24", 7, 24), *_hours("05/03/24", 0, 7)], True),
        ("Pacific/Noumea", _hours("05/02/24", 0, 24), False),
        ("America/Los_Angeles", _hours("05/02/24", 0, 24), False),
        ("Europe/London", _hours("05/02/24", 0, 24), False),
        ("UTC", _hours("05/02/24", 0, 24), True),
        ("Pacific/Noumea", _hours("05/02/24", 3, 9), True),
    ],
)
def test_a_day_that_cannot_be_utc_cut_at_local_midnight_is_refused(
    export: Export, owner: Participant, zone: str, stamps: list[str], plain: bool
) -> None:
    Participant.objects.update(time_zone=zone)
    outcome = export.take("heart_rate-2024-05-02.json", _beats(*stamps))
    assert (outcome.failure == "") is plain
    assert plain or "--takeout-clock" in outcome.text


def test_the_clock_of_such_a_file_can_be_told(export: Export) -> None:
    export.take("heart_rate-2024-05-02.json", _beats("05/02/24 07:00:12"), takeout_clock="local")
    assert utc("P-1", "heart_rate") == [("2024-05-02T05:00:12", 60.0)]
    assert "local" in ImportFile.objects.get().assumptions["clock of dateTime"]


def test_minutes_have_text_values_and_metric_units(export: Export) -> None:
    point = [{"dateTime": "05/02/24 07:17:00", "value": "12"}]
    for name in ("steps", "calories", "distance"):
        assert export.take(f"{name}-2024-05-02.json", point).failure == ""
    assert utc("P-1", "steps") == [("2024-05-02T07:17:00", 12.0)]
    assert utc("P-1", "energy") == [("2024-05-02T07:17:00", 12.0)]
    assert utc("P-1", "distance") == [("2024-05-02T07:17:00", 0.12)]
    assert set(Measurement.objects.values_list("seconds", flat=True)) == {60}
    assert "centimetres" in ImportFile.objects.get(format="takeout.distance").assumptions["unit of distance"]


# --- classes B and E: labels of local days -----------------------------------------------------------------------


def test_days_of_both_trees_begin_at_local_midnight_and_are_one(export: Export) -> None:
    rest = [
        {"dateTime": "06/10/24 00:00:00", "value": {"date": "06/10/24", "value": 57.5, "error": 6.8}},
        {"dateTime": "06/11/24 00:00:00", "value": {"date": None, "value": 0.0, "error": 0.0}},
    ]
    assert "skipped 1: 0 marks a missing value" in export.take("resting_heart_rate-2024-06-10.json", rest).text
    label = "timestamp,beats per minute,data source\n2024-06-10T00:00:00Z,57.5,Fitbit tracker\n"
    assert export.take("daily_resting_heart_rate.csv", label).failure == ""
    assert utc("P-1", "resting_heart_rate") == [("2024-06-09T22:00:00", 57.5)]
    assert Measurement.objects.get().seconds == 86_400


def test_active_minutes_and_fitness_are_of_the_day(export: Export) -> None:
    export.take("sedentary_minutes-2024-03-31.json", [{"dateTime": "03/31/24 00:00:00", "value": "600"}])
    fitness = {"demographicVO2Max": 44.0, "demographicVO2MaxError": 3.0, "filteredDemographicVO2Max": 45.5}
    export.take("demographic_vo2_max-2024-03-31.json", [{"dateTime": "03/31/24 00:00:00", "value": fitness}])
    assert utc("P-1", "sedentary_24h") == [("2024-03-30T23:00:00", 600.0)]
    assert utc("P-1", "vo2_max") == [("2024-03-30T23:00:00", 45.5)]
    assert set(Measurement.objects.values_list("seconds", flat=True)) == {23 * 3600}


def test_nightly_means_are_of_the_day_they_name(export: Export) -> None:
    export.take("daily_respiratory_rate_2024-06-10.csv", "timestamp,breaths per minute\n2024-06-10T00:00:00Z,15.8\n")
    export.take(
        "Daily Respiratory Rate Summary - 2024-06-11.csv", "timestamp,daily_respiratory_rate\n2024-06-11T00:00:00,16\n"
    )
    export.take("daily_oxygen_saturation.csv", "timestamp,average percentage\n2024-06-10T00:00:00Z,96.5\n")
    export.take(
        "daily_heart_rate_variability.csv",
        "timestamp,average heart rate variability milliseconds\n2024-06-10T00:00:00Z,41.5\n",
    )
    assert utc("P-1", "respiratory_rate") == [("2024-06-09T22:00:00", 15.8), ("2024-06-10T22:00:00", 16.0)]
    assert utc("P-1", "spo2_24h") == [("2024-06-09T22:00:00", 96.5)]
    assert utc("P-1", "hrv_rmssd_24h") == [("2024-06-09T22:00:00", 41.5)]


# --- class C: local wall clock -----------------------------------------------------------------------------------


def test_details_of_the_night_are_local(export: Export) -> None:
    header = "timestamp,rmssd,coverage,low_frequency,high_frequency\n"
    export.take("Heart Rate Variability Details - 2024-05-02.csv", header + "2024-05-02T03:10:00,43.9,0.95,531,108\n")
    azm = "date_time,heart_zone_id,total_minutes\n2024-05-01T09:07,FAT_BURN,1\n2024-05-01T09:08,CARDIO,2\n"
    export.take("Active Zone Minutes - 2024-05-01.csv", azm)
    temperature = "type,sleep_start,sleep_end,temperature_samples,nightly_temperature\n"
    night = "SKIN,2024-05-01T23:10:00,2024-05-02T06:40:00,450,33.75\nSKIN,2024-05-02T23:10,2024-05-03T06:40,450,NaN\n"
    assert "skipped 1: no value" in export.take("Computed Temperature - 2024-05-01.csv", temperature + night).text
    assert utc("P-1", "hrv_rmssd") == [("2024-05-02T01:10:00", 43.9)]
    assert utc("P-1", "active_zone_minutes") == [("2024-05-01T07:07:00", 1.0), ("2024-05-01T07:08:00", 2.0)]
    assert utc("P-1", "skin_temperature") == [("2024-05-02T04:40:00", 33.75)]


# --- class D: true instants --------------------------------------------------------------------------------------


def test_rows_with_a_zone_are_instants(export: Export) -> None:
    rows = "timestamp,beats per minute\r\n2024-05-02T07:00:12Z,65\r\n2024-05-02T07:00:17.500000Z,66.0\r\n"
    assert export.take(
        "heart_rate_2024-05-02.csv", "\ufeff" + rows + "2024-05-02T07:00:22Z,\r\n2024-05-02T07:00:27,67\r\n"
    )
    assert utc("P-1", "heart_rate") == [("2024-05-02T07:00:12", 65.0), ("2024-05-02T07:00:17", 66.0)]
    assert ImportFile.objects.get().counts["skipped"] == {"no value": 1}
    assert RejectedRow.objects.get().reason == "timestamp has no time zone"


def test_markers_of_missing_oxygen_are_no_values(export: Export) -> None:
    cells = ("96.5", "50.0", "-1.0", "NaN", "")
    rows = "".join(f"2024-05-02T03:0{minute}:00Z,{cell}\n" for minute, cell in enumerate(cells))
    assert export.take("Minute SpO2 - 2024-05-02.csv", "timestamp,value\n" + rows).failure == ""
    assert utc("P-1", "spo2") == [("2024-05-02T03:00:00", 96.5)]
    assert sum(ImportFile.objects.get().counts["skipped"].values()) == 4


def test_zones_of_one_minute_are_summed_and_repeats_are_not(export: Export) -> None:
    rows = "timestamp,heart rate zone,total minutes,data source\n" + "".join(
        f"2024-05-01T09:07:00Z,{zone},{minutes},\n" for zone, minutes in (("FAT_BURN", 1), ("CARDIO", 1), ("CARDIO", 1))
    )
    export.take("active_zone_minutes_2024-05-01.csv", rows)
    assert utc("P-1", "active_zone_minutes") == [("2024-05-01T09:07:00", 2.0)]


def test_units_of_the_csv_tree_become_ours(export: Export) -> None:
    export.take("weight.csv", "timestamp,weight grams,data source\n2024-05-01T06:00:00Z,80500,\n")
    export.take("body_fat.csv", "timestamp,body fat percentage,data source\n2024-05-01T06:00:00Z,21.5,\n")
    hrv = "root mean square of successive differences milliseconds,standard deviation milliseconds"
    export.take("heart_rate_variability_2024-05-01.csv", f"timestamp,{hrv},data source\n2024-05-01T03:00:00Z,40,55,\n")
    values = {row.metric_id: row.value for row in Measurement.objects.all()}
    assert values == {13: 80.5, 14: 21.5, 7: 40.0, 8: 55.0}


def test_both_trees_are_one_source_and_other_origins_their_own(export: Export) -> None:
    export.take("steps-2024-05-01.json", [{"dateTime": "05/01/24 09:07:00", "value": "50"}])
    rows = '2024-05-01T09:07:00Z,50,Fitbit tracker\n2024-05-01T09:07:00Z,48,"Phone, Health Connect"\n'
    export.take("steps_2024-05-01.csv", "timestamp,steps,data source\n" + rows)
    found = {(row.source.device_model, row.value) for row in Measurement.objects.select_related("source")}
    assert found == {("", 50.0), ("Phone, Health Connect", 48.0)}
    assert ImportFile.objects.get(format="takeout.steps_csv").counts["unchanged"] == 1


# --- class F -----------------------------------------------------------------------------------------------------


def test_json_weights_are_pounds_on_the_local_clock(export: Export) -> None:
    log = {
        "logId": 1,
        "weight": 200.0,
        "bmi": 26.0,
        "fat": 24.0,
        "date": "08/24/24",
        "time": "23:59:59",
        "source": "Aria",
    }
    plain = {"logId": 2, "weight": 198.0, "bmi": 26.0, "date": "08/25/24", "time": "07:00:00"}
    assert export.take("weight-2024-08-24.json", [log, plain]).failure == ""
    at, kilograms = utc("P-1", "weight")[0]
    assert (at, round(kilograms, 6)) == ("2024-08-24T21:59:59", 90.718474)
    assert utc("P-1", "body_fat") == [("2024-08-24T21:59:59", 24.0)]
    assert "pounds" in ImportFile.objects.get().assumptions["unit of weight"]


# --- nights ------------------------------------------------------------------------------------------------------


def _log(start: str, end: str, levels: list[tuple[str, str, int]], **more: Any) -> dict[str, Any]:
    data = [{"dateTime": at, "level": level, "seconds": seconds} for at, level, seconds in levels]
    return {"logId": 42, "startTime": start, "endTime": end, "mainSleep": True, "levels": {"data": data}} | more


def test_a_night_has_its_short_wakes_laid_over_its_stages(export: Export) -> None:
    log = _log(
        "2024-05-01T23:00:00.000",
        "2024-05-02T00:00:00.000",
        [("2024-05-01T23:00:00.000", "light", 1800), ("2024-05-01T23:30:00.000", "rem", 1800)],
    )
    log["levels"]["shortData"] = [{"dateTime": "2024-05-01T23:10:00.000", "level": "wake", "seconds": 60}]
    assert export.take("sleep-2024-05-01.json", [log, log]).failure == ""
    night = SleepSession.objects.get()
    assert (night.external_id, night.starts_at.isoformat()) == ("42", "2024-05-01T21:00:00+00:00")
    assert night.stages == [[0, 600, "light"], [600, 60, "awake"], [660, 1140, "light"], [1800, 1800, "rem"]]
    assert (night.asleep_minutes, night.awake_minutes) == (59, 1)


def test_a_nap_in_the_older_staging_is_read(export: Export) -> None:
    levels = [("2024-05-01T14:00:00.000", "asleep", 1200), ("2024-05-01T14:20:00.000", "restless", 600)]
    log = _log("2024-05-01T14:00:00.000", "2024-05-01T14:30:00.000", levels, type="classic", mainSleep=False)
    export.take("sleep-2024-05-01.json", [log])
    nap = SleepSession.objects.get()
    assert (nap.is_main, nap.asleep_minutes, nap.restless_minutes) == (False, 20, 10)


@pytest.mark.parametrize(
    ("start", "end", "hours", "starts"),
    [
        ("2024-10-27T01:00:00", "2024-10-27T05:00:00", 5, "2024-10-26T23:00:00+00:00"),
        ("2024-10-27T02:30:00", "2024-10-27T05:30:00", 3, "2024-10-27T01:30:00+00:00"),
        ("2024-10-27T02:30:00", "2024-10-27T05:30:00", 4, "2024-10-27T00:30:00+00:00"),
        ("2024-03-31T01:00:00", "2024-03-31T05:00:00", 3, "2024-03-31T00:00:00+00:00"),
    ],
)
def test_a_night_through_a_change_of_clocks_is_as_long_as_it_was(
    export: Export, start: str, end: str, hours: int, starts: str
) -> None:
    levels = [(start, "light", 3600), (end[:11] + "04:00:00", "deep", 3600)]
    export.take("sleep-2024-10-27.json", [_log(start, end, levels, duration=hours * 3_600_000)])
    night = SleepSession.objects.get()
    assert night.starts_at.isoformat() == starts
    assert (night.ends_at - night.starts_at).total_seconds() == hours * 3600


NIGHTS = "sleep_id,sleep_type,start_utc_offset,sleep_start,end_utc_offset,sleep_end,data_source\n"
STAGES = "sleep_id,sleep_stage_id,sleep_stage_type,start_utc_offset,sleep_stage_start,end_utc_offset,sleep_stage_end\n"


def test_user_sleeps_bring_nights_stages_and_journeys(export: Export, import_data: Import) -> None:
    folder = "Takeout/Fitbit/Health Fitness Data_GoogleData"
    export.file(
        f"{folder}/UserSleeps_2024-05-01.csv",
        NIGHTS
        + "7001,STAGES,+02:00,2024-05-01T21:00:00Z,+02:00,2024-05-02T05:00:00Z,\n"
        + "7002,STAGES,-04:00,2024-05-03T03:00:00Z,-04:00,2024-05-03T11:00:00Z,\n"
        + "7003,STAGES,+00:00,2024-05-04T03:00:00Z,+00:00,2024-05-04T11:00:00Z,\n"
        + "7004,STAGES,+02:00,2024-05-05T21:00:00Z,+02:00,2024-05-06T05:00:00Z,\n",
    )
    export.file(
        f"{folder}/UserSleepStages_2024-05-01.csv",
        STAGES
        + "7001,1,LIGHT,+02:00,2024-05-01T21:00:00Z,+02:00,2024-05-01T22:00:00Z\n"
        + "7001,2,WAKE,+02:00,2024-05-01T22:00:00Z,+02:00,2024-05-01T22:10:00Z\n",
    )
    outcome = import_data(export.trial, export.folder, participant="P-1")
    assert outcome.failure == ""
    assert SleepSession.objects.count() == 4
    assert SleepSession.objects.get(external_id="7001").stages == [[0, 3600, "light"], [3600, 600, "awake"]]
    changes = [(p.starts_at.isoformat()[:16], p.utc_offset) for p in OffsetPeriod.objects.order_by("starts_at")]
    assert changes == [("2024-05-03T03:00", -4 * 3600), ("2024-05-05T21:00", None)]
    assert "placeholder" in outcome.text


# --- files -------------------------------------------------------------------------------------------------------


def test_personal_files_are_never_opened(export: Export, import_data: Import) -> None:
    names = (
        "Your Profile/Profile.csv",
        "Social/friends.json",
        "Menstrual Health/menstrual_cycles.csv",
        "x/y/journal.json",
    )
    archive = export.folder / "takeout.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in names:
            packed.writestr(f"Takeout/Fitbit/{name}", "name,birthday\n")
        packed.writestr(f"{DATA}/gps_location_2024-05-01.csv", "timestamp,latitude,longitude\n")
        packed.writestr(f"{TREE}/UserActivityProbabilities-1.json", "[]")
        packed.writestr(f"{TREE}/heart_rate-2024-05-02.json", json.dumps(_beats("05/02/24 07:00:12")))
    opened: list[str] = []
    original = zipfile.ZipFile.open

    def spy(self: zipfile.ZipFile, member: zipfile.ZipInfo, *rest: Any, **more: Any) -> Any:
        opened.append(member.filename)
        return original(self, member, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "open", spy)
        outcome = import_data(export.trial, archive, participant="P-1")
    assert outcome.failure == ""
    assert set(opened) == {f"{TREE}/heart_rate-2024-05-02.json"}
    assert "personal" in outcome.text
    assert "places" in outcome.text


def test_types_without_data_are_files_without_rows(export: Export) -> None:
    for name, body in (("steps-2024-05-01.json", "[]"), ("Minute SpO2 - 2024-05-02.csv", "no data")):
        assert export.take(name, body).failure == ""
    assert export.take("weight.csv", "timestamp,weight grams,data source\n").failure == ""
    assert not Measurement.objects.exists()


def test_a_bad_record_is_rejected_and_the_others_kept(export: Export) -> None:
    data = [*_beats("05/02/24 07:00:12"), {"dateTime": 7}, *_beats("05/32/24 07:00:12", "05/02/24 07:00:17")]
    assert "2 rows were turned away for good" in export.take("heart_rate-2024-05-02.json", data).failure
    assert len(utc("P-1", "heart_rate")) == 2
    assert list(RejectedRow.objects.values_list("line", flat=True)) == [2, 3]


def test_a_list_that_ends_too_early_is_refused_whole(export: Export) -> None:
    text = json.dumps(_beats("05/02/24 07:00:12", "05/02/24 07:00:17"))[:-3]
    assert "does not parse" in export.take("heart_rate-2024-05-02.json", text).text
    assert not Measurement.objects.exists()


def test_a_list_nested_without_end_is_refused(export: Export) -> None:
    text = '[{"dateTime": "05/02/24 07:00:12", "value": {"bpm": 60}}, {"dateTime": ' + "[" * 200_000
    assert "no list of records" in export.take("heart_rate-2024-05-02.json", text).text


def test_an_export_does_not_say_whose_it_is(export: Export) -> None:
    outcome = export.take("heart_rate-2024-05-02.json", _beats("05/02/24 07:00:12"), participant=None)
    assert "give --participant STUDY_ID" in outcome.text


def test_a_large_day_is_read_without_a_loss(export: Export) -> None:
    stamps = np.datetime64("2024-05-01T22:00:00") + np.arange(0, 86_400, 2)
    texts = [f"{s[5:7]}/{s[8:10]}/{s[2:4]} {s[11:19]}" for s in stamps.astype(str)]
    export.take("heart_rate-2024-05-02.json", _beats(*texts))
    assert Measurement.objects.count() == 43_200


# --- more kinds of metrics that are kept ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "metric", "value"),
    [
        (
            "Daily Heart Rate Variability Summary - 2023-03-16.csv",
            "timestamp,rmssd,nremhr,entropy\n2023-03-16T00:00:00,55.3,56.3,2.9\n",
            "hrv_rmssd_24h",
            55.3,
        ),
        (
            "Daily Heart Rate Variability Summary - 2023-03-(16).csv",
            "timestamp,rmssd,nremhr,entropy\n2023-03-16T00:00:00,55.3,56.3,2.9\n",
            "hrv_rmssd_24h",
            55.3,
        ),
        (
            "Daily SpO2 - 2023-03-01-2023-03-31.csv",
            "timestamp,average_value,lower_bound,upper_bound\n2023-03-16T00:00:00Z,96.1,92.0,99.0\n",
            "spo2_24h",
            96.1,
        ),
        (
            "daily_vo2_max.csv",
            "timestamp,daily vo2 max value,data source\n2023-03-16T00:00:00Z,44.5,\n",
            "vo2_max",
            44.5,
        ),
        ("daily_vo2_max.csv", "timestamp,VO2 max\n2023-03-16T00:00:00Z,44.5\n", "vo2_max", 44.5),
        (
            "demographic_vo2max_2023-03-01.csv",
            "timestamp,demographic vo2max,data source\n2023-03-16T00:00:00Z,44.5,\n",
            "vo2_max",
            44.5,
        ),
        (
            "daily_sleep_temperature_derivations.csv",
            "timestamp,nightly temperature celsius,baseline temperature celsius\n2023-03-16T00:00:00Z,33.5,33.25\n",
            "skin_temperature_deviation",
            0.25,
        ),
    ],
)
def test_a_nightly_summary_lies_on_its_local_day(
    export: Export, import_data: Import, name: str, text: str, metric: str, value: float
) -> None:
    export.file(f"{DATA}/{name}", text)
    assert import_data(export.trial, export.folder, participant="P-1").failure == ""
    assert utc("P-1", metric) == [("2023-03-15T23:00:00", value)]


WALK = {
    "logId": 1,
    "activityName": "Walk",
    "activityTypeId": 90013,
    "averageHeartRate": 95,
    "calories": 335,
    "distance": 2.88,
    "distanceUnit": "Kilometer",
    "duration": 2998000,
    "activeDuration": 2990000,
    "steps": 3919,
    "startTime": "06/12/15 10:00:00",
}


def _walk(session: ExerciseSession) -> tuple[str, str, str, float | None, float | None, int | None]:
    times = (session.starts_at.isoformat(), session.ends_at.isoformat())
    return (*times, session.activity, session.distance_m, session.energy_kcal, session.steps)


def test_exercise_is_read_in_utc(export: Export) -> None:
    outcome = export.take("exercise-0.json", [WALK])
    assert (outcome.failure, "imported earlier" in outcome.text) == ("", False)
    session = ExerciseSession.objects.get()
    assert _walk(session) == ("2015-06-12T10:00:00+00:00", "2015-06-12T10:49:58+00:00", "walk", 2880.0, 335.0, 3919)
    assert (session.active_seconds, session.mean_heart_rate) == (2990, 95.0)


def test_the_clock_of_exercise_can_be_said(export: Export) -> None:
    export.take("exercise-0.json", [WALK], takeout_clock="local")
    assert ExerciseSession.objects.get().starts_at.isoformat() == "2015-06-12T08:00:00+00:00"


def test_an_exercise_with_little_in_it_is_read_and_one_without_a_length_rejected(export: Export) -> None:
    bare = {"logId": 2, "activityName": "Yoga", "startTime": "06/13/15 10:00:00", "duration": 60000, "odd": {}}
    broken = [{**bare, "duration": 0}, {**bare, "startTime": "now"}, {"logId": 3}]
    outcome = export.take("exercise-0.json", [WALK | {"distanceUnit": "Mile"}, bare, *broken])
    assert outcome.failure.startswith("3 rows were turned away")
    yoga = ExerciseSession.objects.get(activity="yoga")
    assert (yoga.distance_m, yoga.energy_kcal, yoga.steps, yoga.mean_heart_rate) == (None, None, None, None)
    assert ExerciseSession.objects.get(activity="walk").distance_m == pytest.approx(2.88 * 1609.344)
    assert sorted(RejectedRow.objects.values_list("line", flat=True)) == [3, 4, 5]


def test_the_same_exercise_in_both_trees_is_one(export: Export) -> None:
    rows = (
        "exercise_id,exercise_start,exercise_end,utc_offset,activity_name,tracker_total_calories,tracker_total_steps,"
        "tracker_total_distance_mm,tracker_avg_heart_rate\n"
        "77,2015-06-12T10:00:00.250Z,2015-06-12T10:49:58Z,+02:00,Walk,335,3919,2880000,95\n"
        "78,2015-06-14T10:00:00Z,2015-06-14T10:30:00Z,+02:00,Bike,,,0,0\n"
    )
    assert export.take("UserExercises_2015-06-12.csv", rows).failure == ""
    export.take("exercise-0.json", [WALK])
    walk, bike = ExerciseSession.objects.order_by("starts_at")
    assert _walk(walk)[2:] == ("walk", 2880.0, 335.0, 3919)
    assert (bike.distance_m, bike.energy_kcal, bike.mean_heart_rate) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("time_in_heart_rate_zones-2024-05-01.json", "heart-rate zones"),
        ("sleep_score.csv", "sleep scores"),
        ("Stress Score.csv", "stress management score"),
        ("floors_2024-05-01.csv", "floors a day"),
        ("active_minutes_2024-05-01.csv", "by the day"),
        ("Respiratory Rate Summary - 2024-05-01.csv", "Daily Respiratory Rate Summary"),
    ],
)
def test_what_is_known_and_not_kept_says_which_metric_it_is(name: str, why: str) -> None:
    found = left_out(f"{DATA}/{name}")
    assert found is not None
    assert why in found.reason
    assert not listed(name)


def test_in_an_export_nothing_is_opened_but_what_is_listed(export: Export, import_data: Import) -> None:
    archive = export.folder / "takeout.zip"
    names = ("Diary/week.csv", "notes.csv", "Biometrics/Glucose 2405.csv")
    with zipfile.ZipFile(archive, "w") as packed:
        for name in names:
            packed.writestr(name, "timestamp,beats per minute\n2024-05-01T00:00:00Z,60\n")
        packed.writestr("heart_rate-2024-05-02.json", json.dumps(_beats("05/02/24 07:00:12")))
    outcome = import_data(export.trial, archive, participant="P-1")
    assert outcome.failure == ""
    assert "not on the list" in outcome.text
    assert len(utc("P-1", "heart_rate")) == 1
