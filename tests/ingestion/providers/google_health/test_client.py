"""The provider over real HTTP: what it asks, what it makes of the answers, what it tries again."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from django.core.cache.backends.base import BaseCache

from ingestion.providers.base.errors import BrokenResponse, TokenExpired, VendorBusy
from ingestion.providers.base.live import Fingerprint, LiveProvider
from ingestion.providers.google_health.client import GoogleHealth
from ingestion.providers.google_health.config import GOOGLE_WEARABLES, GoogleConfig
from ingestion.providers.google_health.data_types import DATA_TYPES
from metrics.batch import SourceKey, microseconds
from metrics.local_time import LocalCalendar
from metrics.registry import BY_CODE
from tests.ingestion.providers.google_health.points import body, daily, heart_rate, interval
from tests.ingestion.providers.google_health.server import CannedResponse, FakeGoogle, ReceivedRequest

START, END = dt.datetime(2026, 11, 20, 13, tzinfo=dt.UTC), dt.datetime(2026, 11, 20, 14, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
HEART_RATE = "/v4/users/me/dataTypes/heart-rate/dataPoints"
STEPS = "/v4/users/me/dataTypes/steps/dataPoints"
Pull = Callable[..., Any]


@pytest.fixture
def pull(provider: GoogleHealth, calendar: LocalCalendar) -> Pull:
    def pulled(data_type: str = "heart-rate", start: dt.datetime = START, end: dt.datetime = END) -> Any:
        return provider.pull("token-1", data_type, start, end, calendar)

    return pulled


def test_it_is_a_live_provider(provider: GoogleHealth) -> None:
    live: LiveProvider = provider
    assert live.slug == "google_health"


def test_every_metric_that_a_data_type_names_is_ours_and_is_brought() -> None:
    for data_type in DATA_TYPES.values():
        assert set(data_type.metrics) == {member.metric for member in data_type.members}
        assert set(data_type.metrics) <= set(BY_CODE)


def test_a_pull_asks_for_exactly_its_window_with_the_token(google: FakeGoogle, pull: Pull) -> None:
    google.on(HEART_RATE, CannedResponse())
    pull()
    (asked,) = google.asked
    assert asked.headers["Authorization"] == "Bearer token-1"
    assert asked.query["filter"] == (
        'heart_rate.sample_time.physical_time >= "2026-11-20T13:00:00Z"'
        ' AND heart_rate.sample_time.physical_time < "2026-11-20T14:00:00Z"'
    )
    assert asked.query["pageSize"] == "10000"
    assert "gzip" in asked.headers["Accept-Encoding"]


def test_a_pull_brings_samples_offsets_and_what_it_cost(google: FakeGoogle, pull: Pull) -> None:
    content = body(heart_rate("13:05:14"), heart_rate("13:05:12"))
    packed = gzip.compress(content)
    google.on(HEART_RATE, CannedResponse(packed, headers={"Content-Encoding": "gzip"}))
    found = pull()
    assert [len(batch) for batch in found.payload.samples] == [2]
    assert found.payload.offsets == []
    assert found.offsets == [(microseconds(START) + 312_000_000, 3600)]
    assert (found.points, found.requests, found.bytes, found.wire_bytes) == (2, 1, len(content), len(packed))


def test_an_empty_answer_is_nothing_and_no_error(google: FakeGoogle, pull: Pull) -> None:
    google.on(HEART_RATE, CannedResponse({}))
    found = pull()
    assert (found.payload.samples, found.points) == ([], 0)


def test_a_window_that_does_not_fit_one_page_is_asked_for_in_parts(google: FakeGoogle, pull: Pull) -> None:
    whole = 'physical_time >= "2026-11-20T13:00:00Z"', 'physical_time < "2026-11-20T14:00:00Z"'

    def answer(asked: ReceivedRequest) -> CannedResponse:
        early, late = (edge in asked.query["filter"] for edge in whole)
        points = [heart_rate("13:45:00")] * late + [heart_rate("13:15:00")] * early
        return CannedResponse(body(*points, token="more" if early and late else ""))

    google.on(HEART_RATE, answer)
    found = pull()
    assert (found.points, found.requests) == (2, 3)
    assert all("pageToken" not in asked.query for asked in google.asked)


def test_an_empty_page_with_a_token_is_followed_with_the_same_query(google: FakeGoogle, pull: Pull) -> None:
    google.on(HEART_RATE, CannedResponse({"nextPageToken": "more"}), CannedResponse(body(heart_rate("13:05:12"))))
    assert pull().points == 1
    first, second = google.asked
    assert second.query == first.query | {"pageToken": "more"}


def test_the_mask_of_fields_and_the_family_are_switches(
    google: FakeGoogle, http: httpx.Client, config: GoogleConfig, cache: BaseCache, calendar: LocalCalendar
) -> None:
    google.on(HEART_RATE, CannedResponse())
    google.on("/v4/users/me/dataTypes/sleep/dataPoints", CannedResponse())
    plain = replace(config, use_fields=False, page_size=500)
    wearables = replace(config, data_source_family=GOOGLE_WEARABLES)
    for settings, data_type in ((plain, "heart-rate"), (wearables, "heart-rate"), (wearables, "sleep")):
        GoogleHealth(settings, http, cache=cache).pull("t", data_type, START, END, calendar)
    bare, family, sleep = (asked.query for asked in google.asked)
    assert "fields" not in bare
    assert "dataSourceFamily" not in bare
    assert bare["pageSize"] == "500"
    assert family["dataSourceFamily"] == "users/me/dataSourceFamilies/google-wearables"
    assert "heartRate(sampleTime(physicalTime,utcOffset),beatsPerMinute)" in family["fields"]
    assert "dataSourceFamily" not in sleep  # it refuses it
    assert sleep["pageSize"] == "25"


def test_daily_values_are_asked_for_by_the_local_days_that_the_window_touches(google: FakeGoogle, pull: Pull) -> None:
    path = "/v4/users/me/dataTypes/daily-resting-heart-rate/dataPoints"
    google.on(path, CannedResponse(body(daily("dailyRestingHeartRate", beatsPerMinute="57"))))
    start = dt.datetime(2026, 11, 19, 23, tzinfo=dt.UTC)  # midnight in Berlin
    found = pull("daily-resting-heart-rate", start, start + DAY)
    assert google.asked[0].query["filter"] == (
        'daily_resting_heart_rate.date >= "2026-11-20" AND daily_resting_heart_rate.date < "2026-11-21"'
    )
    assert found.payload.samples[0].time.tolist() == [microseconds(start)]


def test_nights_are_asked_for_by_their_end(google: FakeGoogle, pull: Pull) -> None:
    google.on("/v4/users/me/dataTypes/sleep/dataPoints", CannedResponse())
    pull("sleep", START, START + DAY)
    assert google.asked[0].query["filter"] == (
        'sleep.interval.end_time >= "2026-11-20T13:00:00Z" AND sleep.interval.end_time < "2026-11-21T13:00:00Z"'
    )


def test_exercise_is_asked_for_by_every_wall_clock_and_kept_by_its_start(google: FakeGoogle, pull: Pull) -> None:
    spans = [{"startTime": f"2026-11-20T{hour}:00:00Z", "endTime": "2026-11-20T18:00:00Z"} for hour in (12, 13)]
    early, late = ({"name": span["startTime"], "exercise": {"interval": span}} for span in spans)
    google.on("/v4/users/me/dataTypes/exercise/dataPoints", CannedResponse(body(late, early)))
    found = pull("exercise", START, START + DAY)
    assert google.asked[0].query["filter"] == (
        'exercise.interval.civil_start_time >= "2026-11-19T23:00:00" '
        'AND exercise.interval.civil_start_time < "2026-11-22T03:00:00"'
    )
    assert [one.external_id for one in found.payload.exercise] == ["2026-11-20T13:00:00Z"]
    assert found.points == 1


def test_calories_come_by_whole_minutes_from_rollups(google: FakeGoogle, pull: Pull) -> None:
    windows = [
        {"startTime": "2026-11-20T13:01:00Z", "endTime": "2026-11-20T13:02:00Z", "totalCalories": {"kcalSum": 1.25}},
        {"startTime": "2026-11-20T13:00:00Z", "endTime": "2026-11-20T13:01:00Z", "totalCalories": {}},
    ]
    google.on("/v4/users/me/dataTypes/total-calories/dataPoints:rollUp", CannedResponse({"rollupDataPoints": windows}))
    found = pull("total-calories", START, START + dt.timedelta(seconds=150))
    (asked,) = google.asked
    assert asked.method == "POST"
    assert asked.json == {
        "range": {"startTime": "2026-11-20T13:00:00Z", "endTime": "2026-11-20T13:02:00Z"},
        "windowSize": "60s",
        "pageSize": 2,
    }
    (batch,) = found.payload.samples
    assert (batch.metric, batch.source) == ("energy", SourceKey("google_health"))
    assert batch.time.tolist() == [microseconds(START), microseconds(START) + 60_000_000]
    assert batch.value.tolist() == [0.0, 1.25]
    assert batch.seconds.tolist() == [60, 60]


def test_fingerprints_are_of_the_whole_hours_that_the_span_touches(google: FakeGoogle, provider: GoogleHealth) -> None:
    figures = {"beatsPerMinuteAvg": 58.2, "beatsPerMinuteMax": 64, "beatsPerMinuteMin": 55}
    window = {"startTime": "2026-11-20T13:00:00Z", "endTime": "2026-11-20T14:00:00Z", "heartRate": figures}
    google.on(f"{HEART_RATE}:rollUp", CannedResponse({"rollupDataPoints": [window]}))
    half = dt.timedelta(minutes=30)
    found = provider.fingerprints("t", "heart-rate", START + half, END + half)
    assert google.asked[0].json["range"] == {"startTime": "2026-11-20T13:00:00Z", "endTime": "2026-11-20T15:00:00Z"}
    assert found == {START: Fingerprint(mean=58.2, low=55.0, high=64.0)}


def test_fingerprints_of_sums_add_their_parts(google: FakeGoogle, provider: GoogleHealth) -> None:
    figures = {"sumInFatBurnHeartZone": "3", "sumInPeakHeartZone": "4"}
    window = {"startTime": "2026-11-20T13:00:00Z", "endTime": "2026-11-20T14:00:00Z", "activeZoneMinutes": figures}
    google.on(
        "/v4/users/me/dataTypes/active-zone-minutes/dataPoints:rollUp", CannedResponse({"rollupDataPoints": [window]})
    )
    assert provider.fingerprints("t", "active-zone-minutes", START, END) == {START: Fingerprint(total=7.0)}


def test_a_long_span_of_fingerprints_keeps_to_the_limit_of_fourteen_days(
    google: FakeGoogle, provider: GoogleHealth
) -> None:
    google.on(f"{HEART_RATE}:rollUp", CannedResponse({}))
    provider.fingerprints("t", "heart-rate", START, START + 20 * DAY)
    assert [asked.json["pageSize"] for asked in google.asked] == [14 * 24, 6 * 24]


def test_a_rollup_that_names_another_page_is_followed(google: FakeGoogle, provider: GoogleHealth) -> None:
    window = {"startTime": "2026-11-20T13:00:00Z", "endTime": "2026-11-20T14:00:00Z", "steps": {"countSum": "9"}}
    google.on(
        f"{STEPS}:rollUp", CannedResponse({"nextPageToken": "more"}), CannedResponse({"rollupDataPoints": [window]})
    )
    assert provider.fingerprints("t", "steps", START, END) == {START: Fingerprint(total=9.0)}
    assert google.asked[1].json["pageToken"] == "more"


def test_identity_is_the_stable_id_and_the_legacy_one(google: FakeGoogle, provider: GoogleHealth) -> None:
    answer = {"name": "users/me/identity", "healthUserId": "7100000000000000001", "legacyUserId": "9ZZZ99"}
    google.on("/v4/users/me/identity", CannedResponse(answer))
    found = provider.identity("t")
    assert (found.user_id, found.legacy_id) == ("7100000000000000001", "9ZZZ99")


@pytest.mark.parametrize("answer", [{}, {"error": {"code": 500}}])
def test_an_identity_without_an_id_is_broken(google: FakeGoogle, provider: GoogleHealth, answer: Any) -> None:
    google.on("/v4/users/me/identity", CannedResponse(answer))
    with pytest.raises(BrokenResponse):
        provider.identity("t")


def test_settings_tell_the_time_zone(google: FakeGoogle, provider: GoogleHealth) -> None:
    google.on(
        "/v4/users/me/settings",
        CannedResponse({"name": "users/me/settings", "timeZone": "Europe/Berlin", "utcOffset": "3600s"}),
    )
    found = provider.settings("t")
    assert (found.time_zone, found.utc_offset) == ("Europe/Berlin", 3600)


def test_devices_tell_battery_and_last_sync_over_all_pages(google: FakeGoogle, provider: GoogleHealth) -> None:
    tracker = {
        "name": "users/71/pairedDevices/123",
        "deviceType": "TRACKER",
        "deviceVersion": "Charge 6",
        "batteryStatus": "High",
        "batteryLevel": 81,
        "lastSyncTime": "2026-11-20T13:10:41Z",
        "macAddress": "00AA11BB22CC",
    }
    scale = {"name": "users/71/pairedDevices/9", "deviceType": "SCALE", "batteryStatus": "Empty"}
    google.on(
        "/v4/users/me/pairedDevices",
        CannedResponse({"pairedDevices": [tracker], "nextPageToken": "more"}),
        CannedResponse({"pairedDevices": [scale]}),
    )
    first, second = provider.devices("t")
    assert (first.external_id, first.model, first.kind, first.battery_percent) == ("123", "Charge 6", "TRACKER", 81)
    assert first.last_sync_at == dt.datetime(2026, 11, 20, 13, 10, 41, tzinfo=dt.UTC)
    assert (second.kind, second.battery_percent, second.last_sync_at) == ("SCALE", 0, None)


@pytest.mark.parametrize(
    ("device", "kind", "model"),
    [
        ({"deviceType": "TRACKER", "deviceVersion": "Charge 6"}, "TRACKER", "Charge 6"),
        ({"deviceType": "WATCH", "deviceVersion": "Pixel Watch 3"}, "WATCH", "Pixel Watch 3"),
        ({"deviceType": "SCALE", "deviceVersion": "Aria Air"}, "SCALE", "Aria Air"),
        ({"deviceType": "DEVICE_TYPE_UNSPECIFIED", "deviceVersion": "DEVICE_VERSION_UNSPECIFIED"}, "UNKNOWN", ""),
        ({"deviceType": "HOVERBOARD", "deviceVersion": "X"}, "UNKNOWN", "X"),
        ({"deviceVersion": "Y", "features": ["HEART_RATE"]}, "TRACKER", "Y"),
        ({"deviceVersion": "Y", "features": ["WEIGHT"]}, "UNKNOWN", "Y"),
        ({"deviceType": "SCALE", "features": ["HEART_RATE"]}, "SCALE", ""),
        ({"deviceType": "TRACKER", "deviceVersion": "MobileTrack"}, "OTHER", "MobileTrack"),
    ],
)
def test_a_device_is_of_the_kind_that_its_vendor_says(
    google: FakeGoogle, provider: GoogleHealth, device: dict[str, Any], kind: str, model: str
) -> None:
    google.on(
        "/v4/users/me/pairedDevices",
        CannedResponse({"pairedDevices": [{"name": "users/71/pairedDevices/1", **device}]}),
    )
    (found,) = provider.devices("t")
    assert (found.kind, found.model) == (kind, model)


def test_a_battery_that_is_not_told_has_no_label(google: FakeGoogle, provider: GoogleHealth) -> None:
    device = {"name": "users/71/pairedDevices/1", "batteryStatus": "BATTERY_STATUS_UNSPECIFIED"}
    google.on("/v4/users/me/pairedDevices", CannedResponse({"pairedDevices": [device]}))
    assert provider.devices("t")[0].battery_status == ""


# --- trouble -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_blip_of_the_server_is_tried_again(google: FakeGoogle, pull: Pull, pauses: list[float], status: int) -> None:
    google.on(HEART_RATE, CannedResponse({}, status), CannedResponse(body(heart_rate("13:05:12"))))
    found = pull()
    assert (found.points, found.requests) == (1, 2)
    assert len(pauses) == 1
    assert pauses[0] < 1


def test_a_server_that_stays_down_breaks_the_answer(google: FakeGoogle, pull: Pull, pauses: list[float]) -> None:
    google.on(HEART_RATE, CannedResponse({"error": {"code": 500, "status": "INTERNAL"}}, 500))
    with pytest.raises(BrokenResponse, match="internal"):
        pull()
    assert len(google.asked) == 3
    assert sum(pauses) < 5


def test_a_body_that_ends_early_is_tried_again_and_never_taken_for_an_empty_one(google: FakeGoogle, pull: Pull) -> None:
    whole = body(heart_rate("13:05:12"))
    google.on(HEART_RATE, CannedResponse(whole, cut=30), CannedResponse(whole))
    assert pull().points == 1
    google.on(HEART_RATE, CannedResponse(whole, cut=30))
    with pytest.raises(BrokenResponse, match="connection_failed"):
        pull()


def test_a_whole_body_of_half_a_page_breaks_the_answer(google: FakeGoogle, pull: Pull) -> None:
    google.on(HEART_RATE, CannedResponse(body(heart_rate("13:05:12"))[:-10]))
    with pytest.raises(BrokenResponse, match="not_json"):
        pull()


def test_a_spoilt_gzip_breaks_the_answer(google: FakeGoogle, pull: Pull) -> None:
    google.on(HEART_RATE, CannedResponse(b"no gzip at all", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(BrokenResponse, match="connection_failed"):
        pull()


def test_an_error_in_a_good_answer_breaks_it(google: FakeGoogle, pull: Pull) -> None:
    google.on(HEART_RATE, CannedResponse({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}))
    with pytest.raises(BrokenResponse, match="error_in_body"):
        pull()


def test_a_slow_server_is_given_up_on(
    google: FakeGoogle, http: httpx.Client, config: GoogleConfig, cache: BaseCache, calendar: LocalCalendar
) -> None:
    def late(asked: ReceivedRequest) -> CannedResponse:
        time.sleep(0.5)
        return CannedResponse()

    google.on(HEART_RATE, late)
    hasty = GoogleHealth(replace(config, timeout=0.1, attempts=1), http, cache=cache)
    with pytest.raises(BrokenResponse, match="timeout"):
        hasty.pull("t", "heart-rate", START, END, calendar)


def test_a_busy_server_is_left_alone_at_once(google: FakeGoogle, pull: Pull, pauses: list[float]) -> None:
    google.on(HEART_RATE, CannedResponse({"error": {"code": 429}}, 429, {"Retry-After": "90"}))
    with pytest.raises(VendorBusy) as caught:
        pull()
    assert caught.value.retry_after == 90
    assert (len(google.asked), pauses) == (1, [])


def test_a_refused_token_is_said_at_once(google: FakeGoogle, pull: Pull) -> None:
    google.on(HEART_RATE, CannedResponse({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, 401))
    with pytest.raises(TokenExpired):
        pull()
    assert len(google.asked) == 1


def test_no_token_stands_in_an_error_or_its_causes(google: FakeGoogle, provider: GoogleHealth) -> None:
    google.stop()
    with pytest.raises(BrokenResponse) as caught:
        provider.identity("secret-token")
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "secret-token" not in repr(vars(chain)) + str(chain)
        assert not isinstance(chain, httpx.HTTPError)
        chain = chain.__cause__


def test_a_page_of_the_wrong_type_breaks_the_answer(google: FakeGoogle, pull: Pull) -> None:
    google.on(STEPS, CannedResponse(json.dumps({"dataPoints": [heart_rate("13:05:12")]}).encode()))
    with pytest.raises(BrokenResponse, match="unexpected_shape"):
        pull("steps")


def test_steps_arrive_whole(google: FakeGoogle, pull: Pull) -> None:
    google.on(STEPS, CannedResponse(body(interval("steps", "13:05:00", "13:06:00", count="12"))))
    assert pull("steps").payload.samples[0].value.tolist() == [12.0]
