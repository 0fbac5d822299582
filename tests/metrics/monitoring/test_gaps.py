"""Why data are missing, piece by piece, without a database: where an interval is cut, and each cause on both sides."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from metrics.models import Cause
from metrics.monitoring.evidence import Evidence, Fault, Reading, Spell, TimeInterval
from metrics.monitoring.gaps import Neighbours, Piece, decided, joined, pieces

START = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
FLAT = 5


def at(hour: float) -> dt.datetime:
    return START + hour * HOUR


def iso(hour: float) -> str:
    return at(hour).isoformat()


def answered(*hours: tuple[float, float]) -> list[TimeInterval]:
    return [TimeInterval(at(first), at(last)) for first, last in hours]


def fault(first: float, last: float, next_at: dt.datetime | None = None) -> Fault:
    return Fault(at(first), at(last), "http_503", at(first), next_at)


def dead(first: float, last: float) -> Spell:
    return Spell(at(first), at(last), Cause.TOKEN_DEAD, {"reason": "expired_grant"})


def cut(known: Evidence, first: float = 0, last: float = 10, *, heard: float | None = None) -> list[Piece]:
    return pieces(at(first), at(last), known, None if heard is None else at(heard))


def told(found: list[Piece]) -> list[tuple[float, float, str]]:
    """Pieces as (first hour, last hour, cause), "" for one that the neighbouring data must tell."""
    return [((p.starts_at - START) / HOUR, (p.ends_at - START) / HOUR, p.cause.value if p.cause else "") for p in found]


# --- where an interval is cut ----------------------------------------------------------------------------------------


def test_a_piece_knows_its_minutes_and_is_read_and_heard_of_unless_told() -> None:
    piece = Piece(at(0), at(1.5), None, {})
    assert (piece.minutes, piece.unread, piece.waits, piece.silent) == (90, False, False, False)
    assert replace(piece, ends_at=piece.ends_at + 31 * dt.timedelta(seconds=1)).minutes == 91


def test_nothing_else_was_measured_unless_told() -> None:
    assert Neighbours() == Neighbours(measured=False, step_minutes=0, zero_minutes=0, steps=0)


def test_an_interval_of_which_nothing_is_known_is_one_piece() -> None:
    (piece,) = cut(Evidence())
    assert piece == Piece(at(0), at(10), None, {}, silent=True)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"answered": answered((2, 4))}, [(0, 2, "not_synced"), (2, 4, ""), (4, 10, "not_synced")]),
        ({"answered": answered((2, 4), (6, 8))},
         [(0, 2, "not_synced"), (2, 4, ""), (4, 6, "not_synced"), (6, 8, ""), (8, 10, "not_synced")]),
        ({"answered": answered((-5, 4))}, [(0, 4, ""), (4, 10, "not_synced")]),
        ({"answered": answered((4, 15))}, [(0, 4, "not_synced"), (4, 10, "")]),
        ({"answered": answered((0, 10))}, [(0, 10, "")]),
        ({"answered": answered((-5, 0), (10, 15))}, [(0, 10, "not_synced")]),
        ({"spells": [dead(2, 4)]}, [(0, 2, "not_synced"), (2, 4, "token_dead"), (4, 10, "not_synced")]),
        ({"faults": [fault(2, 4)]}, [(0, 2, "not_synced"), (2, 4, "platform"), (4, 10, "not_synced")]),
        ({"faults": [fault(2, 6)], "spells": [dead(4, 8)]},
         [(0, 2, "not_synced"), (2, 4, "platform"), (4, 6, "token_dead"), (6, 8, "token_dead"), (8, 10, "not_synced")]),
    ],
)  # fmt: skip
def test_an_interval_is_cut_where_what_is_known_changes(
    known: dict[str, Any], expected: list[tuple[float, float, str]]
) -> None:
    assert told(cut(Evidence(live=True, **known))) == expected


def test_what_was_asked_for_and_answered_is_no_matter_of_the_connection() -> None:
    known = Evidence(live=True, answered=answered((0, 10)), spells=[dead(0, 10)], faults=[fault(0, 10)])
    assert told(cut(known)) == [(0, 10, "")]


def test_what_may_not_be_asked_for_comes_before_a_fault_and_waits_to_be_read() -> None:
    (piece,) = cut(Evidence(live=True, spells=[dead(0, 10)], faults=[fault(0, 10)], due=answered((0, 10))))
    assert piece == Piece(at(0), at(10), Cause.TOKEN_DEAD, {"reason": "expired_grant"}, unread=True, waits=True)
    (piece,) = cut(Evidence(live=True, spells=[dead(0, 10)], faults=[fault(0, 10)]))
    assert (piece.unread, piece.waits) == (True, False)
    (piece,) = cut(Evidence(live=True, spells=[dead(0, 10)], due=answered((0, 10))))
    assert (piece.unread, piece.waits) == (True, True)
    (piece,) = cut(Evidence(live=True, spells=[dead(0, 10)]))
    assert (piece.unread, piece.waits) == (False, False)


def test_a_fault_says_what_it_was_since_when_and_when_it_is_tried_again() -> None:
    (piece,) = cut(Evidence(live=True, faults=[fault(0, 10, at(12))]))
    evidence = {"code": "http_503", "since": iso(0), "next_at": iso(12)}
    assert piece == Piece(at(0), at(10), Cause.PLATFORM, evidence, unread=True, waits=False)
    (piece,) = cut(Evidence(live=True, faults=[fault(0, 10)], due=answered((0, 10))))
    assert (piece.evidence, piece.unread, piece.waits) == ({"code": "http_503", "since": iso(0)}, True, True)


def test_what_waits_to_be_read_is_not_synced_yet() -> None:
    (piece,) = cut(Evidence(due=answered((0, 10))))
    assert piece == Piece(at(0), at(10), Cause.NOT_SYNCED, {}, unread=True, waits=True, silent=True)


def test_without_a_connection_what_was_not_asked_for_is_left_to_the_neighbouring_data() -> None:
    known = Evidence(due=answered((2, 4)))
    assert told(cut(known)) == [(0, 2, ""), (2, 4, "not_synced"), (4, 10, "")]


def test_what_the_device_handed_over_and_nobody_asked_for_since_is_unread() -> None:
    found = cut(Evidence(live=True), heard=6)
    assert [(p.starts_at, p.unread, p.waits, p.silent) for p in found] == [
        (at(0), True, False, False), (at(6), False, False, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("heard", "synced", "silent_from"),
    [(None, None, 0), (6, None, 6), (None, 6, 6), (4, 6, 6), (6, 4, 6), (0, None, 0), (-1, None, 0), (10, None, None)],
)
def test_a_device_is_silent_from_its_newest_sample_or_sync_on(
    heard: float | None, synced: float | None, silent_from: float | None
) -> None:
    readings = [] if synced is None else [Reading(at(synced), 50)]
    found = cut(Evidence(answered=answered((0, 10)), readings=readings), heard=heard)
    silent = [piece for piece in found if piece.silent]
    assert [(p.starts_at, p.ends_at) for p in silent] == ([] if silent_from is None else [(at(silent_from), at(10))])
    assert len(found) == (1 if silent_from in (None, 0) else 2)


def test_what_was_not_synced_tells_of_the_last_reading_before_its_end() -> None:
    readings = [Reading(at(-3), 40), Reading(at(9), 30), Reading(at(11), 20)]
    known = Evidence(live=True, readings=readings, next_pull_at=at(12))
    (piece,) = cut(known, 9, 10)
    assert piece.evidence == {
        "last_sync_at": iso(9), "battery_percent": 30, "battery_at": iso(9), "next_pull_at": iso(12),
    }  # fmt: skip
    described = [Reading(at(9), 30, synced=False)]
    (piece,) = cut(replace(known, readings=described, next_pull_at=None), 9, 10)
    assert piece.evidence == {"battery_percent": 30, "battery_at": iso(9)}


def test_neighbouring_pieces_of_one_cause_and_one_evidence_are_one() -> None:
    def piece(first: float, last: float, cause: Cause | None = Cause.OFF_WRIST, **evidence: Any) -> Piece:
        return Piece(at(first), at(last), cause, evidence)

    assert joined([piece(0, 1), piece(1, 2), piece(2, 4)]) == [piece(0, 4)]
    other = Cause.UNKNOWN
    assert joined([piece(0, 1), piece(1, 2, other), piece(2, 3, other), piece(3, 4, other), piece(4, 5)]) == [
        piece(0, 1), piece(1, 4, other), piece(4, 5),
    ]  # fmt: skip
    for apart in (
        [piece(0, 1), piece(2, 3)],
        [piece(0, 1), piece(1, 2, Cause.UNKNOWN)],
        [piece(0, 1), piece(1, 2, steps=3)],
        [piece(0, 1), replace(piece(1, 2), unread=True)],
        [],
    ):
        assert joined(apart) == apart


# --- what the neighbouring data and the readings tell ----------------------------------------------------------------


def decide(
    known: Evidence | None = None, near: Neighbours | None = None, *, silent: bool = False, hours: float = 10
) -> tuple[str, dict[str, Any]]:
    piece = Piece(at(0), at(hours), None, {}, silent=silent)
    found = decided(piece, known or Evidence(), near or Neighbours(), FLAT)
    assert (found.starts_at, found.ends_at, found.silent) == (piece.starts_at, piece.ends_at, silent)
    assert found.cause is not None
    return found.cause.value, found.evidence


def cause_of(known: Evidence | None = None, near: Neighbours | None = None, **piece: Any) -> str:
    return decide(known, near, **piece)[0]


def battery(percent: int | None, hour: float = 0, **extra: Any) -> Evidence:
    return Evidence(readings=[Reading(at(hour), percent, **extra)])


@pytest.mark.parametrize(
    ("known", "cause"),
    [
        (battery(FLAT), "battery_flat"),
        (battery(FLAT + 1), "unknown"),
        (battery(0), "battery_flat"),
        (battery(None, battery_status="Empty"), "battery_flat"),
        (battery(None, battery_status="Low"), "unknown"),
        (Evidence(), "unknown"),
    ],
)
def test_a_battery_is_flat_from_the_protocols_limit_down(known: Evidence, cause: str) -> None:
    assert cause_of(known) == cause


def test_what_was_measured_meanwhile_shows_that_the_battery_was_not_flat() -> None:
    assert cause_of(battery(1), Neighbours(measured=True)) == "unknown"


@pytest.mark.parametrize(("age", "cause"), [(2 * 24 * HOUR, "battery_flat"), (2 * 24 * HOUR + MINUTE, "unknown")])
def test_a_reading_says_nothing_of_an_interval_that_begins_more_than_two_days_later(
    age: dt.timedelta, cause: str
) -> None:
    assert cause_of(battery(1, -age / HOUR)) == cause


def test_of_a_device_that_is_silent_since_the_last_reading_holds_however_old() -> None:
    assert cause_of(battery(1, -100), silent=True) == "battery_flat"


@pytest.mark.parametrize(("hours", "cause"), [(3, "battery_flat"), (2.99, "not_synced")])
def test_a_short_silence_is_an_upload_to_come(hours: float, cause: str) -> None:
    assert cause_of(replace(battery(1), live=True), silent=True, hours=hours) == cause


def test_a_short_interval_that_was_read_since_may_be_a_flat_battery() -> None:
    assert cause_of(battery(1), hours=0.5) == "battery_flat"


def test_silence_is_not_synced_yet_where_there_is_a_connection_and_else_unknown() -> None:
    known = Evidence(live=True, readings=[Reading(at(-1), 60)], next_pull_at=at(12))
    assert decide(known, silent=True) == (
        "not_synced",
        {"last_sync_at": iso(-1), "battery_percent": 60, "battery_at": iso(-1), "next_pull_at": iso(12)},
    )
    assert decide(replace(known, live=False), silent=True) == ("unknown", {})
    # Something was measured: it is not silent of everything.
    assert decide(known, Neighbours(measured=True, step_minutes=10, zero_minutes=0, steps=70), silent=True) == (
        "unknown", {"steps": 70},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("minutes", "zero", "cause"),
    [(100, 95, "off_wrist"), (100, 94, "unknown"), (1, 1, "off_wrist"), (1, 0, "unknown"), (0, 0, "unknown")],
)
def test_a_device_that_lay_still_was_off_the_wrist(minutes: int, zero: int, cause: str) -> None:
    near = Neighbours(measured=True, step_minutes=minutes, zero_minutes=zero, steps=minutes - zero)
    assert cause_of(near=near) == cause


@pytest.mark.parametrize(
    ("hour", "cause"), [(0, "unknown"), (0.01, "off_wrist"), (10, "off_wrist"), (10.01, "unknown")]
)
def test_a_device_that_synced_within_the_interval_and_measured_nothing_was_off_the_wrist(
    hour: float, cause: str
) -> None:
    assert cause_of(battery(60, hour)) == cause
    assert cause_of(battery(60, hour), Neighbours(measured=True)) == "unknown"
    assert cause_of(battery(60, hour, synced=False)) == "unknown"


def test_a_sync_that_only_the_history_tells_of_is_one_too() -> None:
    assert cause_of(Evidence(reading_at=lambda until: Reading(at(5), 60) if until >= at(5) else None)) == "off_wrist"


def test_off_the_wrist_tells_of_the_last_sync_the_still_minutes_and_the_battery() -> None:
    known = Evidence(readings=[Reading(at(2), 70), Reading(at(6), 60), Reading(at(11), 50)])
    near = Neighbours(measured=True, step_minutes=60, zero_minutes=60)
    assert decide(known, near) == ("off_wrist", {"synced_at": iso(6), "zero_step_minutes": 60, "battery_percent": 60})
    assert decide(known) == ("off_wrist", {"synced_at": iso(6), "battery_percent": 60})
    assert decide(None, near) == ("off_wrist", {"zero_step_minutes": 60})


def test_what_is_not_understood_tells_of_the_steps_and_the_last_sync() -> None:
    near = Neighbours(measured=True, step_minutes=60, zero_minutes=6, steps=900)
    assert decide(battery(60, 6), near) == ("unknown", {"steps": 900, "synced_at": iso(6)})
    assert decide() == ("unknown", {})


# --- how fast a battery fell -----------------------------------------------------------------------------------------


def fell(*readings: tuple[float, int | None], device: str = "", known: Evidence | None = None) -> int | None:
    """The fall per day that a flat battery tells of, given readings (hours before the last one, percent)."""
    rows = [Reading(at(-hours), percent) for hours, percent in readings]
    cause, evidence = decide(known or Evidence(readings=rows))
    assert cause == "battery_flat"
    found: int | None = evidence.get("falling_per_day")
    return found


def test_a_flat_battery_tells_of_its_reading_and_how_fast_it_fell_by_the_day() -> None:
    known = Evidence(readings=[Reading(at(-48), 65), Reading(at(-24), 40), Reading(at(0), 5)])
    assert decide(known) == (
        "battery_flat", {"battery_percent": 5, "battery_at": iso(0), "falling_per_day": 30},
    )  # fmt: skip
    assert decide(battery(None, battery_status="Empty")) == ("battery_flat", {"battery_at": iso(0)})


@pytest.mark.parametrize(
    ("readings", "by_the_day"),
    [
        ([(0, 5)], None),
        ([(12, 15), (0, 5)], 20),  # from half a day on
        ([(11.99, 15), (0, 5)], None),
        ([(24, 5), (0, 5)], None),  # it did not fall
        ([(48, 5), (0, 2)], 2),  # 1.5 a day
        ([(48, 5), (0, 4)], None),  # half a percent a day
        ([(72, 95), (48, 10), (24, 50), (0, 5)], 45),  # charged in between: from its highest since
        ([(72, 95), (48, 60), (24, 60), (0, 5)], 30),
        ([(96, 85), (0, 5)], 20),  # four days back
        ([(96.01, 85), (48, 45), (0, 5)], 20),
        ([(96.01, 85), (0, 5)], None),
        ([(48, 45), (24, None), (0, 5)], 20),
        ([(48, 31), (24, 0), (0, 0)], 16),
    ],
)
def test_the_fall_is_told_from_the_highest_reading_of_four_days_since_which_it_only_fell(
    readings: list[tuple[float, int | None]], by_the_day: int | None
) -> None:
    assert fell(*readings) == by_the_day


def test_readings_of_another_device_and_later_ones_tell_nothing_of_the_fall() -> None:
    mine = [Reading(at(-48), 45), Reading(at(0), 5)]
    other = Reading(at(-24), 99, device="other")
    charged = [Reading(at(0), 100), Reading(at(11), 90)]
    assert fell(known=Evidence(readings=[mine[0], other, mine[1]])) == 20
    assert fell(known=Evidence(readings=[mine[0], charged[0], mine[1], charged[1]])) == 20
