"""The generator: deterministic day by day, right about clocks, and silent where nothing was measured."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter

import numpy as np
import pytest

from ingestion.providers.base.synthetic import SyntheticParticipant
from ingestion.providers.missing_values import present
from ingestion.providers.synthetic import calendar, days, physiology
from ingestion.providers.synthetic.profiles import MODELS, STORIES, Profile, Story, profile_of
from metrics.batch import OffsetChange, Payload, SampleBatch, instant, microseconds
from metrics.local_time import LocalCalendar
from metrics.registry import BY_CODE
from metrics.selection.plausible_range import plausible

AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
STARTS_ON = dt.date(2026, 10, 20)
HOUR = dt.timedelta(hours=1)


def someone(
    story: Story = Story.WELL, *, seed: int = 5, device: str = "charge_6", zone: str = "Europe/Amsterdam"
) -> Profile:
    number = STORIES.index(story) + 1
    return profile_of(SyntheticParticipant(device, seed, number, zoneinfo.ZoneInfo(zone), STARTS_ON))


def on(day_of_trial: int) -> dt.date:
    return STARTS_ON + dt.timedelta(days=day_of_trial)


def of(payload: Payload, metric: str) -> SampleBatch | None:
    batches = [batch for batch in payload.samples if batch.metric == metric]
    assert len({batch.source for batch in batches}) <= 1
    if not batches:
        return None
    parts = [np.concatenate([getattr(batch, name) for batch in batches]) for name in ("time", "value")]
    return SampleBatch(metric, batches[0].source, *parts)


def as_bytes(payload: Payload) -> list[object]:
    samples = [
        (b.metric, b.source, b.time.tobytes(), b.value.tobytes(), None if b.seconds is None else b.seconds.tobytes())
        for b in payload.samples
    ]
    return [*samples, *payload.sleep, *payload.offsets]


def test_same_seed_gives_the_same_bytes() -> None:
    assert as_bytes(days.day(someone(), on(5))) == as_bytes(days.day(someone(), on(5)))


def test_a_day_alone_equals_that_day_in_a_range() -> None:
    in_a_range = [as_bytes(days.day(someone(), on(n))) for n in range(3, 8)][2]
    assert as_bytes(days.day(someone(), on(5))) == in_a_range


@pytest.mark.parametrize("story", [Story.WELL, *STORIES[:6]])
def test_all_that_it_makes_counts_and_none_of_it_marks_a_missing_value(story: Story) -> None:
    skipped: Counter[str] = Counter()
    for n in range(3, 6):
        for batch in days.day(someone(story), on(n)).samples:
            assert plausible(BY_CODE[batch.metric], batch.value, batch.seconds).all(), batch.metric
            assert present(batch.metric, batch.value, skipped).all()
    assert not skipped


def test_another_seed_is_another_person() -> None:
    assert someone(seed=5) != someone(seed=6)
    assert as_bytes(days.day(someone(seed=5), on(5))) != as_bytes(days.day(someone(seed=6), on(5)))


def test_making_a_day_leaves_the_global_random_numbers_alone() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    days.day(someone(), on(5))
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]


def test_two_halves_of_a_day_make_the_whole() -> None:
    noon = instant(calendar.midnight(someone(), on(5))) + 12 * HOUR
    whole = days.day(someone(), on(5))
    halves = [days.day(someone(), on(5), until=noon), days.day(someone(), on(5), since=noon)]
    for metric in {batch.metric for batch in whole.samples}:
        complete = of(whole, metric)
        parts = [part for half in halves if (part := of(half, metric)) is not None]
        assert complete is not None
        assert sorted(np.concatenate([part.time for part in parts])) == sorted(complete.time)
    assert [night for half in halves for night in half.sleep] == whole.sleep


def test_consecutive_days_never_hold_the_same_instant() -> None:
    for metric in ("heart_rate", "steps", "spo2", "hrv_rmssd"):
        batches = [of(days.day(someone(), on(n)), metric) for n in range(3, 8)]
        times = np.concatenate([batch.time for batch in batches if batch is not None])
        assert len(np.unique(times)) == len(times)


@pytest.mark.parametrize(
    ("date", "hours"), [(dt.date(2027, 3, 28), 23), (dt.date(2026, 10, 25), 25), (dt.date(2026, 11, 2), 24)]
)
def test_a_day_has_the_hours_its_clock_shows(date: dt.date, hours: int) -> None:
    heart = of(days.day(someone(), date), "heart_rate")
    assert heart is not None
    first, last = instant(heart.time.min()), instant(heart.time.max())
    assert {first.astimezone(AMSTERDAM).date(), last.astimezone(AMSTERDAM).date()} == {date}
    assert last - first == pytest.approx(hours * HOUR, abs=dt.timedelta(minutes=2))


def test_a_person_wakes_by_the_wall_clock_after_the_clocks_change() -> None:
    someones = [
        profile_of(SyntheticParticipant("sense_2", 9, n, AMSTERDAM, STARTS_ON)) for n in (1, 2, 4, 6, 8, 10, 12, 14)
    ]
    wakes = [
        night.ends_at.astimezone(AMSTERDAM).hour
        for who in someones
        for night in days.day(who, dt.date(2026, 10, 25)).sleep
    ]
    assert wakes
    assert all(3 <= hour <= 11 for hour in wakes)


def test_the_traveller_says_when_their_clock_changes() -> None:
    changes = [change for n in range(30) for change in days.day(someone(Story.TRAVELS), on(n)).offsets]
    assert [change.utc_offset for change in changes] == [
        -4 * 3600,
        -5 * 3600,
        None,
    ]  # summer time ends while they are there
    assert changes[0] == OffsetChange(dt.datetime(2026, 10, 30, 12, tzinfo=AMSTERDAM).astimezone(dt.UTC), -4 * 3600)
    assert changes[-1].starts_at == dt.datetime(2026, 11, 6, 12, tzinfo=NEW_YORK)


def test_the_travellers_days_are_those_of_their_clock() -> None:
    traveller = someone(Story.TRAVELS)
    made = {on(n): days.day(traveller, on(n)) for n in range(8, 21)}
    periods = [(microseconds(c.starts_at), c.utc_offset) for day in made.values() for c in day.offsets]
    clock = LocalCalendar(AMSTERDAM, periods)
    for date, payload in made.items():
        heart = of(payload, "heart_rate")
        assert heart is not None
        assert set(clock.dates(heart.time)) == {(date - dt.date(1970, 1, 1)).days}


def test_days_of_a_flight_are_longer_and_shorter() -> None:
    traveller = someone(Story.TRAVELS)
    lengths = [calendar.local_day(traveller, on(n)).minutes / 60 for n in (10, 17)]
    assert lengths == [29, 18]  # Amsterdam is already on winter time, New York not yet


def test_nights_off_the_wrist_bring_no_heart_rate_and_no_sleep() -> None:
    sleeper = someone(Story.NIGHTS_OFF)
    silent = [payload for n in range(2, 20) if not (payload := days.day(sleeper, on(n))).sleep]
    assert len(silent) > 10
    for payload in silent:
        heart = of(payload, "heart_rate")
        assert heart is not None
        hours = [instant(t).astimezone(AMSTERDAM).hour for t in heart.time[::50]]
        assert not {2, 3, 4} & set(hours)
        assert of(payload, "resting_heart_rate") is None


def test_off_the_wrist_nothing_else_is_measured_either() -> None:
    payload = days.day(someone(Story.NIGHTS_OFF), on(6))
    heart, steps = of(payload, "heart_rate"), of(payload, "steps")
    assert heart is not None
    assert steps is not None
    assert set(steps.time // 60_000_000) == set(heart.time // 60_000_000)


def test_a_flat_battery_leaves_a_hole_of_a_day() -> None:
    times = np.concatenate([of(days.day(someone(Story.FLAT_ONE_DAY), on(n)), "heart_rate").time for n in range(24, 29)])  # type: ignore[union-attr]
    assert (
        dt.timedelta(hours=24) < dt.timedelta(microseconds=int(np.diff(np.sort(times)).max())) < dt.timedelta(hours=28)
    )


def test_the_drop_out_is_silent_after_day_12() -> None:
    gone = someone(Story.DROPS_OUT)
    assert of(days.day(gone, on(12)), "heart_rate") is not None
    assert all(not as_bytes(days.day(gone, on(n))) for n in range(13, 30))


def test_nothing_comes_before_the_first_visit() -> None:
    first = of(days.day(someone(), STARTS_ON), "heart_rate")
    assert not as_bytes(days.day(someone(), STARTS_ON - dt.timedelta(days=1)))
    assert first is not None
    assert instant(first.time.min()) >= dt.datetime(2026, 10, 20, 10, tzinfo=AMSTERDAM)


def test_a_late_upload_stops_at_the_last_upload() -> None:
    late = someone(Story.UPLOADS_EACH_7_DAYS)
    now = dt.datetime(2026, 11, 19, 21, 0, tzinfo=dt.UTC)
    assert calendar.uploaded_until(late, now) == dt.datetime(2026, 11, 13, 20, tzinfo=AMSTERDAM)
    assert calendar.uploaded_until(late, now + dt.timedelta(days=1)) == dt.datetime(2026, 11, 20, 20, tzinfo=AMSTERDAM)


def test_most_upload_within_a_quarter_of_an_hour_and_never_from_the_future() -> None:
    for minute in range(60):
        now = dt.datetime(2026, 11, 19, 21, minute, tzinfo=dt.UTC)
        until = calendar.uploaded_until(someone(), now)
        assert until is not None
        assert dt.timedelta(0) <= now - until < dt.timedelta(minutes=15)


def test_the_never_connected_deliver_nothing_ever() -> None:
    absent = someone(Story.NEVER_CONNECTED)
    assert calendar.uploaded_until(absent, dt.datetime(2027, 11, 19, tzinfo=dt.UTC)) is None
    assert not as_bytes(days.day(absent, on(5)))


def test_nightly_values_come_when_the_person_has_woken_up() -> None:
    night = days.day(someone(), on(5)).sleep[0]
    before = days.day(someone(), on(5), until=night.ends_at)
    after = days.day(someone(), on(5), since=night.ends_at)
    assert not before.sleep
    assert of(before, "resting_heart_rate") is None
    assert after.sleep == [night]
    assert of(after, "resting_heart_rate") is not None


def test_stages_cover_the_night_from_end_to_end() -> None:
    night = days.day(someone(), on(5)).sleep[0]
    ends = [stage.starts_at + dt.timedelta(seconds=stage.seconds) for stage in night.stages]
    assert night.stages[0].starts_at == night.starts_at
    assert ends[-1] == night.ends_at
    assert [stage.starts_at for stage in night.stages[1:]] == ends[:-1]
    assert {"light", "deep", "rem", "awake"} == {stage.stage for stage in night.stages}


@pytest.mark.parametrize("device", sorted(MODELS))
def test_a_worn_day_resembles_a_day(device: str) -> None:
    made = [days.day(someone(device=device), on(n)) for n in range(2, 9)]
    hearts = [heart for payload in made if (heart := of(payload, "heart_rate")) is not None]
    values = np.concatenate([heart.value for heart in hearts])
    assert 7_000 < np.mean([len(heart) for heart in hearts]) < 25_000
    assert set(np.diff(np.concatenate([h.time for h in hearts[:1]]))[:100] // 1_000_000) <= set(range(1, 16))
    assert (values == np.rint(values)).all()
    assert 45 < np.percentile(values, 5) < np.percentile(values, 95) < 140
    steps = [of(payload, "steps") for payload in made]
    assert all(800 < batch.value.sum() < 30_000 for batch in steps if batch is not None)
    assert all(batch.source.synthetic for payload in made for batch in payload.samples)


def test_the_fast_path_gives_an_even_day() -> None:
    time, value = physiology.heart_rate_day(1, 2, dt.date(2026, 11, 1), 5)
    again = physiology.heart_rate_day(1, 2, dt.date(2026, 11, 1), 5)
    assert len(time) == 17_280
    assert instant(time[0]) == dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    assert set(np.diff(time)) == {5_000_000}
    assert (value == again[1]).all()
