"""The rules by which a day is evaluated, each bound on both sides, without a database."""

from __future__ import annotations

import datetime as dt

import pytest

from metrics.models import DayStatus, Exclusion
from metrics.monitoring.rules import DayFacts, Monitoring, can_count, evaluate_day
from participants.models import Participant, Protocol

MONDAY = dt.date(2026, 5, 4)
HOUR, MINUTE, ONE_DAY = dt.timedelta(hours=1), dt.timedelta(minutes=1), dt.timedelta(days=1)
INSTANT = dt.timedelta(microseconds=1)
END = dt.datetime(2026, 5, 4, 22, tzinfo=dt.UTC)  # the first instant after Monday in Amsterdam
Status = Participant.Status


def on(n: int) -> dt.date:
    """So many days after Monday."""
    return MONDAY + n * ONE_DAY


@pytest.mark.parametrize(("date", "version"), [(-400, 1), (-1, 1), (0, 2), (9, 2), (10, 3), (400, 3)])
def test_a_date_is_evaluated_by_the_newest_protocol_of_those_effective_by_then(date: int, version: int) -> None:
    latest_first = [
        Protocol(version=3, effective_on=on(10)),
        Protocol(version=2, effective_on=on(0)),
        Protocol(version=1, effective_on=on(-30)),
    ]
    assert Protocol.in_force(latest_first, on(date)).version == version


def test_without_any_protocol_nothing_can_be_evaluated() -> None:
    with pytest.raises(IndexError):
        Protocol.in_force([], MONDAY)


def monitoring(**known: object) -> Monitoring:
    """From Monday on, without an end. Today is the tenth day after it."""
    fields = {
        "status": Status.ACTIVE, "first": MONDAY, "last": None, "withdrawn_on": None, "pauses": [], "today": on(10),
    }  # fmt: skip
    return Monitoring(**{**fields, **known})  # type: ignore[arg-type]


def excluded(known: Monitoring, dates: range, before: str = "") -> dict[int, str]:
    """Of these days after Monday, those that do not count, and why."""
    found = {n: known.exclusion(on(n), before) for n in dates}
    return {n: reason.value for n, reason in found.items() if reason}


def test_monitoring_begins_with_its_first_day_and_has_no_end_unless_one_is_told() -> None:
    assert excluded(monitoring(), range(-2, 30)) == {-2: "before_start", -1: "before_start"}


def test_of_whom_no_first_day_is_known_no_day_counts() -> None:
    assert excluded(monitoring(first=None), range(2)) == {0: "before_start", 1: "before_start"}


def test_the_last_day_counts_and_those_after_it_do_not() -> None:
    assert excluded(monitoring(last=on(2)), range(5)) == {3: "after_end", 4: "after_end"}


def test_the_day_of_a_withdrawal_does_not_count_and_those_before_it_do() -> None:
    left = monitoring(status=Status.WITHDRAWN, withdrawn_on=on(2))
    assert excluded(left, range(5)) == {2: "withdrawn", 3: "withdrawn", 4: "withdrawn"}


def test_of_several_reasons_the_first_to_hold_is_told() -> None:
    pauses = [(on(-5), None, "")]
    known = monitoring(status=Status.PAUSED, withdrawn_on=on(2), last=on(1), pauses=pauses)
    assert excluded(known, range(-1, 4)) == {
        -1: "before_start", 0: "paused", 1: "paused", 2: "withdrawn", 3: "withdrawn",
    }  # fmt: skip
    assert excluded(monitoring(last=on(1), pauses=pauses), range(1, 3)) == {1: "paused", 2: "after_end"}


@pytest.mark.parametrize(
    ("pauses", "paused"),
    [
        ([(2, 4)], {2, 3, 4}),
        ([(3, 3)], {3}),
        ([(5, None)], {5, 6, 7}),
        ([(1, 1), (3, 4)], {1, 3, 4}),
        ([(9, None)], set()),
    ],
)
def test_the_days_of_a_pause_do_not_count_its_first_and_last_included(
    pauses: list[tuple[int, int | None]], paused: set[int]
) -> None:
    known = monitoring(pauses=[(on(first), None if last is None else on(last), "") for first, last in pauses])
    assert set(excluded(known, range(8))) == paused


