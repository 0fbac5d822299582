"""Batteries: a function of the moment, low before a flat day, full after a charge, and told at syncs alone."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import pytest

from ingestion import synthetic
from ingestion.providers.base.live import DeviceState
from ingestion.providers.base.synthetic import SyntheticParticipant
from ingestion.providers.registry import SYNTHETIC_PROVIDERS
from ingestion.providers.synthetic.days import day
from ingestion.providers.synthetic.profiles import STORIES, Story, profile_of
from metrics.batch import instant
from tests import factories

STARTS_ON = dt.date(2026, 10, 20)
NOON = dt.datetime(2026, 10, 20, 12, tzinfo=dt.UTC)
GENERATOR = next(provider for provider in SYNTHETIC_PROVIDERS if provider.live)


def participant(story: Story) -> SyntheticParticipant:
    number = STORIES.index(story) + 1
    return SyntheticParticipant("charge_6", 5, number, zoneinfo.ZoneInfo("Europe/Amsterdam"), STARTS_ON)


def state(story: Story, at: dt.datetime) -> DeviceState:
    (found,) = GENERATOR.states(participant(story), at)
    return found


def levels(story: Story, first_day: int, days: int) -> list[int]:
    found = [state(story, NOON + dt.timedelta(days=first_day, hours=n)).battery_percent for n in range(24 * days)]
    return [level for level in found if level is not None]


def test_a_battery_falls_evenly_and_is_charged_every_few_days() -> None:
    steps = np.diff(levels(Story.WELL, 2, 28))
    assert 5 <= (steps > 5).sum() <= 10
    assert steps[steps <= 0].min() >= -3
    assert 10 <= min(levels(Story.WELL, 2, 28)) < max(levels(Story.WELL, 2, 28)) <= 100


def test_a_charge_shows_where_the_device_is_off_the_wrist() -> None:
    found = levels(Story.WELL, 2, 8)
    charged = next(n for n in range(1, len(found)) if found[n] > found[n - 1] + 5)
    until = NOON + dt.timedelta(days=2, hours=charged)
    on = until.astimezone(participant(Story.WELL).zone).date()
    heart = next(b for b in day(profile_of(participant(Story.WELL)), on).samples if b.metric == "heart_rate")
    pauses = [instant(int(heart.time[n])) for n in np.flatnonzero(np.diff(heart.time) > 40 * 60 * 1_000_000)]
    assert any(until - dt.timedelta(hours=4) < pause < until for pause in pauses)


@pytest.mark.parametrize(
    ("story", "dies"),
    [
        (Story.FLAT_ONE_DAY, dt.datetime(2026, 11, 15, 16, tzinfo=dt.UTC)),
        (Story.FLAT_TWO_DAYS, dt.datetime(2026, 11, 9, 13, tzinfo=dt.UTC)),
        (Story.FLAT_SIX_DAYS, dt.datetime(2026, 11, 16, 8, tzinfo=dt.UTC)),
    ],
)
def test_a_flat_battery_was_low_before_and_says_nothing_after(story: Story, dies: dt.datetime) -> None:
    before, after = (state(story, dies + dt.timedelta(hours=hours)) for hours in (-6, 20))
    assert before.battery_percent is not None
    assert before.battery_percent <= 15
    assert (after.battery_percent, after.last_sync_at) == (1, dies)


def test_what_lies_in_a_drawer_syncs_until_it_is_flat() -> None:
    gone = dt.datetime(2026, 11, 1, 14, 30, tzinfo=dt.UTC)
    assert state(Story.DROPS_OUT, gone + dt.timedelta(hours=12)).last_sync_at > gone  # type: ignore[operator]
    later = [state(Story.DROPS_OUT, gone + dt.timedelta(days=n)) for n in (8, 20)]
    assert later[0] == later[1]
    assert later[0].battery_percent == 1


def test_a_late_uploader_tells_the_level_of_their_last_sync() -> None:
    found = {state(Story.UPLOADS_EACH_7_DAYS, NOON + dt.timedelta(days=n)) for n in range(11, 17)}
    assert len(found) == 1
    assert found.pop().last_sync_at == dt.datetime(2026, 10, 30, 19, tzinfo=dt.UTC)


def test_a_sync_is_never_later_than_what_was_uploaded() -> None:
    for story in Story:
        for n in range(1, 60):
            at = NOON + dt.timedelta(days=n)
            uploaded = GENERATOR.uploaded_until(participant(story), at)
            for found in GENERATOR.states(participant(story), at):
                assert uploaded is not None
                assert found.last_sync_at is not None
                assert found.last_sync_at <= uploaded


@pytest.mark.django_db
def test_a_participant_says_what_their_devices_are() -> None:
    someone = factories.ParticipantFactory.create(trial__is_demo=True, time_zone="Europe/Amsterdam")
    assert synthetic.device_states(someone, NOON) == []
    synthetic.device_assign(
        participant=someone, provider=GENERATOR, device="charge_6", seed=5, number=1, starts_on=STARTS_ON
    )
    (found,) = synthetic.device_states(someone, NOON + dt.timedelta(days=3))
    assert (found.model, found.kind) == ("Charge 6", "TRACKER")
    assert synthetic.device_states(someone, NOON - dt.timedelta(days=1)) == []
