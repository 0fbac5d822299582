"""The chart's data as JSON."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from participants.models import Participant
from tests.dashboards.measured import NOON, heart_rate, steps, store

pytestmark = pytest.mark.usefixtures("_now")

ADDRESS = "/trials/STRIDE-2/participants/AX-0042/series.json"
ONE_DAY = {"metric": "heart_rate", "start": "2026-11-18", "end": "2026-11-18"}
NOON_MS = int(NOON.timestamp()) * 1000


def ask(client: Client, **changes: str) -> Any:
    return client.get(ADDRESS, {**ONE_DAY, **changes})


def test_a_day_of_heart_rate_comes_by_the_minute(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 30, value=64.0))
    answer = ask(manager).json()
    assert len(answer["t"]) == 30
    assert answer["t"][0] == NOON_MS
    assert answer["mean"][0] == answer["low"][0] == answer["high"][0] == 64.0
    assert answer["n"][0] == 6
    assert answer["meta"]["resolution"] == "1\u00a0point = 1\u00a0min"


def test_a_second_metric_comes_beside_the_first(
    manager: Client, participant: Participant, django_assert_num_queries: Any
) -> None:
    store(participant, heart_rate(NOON, 30, value=64.0), steps(NOON, [10, 20]))
    with django_assert_num_queries(12):  # one more than for one metric: its buckets
        answer = ask(manager, compare="steps").json()
    assert answer["meta"]["metric"] == "heart_rate"
    assert sum(answer["compare"]["total"]) == 30
    assert answer["compare"]["meta"]["chart"] == "bars"


def test_an_interval_of_an_hour_comes_in_finer_steps(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 120))
    week = ask(manager, start="2026-11-12").json()
    hour = ask(manager, start="2026-11-18T11:00:00Z", end="2026-11-18T12:00:00Z").json()
    assert hour["meta"]["width_seconds"] < week["meta"]["width_seconds"]


def test_a_gap_breaks_the_line_and_is_listed(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 10), heart_rate(NOON + dt.timedelta(minutes=30), 10))
    answer = ask(manager).json()
    assert answer["mean"].count(None) == 1
    assert [NOON_MS + 600_000, NOON_MS + 1_800_000] in answer["gaps"]


def test_steps_come_as_sums(manager: Client, participant: Participant) -> None:
    store(participant, steps(NOON, [10, 20, 30, 0, 0]))
    answer = ask(manager, metric="steps").json()
    assert sum(answer["total"]) == 60
    assert answer["meta"]["chart"] == "bars"


def test_no_data_is_an_empty_answer_with_one_gap(manager: Client, participant: Participant) -> None:
    answer = ask(manager).json()
    assert answer["t"] == []
    assert len(answer["gaps"]) == 1
    assert answer["meta"]["source"] is None


def test_the_source_is_named(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 1))
    meta = ask(manager).json()["meta"]
    assert (meta["source"], meta["others"], meta["synthetic"]) == ("fitabase · Charge 6", [], False)


def test_dates_are_the_participants_local_days(manager: Client, participant: Participant) -> None:
    meta = ask(manager).json()["meta"]
    assert meta["zone"] == "Europe/Amsterdam"
    assert meta["start"] == NOON_MS - 12 * 3_600_000
    assert meta["end"] == NOON_MS + 12 * 3_600_000


def test_ninety_days_stay_under_two_thousand_points(manager: Client, participant: Participant) -> None:
    store(participant, *(heart_rate(NOON - dt.timedelta(days=n), 60, step=60) for n in range(90)))
    answer = ask(manager, start="2026-08-21").json()
    assert 90 <= len(answer["t"]) <= 2000


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"metric": "mood"}, "metric"),
        ({"metric": ""}, "metric"),
        ({"compare": "mood"}, "compare"),
        ({"start": ""}, "start"),
        ({"start": "tomorrow"}, "start"),
        ({"start": "1970-01-01"}, "start"),
        ({"start": "2006-01-01"}, "start"),
        ({"end": "2026-11-17"}, "end"),
        ({"end": "2026-11-18T99:00"}, "end"),
        ({"resolution": "best"}, "resolution"),
        ({"resolution": "raw", "start": "2026-10-18"}, "resolution"),
        ({"resolution": "1m", "start": "2026-10-18"}, "resolution"),
    ],
)
def test_a_bad_parameter_is_named(
    manager: Client, participant: Participant, changes: dict[str, str], parameter: str
) -> None:
    answer = ask(manager, **changes)
    assert answer.status_code == 400
    assert answer.json()["error"]["parameter"] == parameter


def test_raw_values_that_are_too_many_are_refused(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 60, step=1))
    assert ask(manager, resolution="raw").json()["error"]["parameter"] == "resolution"


def test_raw_values_come_as_recorded(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 2))
    answer = ask(manager, resolution="raw").json()
    assert len(answer["t"]) == 12
    assert answer["meta"]["width_seconds"] == 0


def test_the_answer_is_kept_by_no_cache(manager: Client, participant: Participant) -> None:
    assert ask(manager).headers["Cache-Control"] == "private, no-store"


def test_the_answer_needs_few_queries(
    manager: Client, participant: Participant, django_assert_num_queries: Any
) -> None:
    store(participant, heart_rate(NOON, 60))
    # session, user, participant; person, clock, what is collected (3), sources (2), buckets; the look (2)
    with django_assert_num_queries(11):
        ask(manager)
