"""Nights and nightly measures as shapes."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from dashboards.participant_detail.charts.nightly import nightly, usual
from dashboards.participant_detail.charts.sleep import clock_minutes, hypnogram, nights
from dashboards.participant_detail.session_rows import night
from metrics.models import SleepSession
from metrics.reading.queries import DayRow

ZONE = ZoneInfo("Europe/Amsterdam")
SUNDAY = dt.date(2026, 11, 22)


def session(date: dt.date = SUNDAY, hours: float = 8, **changes: object) -> SleepSession:
    start = dt.datetime.combine(date - dt.timedelta(days=1), dt.time(23), ZONE)
    stages = [[0, 3600, "light"], [3600, 1800, "deep"], [5400, 600, "restless"]]
    made = SleepSession(
        date=date,
        starts_at=start,
        ends_at=start + dt.timedelta(hours=hours),
        stages=stages,
        asleep_minutes=450,
        awake_minutes=30,
        deep_minutes=60,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def days(values: dict[int, float]) -> list[DayRow]:
    return [
        DayRow(SUNDAY - dt.timedelta(days=ago), 1, 1, v, v, v, v) for ago, v in sorted(values.items(), reverse=True)
    ]


def test_a_hypnogram_places_each_stage_in_its_row_and_joins_changes() -> None:
    drawn = hypnogram(session(), ZONE)
    assert [(piece.stage, piece.x) for piece in drawn.pieces] == [
        ("light", "0.000%"),
        ("deep", "12.500%"),
        ("awake", "18.750%"),
    ]
    assert [piece.join is None for piece in drawn.pieces] == [True, False, False]
    assert drawn.pieces[2].text.startswith("restless, 00:30")


def test_a_night_without_stages_has_times_only() -> None:
    assert hypnogram(session(stages=[]), ZONE).pieces == []


def test_the_clock_of_nights_runs_from_six_in_the_evening() -> None:
    assert clock_minutes(dt.datetime(2026, 11, 21, 18, 0, tzinfo=ZONE), ZONE) == 0
    assert clock_minutes(dt.datetime(2026, 11, 22, 2, 0, tzinfo=ZONE), ZONE) == 480


def test_nights_tell_recorded_missing_and_not_yet_known_apart() -> None:
    drawn = nights(
        [session()],
        SUNDAY - dt.timedelta(days=1),
        SUNDAY + dt.timedelta(days=3),
        ZONE,
        chosen=SUNDAY,
        pending=frozenset({SUNDAY + dt.timedelta(days=1)}),
        until=SUNDAY + dt.timedelta(days=1),
    )
    assert [(bool(b.height), b.known, b.chosen) for b in drawn.bars] == [
        (False, True, False),
        (True, True, True),
        (False, False, False),
    ]
    assert drawn.linked


def test_a_nap_is_no_night() -> None:
    drawn = nights([session(is_main=False)], SUNDAY, SUNDAY, ZONE, chosen=None, pending=frozenset(), until=SUNDAY)
    assert drawn.bars[0].height == 0


def test_a_second_log_of_a_night_is_not_called_a_nap() -> None:
    nap = session(is_main=False, starts_at=session().ends_at, ends_at=session().ends_at + dt.timedelta(hours=1))
    second = session(is_main=False)
    assert [night(one, ZONE, session()).beside for one in (session(), nap, second)] == ["", "nap", "another log"]
    assert night(second, ZONE, None).beside == "nap"


def test_the_usual_range_needs_a_week_of_nights() -> None:
    assert usual([1, 2, 3]) is None
    assert usual(list(range(11))) == (1.0, 9.0)


def test_the_newest_night_does_not_widen_what_is_usual() -> None:
    values = dict.fromkeys(range(1, 12), 60.0) | {0: 99.0}
    found = nightly({"resting_heart_rate": days(values)}, SUNDAY)
    assert found is not None
    [one] = found.multiples
    assert (one.value, one.usual) == ("99", "usually 60–60")


def test_a_missing_night_breaks_the_line() -> None:
    found = nightly({"resting_heart_rate": days({0: 60.0, 1: 61.0, 3: 62.0})}, SUNDAY)
    assert found is not None
    [one] = found.multiples
    assert one.line.count("M") == 2
    assert one.usual.startswith("too few nights")
    assert found.rows[2] == ["20 Nov", "–"]


def test_a_participant_without_nightly_measures_has_none() -> None:
    assert nightly({"resting_heart_rate": []}, SUNDAY) is None
