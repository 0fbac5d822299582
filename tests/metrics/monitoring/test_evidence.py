"""What is known of the way of the data: which reading is the last, whose battery it is, how facts are stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from metrics.models import Access
from metrics.monitoring import evidence
from metrics.monitoring.evidence import NOTHING, Evidence, Reading, collect, facts, iso, register_collector
from participants.models import Participant

NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
HOUR, INSTANT = dt.timedelta(hours=1), dt.timedelta(microseconds=1)
AMSTERDAM = dt.timezone(2 * HOUR)


def reading(hour: float, percent: int | None = 50, **extra: Any) -> Reading:
    """What a device said so many hours after noon."""
    return Reading(NOON + hour * HOUR, percent, **extra)


@pytest.mark.parametrize(
    ("percent", "status", "empty"),
    [(None, "Empty", True), (None, "EMPTY", True), (None, "Low", False), (None, "", False), (0, "Empty", False)],
)
def test_a_battery_is_empty_that_its_vendor_calls_so_without_a_number(
    percent: int | None, status: str, empty: bool
) -> None:
    assert reading(0, percent, battery_status=status).empty is empty


def test_a_reading_is_a_sync_unless_told_otherwise() -> None:
    assert reading(0).synced


def test_the_battery_is_the_last_that_is_known_of_the_device_worn_now() -> None:
    known = [reading(0, 80, device="a"), reading(1, 70, device="a"), reading(2, None, device="a")]
    others = [reading(3, 10, device="b")]
    assert Evidence(readings=[*known, *others], device="a").battery == known[1]
    assert Evidence(readings=[*known, *others], device="b").battery == others[0]
    assert Evidence(readings=known, device="c").battery is None


def test_the_last_reading_by_an_instant_is_the_newest_not_after_it() -> None:
    first, second = reading(0), reading(2)
    known = Evidence(readings=[first, second])
    assert known.last_reading(first.at - INSTANT) is None
    assert known.last_reading(first.at) == first
    assert known.last_reading(second.at - INSTANT) == first
    assert known.last_reading(second.at) == second


def test_history_that_can_be_asked_for_comes_before_what_was_kept() -> None:
    kept, asked = reading(0, 50), reading(1, 40)
    known = Evidence(readings=[kept], reading_at=lambda until: asked if until >= asked.at else None)
    assert known.last_reading(asked.at) == asked
    assert known.last_reading(asked.at - INSTANT) == kept


def test_a_device_was_last_heard_of_when_it_last_handed_its_data_on() -> None:
    known = [reading(0), reading(2), reading(1), reading(3, synced=False)]
    assert Evidence(readings=known).synced_at == NOON + 2 * HOUR
    assert Evidence(readings=known[3:]).synced_at is None


def test_of_whom_nothing_is_known_there_is_no_connection() -> None:
    assert (NOTHING.access, NOTHING.live, NOTHING.battery, NOTHING.synced_at) == (Access.NONE, False, None, None)
    assert NOTHING.last_reading(NOON) is None


def tells(participants: Iterable[Participant], *, since: dt.datetime, now: dt.datetime) -> Mapping[int, Evidence]:
    """Collector of these tests: says what it was asked."""
    return {person.pk: Evidence(live=True, access_since=since, next_pull_at=now) for person in participants}


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No collector is registered; who was is so again after the test."""
    monkeypatch.setattr(evidence.collectors, "functions", [])


def test_who_is_registered_is_asked_for_the_evidence(nobody: None) -> None:
    register_collector(tells)
    found = collect([Participant(pk=7)], since=NOON, now=NOON + HOUR)
    assert found == {7: Evidence(live=True, access_since=NOON, next_pull_at=NOON + HOUR)}


def test_where_nobody_is_registered_nothing_is_known(nobody: None) -> None:
    assert collect([Participant(pk=7)], since=NOON, now=NOON) == {}


def test_instants_are_kept_in_utc() -> None:
    assert iso(NOON.astimezone(AMSTERDAM)) == "2026-05-04T12:00:00+00:00"
    assert iso(None) is None


def test_facts_are_what_is_known_with_instants_and_dates_as_text() -> None:
    assert facts(at=NOON.astimezone(AMSTERDAM), on=dt.date(2026, 5, 4), steps=0, code="", missing=None) == {
        "at": "2026-05-04T12:00:00+00:00", "on": "2026-05-04", "steps": 0, "code": "",
    }  # fmt: skip
