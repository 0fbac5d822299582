"""What becomes of the library's JSON: one small hand-made day a vendor, with the library's traps in it."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from ingestion.providers.missing_values import MINUS_ONE, NO_VALUE, ZERO
from ingestion.providers.wearipedia import dexcom, fitbit, garmin, oura
from ingestion.providers.wearipedia.wall import UNREADABLE, Day, clock_times, unwrapped
from metrics.batch import Payload, SampleBatch, SourceKey, instant

AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
SOURCE = SourceKey("wearipedia", "Fitbit", "Sense", synthetic=True)
DAY = Day(dt.date(2026, 11, 10), AMSTERDAM, SOURCE)
SPRING = Day(dt.date(2027, 3, 28), AMSTERDAM, SOURCE)
AUTUMN = Day(dt.date(2026, 10, 25), AMSTERDAM, SOURCE)


def of(payload: Payload, metric: str) -> SampleBatch:
    (batch,) = [batch for batch in payload.samples if batch.metric == metric]
    return batch


def local(batch: SampleBatch, zone: zoneinfo.ZoneInfo = AMSTERDAM) -> list[str]:
    return [instant(time).astimezone(zone).strftime("%d %H:%M:%S") for time in batch.time]


def heart(points: list[dict[str, Any]]) -> dict[str, Any]:
    return {"intraday_heart_rate": [{"heart_rate_day": [{"activities-heart-intraday": {"dataset": points}}]}]}


def log(**other: Any) -> dict[str, Any]:
    return {
        "dateOfSleep": "2026-11-10",
        "startTime": "2026-11-10T22:10:00",
        "endTime": "2026-11-11T06:10:00",
        "isMainSleep": True,
        "logId": 123456789,
        "levels": {
            "data": [
                {"dateTime": "2026-11-10T22:10:00", "level": "wake", "seconds": 240},
                {"dateTime": "2026-11-10T23:00:00", "level": "wake", "seconds": 300},
                {"dateTime": "2026-11-10T23:00:00", "level": "light", "seconds": 9000},
                {"dateTime": "2026-11-11T04:00:00", "level": "deep", "seconds": 9000},
                {"dateTime": "2026-11-11T12:00:00", "level": "rem", "seconds": 9000},
            ]
        },
        **other,
    }


def test_fitbit_heart_rates_are_whole_beats_at_local_times() -> None:
    points = [{"time": "00:00:00", "value": np.float64(73.71)}, {"time": "23:59:59", "value": np.float64(50.2)}]
    batch = of(fitbit.payload(heart(points), DAY), "heart_rate")
    assert batch.value.tolist() == [74.0, 50.0]
    assert local(batch) == ["10 00:00:00", "10 23:59:59"]


def test_the_hour_that_spring_skips_was_never_measured() -> None:
    points = [{"time": time, "value": 60} for time in ("01:59:59", "02:00:00", "02:59:59", "03:00:00")]
    assert local(of(fitbit.payload(heart(points), SPRING), "heart_rate")) == ["28 01:59:59", "28 03:00:00"]


def test_the_hour_that_autumn_repeats_was_measured_once() -> None:
    points = [{"time": time, "value": 60} for time in ("02:30:00", "03:00:00")]
    batch = of(fitbit.payload(heart(points), AUTUMN), "heart_rate")
    assert [instant(time).hour for time in batch.time] == [0, 2]


def test_fitbit_daily_totals_are_numbers_of_that_day_in_our_units() -> None:
    raw = {
        "steps": [{"activities-steps": [{"dateTime": "2026-11-10", "value": "8123"}]}],
        "distance": [{"activities-distance": [{"dateTime": "2026-11-10", "value": np.float64(2.0)}]}],
        "minutesVeryActive": [{"activities-minutesVeryActive": [{"dateTime": "2026-11-11", "value": 9}]}],
    }
    payload = fitbit.payload(raw, DAY)
    assert of(payload, "steps_24h").value.tolist() == [8123.0]
    assert of(payload, "distance_24h").value.tolist() == [3218.688]
    assert local(of(payload, "steps_24h")) == ["10 00:00:00"]
    assert not [batch for batch in payload.samples if batch.metric == "very_active_24h"]  # another day's


def test_fitbit_variability_past_midnight_goes_on_to_the_next_day() -> None:
    minutes = [
        {"minute": f"2026-11-10T{time}.000", "value": {"rmssd": np.float64(43.9)}}
        for time in ("23:58:54", "23:59:54", "00:00:54", "00:01:54")
    ]
    batch = of(
        fitbit.payload({"intraday_hrv": [{"hrv": [{"dateTime": "2026-11-10", "minutes": minutes}]}]}, DAY), "hrv_rmssd"
    )
    assert local(batch) == ["10 23:58:54", "10 23:59:54", "11 00:00:54", "11 00:01:54"]


def test_fitbit_oxygen_keeps_the_date_it_names() -> None:
    minutes = [{"minute": "2026-11-11T01:00:54", "value": 98.5}]
    batch = of(fitbit.payload({"intraday_spo2": [{"dateTime": "2026-11-10", "minutes": minutes}]}, DAY), "spo2")
    assert local(batch) == ["11 01:00:54"]
    assert batch.value.tolist() == [98.5]


def test_fitbit_zone_minutes_count_two_in_cardio_and_peak_and_none_outside() -> None:
    minutes = [
        {"minute": "11:40:00", "value": {"activeZoneMinutes": 0}},
        {"minute": "11:41:00", "value": {"fatBurnActiveZoneMinutes": 1, "activeZoneMinutes": 1}},
        {"minute": "11:42:00", "value": {"peakActiveZoneMinutes": 1, "activeZoneMinutes": 1}},
    ]
    raw = {"intraday_active_zone_minute": [{"activities-active-zone-minutes-intraday": [{"minutes": minutes}]}]}
    batch = of(fitbit.payload(raw, DAY), "active_zone_minutes")
    assert batch.value.tolist() == [1.0, 2.0]
    assert local(batch) == ["10 11:41:00", "10 11:42:00"]


def test_fitbit_nightly_variability_lies_one_level_too_deep() -> None:
    raw = {"hrv": [{"hrv": [{"hrv": [{"hrv": [{"value": {"dailyRmssd": 31}, "dateTime": "2026-11-10"}]}]}]}]}
    assert of(fitbit.payload(raw, DAY), "hrv_rmssd_24h").value.tolist() == [31.0]


def test_fitbit_breathing_rate_is_that_of_the_whole_night() -> None:
    value = {"deepSleepSummary": {"breathingRate": 11.2}, "fullSleepSummary": {"breathingRate": np.float64(14.03)}}
    raw = {"intraday_breath_rate": [{"br": [{"value": value, "dateTime": "2026-11-10"}]}]}
    assert of(fitbit.payload(raw, DAY), "respiratory_rate").value.tolist() == [14.03]


def test_fitbit_stages_lie_end_to_end_within_the_night() -> None:
    night = fitbit.sleep_record(log(), DAY)
    assert [(stage.stage, stage.seconds) for stage in night.stages] == [
        ("awake", 240),
        ("light", 9000),
        ("deep", 9000),
        ("rem", 9000),
        ("awake", 300),
        ("awake", 1260),
    ]
    assert sum(stage.seconds for stage in night.stages) == (night.ends_at - night.starts_at).total_seconds()


def test_fitbit_stages_that_run_past_the_night_are_cut_at_its_end() -> None:
    night = fitbit.sleep_record(log(endTime="2026-11-11T01:00:00"), DAY)
    assert night.stages[-1].starts_at + dt.timedelta(seconds=night.stages[-1].seconds) == night.ends_at
    assert [stage.stage for stage in night.stages] == ["awake", "light", "deep"]


@pytest.mark.parametrize(("day", "ends"), [(AUTUMN, "06:10"), (AUTUMN, "05:10"), (SPRING, "06:10"), (SPRING, "07:10")])
def test_fitbit_nights_over_a_change_of_clocks_keep_their_length(day: Day, ends: str) -> None:
    evening = day.on - dt.timedelta(days=1)
    night_log = log(startTime=f"{evening}T22:10:00", endTime=f"{day.on}T{ends}:00", duration=8 * 3_600_000)
    night = fitbit.sleep_record(night_log, day)
    assert night.ends_at - night.starts_at == dt.timedelta(hours=8)


def test_fitbit_nights_are_local_times_and_keep_their_log_id() -> None:
    night = fitbit.sleep_record(log(), DAY)
    assert night.starts_at == dt.datetime(2026, 11, 10, 22, 10, tzinfo=AMSTERDAM)
    assert night.ends_at == dt.datetime(2026, 11, 11, 6, 10, tzinfo=AMSTERDAM)
    assert night.external_id == "123456789"


def test_oura_nights_end_after_their_time_in_bed_whatever_the_end_says() -> None:
    night = oura.sleep_record(
        {
            "id": 1,
            "day": "2026-11-10",
            "bedtime_start": "2026-11-10T22:00:00",
            "bedtime_end": "2026-11-10T03:00:00",
            "time_in_bed": 28_800,
            "total_sleep_duration": 27_000,
            "type": "long_sleep",
        },
        DAY,
    )
    assert night.ends_at - night.starts_at == dt.timedelta(hours=8)
    assert [(stage.stage, stage.seconds) for stage in night.stages] == [("asleep", 27_000), ("awake", 1800)]
    assert night.external_id == "2026-11-10.1"


def test_oura_stamps_are_the_participants_clock_though_they_say_utc() -> None:
    raw = {"heart_rate": [{"bpm": 61, "source": "asleep", "timestamp": "2026-11-10T00:05:00+00:00"}]}
    assert local(of(oura.payload(raw, DAY), "heart_rate")) == ["10 00:05:00"]


def test_garmin_values_are_put_where_they_lie_in_the_day() -> None:
    raw = {
        "hr": [{"heartRateValues": [[1_794_294_000_000, 140], [1_794_297_600_000, 144]]}],
        "steps": [
            [{"startGMT": "2026-11-10T06:00:00.0", "steps": 138}, {"startGMT": "2026-11-10T06:15:00.0", "steps": 71}]
        ],
    }
    payload = garmin.payload(raw, DAY)
    assert local(of(payload, "heart_rate")) == ["10 00:00:00", "10 01:00:00"]
    assert local(of(payload, "steps")) == ["10 00:00:00", "10 00:15:00"]
    assert of(payload, "steps").seconds.tolist() == [900, 900]  # type: ignore[union-attr]


def test_garmin_negative_stress_means_not_measured() -> None:
    raw = {"stress": [{"stressValuesArray": [[1_794_294_000_000, -1], [1_794_294_900_000, 30]]}]}
    day = Day(dt.date(2026, 11, 10), AMSTERDAM, SOURCE)
    assert of(garmin.payload(raw, day), "stress_score").value.tolist() == [30.0]
    assert day.skipped == {NO_VALUE: 1}


def test_markers_of_no_value_are_skipped_and_counted() -> None:
    day = Day(dt.date(2026, 11, 10), AMSTERDAM, SOURCE)
    found = fitbit.payload(heart([{"time": f"00:00:0{n}", "value": v} for n, v in enumerate((0, -1, 61))]), day)
    assert of(found, "heart_rate").value.tolist() == [61.0]
    assert local(of(found, "heart_rate")) == ["10 00:00:02"]
    assert day.skipped == {ZERO: 1, MINUS_ONE: 1}


def test_dexcom_gives_the_days_readings_only_and_skips_those_without_a_value() -> None:
    readings = [
        {"displayTime": "2026-11-11T00:00:00", "value": 110.0},
        {"displayTime": "2026-11-10T23:55:00", "value": 101.6},
        {"displayTime": "2026-11-10T23:50:00", "value": None},
        {"displayTime": "2026-11-09T23:55:00", "value": 90.0},
    ]
    day = Day(dt.date(2026, 11, 10), AMSTERDAM, SOURCE)
    batch = of(dexcom.payload({"unit": "mg/dL", "egvs": readings}, day), "glucose")
    assert day.skipped == {NO_VALUE: 1}
    assert local(batch) == ["10 23:55:00"]
    assert batch.value.tolist() == [102.0]


def test_dexcom_refuses_a_unit_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="mmol/L"):
        dexcom.payload({"unit": "mmol/L", "egvs": []}, DAY)


@pytest.mark.parametrize(
    ("mapping", "raw", "kept"),
    [
        (fitbit.payload, heart([{"time": "late", "value": 60.0}, {}, {"time": "08:00:00", "value": 61.0}]), [61.0]),
        (oura.payload, {"heart_rate": [{"bpm": 60}, None, {"timestamp": "2026-11-10T08:00:00", "bpm": 61}]}, [61.0]),
        (garmin.payload, {"hr": [{"heartRateValues": [[1], ["x", 2], [1_000, 61.0]]}]}, [61.0]),
        (
            dexcom.payload,
            {
                "unit": "mg/dL",
                "egvs": [
                    {"value": 99},
                    {"displayTime": "2026-11-10T08:00:00", "value": "low"},
                    {"displayTime": "2026-11-10T08:00:00", "value": 99.0},
                ],
            },
            [99.0],
        ),
    ],
)
def test_a_sample_that_cannot_be_read_leaves_the_others(
    mapping: Callable[[Mapping[str, Any], Day], Payload], raw: dict[str, Any], kept: list[float]
) -> None:
    day = Day(DAY.on, AMSTERDAM, SOURCE)
    (batch,) = mapping(raw, day).samples
    assert (batch.value.tolist(), day.skipped[UNREADABLE]) == (kept, 2)


def test_a_night_that_cannot_be_read_leaves_the_others() -> None:
    day = Day(DAY.on, AMSTERDAM, SOURCE)
    unfinished = log(logId=1)
    del unfinished["endTime"]
    found = fitbit.payload({"sleep": [{"sleep": [unfinished, log()]}]}, day)
    assert ([night.external_id for night in found.sleep], day.skipped) == (["123456789"], {UNREADABLE: 1})


def test_a_stage_of_an_unknown_level_leaves_the_night() -> None:
    data = [{"level": "twilight", "seconds": 600}, {"level": "light", "seconds": 9000}]
    (night,) = fitbit.payload({"sleep": [{"sleep": [log(levels={"data": data})]}]}, DAY).sleep
    assert [(stage.seconds, stage.stage) for stage in night.stages][:1] == [(9000, "light")]


def test_an_empty_day_is_an_empty_payload() -> None:
    for mapping in (fitbit.payload, oura.payload, garmin.payload):
        assert mapping({}, DAY) == Payload()


def test_clock_times_of_a_day_are_read_in_one_go() -> None:
    assert clock_times(0, ["00:00:01", "12:34:56"]).tolist() == [1_000_000, 45_296_000_000]
    assert unwrapped(np.array([5, 6, 1, 2])).tolist() == [5, 6, 86_400_000_001, 86_400_000_002]
