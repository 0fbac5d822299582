"""Rollups, events and the truth agree with what the pages say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ingestion.providers.google_health.simulator.server import OtherSimulation
from tests.ingestion.providers.google_health.simulator.conftest import Google, MakeGoogle, reason, span

START, END = "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"
HEART = span("heart_rate.sample_time.physical_time", START, END)
DAY = {"range": {"startTime": START, "endTime": END}}


def ground_truth(
    google: Google, data_type: str, user: int = 4, start: str = START, end: str = END
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = google.control("truth", user=str(user), type=data_type, start=start, end=end)["rows"]
    return rows


def beats(google: Google, user: int = 4) -> dict[str, int]:
    found, token = {}, ""
    while True:
        said = google.points("heart-rate", user=user, filter=HEART, pageSize="10000", pageToken=token)
        for point in said.get("dataPoints", []):
            found[point["heartRate"]["sampleTime"]["physicalTime"]] = int(point["heartRate"]["beatsPerMinute"])
        token = said.get("nextPageToken", "")
        if not token:
            return found


def micro(stamp: str) -> int:
    return int(np.datetime64(stamp.removesuffix("Z"), "us").astype(np.int64))


def test_the_ground_truth_of_heart_rate_is_what_the_pages_hold(google: Google) -> None:
    (rows,) = ground_truth(google, "heart-rate")
    assert dict(zip(rows["time"], rows["value"], strict=True)) == {micro(t): b for t, b in beats(google).items()}


def test_the_ground_truth_is_in_our_unit_beside_the_vendors(google: Google) -> None:
    (rows,) = ground_truth(google, "distance")
    assert rows["value"] == [mm / 1000 for mm in rows["vendor_value"]]


def test_the_ground_truth_comes_as_arrow_too(google: Google) -> None:
    response = google.call("GET", "/_sim/truth", query={"user": "4", "start": START, "end": END, "format": "arrow"})
    table = pa.ipc.open_stream(response.body).read_all()
    assert {"heart_rate", "steps", "energy", "resting_heart_rate"} <= set(table["metric"].to_pylist())


def test_daily_values_are_dated_at_local_midnight(google: Google) -> None:
    (rows,) = ground_truth(google, "daily-resting-heart-rate", start="2026-11-20T00:00:00Z", end="2026-11-20T23:59:00Z")
    assert (rows["date"], rows["time"]) == (["2026-11-20"], [micro("2026-11-20T05:00:00")])  # New York


def test_hourly_rollups_are_the_means_of_the_points(google: Google) -> None:
    said = json.loads(google.rollup("heart-rate", "rollUp", {**DAY, "windowSize": "3600s", "pageSize": 24}).body)
    hours: dict[str, list[int]] = {}
    for time, value in beats(google).items():
        hours.setdefault(time[:13], []).append(value)
    got = {point["startTime"][:13]: point["heartRate"] for point in said["rollupDataPoints"]}
    assert {hour: value["beatsPerMinuteAvg"] for hour, value in got.items()} == {
        hour: pytest.approx(np.mean(values)) for hour, values in hours.items()
    }
    assert list(got) == sorted(got, reverse=True)


def test_the_last_window_of_a_rollup_is_cut(google: Google) -> None:
    span_ = {"startTime": "2026-11-20T17:00:00Z", "endTime": "2026-11-20T17:30:00Z"}
    said = json.loads(google.rollup("steps", "rollUp", {"range": span_, "windowSize": "3600s"}).body)
    assert said["rollupDataPoints"][0]["endTime"] == "2026-11-20T17:30:00Z"


def test_calories_can_be_rolled_up_but_not_listed(google: Google) -> None:
    (rows,) = ground_truth(google, "total-calories")
    said = json.loads(google.rollup("total-calories", "rollUp", {**DAY, "windowSize": "60s", "pageSize": 1440}).body)
    assert sorted(p["totalCalories"]["kcalSum"] for p in said["rollupDataPoints"]) == sorted(rows["value"])
    refused = google.ask("dataTypes/total-calories/dataPoints")
    assert reason(refused) == "UNSUPPORTED_DATA_TYPE_ACTION"
    assert json.loads(refused.body)["error"]["details"][0]["metadata"] == {"allowed_actions": "rollup, dailyRollup"}


def test_too_long_a_rollup_names_the_limit(google: Google) -> None:
    long = {"startTime": "2026-11-01T00:00:00Z", "endTime": "2026-11-20T00:00:00Z"}
    refused = google.rollup("heart-rate", "rollUp", {"range": long, "windowSize": "86400s", "pageSize": 1})
    assert reason(refused) == "INVALID_ROLLUP_QUERY_DURATION"
    assert json.loads(refused.body)["error"]["details"][0]["metadata"] == {"maxDurationDays": "14"}


def test_daily_rollups_leave_out_the_end(google: Google) -> None:
    dates = [{"date": {"year": 2026, "month": 11, "day": day}} for day in (18, 20)]
    said = json.loads(google.rollup("steps", "dailyRollUp", {"range": dict(zip(("start", "end"), dates))}).body)  # noqa: B905
    assert [point["civilStartTime"]["date"]["day"] for point in said["rollupDataPoints"]] == [19, 18]


def test_a_bare_date_in_a_daily_rollup_is_an_unknown_name(google: Google) -> None:
    bare = {"start": {"year": 2026, "month": 11, "day": 1}, "end": {"year": 2026, "month": 11, "day": 2}}
    assert b"Unknown name \\\"year\\\" at 'range.start'" in google.rollup("steps", "dailyRollUp", {"range": bare}).body


def test_a_restated_hour_changes_pages_rollups_and_ground_truth_alike(google: Google) -> None:
    before = beats(google)
    hour = {"user": "4", "type": "heart-rate", "start": "2026-11-20T17:00:00Z", "end": "2026-11-20T18:00:00Z"}
    google.control("restate", {**hour, "delta": 5})
    after = beats(google)
    assert {t: b - before[t] for t, b in after.items() if b != before[t]} == {
        t: 5 for t in before if t.startswith("2026-11-20T17")
    }
    (rows,) = ground_truth(google, "heart-rate")
    assert sorted(rows["value"]) == sorted(after.values())


def test_deleted_points_are_gone(google: Google) -> None:
    hour = {"user": "4", "type": "heart-rate", "start": "2026-11-20T17:00:00Z", "end": "2026-11-20T18:00:00Z"}
    google.control("delete", hour)
    assert not [time for time in beats(google) if time.startswith("2026-11-20T17")]


def test_a_restated_night_has_other_stages_and_a_later_update(google: Google) -> None:
    night = span("sleep.interval.end_time", START, END)
    before = google.points("sleep", filter=night)["dataPoints"][0]
    google.control("restate", {"user": "4", "type": "sleep", "start": START, "end": END})
    after = google.points("sleep", filter=night)["dataPoints"][0]
    assert before["name"] == after["name"]
    assert before["sleep"]["stages"] != after["sleep"]["stages"]
    assert before["sleep"]["updateTime"] < after["sleep"]["updateTime"]


def test_a_restated_daily_value_keeps_its_spelling(google: Google) -> None:
    filter_ = span("daily_resting_heart_rate.date", "2026-11-20", "2026-11-21")
    before = google.points("daily-resting-heart-rate", filter=filter_)["dataPoints"][0]["dailyRestingHeartRate"]
    google.control("restate", {"user": "4", "type": "daily-resting-heart-rate", "start": START, "end": END})
    after = google.points("daily-resting-heart-rate", filter=filter_)["dataPoints"][0]["dailyRestingHeartRate"]
    assert after["beatsPerMinute"] == str(int(before["beatsPerMinute"]) + 3)


def test_nothing_is_seen_before_it_is_uploaded(google: Google) -> None:
    uploaded = google.control("truth", user="4", type="heart-rate", start=START, end=END)["uploaded_until"]
    google.control("clock", {"set": "2026-11-20T12:00:00Z"})
    latest = max(beats(google))
    assert uploaded > micro("2026-11-20T12:00:00")
    assert latest < "2026-11-20T12:00:00"
    assert latest > "2026-11-20T11:00:00"


def test_a_late_upload_comes_all_at_once(google: Google) -> None:
    google.control("clock", {"set": "2026-11-20T12:00:00Z"})
    google.control("late", {"user": "4"})
    held = beats(google)
    google.control("clock", {"advance": 6 * 3600})
    assert beats(google) == held
    google.control("late", {"user": "4", "held": False})
    assert len(beats(google)) > len(held) + 1000


def test_the_clock_can_run_faster(make_google: MakeGoogle) -> None:
    google = make_google(speed=36_000.0)
    first = google.simulator.state.now()
    google.control("clock", {"speed": 0})
    assert google.simulator.state.now() >= first


def test_events_and_the_clock_outlive_a_restart(make_google: MakeGoogle, tmp_path: Path) -> None:
    first = make_google(state=tmp_path)
    first.control("restate", {"user": "4", "type": "heart-rate", "start": START, "end": END})
    first.control("clock", {"set": "2026-11-22T00:00:00Z"})
    second = make_google(state=tmp_path)
    assert beats(second) == beats(first)
    assert second.control("clock")["now"] == "2026-11-22T00:00:00Z"


def test_a_folder_of_another_simulation_is_refused(make_google: MakeGoogle, tmp_path: Path) -> None:
    make_google(state=tmp_path)
    with pytest.raises(OtherSimulation, match="another simulation"):
        make_google(state=tmp_path, seed=8)


def test_the_travellers_offset_changes_on_the_way(make_google: MakeGoogle) -> None:
    google = make_google(history_days=13)
    traveller = next(a for a in google.simulator.accounts if a.profile.story.value == "a week in another time zone")
    filter_ = span("steps.interval.start_time", "2026-11-18T00:00:00Z", "2026-11-23T00:00:00Z")
    found = google.points("steps", user=traveller.number, filter=filter_, pageSize="10000")["dataPoints"]
    assert len({point["steps"]["interval"]["startUtcOffset"] for point in found}) == 2


def test_control_answers_this_machine_only(google: Google) -> None:
    from email.message import Message

    from ingestion.providers.google_health.simulator.messages import Request

    far = Request("GET", "/_sim/stats", {}, Message(), peer="192.0.2.1")  # type: ignore[arg-type]
    assert google.simulator.handle(far)[1].status == 403


def test_a_storm_restates_hours_and_revokes_grants_by_itself(google: Google) -> None:
    for user in (4, 5, 6, 7):
        google.tokens(user)
    google.faulty(restates_per_minute=60, revokes_per_minute=60)
    for _ in range(2):
        google.simulator.events.tick()
    assert sum(map(len, google.simulator.state.events.values())) == 2
    assert len(google.simulator.state.grants) == 2
