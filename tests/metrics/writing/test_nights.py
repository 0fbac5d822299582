"""Nights as rows: what is kept of a record, of two records of one episode, and which episode is the main sleep."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from metrics.batch import Counts, SleepRecord, SleepTotals, SourceKey, Stage
from metrics.models import SleepSession, Source
from metrics.participant_calendars import calendar_of
from metrics.writing import sleep as writing_sleep
from metrics.writing.row_changes import Trace
from participants.models import Participant
from tests.factories import ParticipantFactory

pytestmark = pytest.mark.django_db

BED = dt.datetime(2026, 5, 4, 21, 30, tzinfo=dt.UTC)  # 23:30 in Amsterdam
MONDAY = dt.date(2026, 5, 4)
HOUR, MINUTE, ONE_DAY = dt.timedelta(hours=1), dt.timedelta(minutes=1), dt.timedelta(days=1)
INSTANT = dt.timedelta(microseconds=1)
NOW = BED + 30 * ONE_DAY
WATCH, RING, OTHER = SourceKey("v", "watch"), SourceKey("v", "ring"), SourceKey("w", "watch")
WHOLE = ("light", 180), ("deep", 120), ("rem", 90), ("light", 60), ("awake", 30)  # 8 hours


@pytest.fixture
def person() -> Participant:
    return ParticipantFactory()


def told(
    *stages: tuple[str, int], key: str = "n", hours: float | None = None, later: dt.timedelta = 0 * HOUR, **extra: Any
) -> SleepRecord:
    """A record of sleep from so long after bedtime on, of stages in minutes; without any, of so many hours."""
    start = at = BED + later
    found = []
    for stage, minutes in stages:
        found.append(Stage(at, minutes * 60, stage))
        at += minutes * MINUTE
    ends_at = start + hours * HOUR if hours is not None else at
    return SleepRecord(
        **{"source": WATCH, **extra}, external_id=key, starts_at=start, ends_at=ends_at, stages=(*found,)
    )


def keep(
    person: Participant, *records: SleepRecord, now: dt.datetime = NOW, trace: Trace | None = None
) -> tuple[set[dt.date], Counts]:
    sources = {
        key: Source.objects.get_or_create(provider=key.provider, platform=key.platform)[0].pk
        for key in {record.source for record in records}
    }
    return writing_sleep.store_sleep(person, records, sources, calendar_of(person), now, trace)


def mains() -> dict[str, bool]:
    return dict(SleepSession.objects.values_list("external_id", "is_main"))


def main_of(person: Participant, *records: SleepRecord) -> str:
    """Which of these becomes the main sleep, in whatever order they come."""
    found = set()
    for order in (records, records[::-1]):
        SleepSession.objects.all().delete()
        for record in order:
            keep(person, record)
        (main,) = (key for key, is_main in mains().items() if is_main)
        found.add(main)
    (only,) = found
    return only


# --- a record as a row -----------------------------------------------------------------------------------------------


def test_a_night_keeps_its_stages_and_their_minutes(person: Participant) -> None:
    assert keep(person, told(*WHOLE)) == ({MONDAY + ONE_DAY}, Counts(sleep_new=1))
    row = SleepSession.objects.get()
    assert (row.starts_at, row.ends_at, row.date) == (BED, BED + 8 * HOUR, MONDAY + ONE_DAY)
    assert row.stages == [
        [0, 10800, "light"], [10800, 7200, "deep"], [18000, 5400, "rem"], [23400, 3600, "light"],
        [27000, 1800, "awake"],
    ]  # fmt: skip
    assert (row.asleep_minutes, row.awake_minutes) == (450, 30)
    assert (row.light_minutes, row.deep_minutes, row.rem_minutes, row.restless_minutes) == (240, 120, 90, None)
    assert (row.is_main, row.claimed_main, row.processed) == (True, None, True)


def test_restless_in_the_classic_levels_is_not_asleep(person: Participant) -> None:
    keep(person, told(("asleep", 400), ("restless", 15), ("awake", 90), ("restless", 10)))
    row = SleepSession.objects.get()
    assert (row.asleep_minutes, row.awake_minutes, row.restless_minutes, row.light_minutes) == (400, 90, 25, None)


def test_minutes_are_rounded_from_the_seconds_of_all_intervals(person: Participant) -> None:
    lengths = (("light", 40), ("awake", 50), ("light", 50))
    stages = tuple(Stage(BED + n * HOUR, seconds, stage) for n, (stage, seconds) in enumerate(lengths))
    keep(person, replace(told(hours=3), stages=stages))
    row = SleepSession.objects.get()
    assert (row.asleep_minutes, row.light_minutes, row.awake_minutes) == (2, 2, 1)


def test_totals_are_taken_where_no_stages_are_told(person: Participant) -> None:
    totals = SleepTotals(asleep=400, awake=20, light=250, deep=60, rem=90, restless=7)
    keep(person, told(hours=8, totals=totals), told(*WHOLE, key="staged", totals=totals, later=ONE_DAY))
    assert list(
        SleepSession.objects.order_by("starts_at").values_list(
            "asleep_minutes", "awake_minutes", "light_minutes", "deep_minutes", "rem_minutes", "restless_minutes"
        )
    ) == [(400, 20, 250, 60, 90, 7), (450, 30, 240, 120, 90, None)]


def test_of_a_night_of_which_only_its_time_is_told_all_is_sleep(person: Participant) -> None:
    keep(person, told(hours=7, processed=False))
    row = SleepSession.objects.get()
    assert (row.asleep_minutes, row.awake_minutes, row.stages, row.processed) == (420, 0, [], False)


# --- what becomes of a payload --------------------------------------------------------------------------------------


def test_without_records_nothing_is_done(person: Participant) -> None:
    assert keep(person) == (set(), Counts())


def test_of_records_of_one_episode_in_a_payload_the_last_counts(person: Participant) -> None:
    _, counts = keep(person, told(hours=6), told(hours=7), told(hours=8), told(hours=1, key="o", later=ONE_DAY))
    assert counts == Counts(sleep_new=2, repeated=2)
    assert SleepSession.objects.get(external_id="n").asleep_minutes == 480


def test_the_id_of_an_episode_is_its_sources_and_its_participants_own(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial)
    for who, source in ((person, WATCH), (person, RING), (other, WATCH)):
        _, counts = keep(who, told(hours=7, source=source))
        assert counts == Counts(sleep_new=1)
    assert SleepSession.objects.count() == 3
    assert set(SleepSession.objects.values_list("is_main", flat=True)) == {True}


@pytest.mark.parametrize(
    ("starts", "ends", "reason"),
    [
        (-60, 10, None),
        (-60, 10.01, "value lies in the future"),
        (-60, 0, None),
        (0, 0, "sleep ends before it starts"),
        (1, 0, "sleep ends before it starts"),
        (-2, -2, "sleep ends before it starts"),
        (2, 1, "value lies in the future"),
    ],
)
def test_a_night_of_the_future_or_without_a_length_is_rejected(
    person: Participant, starts: float, ends: float, reason: str | None
) -> None:
    record = SleepRecord(WATCH, "n", NOW + starts * MINUTE, NOW + ends * MINUTE)
    _, counts = keep(person, record, replace(record, external_id="m"))
    words = reason and reason.replace("value lies", "time lies")
    assert counts == (Counts(rejected={words: 2}) if words else Counts(sleep_new=2))
    assert SleepSession.objects.count() == (0 if reason else 2)


def test_what_is_rejected_keeps_nothing_else_from_being_stored(person: Participant) -> None:
    dates, counts = keep(person, told(hours=0), told(hours=7, key="good"))
    assert (dates, counts.sleep_new, counts.rejected) == ({MONDAY + ONE_DAY}, 1, {"sleep ends before it starts": 1})


def test_what_is_unchanged_is_not_written_and_what_is_revised_is(person: Participant) -> None:
    first, second = told(*WHOLE), told(hours=2, key="nap", later=14 * HOUR)
    assert keep(person, first, second)[1] == Counts(sleep_new=2)
    assert keep(person, first, second) == (set(), Counts(sleep_unchanged=2))
    revised = replace(second, ends_at=second.ends_at + HOUR)
    assert keep(person, first, revised) == ({MONDAY + ONE_DAY}, Counts(sleep_unchanged=1, sleep_changed=1))
    assert SleepSession.objects.get(external_id="nap").asleep_minutes == 180


def test_all_that_a_payload_revises_is_counted_and_decided_anew(person: Participant) -> None:
    nights_of = [told(hours=6, key=str(n), later=n * ONE_DAY) for n in range(3)]
    naps = [told(hours=5, key=f"nap {n}", later=n * ONE_DAY + 8 * HOUR) for n in range(3)]
    keep(person, *nights_of, *naps)
    dates, counts = keep(person, *(replace(night, ends_at=night.ends_at - 2 * HOUR) for night in nights_of))
    assert (dates, counts) == ({MONDAY + n * ONE_DAY for n in (1, 2, 3)}, Counts(sleep_changed=3))
    assert {key for key, is_main in mains().items() if is_main} == {"nap 0", "nap 1", "nap 2"}


def test_a_night_revised_to_another_date_leaves_its_first_to_the_other_sleep_of_it(person: Participant) -> None:
    night, nap = told(hours=8), told(hours=1, key="nap", later=9 * HOUR)
    keep(person, night, nap)
    assert mains() == {"n": True, "nap": False}
    dates, _ = keep(person, replace(night, starts_at=BED + ONE_DAY, ends_at=BED + ONE_DAY + 8 * HOUR))
    assert dates == {MONDAY + ONE_DAY, MONDAY + 2 * ONE_DAY}
    assert mains() == {"n": True, "nap": True}


def test_a_trace_holds_what_a_record_says_and_what_was_there_before(person: Participant) -> None:
    trace = Trace()
    keep(person, told(hours=7), trace=trace)
    keep(person, told(*WHOLE, finest_stays=True), trace=trace)
    first, second = trace.sessions
    assert (first.before, first.external_id, first.finest_stays) == (None, "n", False)
    assert (first.own["asleep_minutes"], first.own["ends_at"]) == (420, BED + 7 * HOUR)
    assert (second.before, second.own["asleep_minutes"], second.finest_stays) == (first.own, 450, True)


# --- two records of one episode --------------------------------------------------------------------------------------


def both(person: Participant, first: SleepRecord, second: SleepRecord) -> SleepSession:
    """What is kept of two files that tell of one episode, the first stored before the second."""
    SleepSession.objects.all().delete()
    for record in (first, second):
        keep(person, replace(record, finest_stays=True))
    return SleepSession.objects.get()


def test_the_record_with_more_detail_stays_in_any_order(person: Participant) -> None:
    levels = told(("asleep", 420), ("restless", 60))
    totals = told(hours=8, totals=SleepTotals(asleep=400, light=300))
    plain = told(hours=8)
    ranked = [(told(*WHOLE), 450), (levels, 420), (totals, 400), (plain, 480)]
    for n, (finer, asleep) in enumerate(ranked):
        for coarser, _ in ranked[n + 1 :]:
            assert both(person, finer, coarser).asleep_minutes == asleep
            assert both(person, coarser, finer).asleep_minutes == asleep


@pytest.mark.parametrize("stage", ["light", "deep", "rem"])
def test_minutes_of_any_stage_of_sleep_are_more_detail(person: Participant, stage: str) -> None:
    totals = told(hours=8, totals=SleepTotals(asleep=400, **{stage: 100}))
    classic = told(hours=8, totals=SleepTotals(asleep=410, restless=10))
    assert both(person, totals, classic).asleep_minutes == 400


def test_what_its_source_says_anew_replaces_what_was_known_however_coarse(person: Participant) -> None:
    for record in (told(*WHOLE, is_main=True), told(hours=8)):
        keep(person, record)
    row = SleepSession.objects.get()
    assert (row.asleep_minutes, row.stages, row.claimed_main) == (480, [], None)


def test_of_two_alike_in_detail_the_later_given_stays(person: Participant) -> None:
    assert both(person, told(hours=8), told(hours=7)).asleep_minutes == 420
    assert both(person, told(hours=7), told(hours=8)).asleep_minutes == 480


@pytest.mark.parametrize(("minutes", "asleep"), [(239, 480), (240, 480), (241, 241)])
def test_a_fragment_of_half_the_night_or_less_does_not_stand_for_it(
    person: Participant, minutes: int, asleep: int
) -> None:
    fragment, whole = told(("deep", minutes)), told(hours=8)
    for row in (both(person, fragment, whole), both(person, whole, fragment)):
        assert row.asleep_minutes == asleep
        assert row.stages == [[0, minutes * 60, "deep"]]


def test_stages_of_a_fragment_lie_where_they_were_in_the_night(person: Participant) -> None:
    fragment, whole = told(("deep", 30), ("light", 10), later=2 * HOUR), told(hours=8)
    for row in (both(person, fragment, whole), both(person, whole, fragment)):
        assert (row.starts_at, row.asleep_minutes) == (BED, 480)
        assert row.stages == [[7200, 1800, "deep"], [9000, 600, "light"]]


def test_a_night_with_stages_takes_none_of_a_fragment(person: Participant) -> None:
    fragment = told(("deep", 30), later=2 * HOUR)
    for row in (both(person, fragment, told(*WHOLE)), both(person, told(*WHOLE), fragment)):
        assert [stage for *_, stage in row.stages] == ["light", "deep", "rem", "light", "awake"]


@pytest.mark.parametrize(
    ("first", "second", "claimed"),
    [(None, None, None), (True, None, True), (None, True, True), (None, False, False), (True, False, False)],
)
def test_a_claim_to_be_the_main_sleep_is_taken_from_either_and_of_two_the_later(
    person: Participant, first: bool | None, second: bool | None, claimed: bool | None
) -> None:
    row = both(person, told(*WHOLE, is_main=first), told(hours=8, is_main=second))
    assert (row.asleep_minutes, row.claimed_main) == (450, claimed)


def test_what_was_said_of_an_episode_is_kept_only_where_the_finest_stays(person: Participant) -> None:
    trace = Trace()
    keep(person, told(*WHOLE), told(hours=7, key="coarse", later=ONE_DAY), trace=trace)
    fine, coarse = (one.own for one in trace.sessions)
    assert writing_sleep.after(fine, coarse, finest_stays=True) == fine
    assert writing_sleep.after(fine, coarse, finest_stays=False) == coarse
    assert writing_sleep.after(None, coarse, finest_stays=True) == coarse


# --- the main sleep --------------------------------------------------------------------------------------------------


def test_of_sleeps_apart_the_longest_is_the_main_one_whatever_their_detail(person: Participant) -> None:
    staged, plain = told(("deep", 119), key="a", later=10 * HOUR), told(hours=2, key="b")
    assert main_of(person, staged, plain) == "b"


def test_of_equally_long_ones_the_earlier_is_the_main_sleep_then_the_lower_id(person: Participant) -> None:
    assert main_of(person, told(hours=2, key="b"), told(hours=2, key="a", later=3 * HOUR)) == "b"
    assert main_of(person, told(hours=2, key="b"), told(hours=2, key="a")) == "a"


@pytest.mark.parametrize(
    ("later", "main"),
    [
        (-60, "staged"),
        (479, "staged"),
        (480, "plain"),  # where one ends the other begins: two sleeps
        (-119, "staged"),
        (-120, "plain"),
    ],
)
def test_of_two_logs_that_overlap_the_one_with_more_detail_is_the_main_sleep(
    person: Participant, later: int, main: str
) -> None:
    plain = told(hours=8, key="plain", later=5 * HOUR)
    staged = told(("light", 120), key="staged", later=5 * HOUR + later * MINUTE)
    assert main_of(person, plain, staged) == main


def test_two_logs_alike_in_detail_do_not_leave_the_night_to_a_nap(person: Participant) -> None:
    logs = told(("light", 480), key="a"), told(("light", 470), key="b")
    assert main_of(person, *logs, told(("light", 60), key="nap", later=9 * HOUR)) == "a"


def test_a_log_that_is_called_a_nap_takes_nothing_from_another_however_detailed(person: Participant) -> None:
    apart = told(("light", 60), key="b", later=9 * HOUR)
    assert main_of(person, told(*WHOLE, key="nap", is_main=False), told(hours=8, key="a"), apart) == "a"


def test_a_log_that_is_called_the_main_sleep_takes_it_from_a_coarser_one_called_so_too(person: Participant) -> None:
    coarse = told(hours=9, key="coarse", is_main=True)
    assert main_of(person, told(*WHOLE, key="fine", is_main=True), coarse) == "fine"


def test_a_claim_comes_before_detail_and_length(person: Participant) -> None:
    claimed = told(hours=2, key="claimed", is_main=True)
    assert main_of(person, told(*WHOLE, key="a"), claimed) == "claimed"
    assert main_of(person, told(*WHOLE, key="a", is_main=True), claimed) == "a"


def test_naps_alone_are_no_main_sleep(person: Participant) -> None:
    keep(person, told(hours=2, is_main=False))
    assert mains() == {"n": False}


def test_each_date_source_and_participant_has_a_main_sleep_of_its_own(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial)
    keep(person, told(hours=8, key="a"), told(hours=7, key="b", source=RING), told(hours=2, key="c", later=ONE_DAY))
    keep(other, told(hours=3, key="d"))
    writing_sleep.choose_main_sleep(person.pk, [MONDAY + ONE_DAY, MONDAY + 2 * ONE_DAY])
    assert mains() == dict.fromkeys("abcd", True)


def test_only_the_dates_asked_for_are_decided_anew(person: Participant) -> None:
    keep(person, told(hours=8, key="a"), told(hours=8, key="b", later=ONE_DAY))
    other = ParticipantFactory(trial=person.trial)
    keep(other, told(hours=8, key="c"))
    SleepSession.objects.update(is_main=False)
    writing_sleep.choose_main_sleep(person.pk, [MONDAY + ONE_DAY])
    assert mains() == {"a": True, "b": False, "c": False}


# --- nights that their vendor has withdrawn --------------------------------------------------------------------------


def test_nights_of_an_interval_that_are_not_kept_are_taken_away(person: Participant) -> None:
    start, end = BED, BED + ONE_DAY
    other = ParticipantFactory(trial=person.trial)
    for who, source, prefix in ((person, WATCH, ""), (person, OTHER, "provider "), (other, WATCH, "participant ")):
        keep(
            who,
            *(
                SleepRecord(source, f"{prefix}{key}", ends_at - HOUR, ends_at)
                for key, ends_at in (
                    ("before", start - INSTANT), ("first", start), ("kept", start + HOUR), ("last", end - INSTANT),
                    ("after", end),
                )
            ),
        )  # fmt: skip
    assert writing_sleep.remove_absent_sleep(person, "v", {"kept"}, start, end) == {MONDAY, MONDAY + ONE_DAY}
    left = set(SleepSession.objects.values_list("external_id", flat=True))
    assert {key for key in left if " " not in key} == {"before", "kept", "after"}
    assert len(left) == 13
    assert writing_sleep.remove_absent_sleep(person, "v", {"kept"}, start, end) == set()


def test_where_the_main_sleep_was_taken_away_another_of_the_date_is_it(person: Participant) -> None:
    keep(person, told(hours=8), told(hours=1, key="nap", later=9 * HOUR))
    writing_sleep.remove_absent_sleep(person, "v", {"nap"}, BED, BED + ONE_DAY)
    assert mains() == {"nap": True}
