"""What a vendor may add or leave out without the rest being lost; times and values are invented."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest

from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.base.live import Notification
from ingestion.providers.google_health import account, rollups
from ingestion.providers.google_health.assembly import assemble
from ingestion.providers.google_health.data_types import DATA_TYPES
from ingestion.providers.google_health.decode import Page, page
from ingestion.providers.google_health.exercise import assemble_exercise, exercise_page
from ingestion.providers.google_health.sleep import UNREADABLE_STAGE, assemble_sleep, sleep_page
from ingestion.providers.google_health.webhooks import received
from metrics.batch import microseconds
from metrics.local_time import LocalCalendar
from tests.ingestion.providers.google_health.points import DAY, ORIGIN, body, daily, heart_rate, interval, sample
from tests.ingestion.providers.google_health.test_exercise import session as exercise_session
from tests.ingestion.providers.google_health.test_sleep import session as sleep_session
from tests.ingestion.providers.google_health.test_sleep import stage

Json = dict[str, Any]
UTC = dt.UTC


def changed(record: Json, *path: str, to: Any = None, gone: bool = False) -> Json:
    """A copy of a record with the member at a path replaced or taken away."""
    copy: Json = json.loads(json.dumps(record))
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    if gone:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return copy


# --- points ------------------------------------------------------------------------------------------------------

PULSE, STEPS = heart_rate("13:05:12"), interval("steps", "13:05:00", "13:06:00", count="12")
RESTING = daily("dailyRestingHeartRate", beatsPerMinute="57")
STAMP = ("heartRate", "sampleTime")


def read(code: str, *points: Any) -> Page:
    return page(DATA_TYPES[code], json.dumps({"dataPoints": list(points)}).encode(), ORIGIN)


@pytest.mark.parametrize(
    ("code", "good", "bad", "reason"),
    [
        ("heart-rate", PULSE, {}, "unexpected_shape"),
        ("heart-rate", PULSE, None, "unexpected_shape"),
        ("heart-rate", PULSE, 7, "unexpected_shape"),
        ("heart-rate", PULSE, {"steps": {"count": "3"}}, "unexpected_shape"),
        ("heart-rate", PULSE, changed(PULSE, "heartRate", to=None), "unexpected_shape"),
        ("heart-rate", PULSE, changed(PULSE, "heartRate", "beatsPerMinute", gone=True), "value_missing"),
        ("heart-rate", PULSE, changed(PULSE, "heartRate", "beatsPerMinute", to=None), "value_missing"),
        ("heart-rate", PULSE, changed(PULSE, "heartRate", "beatsPerMinute", to="fast"), "unexpected_shape"),
        ("heart-rate", PULSE, changed(PULSE, *STAMP, gone=True), "unexpected_shape"),
        ("heart-rate", PULSE, changed(PULSE, *STAMP, "physicalTime", gone=True), "unexpected_shape"),
        ("heart-rate", PULSE, changed(PULSE, *STAMP, "physicalTime", to="yesterday"), "not_a_time"),
        ("heart-rate", PULSE, changed(PULSE, *STAMP, "physicalTime", to="9999-01-01T00:00:00Z"), "not_a_time"),
        ("heart-rate", PULSE, changed(PULSE, "dataSource", to="watch"), "unexpected_shape"),
        ("heart-rate", PULSE, changed(PULSE, "dataSource", "device", to=[1]), "unexpected_shape"),
        ("steps", STEPS, changed(STEPS, "steps", "interval", "endTime", gone=True), "unexpected_shape"),
        (
            "steps",
            STEPS,
            changed(STEPS, "steps", "interval", "endTime", to="2026-11-20T13:04:59.999Z"),
            "interval_ends_before_it_starts",
        ),
        (
            "steps",
            STEPS,
            changed(STEPS, "steps", "interval", "endTime", to="2196-11-20T13:05:00Z"),
            "interval_too_long",
        ),
        ("daily-resting-heart-rate", RESTING, changed(RESTING, "dailyRestingHeartRate", "date", to={}), "not_a_date"),
        (
            "daily-resting-heart-rate",
            RESTING,
            changed(RESTING, "dailyRestingHeartRate", "date", to=DAY | {"month": 13}),
            "not_a_date",
        ),
        (
            "daily-resting-heart-rate",
            RESTING,
            changed(RESTING, "dailyRestingHeartRate", "date", to=DAY | {"year": 9999}),
            "not_a_date",
        ),
    ],
)
def test_a_point_that_cannot_be_read_is_left_out_and_counted(code: str, good: Json, bad: Any, reason: str) -> None:
    found = read(code, good, bad, good)
    assert (found.count, found.unreadable, found.sent) == (2, {reason: 1}, 3)
    assert found.time[0] == read(code, good).time[0]
    with pytest.raises(BrokenResponse) as caught:
        read(code, bad)
    assert caught.value.code == reason


@pytest.mark.parametrize(
    "harmless",
    [
        changed(PULSE, "novelty", to=[1, {"a": None}]),
        changed(PULSE, "dataSource", to=None),
        changed(PULSE, "dataSource", gone=True),
        changed(PULSE, "dataSource", to={}),
        changed(PULSE, "dataSource", "device", to=None),
        changed(PULSE, "dataSource", "device", to={"displayName": None}),
        changed(PULSE, "dataSource", "platform", to=None),
        changed(PULSE, "dataSource", "application", to={"packageName": None, "novelty": 1}),
        changed(PULSE, *STAMP, "utcOffset", gone=True),
        changed(PULSE, *STAMP, "utcOffset", to=None),
        changed(PULSE, *STAMP, "utcOffset", to="soon"),
        changed(PULSE, *STAMP, "utcOffset", to="999999s"),
        changed(PULSE, *STAMP, "civilTime", to=None),
        changed(PULSE, "heartRate", "beatsPerMinute", to=71),
        changed(PULSE, "heartRate", "metadata", to={"motionContext": None}),
    ],
)
def test_what_is_added_left_out_or_null_beside_a_value_costs_nothing(harmless: Json) -> None:
    found = read("heart-rate", harmless, heart_rate("13:05:14", "73"))
    assert (found.values[0].tolist(), found.unreadable) == ([71.0, 73.0], {})


def test_a_clock_that_cannot_be_is_not_told(calendar: LocalCalendar) -> None:
    wrong = changed(PULSE, *STAMP, "utcOffset", to="999999s")
    assert assemble(DATA_TYPES["heart-rate"], [read("heart-rate", wrong)], calendar).offsets == []


@pytest.mark.parametrize("empty", ['{"dataPoints":null}', '{"nextPageToken":null}', '{"dataPoints":[],"totalSize":0}'])
def test_null_is_what_is_left_out(empty: str) -> None:
    found = page(DATA_TYPES["heart-rate"], empty.encode(), ORIGIN)
    assert (found.count, found.sent, found.token) == (0, 0, "")


def test_an_interval_of_no_length_is_one_among_others() -> None:
    """Item 19 of the changes that no test noticed: one failed its whole page for good."""
    found = read("steps", STEPS, interval("steps", "13:06:00", "13:06:00", count="1"))
    assert found.seconds is not None
    assert (found.seconds.tolist(), found.values[0].tolist()) == ([60, 0], [12.0, 1.0])


def test_columns_stay_beside_each_other_when_a_record_is_left_out(calendar: LocalCalendar) -> None:
    phone = changed(PULSE, "dataSource", to={"device": {"displayName": "Phone"}})
    bad = changed(PULSE, *STAMP, "physicalTime", to="")
    late = changed(phone, *STAMP, "physicalTime", to="2026-11-20T13:07:00Z")
    pulled = assemble(DATA_TYPES["heart-rate"], [read("heart-rate", bad, late, PULSE)], calendar)
    values = {b.source.device_model: (int(b.time[0]), b.value.tolist()) for b in pulled.payload.samples}
    assert values == {
        "Phone": (microseconds(dt.datetime(2026, 11, 20, 13, 7, tzinfo=UTC)), [71.0]),
        "Charge 6": (microseconds(dt.datetime(2026, 11, 20, 13, 5, 12, tzinfo=UTC)), [71.0]),
    }
    assert (pulled.points, pulled.unreadable) == (2, {"not_a_time": 1})


def test_left_out_records_of_all_pages_are_counted(calendar: LocalCalendar) -> None:
    bad = changed(PULSE, *STAMP, "physicalTime", to="")
    pages = [read("heart-rate", PULSE, bad), read("heart-rate", PULSE, {}, bad)]
    assert assemble(DATA_TYPES["heart-rate"], pages, calendar).unreadable == {"not_a_time": 2, "unexpected_shape": 1}


@pytest.mark.parametrize("code", [code for code, one in DATA_TYPES.items() if one.metrics and code != "total-calories"])
def test_every_type_of_points_keeps_the_rest(code: str) -> None:
    data_type = DATA_TYPES[code]
    numbers = {name: 61.5 for member in data_type.members for name in (member.name, member.minus) if name}
    make: dict[str, Callable[[], Json]] = {
        "SAMPLE": lambda: sample(data_type.payload, "13:05:12", **numbers),
        "INTERVAL": lambda: interval(data_type.payload, "13:05:00", "13:06:00", **numbers),
        "DAILY": lambda: daily(data_type.payload, **numbers),
    }
    found = read(code, {}, make[data_type.kind.name]())
    assert (found.count, found.unreadable) == (1, {"unexpected_shape": 1})


# --- sums --------------------------------------------------------------------------------------------------------


def rolled(start: str, end: str, **figures: Any) -> Json:
    return {
        "startTime": f"2026-11-20T{start}Z",
        "endTime": f"2026-11-20T{end}Z",
        "heartRate": {"beatsPerMinuteAvg": 60.5, "beatsPerMinuteMin": 50, "beatsPerMinuteMax": 70} | figures,
    }


GOOD_SUM = rolled("13:00:00", "14:00:00")


def sums(*windows: Any) -> rollups.RollupPage:
    return rollups.rollup_page(DATA_TYPES["heart-rate"], body(*windows, key="rollupDataPoints"))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({}, "unexpected_shape"),
        (changed(GOOD_SUM, "heartRate", to=None), "unexpected_shape"),
        (changed(GOOD_SUM, "endTime", gone=True), "unexpected_shape"),
        (changed(GOOD_SUM, "startTime", to="noon"), "not_a_time"),
        (rolled("13:00:00", "13:00:00"), "interval_of_no_length"),
        (rolled("13:00:00", "12:59:59"), "interval_ends_before_it_starts"),
    ],
)
def test_a_sum_that_cannot_be_read_is_left_out_and_counted(bad: Json, reason: str) -> None:
    found = sums(bad, GOOD_SUM)
    assert (found.count, found.unreadable, found.seconds.tolist()) == (1, {reason: 1}, [3600])
    (mark,) = rollups.fingerprints(DATA_TYPES["heart-rate"], [found]).values()
    assert (mark.mean, mark.low, mark.high) == (60.5, 50, 70)
    with pytest.raises(BrokenResponse, match=reason):
        sums(bad)


def test_sums_with_null_are_sums() -> None:
    assert sums(rolled("13:00:00", "14:00:00", beatsPerMinuteMax=None, novelty={})).count == 1


# --- nights and exercise ------------------------------------------------------------------------------------------

NIGHT, RUN = sleep_session({"processed": True}, stage("LIGHT", 0, 20)), exercise_session()


def ongoing(record: Json, payload: str) -> Json:
    """The same while it still goes on: no end, no summary, as it stands first in a list."""
    inner = changed(record, payload, "interval", "endTime", gone=True)
    del inner[payload]["interval"]["endUtcOffset"]
    inner["name"] += "-active"
    return inner


def test_a_night_that_still_goes_on_leaves_last_night_readable() -> None:
    found = assemble_sleep([sleep_page(body(ongoing(NIGHT, "sleep"), NIGHT), ORIGIN)])
    assert [night.external_id for night in found.payload.sleep] == ["625"]
    assert found.unfinished == [microseconds(dt.datetime(2026, 11, 19, 22, 41, tzinfo=UTC))]
    assert found.unreadable == {}


def test_a_page_of_nothing_but_what_goes_on_is_no_broken_one() -> None:
    found = assemble_sleep([sleep_page(body(ongoing(NIGHT, "sleep")), ORIGIN)])
    assert (found.payload.sleep, len(found.unfinished)) == ([], 1)


def test_what_goes_on_with_null_for_an_end_goes_on() -> None:
    found = sleep_page(body(changed(NIGHT, "sleep", "interval", "endTime", to=None)), ORIGIN)
    assert (found.sessions, len(found.unfinished), found.sent) == ([], 1, 1)


def test_exercise_that_still_goes_on_leaves_the_rest_readable() -> None:
    start = dt.datetime(2026, 11, 20, 17, 5, tzinfo=UTC)
    pages = [exercise_page(body(ongoing(RUN, "exercise"), RUN), ORIGIN)]
    day = assemble_exercise(pages, start, start + dt.timedelta(days=1))
    assert [one.external_id for one in day.payload.exercise] == ["77"]
    assert day.unfinished == [microseconds(start)]
    before = assemble_exercise(pages, start - dt.timedelta(days=1), start)
    assert before.unfinished == []


@pytest.mark.parametrize(
    ("path", "to", "reason"),
    [
        (("interval", "startTime"), None, "unexpected_shape"),
        (("interval", "startTime"), "2026-11-19T22:41:00", "unexpected_shape"),
        (("interval", "startTime"), "1970-01-01T00:00:00Z", "not_a_time"),
        (("interval", "endTime"), "soon", "unexpected_shape"),
        (("interval", "endTime"), "2026-11-18T22:41:00Z", "interval_ends_before_it_starts"),
        (("interval", "endTime"), "2027-11-20T22:41:00Z", "interval_too_long"),
        (("interval",), None, "unexpected_shape"),
        ((), None, "unexpected_shape"),
    ],
)
def test_a_session_that_cannot_be_read_is_left_out_and_counted(path: tuple[str, ...], to: Any, reason: str) -> None:
    for good, payload, decode in ((NIGHT, "sleep", sleep_page), (RUN, "exercise", exercise_page)):
        bad = changed(good, payload, *path, to=to)
        found = decode(body(bad, good), ORIGIN)
        assert (len(found.sessions), found.unreadable, found.sent) == (1, {reason: 1}, 2)
        with pytest.raises(BrokenResponse, match=reason):
            decode(body(bad), ORIGIN)


def test_a_session_of_no_length_is_left_out() -> None:
    start = NIGHT["sleep"]["interval"]["startTime"]
    found = sleep_page(body(changed(NIGHT, "sleep", "interval", "endTime", to=start), NIGHT), ORIGIN)
    assert (len(found.sessions), found.unreadable) == (1, {"interval_ends_before_it_starts": 1})


@pytest.mark.parametrize(
    "harmless",
    [
        changed(NIGHT, "sleep", "metadata", to=None),
        changed(NIGHT, "sleep", "metadata", to={"processed": None, "novelty": 1}),
        changed(NIGHT, "sleep", "stages", to=None),
        changed(NIGHT, "sleep", "stages", to=[]),
        changed(NIGHT, "sleep", "shortAwakenings", to=None),
        changed(NIGHT, "sleep", "type", to="A_NEW_TYPE"),
        changed(NIGHT, "sleep", "interval", "startUtcOffset", to="soon"),
        changed(NIGHT, "dataSource", to=None),
        changed(NIGHT, "name", to=None),
        changed(NIGHT, "name", to="users/71/dataTypes/sleep/dataPoints/" + "9" * 200),
    ],
)
def test_what_is_added_left_out_or_null_beside_a_night_costs_nothing(harmless: Json) -> None:
    found = sleep_page(body(harmless), ORIGIN)
    assert (len(found.sessions), found.unreadable) == (1, {})
    assert len(found.sessions[0][0].external_id) <= 64


def test_a_stage_that_cannot_be_read_does_not_take_its_night() -> None:
    stages = [
        stage("LIGHT", 0, 20),
        changed(stage("DEEP", 20, 30), "endTime", gone=True),
        changed(stage("DEEP", 20, 30), "startTime", to="then"),
        stage("REM", 40, 35),
        stage("REM", 50, 50),
        None,
        stage("REM", 60, 70),
    ]
    found = assemble_sleep([sleep_page(body(changed(NIGHT, "sleep", "stages", to=stages)), ORIGIN)])
    (night,) = found.payload.sleep
    assert [one.stage for one in night.stages] == ["light", "rem"]
    assert found.skipped == {UNREADABLE_STAGE: 4}


@pytest.mark.parametrize(
    "harmless",
    [
        changed(RUN, "exercise", "metricsSummary", to=None),
        changed(RUN, "exercise", "metricsSummary", to={"steps": None, "caloriesKcal": None}),
        changed(RUN, "exercise", "metricsSummary", to={"steps": "1e300", "distanceMillimeters": -1}),
        changed(RUN, "exercise", "exerciseType", to=None),
        changed(RUN, "exercise", "activeDuration", to="long"),
        changed(RUN, "exercise", "activeDuration", to="1e300s"),
        changed(RUN, "exercise", "splits", to=None),
        changed(RUN, "dataSource", gone=True),
    ],
)
def test_what_is_added_left_out_or_null_beside_exercise_costs_nothing(harmless: Json) -> None:
    found = exercise_page(body(harmless), ORIGIN)
    ((record, _),) = found.sessions
    assert (found.unreadable, record.steps, record.active_seconds, record.distance_m) == ({}, None, None, None)


# --- devices, account ---------------------------------------------------------------------------------------------

TRACKER = {"name": "users/71/pairedDevices/1", "deviceType": "TRACKER", "deviceVersion": "Charge 6"}


def devices(*told: Any) -> Any:
    return account.devices(json.dumps({"pairedDevices": list(told)}).encode())


@pytest.mark.parametrize("bad", [{"deviceType": "TRACKER"}, None, TRACKER | {"lastSyncTime": "today"}])
def test_a_device_that_cannot_be_read_leaves_the_others(bad: Any) -> None:
    found = devices(bad, TRACKER)
    assert ([one.model for one in found.records], found.unreadable) == (["Charge 6"], {"unexpected_shape": 1})
    with pytest.raises(BrokenResponse):
        devices(bad)


@pytest.mark.parametrize(
    ("told", "percent"),
    [
        ({"batteryLevel": None}, None),
        ({"batteryLevel": "81"}, 81),
        ({"batteryLevel": 81.4}, 81),
        ({"batteryLevel": 0}, 0),
        ({"batteryLevel": 100}, 100),
        ({"batteryLevel": 101}, None),
        ({"batteryLevel": -1}, None),
        ({"features": None, "lastSyncTime": None, "batteryStatus": None}, None),
        ({"batteryStatus": "X" * 300, "deviceVersion": "Y" * 300}, None),
    ],
)
def test_what_a_device_leaves_out_or_overdoes_costs_nothing(told: Json, percent: int | None) -> None:
    (one,) = devices(TRACKER | told).records
    assert (one.battery_percent, len(one.model) <= 80, len(one.battery_status) <= 20) == (percent, True, True)


def test_devices_without_an_id_are_told_apart_by_their_model() -> None:
    found = devices(TRACKER | {"name": ""}, TRACKER | {"name": "", "deviceVersion": "Aria Air"}).records
    assert [one.external_id for one in found] == ["Charge 6", "Aria Air"]


def test_an_account_may_leave_out_what_is_not_needed() -> None:
    assert account.identity(b'{"healthUserId":"71","legacyUserId":null}').legacy_id is None
    found = account.settings(b'{"name":"users/me/settings","timeZone":null,"utcOffset":"soon"}')
    assert (found.time_zone, found.utc_offset) == (None, None)
    with pytest.raises(BrokenResponse):
        account.identity(b'{"healthUserId":null}')


# --- notices ------------------------------------------------------------------------------------------------------

TIMES = {"startTime": "2026-11-20T13:00:00Z", "endTime": "2026-11-20T13:15:00Z"}


def notices(*intervals: Any, **more: Any) -> list[Notification]:
    data = {"healthUserId": "71", "dataType": "steps", "operation": "UPSERT", "intervals": list(intervals)} | more
    found = received(json.dumps([{"data": data}]).encode())
    assert found.malformed == 0
    return found.notifications


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        {"physicalTimeInterval": {"startTime": "2026-11-20T13:00:00Z"}},
        {"physicalTimeInterval": TIMES | {"startTime": "2026-11-20T13:00:00"}},
        {"physicalTimeInterval": TIMES | {"startTime": "0001-01-01T00:00:00Z"}},
        {"physicalTimeInterval": TIMES | {"endTime": "9999-12-31T23:59:59Z"}},
        {"physicalTimeInterval": TIMES | {"endTime": "2026-11-20T12:00:00Z"}},
        {"civilDateTimeInterval": {"startDateTime": {"date": {"year": 2026, "month": 13, "day": 1}}}},
        {"aNewForm": {}},
    ],
)
def test_an_interval_that_cannot_be_read_may_be_anywhere(bad: Any) -> None:
    found = notices({"physicalTimeInterval": TIMES}, bad)
    assert [one.start is None for one in found] == [False, True]


def test_of_several_forms_of_an_interval_one_that_can_be_read_is_enough() -> None:
    (found,) = notices({"physicalTimeInterval": {"startTime": None}, "civilIso8601TimeInterval": TIMES})
    assert (found.civil, found.start) == (True, dt.datetime(2026, 11, 20, 13))  # noqa: DTZ001  local by nature


def test_an_interval_of_no_length_names_the_second_that_it_begins() -> None:
    (found,) = notices({"physicalTimeInterval": TIMES | {"endTime": TIMES["startTime"]}})
    assert found.start
    assert found.end == found.start + dt.timedelta(seconds=1)


@pytest.mark.parametrize("told", [{"intervals": None}, {"operation": None}, {"recordId": None, "novelty": 1}])
def test_what_a_notice_leaves_out_costs_nothing(told: Json) -> None:
    assert len(notices({"physicalTimeInterval": TIMES}, **told)) == 1
