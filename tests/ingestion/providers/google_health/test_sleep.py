"""Sleep sessions as nights."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.google_health.sessions import SessionPage
from ingestion.providers.google_health.sleep import UNKNOWN_STAGE, UNREADABLE_STAGE, assemble_sleep, sleep_page
from metrics.batch import SleepRecord, SourceKey, microseconds
from tests.ingestion.providers.google_health.points import CHARGE, ORIGIN, body

START = dt.datetime(2026, 11, 19, 22, 41, tzinfo=dt.UTC)


def after(minutes: float) -> str:
    """A time so many minutes after the night's start."""
    return (START + dt.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def stage(kind: str, start: float, end: float) -> dict[str, Any]:
    return {"type": kind, "startTime": after(start), "startUtcOffset": "3600s", "endTime": after(end)}


def session(metadata: dict[str, Any] | None, *stages: dict[str, Any], name: str = "625", **more: Any) -> dict[str, Any]:
    interval = {
        "startTime": after(0),
        "startUtcOffset": "3600s",
        "endTime": after(437.5),
        "endUtcOffset": "3600s",
    }
    sleep: dict[str, Any] = {"interval": interval, "type": "STAGES", "stages": list(stages), "summary": {}} | more
    if metadata is not None:
        sleep["metadata"] = metadata
    return {"name": f"users/71/dataTypes/sleep/dataPoints/{name}", "dataSource": CHARGE, "sleep": sleep}


def read(*points: dict[str, Any]) -> SessionPage[SleepRecord]:
    return sleep_page(body(*points), ORIGIN)


def night(*points: dict[str, Any]) -> SleepRecord:
    ((found, _),) = read(*points).sessions
    return found


def lengths(record: SleepRecord) -> list[tuple[float, int, str]]:
    return [((one.starts_at - START).total_seconds(), one.seconds, one.stage) for one in record.stages]


def test_a_night_keeps_its_id_its_source_and_its_stages() -> None:
    record = night(session({"processed": True, "mainSleep": True}, stage("LIGHT", 0, 21.5), stage("DEEP", 21.5, 59)))
    assert record.external_id == "625"
    assert record.source == SourceKey("google_health", "FITBIT", "Charge 6")
    assert (record.starts_at, record.ends_at) == (START, START + dt.timedelta(minutes=437.5))
    assert lengths(record) == [(0, 1290, "light"), (1290, 2250, "deep")]
    assert (record.is_main, record.processed) == (True, True)


def test_switches_that_google_leaves_out_are_off() -> None:
    record = night(session({"stagesStatus": "TIMEOUT"}))
    assert (record.is_main, record.processed) == (False, False)


def test_a_night_without_metadata_is_final_and_does_not_say_whether_it_is_the_main_one() -> None:
    record = night(session(None))
    assert (record.is_main, record.processed) == (None, True)


def test_short_awakenings_take_their_minutes_from_the_stage_beneath() -> None:
    record = night(session({}, stage("REM", 0, 30), shortAwakenings=[stage("AWAKE", 10, 11)]))
    assert lengths(record) == [(0, 600, "rem"), (600, 60, "awake"), (660, 1140, "rem")]


def test_a_stage_of_an_unknown_kind_is_skipped_and_counted() -> None:
    page = read(session({}, stage("DREAMLESS", 0, 10), stage("LIGHT", 10, 20)))
    assert lengths(page.sessions[0][0]) == [(600, 600, "light")]
    assert assemble_sleep([page]).skipped == {UNKNOWN_STAGE: 1}


@pytest.mark.parametrize(("metadata", "expected"), [({"externalId": "own-1"}, "own-1"), ({}, str(microseconds(START)))])
def test_a_name_without_an_id_is_no_id(metadata: dict[str, Any], expected: str) -> None:
    assert night(session(metadata, name="")).external_id == expected


def test_one_night_told_by_two_sources_is_two_records() -> None:
    other = session({}, name="9") | {"dataSource": {"platform": "HEALTH_CONNECT"}}
    assert len(assemble_sleep([read(session({}), other)]).payload.sleep) == 2


def test_a_night_that_comes_on_two_pages_is_one() -> None:
    pages = [read(session({})), read(session({"processed": True}))]
    (record,) = assemble_sleep(pages).payload.sleep
    assert record.processed


def test_one_id_at_two_sources_is_two_nights() -> None:
    other = session({}) | {"dataSource": {"platform": "HEALTH_CONNECT"}}
    found = assemble_sleep([read(session({})), read(other)])
    assert [night.source.platform for night in found.payload.sleep] == ["FITBIT", "HEALTH_CONNECT"]
    assert found.points == 2


def test_the_id_in_a_night_s_name_comes_before_the_one_beside_it() -> None:
    assert night(session({"externalId": "own-1"})).external_id == "625"


def test_google_s_names_of_stages() -> None:
    kinds = ("AWAKE", "LIGHT", "DEEP", "REM", "ASLEEP", "RESTLESS")
    record = night(session({}, *(stage(kind, n, n + 1) for n, kind in enumerate(kinds))))
    assert [one.stage for one in record.stages] == ["awake", "light", "deep", "rem", "asleep", "restless"]


def test_stages_come_in_order_of_time_in_whole_seconds() -> None:
    apart = stage("DEEP", 30, 40) | {"startTime": "2026-11-19T23:11:00.4Z", "endTime": "2026-11-19T23:20:59.6Z"}
    record = night(session({}, stage("REM", 50, 60), apart, stage("LIGHT", 0, 30)))
    assert lengths(record) == [(0, 1800, "light"), (1800, 600, "deep"), (3000, 600, "rem")]


def test_what_is_left_out_of_nights_is_counted_over_all_pages() -> None:
    wrong, odd = stage("LIGHT", 20, 10), stage("DREAMLESS", 0, 10)
    one = session({}, odd, odd, wrong, shortAwakenings=[wrong, wrong, odd])
    bad = session({}) | {"sleep": None}
    found = assemble_sleep([read(one, bad), read(session({}, odd, name="626"), bad, bad)])
    assert found.skipped == {UNKNOWN_STAGE: 4, UNREADABLE_STAGE: 3}
    assert (found.points, found.unreadable) == (2, {"unexpected_shape": 3})


def test_nights_that_go_on_are_told_once_each_in_order_over_all_pages() -> None:
    def ongoing(minutes: float) -> dict[str, Any]:
        point = session({}, name=f"active-{minutes}")
        point["sleep"]["interval"] = {"startTime": after(minutes), "startUtcOffset": "3600s"}
        return point

    found = assemble_sleep([read(ongoing(30), session({})), read(ongoing(30), ongoing(10))])
    assert found.unfinished == [microseconds(START + dt.timedelta(minutes=minutes)) for minutes in (10, 30)]
    assert found.points == 1


def test_without_nights_there_is_no_clock_to_tell() -> None:
    found = assemble_sleep([sleep_page(b"{}", ORIGIN)])
    assert (found.offsets, found.payload.sleep, found.points) == ([], [], 0)


def test_a_night_tells_the_clock_of_its_device() -> None:
    assert assemble_sleep([read(session({}))]).offsets == [(microseconds(START), 3600)]


@pytest.mark.parametrize("broken", [b'{"dataPoints":[{"sleep":{}}]}', b'{"error":{}}', b'{"dataPoints":[{"sleep"'])
def test_what_is_no_page_of_nights_is_never_an_empty_one(broken: bytes) -> None:
    with pytest.raises(BrokenResponse):
        sleep_page(broken, ORIGIN)


def test_a_page_of_a_night_that_ends_before_it_starts_is_none() -> None:
    point = session({})
    point["sleep"]["interval"]["endTime"] = after(-1)
    with pytest.raises(BrokenResponse, match="interval_ends_before_it_starts"):
        read(point)
