"""JSON to columns: units, times, sources, what is left out, and what is no page."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import pytest

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.google_health.assembly import NOT_COMPUTED
from ingestion.providers.google_health.data_types import DATA_TYPES
from ingestion.providers.google_health.decode import Origin, page
from ingestion.providers.google_health.times import NO_OFFSET, instants
from ingestion.providers.missing_values import HALF, MINUS_ONE, NO_VALUE, ZERO
from metrics.batch import SampleBatch, SourceKey, microseconds
from metrics.local_time import LocalCalendar
from tests.ingestion.providers.google_health.points import (
    CHARGE,
    DAY,
    ORIGIN,
    PHONE,
    assembled,
    body,
    daily,
    heart_rate,
    interval,
    sample,
)

HEART_RATE = DATA_TYPES["heart-rate"]


def at(hour: int, minute: int, second: int = 0) -> int:
    return microseconds(dt.datetime(2026, 11, 20, hour, minute, second, tzinfo=dt.UTC))


def only(samples: list[SampleBatch]) -> SampleBatch:
    assert len(samples) == 1
    return samples[0]


def test_heart_rates_come_out_in_order_of_time(calendar: LocalCalendar) -> None:
    batch = only(
        assembled("heart-rate", calendar, heart_rate("13:05:14", "73"), heart_rate("13:05:12")).payload.samples
    )
    assert batch.metric == "heart_rate"
    assert batch.time.tolist() == [at(13, 5, 12), at(13, 5, 14)]
    assert batch.value.tolist() == [71.0, 73.0]
    assert batch.seconds is None


def test_a_source_is_platform_and_device(calendar: LocalCalendar) -> None:
    batch = only(assembled("heart-rate", calendar, heart_rate("13:05:12")).payload.samples)
    assert batch.source == SourceKey("google_health", "FITBIT", "Charge 6")


def test_points_of_the_same_instant_stay_apart_by_source(calendar: LocalCalendar) -> None:
    points = heart_rate("13:05:12", "71"), heart_rate("13:05:12", "90", PHONE)
    found = {
        b.source.device_model: b.value.tolist() for b in assembled("heart-rate", calendar, *points).payload.samples
    }
    assert found == {"Charge 6": [71.0], "MobileTrack": [90.0]}


def test_the_order_of_members_in_a_source_makes_no_other_source(calendar: LocalCalendar) -> None:
    backwards = dict(reversed(CHARGE.items()))
    points = heart_rate("13:05:12"), heart_rate("13:05:14", source=backwards)
    assert len(only(assembled("heart-rate", calendar, *points).payload.samples)) == 2


def test_two_applications_that_pass_on_one_device_are_two_sources(calendar: LocalCalendar) -> None:
    def through(package: str) -> dict[str, object]:
        device = {"manufacturer": "Acme", "formFactor": "WATCH"}
        return {"platform": "HEALTH_CONNECT", "device": device, "application": {"packageName": package}}

    points = heart_rate("13:05:12", source=through("org.a")), heart_rate("13:05:12", source=through("org.b"))
    sources = {b.source for b in assembled("heart-rate", calendar, *points).payload.samples}
    assert sources == {
        SourceKey("google_health", "HEALTH_CONNECT/org.a", "Acme WATCH"),
        SourceKey("google_health", "HEALTH_CONNECT/org.b", "Acme WATCH"),
    }


@pytest.mark.parametrize(
    ("told", "platform", "model"),
    [
        ({"device": {"formFactor": "FORM_FACTOR_UNSPECIFIED"}}, "", ""),
        ({"device": {"formFactor": "FORM_FACTOR_UNSPECIFIED", "manufacturer": "Acme"}}, "", "Acme"),
        ({"platform": "PLATFORM_UNSPECIFIED", "device": {"displayName": "Charge 6"}}, "", "Charge 6"),
        ({"platform": "FITBIT", "device": {"formFactor": "WATCH"}}, "FITBIT", "WATCH"),
    ],
)
def test_a_text_for_not_told_is_no_name(
    calendar: LocalCalendar, told: dict[str, object], platform: str, model: str
) -> None:
    batch = only(assembled("heart-rate", calendar, heart_rate("13:05:12", source=told)).payload.samples)
    assert batch.source == SourceKey("google_health", platform, model)


@pytest.mark.parametrize(
    ("application", "platform"),
    [
        ({"packageName": "org.a", "webClientId": "web", "googleWebClientId": "own"}, "FITBIT/org.a"),
        ({"webClientId": "web", "googleWebClientId": "own"}, "FITBIT/web"),
        ({"googleWebClientId": "own"}, "FITBIT/own"),
        ({}, "FITBIT"),
    ],
)
def test_an_application_is_known_by_the_first_of_its_ids(application: dict[str, str], platform: str) -> None:
    source = {"platform": "FITBIT", "application": application}
    assert page(HEART_RATE, body(heart_rate("13:05:12", source=source)), ORIGIN).sources == [
        SourceKey("google_health", platform)
    ]


def test_an_application_without_a_platform_stands_alone() -> None:
    source = {"application": {"packageName": "org.a"}}
    assert page(HEART_RATE, body(heart_rate("13:05:12", source=source)), ORIGIN).sources[0].platform == "org.a"


def test_a_device_s_own_name_is_its_model_before_what_it_is_described_by() -> None:
    device = {"displayName": "Charge 6", "manufacturer": "Acme", "formFactor": "WATCH"}
    found = page(HEART_RATE, body(heart_rate("13:05:12", source={"device": device})), ORIGIN)
    assert found.sources[0].device_model == "Charge 6"


def test_names_are_as_long_as_their_columns() -> None:
    source = {"platform": "P" * 100, "device": {"displayName": "M" * 100}}
    (found,) = page(HEART_RATE, body(heart_rate("13:05:12", source=source)), ORIGIN).sources
    assert (found.platform, found.device_model) == ("P" * 60, "M" * 80)


def test_data_of_a_simulator_are_marked_synthetic() -> None:
    assert page(HEART_RATE, body(heart_rate("13:05:12")), Origin("pretended", synthetic=True)).sources[0].synthetic

    assert not page(HEART_RATE, body(heart_rate("13:05:12")), Origin("vendor")).sources[0].synthetic


def test_of_one_source_at_one_instant_the_highest_comes_last_whatever_the_order(calendar: LocalCalendar) -> None:
    points = [heart_rate("13:05:12", "80"), heart_rate("13:05:12", "71")]
    for order in (points, points[::-1]):
        batch = only(assembled("heart-rate", calendar, *order).payload.samples)
        assert batch.value.tolist() == [71.0, 80.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T13:05:12Z", at(13, 5, 12)),
        ("2026-11-20T13:05:12.5Z", at(13, 5, 12) + 500_000),
        ("2026-11-20T13:05:12.123Z", at(13, 5, 12) + 123_000),
        ("2026-11-20T13:05:12.123456789Z", at(13, 5, 12) + 123_456),
        ("2026-11-20T14:05:12+01:00", at(13, 5, 12)),
    ],
)
def test_times_are_read_to_the_microsecond(text: str, expected: int) -> None:
    found, wrong = instants([text, "2026-11-20T13:05:12Z"])
    assert found.tolist() == [expected, at(13, 5, 12)]
    assert not wrong.any()


@pytest.mark.parametrize("text", ["", "2026-11-20", "2026-11-20T13:05:12", "yesterday", "2026-13-20T13:05:12Z"])
def test_a_time_that_is_none_spoils_no_other(text: str) -> None:
    found, wrong = instants(["2026-11-20T13:05:12Z", text])
    assert (found[0], wrong.tolist()) == (at(13, 5, 12), [False, True])


def test_steps_keep_the_length_of_their_interval_and_zero_where_google_leaves_it_out(calendar: LocalCalendar) -> None:
    points = interval("steps", "13:06:00", "13:07:00"), interval("steps", "13:05:00", "13:06:00", count="12")
    batch = only(assembled("steps", calendar, *points).payload.samples)
    assert batch.value.tolist() == [12.0, 0.0]
    assert batch.seconds is not None
    assert batch.seconds.tolist() == [60, 60]


def test_distance_comes_in_metres(calendar: LocalCalendar) -> None:
    point = interval("distance", "13:05:00", "13:06:00", millimeters="12345")
    assert only(assembled("distance", calendar, point).payload.samples).value.tolist() == [12.345]


def test_weight_comes_in_kilograms(calendar: LocalCalendar) -> None:
    point = sample("weight", "06:20:00", weightGrams=71250)
    assert only(assembled("weight", calendar, point).payload.samples).value.tolist() == [71.25]


def test_zone_minutes_of_one_minute_are_added_up(calendar: LocalCalendar) -> None:
    points = (
        interval("activeZoneMinutes", "13:05:00", "13:06:00", activeZoneMinutes="2", heartRateZone="CARDIO"),
        interval("activeZoneMinutes", "13:05:00", "13:06:00", activeZoneMinutes="1", heartRateZone="FAT_BURN"),
        interval("activeZoneMinutes", "13:06:00", "13:07:00", activeZoneMinutes="1", heartRateZone="A_NEW_ZONE"),
    )
    batch = only(assembled("active-zone-minutes", calendar, *points).payload.samples)
    assert batch.value.tolist() == [3.0, 1.0]


def test_heart_rate_variability_brings_two_metrics_over_five_minutes(calendar: LocalCalendar) -> None:
    values = {"rootMeanSquareOfSuccessiveDifferencesMilliseconds": 41.7, "standardDeviationMilliseconds": 50.25}
    point = sample("heartRateVariability", "02:10:00", **values)
    batches = assembled("heart-rate-variability", calendar, point).payload.samples
    assert {b.metric: b.value.tolist() for b in batches} == {"hrv_rmssd": [41.7], "hrv_sdnn": [50.25]}
    assert all(b.seconds is not None and b.seconds.tolist() == [300] for b in batches)


def test_a_page_s_columns_stand_beside_each_other() -> None:
    points = heart_rate("13:05:12", "71", PHONE), heart_rate("13:05:14", "73"), heart_rate("13:05:16", "75", PHONE, "")
    found = page(HEART_RATE, body(*points, token="more"), ORIGIN)
    assert found.time.tolist() == [at(13, 5, 12), at(13, 5, 14), at(13, 5, 16)]
    assert [column.tolist() for column in found.values] == [[71.0, 73.0, 75.0]]
    assert found.codes.tolist() == [0, 1, 0]
    assert [source.device_model for source in found.sources] == ["MobileTrack", "Charge 6"]
    assert found.offset.tolist() == [3600, 3600, NO_OFFSET]
    assert (found.seconds, found.token, found.count, found.sent) == (None, "more", 3, 3)
    assert {found.codes.dtype, found.offset.dtype} == {np.dtype(np.int32)}


def test_a_page_of_days_tells_dates_and_no_clock() -> None:
    found = page(
        DATA_TYPES["daily-resting-heart-rate"], body(daily("dailyRestingHeartRate", beatsPerMinute="57")), ORIGIN
    )
    assert found.time.tolist() == [(dt.date(2026, 11, 20) - dt.date(1970, 1, 1)).days]
    assert (found.seconds, found.offset.tolist(), found.offset.dtype) == (None, [NO_OFFSET], np.dtype(np.int32))


@pytest.mark.parametrize("gone", ["year", "month", "day"])
def test_a_date_of_which_a_part_is_left_out_is_none(gone: str) -> None:
    point = daily("dailyRestingHeartRate", beatsPerMinute="57")
    point["dailyRestingHeartRate"]["date"] = {name: part for name, part in DAY.items() if name != gone}
    with pytest.raises(BrokenResponse, match="not_a_date"):
        page(DATA_TYPES["daily-resting-heart-rate"], body(point), ORIGIN)


def test_points_of_every_source_that_cannot_be_read_are_left_out() -> None:
    wrong = [heart_rate("13:05:12", source={"platform": [number]}) for number in (1, 2, 2)]
    good = heart_rate("13:05:14", "73")
    found = page(HEART_RATE, body(wrong[0], good, *wrong[1:]), ORIGIN)
    assert (found.values[0].tolist(), found.unreadable) == ([73.0], {"unexpected_shape": 3})
    assert found.sources[found.codes[0]].device_model == "Charge 6"


def test_what_was_not_computed_is_skipped_and_counted(calendar: LocalCalendar) -> None:
    result = assembled(
        "heart-rate-variability",
        calendar,
        sample("heartRateVariability", "02:10:00", rootMeanSquareOfSuccessiveDifferencesMilliseconds=0),
        sample("heartRateVariability", "02:15:00", rootMeanSquareOfSuccessiveDifferencesMilliseconds=-1),
        sample("heartRateVariability", "02:20:00", rootMeanSquareOfSuccessiveDifferencesMilliseconds=-7),
    )
    assert result.payload.samples == []
    assert result.skipped == {ZERO: 1, MINUS_ONE: 1, NOT_COMPUTED: 1, NO_VALUE: 3}


@pytest.mark.parametrize(
    ("code", "payload", "member", "marker", "reason"),
    [
        ("steps", "steps", "count", -1, MINUS_ONE),
        ("oxygen-saturation", "oxygenSaturation", "percentage", 50.0, HALF),
        ("weight", "weight", "weightGrams", 0, ZERO),
    ],
)
def test_markers_of_no_value_are_skipped_and_counted(
    calendar: LocalCalendar, code: str, payload: str, member: str, marker: float, reason: str
) -> None:
    if code == "steps":
        point = interval(payload, "13:05:00", "13:06:00", **{member: marker})
    else:
        point = sample(payload, "13:05:00", **{member: marker})
    result = assembled(code, calendar, point)
    assert (result.payload.samples, result.skipped) == ([], {reason: 1})


def test_a_count_of_zero_that_is_left_out_is_a_zero(calendar: LocalCalendar) -> None:
    result = assembled("steps", calendar, interval("steps", "13:05:00", "13:06:00"))
    assert only(result.payload.samples).value.tolist() == [0.0]
    assert not result.skipped


def test_a_daily_value_is_dated_to_the_first_instant_of_its_local_day(calendar: LocalCalendar) -> None:
    point = daily("dailyRestingHeartRate", beatsPerMinute="57")
    batch = only(assembled("daily-resting-heart-rate", calendar, point).payload.samples)
    assert batch.time.tolist() == [microseconds(dt.datetime(2026, 11, 19, 23, tzinfo=dt.UTC))]
    assert batch.seconds is not None
    assert batch.seconds.tolist() == [86_400]
    assert batch.source == SourceKey("google_health")


def test_a_local_day_follows_the_clock_of_the_device() -> None:
    landed = microseconds(dt.datetime(2026, 11, 18, tzinfo=dt.UTC))
    abroad = LocalCalendar(zoneinfo.ZoneInfo("Europe/Berlin"), [(landed, -5 * 3600)])
    batch = only(
        assembled(
            "daily-resting-heart-rate", abroad, daily("dailyRestingHeartRate", beatsPerMinute="57")
        ).payload.samples
    )
    assert batch.time.tolist() == [microseconds(dt.datetime(2026, 11, 20, 5, tzinfo=dt.UTC))]


def test_skin_temperature_is_the_night_against_its_baseline(calendar: LocalCalendar) -> None:
    values = {"nightlyTemperatureCelsius": 32.5, "baselineTemperatureCelsius": 33.0}
    point = daily("dailySleepTemperatureDerivations", **values)
    batch = only(assembled("daily-sleep-temperature-derivations", calendar, point).payload.samples)
    assert batch.metric == "skin_temperature_deviation"
    assert batch.value.tolist() == [-0.5]


def test_a_night_without_a_baseline_has_no_deviation(calendar: LocalCalendar) -> None:
    point = daily("dailySleepTemperatureDerivations", nightlyTemperatureCelsius=32.5)
    assert assembled("daily-sleep-temperature-derivations", calendar, point).payload.samples == []


def test_offsets_are_told_at_the_first_point_and_at_changes_only(calendar: LocalCalendar) -> None:
    points = [
        heart_rate("13:05:20", offset="-18000s"),
        heart_rate("13:05:18", offset="-18000s"),
        heart_rate("13:05:16", offset=""),
        heart_rate("13:05:14"),
        heart_rate("13:05:12"),
    ]
    assert assembled("heart-rate", calendar, *points).offsets == [(at(13, 5, 12), 3600), (at(13, 5, 18), -18000)]


def test_members_and_values_we_do_not_know_are_passed_over(calendar: LocalCalendar) -> None:
    point = heart_rate("13:05:12", source={"platform": "A_NEW_ONE", "device": {"displayName": "X", "color": "red"}})
    point |= {"novelty": [1, {"a": None}]}
    point["heartRate"] |= {"metadata": {"motionContext": "SWIMMING"}}
    assert only(assembled("heart-rate", calendar, point).payload.samples).source.platform == "A_NEW_ONE"


@pytest.mark.parametrize("empty", [b"{}", b'{"dataPoints":[]}', b' {"dataPoints": [], "nextPageToken": ""}\n'])
def test_an_empty_answer_is_an_empty_page(empty: bytes) -> None:
    found = page(HEART_RATE, empty, ORIGIN)
    assert (found.count, found.token) == (0, "")


def test_an_empty_page_may_name_another() -> None:
    assert page(HEART_RATE, b'{"nextPageToken":"more"}', ORIGIN).token == "more"


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (b"", "not_json"),
        (b"<html>502</html>", "not_json"),
        (body(heart_rate("13:05:12"))[:-20], "not_json"),
        (b'{"dataPoints":[', "not_json"),
        (b'{"error":{"code":503,"status":"UNAVAILABLE"}}', "error_in_body"),
        (b'{"dataPoints":[],"error":{"code":503}}', "error_in_body"),
        (b'{"error":"down"}', "error_in_body"),
        (b'{"reconciledDataPoints":[]}', "unexpected_shape"),
        (b"[]", "unexpected_shape"),
        (b"null", "unexpected_shape"),
        (b'{"dataPoints":{}}', "unexpected_shape"),
        (b'{"dataPoints":[{}]}', "unexpected_shape"),
        (b'{"dataPoints":[{"steps":{"count":"3"}}]}', "unexpected_shape"),
        (b'{"dataPoints":[{"heartRate":{"beatsPerMinute":"71"}}]}', "unexpected_shape"),
        (b'{"nextPageToken":"\xff"}', "not_json"),
    ],
)
def test_what_is_no_page_is_never_an_empty_one(broken: bytes, code: str) -> None:
    with pytest.raises(BrokenResponse) as caught:
        page(HEART_RATE, broken, ORIGIN)
    assert caught.value.code == code


def test_a_page_of_a_heart_rate_without_its_number_is_none() -> None:
    point = heart_rate("13:05:12")
    del point["heartRate"]["beatsPerMinute"]
    with pytest.raises(BrokenResponse, match="value_missing"):
        page(HEART_RATE, body(point), ORIGIN)


def test_a_page_of_a_date_that_is_none_is_none() -> None:
    point = daily("dailyRestingHeartRate", beatsPerMinute="57") | {}
    point["dailyRestingHeartRate"]["date"] = DAY | {"month": 13}
    with pytest.raises(BrokenResponse, match="not_a_date"):
        page(DATA_TYPES["daily-resting-heart-rate"], body(point), ORIGIN)


def test_a_page_of_an_interval_that_ends_before_it_starts_is_none() -> None:
    with pytest.raises(BrokenResponse, match="interval_ends_before_it_starts"):
        page(DATA_TYPES["steps"], body(interval("steps", "13:06:00", "13:05:00")), ORIGIN)


def test_nothing_a_person_measured_stands_in_an_error() -> None:
    point = heart_rate("13:05:12", "secret-value")
    with pytest.raises(BrokenResponse) as caught:
        page(HEART_RATE, body(point), ORIGIN)
    assert "secret-value" not in repr(caught.value) + str(caught.value.__cause__)


def test_a_page_of_five_thousand_points_loses_none(calendar: LocalCalendar) -> None:
    start = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    stamps = [(start + dt.timedelta(seconds=2 * i)).strftime("%Y-%m-%dT%H:%M:%SZ") for i in range(5000)]
    batch = only(assembled("heart-rate", calendar, *(heart_rate(stamp) for stamp in reversed(stamps))).payload.samples)
    assert len(batch) == 5000
    assert np.all(np.diff(batch.time) == 2_000_000)
