"""Points and pages: shapes, order, filters, tokens."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ingestion.providers.google_health.simulator import pages
from ingestion.providers.google_health.simulator.accounts import TRACKER
from ingestion.providers.google_health.simulator.filters import Window, mask, masked
from ingestion.providers.google_health.simulator.records import civil_object, stamp
from ingestion.providers.google_health.simulator.types import TYPES
from metrics.batch import MICROSECOND
from tests.ingestion.providers.google_health.simulator.conftest import Google, MakeGoogle, reason, span

HEART = "heart_rate.sample_time.physical_time"
HOUR = span(HEART, "2026-11-20T17:00:00Z", "2026-11-20T18:00:00Z")
DAY = span("steps.interval.start_time", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")


def at(text: str) -> int:
    return int(np.datetime64(text, "us").astype(np.int64))


def collected(google: Google, data_type: str, *, filter: str, pageSize: str = "0") -> list[Any]:  # noqa: N803
    found, token = [], ""
    while True:
        said = google.points(data_type, filter=filter, pageSize=pageSize, pageToken=token)
        found += said.get("dataPoints", [])
        token = said.get("nextPageToken", "")
        if not token:
            return found


def key(point: dict[str, Any]) -> str:
    return json.dumps(point, sort_keys=True)


@pytest.mark.parametrize("pretty", ["true", "false"])
def test_rows_of_bytes_say_what_a_point_by_point_writer_would(google: Google, pretty: str) -> None:
    truth, account = google.simulator.ground_truth, google.simulator.accounts.account(4)
    found = truth.columns(account, "heart-rate", Window(at("2026-11-20T17:00"), at("2026-11-20T18:00")))
    assert found is not None
    plain = [
        {
            "dataSource": account.sources[source],
            "heartRate": {
                "beatsPerMinute": str(int(beats)),
                "sampleTime": {
                    "physicalTime": stamp(time),
                    "utcOffset": f"{offset}s",
                    "civilTime": civil_object(time + offset * MICROSECOND),
                },
            },
        }
        for time, source, offset, beats in zip(
            found.time.tolist(),
            found.source.tolist(),
            found.offset.tolist(),
            found.values["beatsPerMinute"].tolist(),
            strict=True,
        )
    ]
    assert google.points("heart-rate", filter=HOUR, prettyPrint=pretty)["dataPoints"] == plain[::-1]


def test_fields_leave_out_what_was_not_asked_for(google: Google) -> None:
    fields = "dataPoints(heartRate(beatsPerMinute,sampleTime/physicalTime),dataSource/device),nextPageToken"
    whole = google.points("heart-rate", filter=HOUR, pageSize="10")
    assert google.points("heart-rate", filter=HOUR, pageSize="10", fields=fields) == masked(whole, mask(fields))


def test_fractions_of_seconds_come_now_and_then(google: Google) -> None:
    times = [p["heartRate"]["sampleTime"]["physicalTime"] for p in collected(google, "heart-rate", filter=HOUR)]
    assert 0 < sum("." in time for time in times) < len(times) / 10


def test_a_zero_count_is_left_out(google: Google) -> None:
    counts = [point["steps"].get("count") for point in google.points("steps", filter=DAY)["dataPoints"]]
    assert None in counts
    assert "0" not in counts


def test_an_empty_answer_is_an_empty_object(google: Google) -> None:
    nothing = span(HEART, "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")
    assert google.points("heart-rate", filter=nothing) == {}


def test_two_sources_share_minutes_and_are_told_apart_by_device(google: Google) -> None:
    found = google.points("steps", filter=DAY)["dataPoints"]
    assert {point["dataSource"]["device"]["displayName"] for point in found} == {"Charge 6", "MobileTrack"}
    starts = [point["steps"]["interval"]["startTime"] for point in found]
    assert len(starts) > len(set(starts))


def test_the_wearables_family_leaves_the_phone_out(google: Google) -> None:
    found = google.points("steps", filter=DAY, dataSourceFamily="users/me/dataSourceFamilies/google-wearables")
    assert {point["dataSource"]["device"]["displayName"] for point in found["dataPoints"]} == {"Charge 6"}


def test_reconcile_has_one_point_a_minute_and_no_source(google: Google) -> None:
    found = google.points("steps", ":reconcile", filter=DAY)["dataPoints"]
    starts = [point["steps"]["interval"]["startTime"] for point in found]
    assert len(starts) == len(set(starts))
    assert not any("dataSource" in point for point in found)


def test_pages_together_hold_everything_once_newest_first(google: Google) -> None:
    found = collected(google, "steps", filter=DAY, pageSize="7")
    starts = [point["steps"]["interval"]["startTime"] for point in found]
    assert starts == sorted(starts, reverse=True)
    assert sorted(map(key, found)) == sorted(map(key, google.points("steps", filter=DAY)["dataPoints"]))


def test_the_tie_bug_loses_points_that_share_an_instant_with_a_page_end(google: Google) -> None:
    whole = {key(point) for point in google.points("steps", filter=DAY)["dataPoints"]}
    google.faulty(drops_ties=True)
    found = {key(point) for point in collected(google, "steps", filter=DAY, pageSize="7")}
    assert found < whole


def test_the_server_caps_a_page(google: Google) -> None:
    google.faulty(page_cap=50)
    said = google.points("heart-rate", filter=HOUR, pageSize="10000")
    assert len(said["dataPoints"]) == 50
    assert said["nextPageToken"]


def test_a_page_may_be_empty_and_lead_on(google: Google) -> None:
    whole = google.points("steps", filter=DAY)["dataPoints"]
    google.faulty(empty_page=0.6)
    assert collected(google, "steps", filter=DAY, pageSize="50") == whole


def test_a_token_belongs_to_its_query(google: Google) -> None:
    token = google.points("steps", filter=DAY, pageSize="7")["nextPageToken"]
    other = google.ask("dataTypes/heart-rate/dataPoints", filter=HOUR, pageToken=token)
    assert (other.status, reason(other)) == (400, "INVALID_PAGE_TOKEN")


def test_civil_windows_follow_the_wall_clock(google: Google) -> None:
    civil = span("steps.interval.civil_start_time", "2026-11-20", "2026-11-21")
    days = {
        point["steps"]["interval"]["civilStartTime"]["date"]["day"]
        for point in collected(google, "steps", filter=civil)
    }
    assert days == {20}


@pytest.mark.parametrize(
    ("data_type", "text", "why"),
    [
        ("heart-rate", 'heartRate.sampleTime.physicalTime >= "2026-11-20T00:00:00Z"', "_DATA_TYPE_RESTRICTION"),
        ("heart-rate", 'heart_rate.interval.start_time >= "2026-11-20T00:00:00Z"', "_DATA_TYPE_MEMBER"),
        ("heart-rate", 'steps.interval.start_time >= "2026-11-20T00:00:00Z"', "_COLLECTION_MISMATCH"),
        ("heart-rate", f'{HEART} <= "2026-11-20T00:00:00Z"', "_RESTRICTION_COMPARATOR"),
        ("heart-rate", f"{HEART} >= 2026-11-20T00:00:00Z", "_RESTRICTION_ARGUMENT"),
        ("heart-rate", f'{HEART} >= "2026-11-20"', "_TIMESTAMP_FORMAT"),
        ("heart-rate", f'{HEART} >= "2026-11-20T00:00:00Z" OR {HEART} < "2026-11-21T00:00:00Z"',
         "_EXPRESSION_STRUCTURE"),
        ("steps", 'steps.interval.civil_start_time >= "2026-11-20T00:00:00Z"', "_CIVIL_DATE_TIME_FORMAT"),
        ("steps", 'steps.interval.start_time >= "2026-11-20T00:00:00Z" AND steps.interval.civil_start_time < '
         '"2026-11-21"', "_MIXED_TIME_RESTRICTIONS"),
        ("exercise", 'exercise.interval.start_time >= "2026-11-20T00:00:00Z"', "_DATA_TYPE_MEMBER"),
        ("sleep", 'sleep.interval.start_time >= "2026-11-20T00:00:00Z"', "_DATA_TYPE_MEMBER"),
    ],
)  # fmt: skip
def test_filters_are_refused_as_google_refuses_them(google: Google, data_type: str, text: str, why: str) -> None:
    refused = google.ask(f"dataTypes/{data_type}/dataPoints", filter=text)
    assert (refused.status, reason(refused)) == (400, f"INVALID_DATA_POINT_FILTER{why}")


def test_a_night_is_revised_once_its_stages_are_known(google: Google) -> None:
    night = span("sleep.interval.end_time", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")
    end = google.points("sleep", filter=night)["dataPoints"][0]["sleep"]["interval"]["endTime"]
    google.control("clock", {"set": end, "advance": 1200})
    early = google.points("sleep", filter=night)["dataPoints"][0]
    google.control("clock", {"advance": 7200})
    late = google.points("sleep", filter=night)["dataPoints"][0]
    assert "processed" not in early["sleep"]["metadata"]
    assert late["sleep"]["metadata"]["processed"]
    assert early["name"] == late["name"]
    assert early["sleep"]["updateTime"] < late["sleep"]["updateTime"]


def test_a_named_point_can_be_had_alone(google: Google) -> None:
    night = span("sleep.interval.end_time", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")
    point = google.points("sleep", filter=night)["dataPoints"][0]
    got = google.ask(f"dataTypes/sleep/dataPoints/{point['name'].rpartition('/')[2]}")
    assert json.loads(got.body) == point


def test_the_same_seed_gives_the_same_page(make_google: MakeGoogle) -> None:
    one, other = (make_google().points("heart-rate", filter=HOUR) for _ in range(2))
    assert one == other


def test_a_strap_shares_its_seconds_with_the_watch(google: Google) -> None:
    found = google.simulator.ground_truth.columns(
        google.simulator.accounts.account(13), "heart-rate", Window(at("2026-11-19T00:00"), at("2026-11-21T00:00"))
    )
    assert found is not None
    assert len(np.unique(found.time)) < len(found)
    assert set(found.source.tolist()) > {TRACKER}


def test_every_type_of_the_table_answers_or_says_why_not(google: Google) -> None:
    for data_type in TYPES.values():
        if data_type.scope != "N":
            assert google.ask(f"dataTypes/{data_type.id}/dataPoints").status == (
                200 if "L" in data_type.actions else 400
            )


def test_one_page_of_bytes_ends_without_a_comma() -> None:
    assert pages.page(b'{"a":1},', None, fields=None, pretty=False) == b'{"dataPoints":[{"a":1}]}'
