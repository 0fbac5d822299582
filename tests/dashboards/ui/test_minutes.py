"""The minute that an open page counts."""

from __future__ import annotations

import datetime as dt

from dashboards.ui.formatting import refresh_minute

NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


def test_it_turns_once_a_minute_for_each() -> None:
    for whose in (1, 2, 1017):
        seen = [refresh_minute(NOON + dt.timedelta(seconds=second), whose) for second in range(600)]
        assert seen == sorted(seen)
        assert len({one for one in seen if seen.count(one) == 60}) in (9, 10)


def test_no_second_is_that_of_many() -> None:
    turns = dict.fromkeys(range(60), 0)
    for whose in range(1000, 1240):
        for second in turns:
            at = NOON + dt.timedelta(seconds=second)
            turns[second] += refresh_minute(at, whose) != refresh_minute(at - dt.timedelta(seconds=1), whose)
    assert set(turns.values()) == {4}