def test_a_day_belongs_to_the_pause_that_it_lies_in() -> None:
    first, second = (on(1), on(2), "Holiday"), (on(4), None, "Surgery")
    known = monitoring(pauses=[first, second])
    assert [known.pause(on(n)) for n in range(6)] == [None, first, first, None, second, second]


@pytest.mark.parametrize(
    ("status", "date", "before", "reason"),
    [
        (Status.PAUSED, 9, "", None),
        (Status.PAUSED, 10, "", Exclusion.PAUSED),
        (Status.PAUSED, 11, "", Exclusion.PAUSED),
        (Status.PAUSED, 9, Exclusion.PAUSED, Exclusion.PAUSED),
        (Status.PAUSED, 9, Exclusion.PLATFORM, None),
        (Status.ACTIVE, 9, Exclusion.PAUSED, None),
        (Status.ACTIVE, 10, "", None),
    ],
)
def test_who_is_paused_without_a_pause_is_so_from_today_on_and_on_days_that_were(
    status: str, date: int, before: str, reason: Exclusion | None
) -> None:
    assert monitoring(status=status).exclusion(on(date), before) == reason


def facts(**known: object) -> DayFacts:
    fields = {
        "ends_at": END, "worn_minutes": 100, "fault_minutes": 0, "has_data": True, "newest": None, "unread": False,
        "exclusion": None, "before": "",
    }  # fmt: skip
    return DayFacts(**{**fields, **known})  # type: ignore[arg-type]


def status_of(now: dt.datetime, rules: Protocol | None = None, **known: object) -> tuple[DayStatus, str]:
    return evaluate_day(facts(**known), rules or Protocol(), now)


def test_a_day_has_24_hours_and_waits_for_nothing_unless_told() -> None:
    assert (facts().minutes, facts().waits) == (1440, False)


@pytest.mark.parametrize(
    ("minutes", "valid", "can"), [(600, 600, True), (599, 600, False), (1, 0, True), (0, 0, False), (1, 1, True)]
)
def test_a_day_can_count_that_is_as_long_as_a_valid_day_and_has_a_minute(minutes: int, valid: int, can: bool) -> None:
    assert can_count(minutes, valid) is can


@pytest.mark.parametrize(
    ("newest", "now", "status"),
    [
        (END, END, DayStatus.INVALID),
        (END - INSTANT, END, DayStatus.PENDING),
        (END, END - INSTANT, DayStatus.PENDING),
        (None, END, DayStatus.PENDING),
    ],
)
def test_a_day_is_proven_short_once_it_is_over_and_the_device_was_heard_of_since(
    newest: dt.datetime | None, now: dt.datetime, status: DayStatus
) -> None:
    assert status_of(now, newest=newest) == (status, "")


@pytest.mark.parametrize(("fault", "status"), [(499, DayStatus.INVALID), (500, DayStatus.PENDING)])
def test_a_day_that_a_fault_kept_from_being_valid_is_not_proven_short(fault: int, status: DayStatus) -> None:
    assert status_of(END + HOUR, newest=END, fault_minutes=fault) == (status, "")


@pytest.mark.parametrize("hours", [48, 168])
def test_a_days_time_is_up_so_many_hours_after_its_end(hours: int) -> None:
    rules, up = Protocol(lost_after_hours=hours), END + hours * HOUR
    assert status_of(up - INSTANT, rules) == (DayStatus.PENDING, "")
    assert status_of(up, rules) == (DayStatus.INVALID, "")
    assert status_of(up - INSTANT, rules, fault_minutes=500) == (DayStatus.PENDING, "")
    assert status_of(up, rules, fault_minutes=500) == (DayStatus.EXCLUDED, Exclusion.PLATFORM)


@pytest.mark.parametrize(("newest", "status"), [(END, DayStatus.INVALID), (END - INSTANT, DayStatus.LOST)])
def test_an_empty_day_is_lost_unless_the_device_was_heard_of_after_it(newest: dt.datetime, status: DayStatus) -> None:
    assert status_of(END + 8 * ONE_DAY, has_data=False, newest=newest) == (status, "")


def test_the_protocols_limit_decides_what_is_worn_long_enough() -> None:
    rules = Protocol(valid_day_minutes=480)
    assert status_of(END, rules, worn_minutes=480) == (DayStatus.VALID, "")
    assert status_of(END, rules, worn_minutes=479) == (DayStatus.PENDING, "")
