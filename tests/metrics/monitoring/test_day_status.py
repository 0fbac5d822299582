"""Evaluation of days: the table of statuses, what is kept of it, and that evaluating twice changes nothing."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from django.core.management import call_command

from metrics.models import (
    DayStatusHistory,
    Exclusion,
    Gap,
    OffsetPeriod,
    ParticipantDay,
    ParticipantStatusSummary,
    SleepSession,
)
from metrics.monitoring import evaluation
from metrics.monitoring.adherence import adherence_as_of, adherence_by_minutes
from metrics.monitoring.rules import DayFacts, evaluate_day
from metrics.reevaluation import recompute
from metrics.writing.writer import store
from participants import services
from participants.models import Participant, Protocol, Trial
from tests.factories import ParticipantFactory, ProtocolFactory, TrialFactory
from tests.metrics.samples import batch, deliver
from tests.paths import SHARED

UTC = dt.UTC
ZONE = "Europe/Amsterdam"
# Monday, 4 May 2026, begins at 22:00 UTC of the day before in Amsterdam.
START = dt.datetime(2026, 5, 3, 22, tzinfo=UTC)
MONDAY = dt.date(2026, 5, 4)
HOUR, ONE_DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
END = START + ONE_DAY
FITABASE = SHARED / "data/fitabase"


@pytest.fixture
def person(db: None) -> Participant:
    return ParticipantFactory(monitoring_starts_on=MONDAY, monitoring_ends_on=MONDAY + 27 * ONE_DAY)


def wear(person: Participant, hours: float, *, day: int = 0, now: dt.datetime, start: float = 0) -> None:
    """Heart rates from a local day's beginning on for so many hours."""
    begins = START + day * ONE_DAY + start * HOUR
    store(person, deliver(batch([70.0] * round(hours * 60), start=begins, step=60)), now=now)


def statuses(person: Participant) -> str:
    return "".join(ParticipantDay.objects.filter(participant=person).order_by("date").values_list("status", flat=True))


def facts(**known: object) -> DayFacts:
    fields = {
        "ends_at": END, "worn_minutes": 100, "fault_minutes": 0, "has_data": True, "newest": None, "unread": False,
        "exclusion": None, "before": "",
    }  # fmt: skip
    return DayFacts(**{**fields, **known})  # type: ignore[arg-type]


LATE, SOON, NEXT = END + 7 * ONE_DAY, END + HOUR, END + 2 * HOUR


@pytest.mark.parametrize(
    ("known", "now", "status", "reason"),
    [
        ({"worn_minutes": 600}, START + 10 * HOUR, "v", ""),
        ({"worn_minutes": 599}, END - HOUR, "p", ""),
        ({"minutes": 600, "worn_minutes": 599}, LATE, "i", ""),
        ({"minutes": 600, "worn_minutes": 600}, LATE, "v", ""),
        ({"minutes": 599, "worn_minutes": 599}, LATE, "x", "short_day"),
        ({"minutes": 60}, SOON, "x", "short_day"),
        ({"minutes": 0, "has_data": False}, LATE, "x", "short_day"),
        ({"minutes": 60, "exclusion": Exclusion.PAUSED}, LATE, "x", "paused"),
        ({}, SOON, "p", ""),
        ({"newest": NEXT}, NEXT, "i", ""),
        ({"newest": NEXT, "unread": True}, NEXT, "p", ""),
        ({}, LATE - HOUR, "p", ""),
        ({}, LATE, "i", ""),
        ({"has_data": False}, LATE, "l", ""),
        ({"has_data": False, "newest": LATE}, LATE, "i", ""),
        ({"has_data": False, "newest": LATE, "before": "l"}, LATE, "l", ""),
        ({"before": "l"}, LATE, "i", ""),
        ({"has_data": False, "before": "l"}, LATE - HOUR, "p", ""),
        ({"fault_minutes": 500, "newest": NEXT}, NEXT, "p", ""),
        ({"fault_minutes": 500}, LATE, "x", "platform"),
        ({"fault_minutes": 499}, LATE, "i", ""),
        ({"exclusion": Exclusion.PAUSED, "worn_minutes": 900}, LATE, "x", "paused"),
        # What is about to be read is waited for; a status that stands and can only get better stays.
        ({"waits": True, "worn_minutes": 600}, START + 10 * HOUR, "p", ""),
        ({"waits": True, "worn_minutes": 600, "before": "p"}, LATE, "p", ""),
        ({"waits": True, "worn_minutes": 600, "before": "v"}, LATE, "v", ""),
        ({"waits": True, "unread": True, "newest": LATE}, LATE - HOUR, "p", ""),
        ({"waits": True}, LATE, "p", ""),
        ({"waits": True, "before": "i"}, LATE, "p", ""),
        ({"waits": True, "before": "l"}, LATE, "p", ""),
        ({"waits": True, "has_data": False}, LATE, "p", ""),
        ({"waits": True, "has_data": False, "before": "l"}, LATE, "l", ""),
        ({"waits": True, "exclusion": Exclusion.PAUSED}, LATE, "x", "paused"),
    ],
)
def test_the_status_of_a_day(known: dict[str, object], now: dt.datetime, status: str, reason: str) -> None:
    assert evaluate_day(facts(**known), Protocol(), now) == (status, reason)


def test_a_day_is_pending_then_proven_short_by_a_later_upload(person: Participant) -> None:
    wear(person, 5, now=START + 6 * HOUR)
    assert statuses(person) == "p"
    wear(person, 1, day=1, now=END + 2 * HOUR)
    assert statuses(person) == "ip"


def test_a_day_of_which_nothing_came_is_lost_and_stays_lost_until_data_of_it_come(person: Participant) -> None:
    wear(person, 11, now=START + 12 * HOUR)
    now = START + 9 * ONE_DAY + 2 * HOUR
    evaluation.refresh(person, now=now)
    assert statuses(person) == "vlpppppppp"
    wear(person, 1, day=9, now=now)
    assert statuses(person) == "vliiiiiiip"
    wear(person, 11, day=1, now=now + HOUR)
    assert statuses(person) == "vviiiiiiip"


def test_evaluating_twice_changes_nothing(person: Participant) -> None:
    now = START + 3 * ONE_DAY
    wear(person, 11, now=now)
    wear(person, 3, day=1, now=now)

    def rows() -> list[object]:
        days, history = ParticipantDay.objects.order_by("date"), DayStatusHistory.objects.order_by("date", "known_at")
        gaps, summary = Gap.objects.order_by("starts_at"), ParticipantStatusSummary.objects.all()
        return [list(query.values()) for query in (days, history, gaps)] + list(summary.values("day_codes", "nights"))

    before = rows()
    assert not evaluation.refresh(person, now=now)
    assert rows() == before


def test_the_day_of_changed_clocks_has_23_or_25_hours_without_missing_any(db: None) -> None:
    for date, hours in ((dt.date(2026, 3, 29), 23), (dt.date(2026, 10, 25), 25)):
        who = ParticipantFactory(monitoring_starts_on=date, monitoring_ends_on=date)
        midnight = dt.datetime.combine(date - ONE_DAY, dt.time(23 if hours == 23 else 22), UTC)
        now = midnight + 2 * ONE_DAY
        store(who, deliver(batch([70.0] * hours * 60, start=midnight, step=60)), now=now)
        day = ParticipantDay.objects.get(participant=who)
        assert (day.day_minutes, day.worn_minutes) == (hours * 60, hours * 60)
        assert not Gap.objects.filter(participant=who).exists()


def test_gaps_shorter_than_the_protocol_says_are_drop_outs(person: Participant) -> None:
    now = END + HOUR
    wear(person, 10, now=now)
    wear(person, 14 - 9 / 60, start=10 + 9 / 60, now=now)
    assert not Gap.objects.filter(participant=person, date=MONDAY).exists()
    ProtocolFactory(trial=person.trial, version=2, effective_on=MONDAY, gap_minutes=9)
    evaluation.refresh_many([person], now=now, since=MONDAY)
    gap = Gap.objects.get(participant=person, date=MONDAY)
    assert (gap.starts_at, gap.ends_at) == (START + 10 * HOUR, START + 10 * HOUR + dt.timedelta(minutes=9))


def test_pauses_and_withdrawal_take_days_out_and_give_them_back(person: Participant) -> None:
    now = START + 3 * ONE_DAY + HOUR
    wear(person, 11, now=now)
    evaluation.refresh(person, now=now)
    assert statuses(person)[:4] == "vppp"
    pause = services.pause_begin(person, starts_on=MONDAY + ONE_DAY, ends_on=MONDAY + 2 * ONE_DAY, reason="Holiday")
    assert statuses(person)[:3] == "vxx"
    assert set(Gap.objects.filter(date=MONDAY + ONE_DAY).values_list("cause", flat=True)) == {"paused"}
    pause.delete()
    services.participant_withdraw(person, on=MONDAY + 2 * ONE_DAY)
    assert statuses(person)[2] == "x"
    assert ParticipantStatusSummary.objects.get().excused == "withdrawn"


def test_whoever_is_enrolled_has_a_status_summary_at_once(db: None) -> None:
    trial = TrialFactory()
    person = services.participant_enrol(trial=trial, study_id="P-1")
    summary = ParticipantStatusSummary.objects.get(participant=person)
    assert (summary.access, summary.day_codes, summary.adherence) == ("never", "", None)


def test_adherence_as_it_was_known_gives_the_same_answer_whenever_it_is_asked(person: Participant) -> None:
    wear(person, 11, now=START + 12 * HOUR)
    wear(person, 5, day=1, now=START + ONE_DAY + 12 * HOUR)
    wear(person, 1, day=2, now=START + 2 * ONE_DAY + 2 * HOUR)
    people = Participant.objects.filter(pk=person.pk)
    then = START + 2 * ONE_DAY + 3 * HOUR
    known = adherence_as_of(people, then)[person.pk]
    assert (known.valid, known.counted, known.pending) == (1, 2, 1)
    wear(person, 8, day=1, start=6, now=then + HOUR)  # what was missing of the second day comes late
    assert adherence_as_of(people, then)[person.pk] == known
    assert adherence_as_of(people, then + 2 * HOUR)[person.pk].valid == 2
    assert adherence_by_minutes(people, [480, 720])[720][person.pk].valid == 1
    assert adherence_as_of(people, START) == {}


def test_a_recompute_says_what_changed_and_of_whom(person: Participant) -> None:
    wear(person, 9, now=START + 10 * HOUR)
    wear(person, 1, day=1, now=END + 2 * HOUR)
    ParticipantFactory(trial=person.trial)
    rule = Protocol(trial=person.trial, effective_on=MONDAY, valid_day_minutes=480)
    services.protocol_revise(rule, today=MONDAY + 3 * ONE_DAY, retroactive=True)
    row = recompute.recompute_start(person.trial, MONDAY, "480 minutes", None)
    recompute.recompute_run(row.pk)
    row.refresh_from_db()
    assert (row.done, row.total, row.finished_at is not None) == (2, 2, True)
    assert row.changed["i>v"] == 1
    assert row.people[person.study_id][0] >= 1
    assert ParticipantDay.objects.get(participant=person, date=MONDAY).protocol_version == 2


@pytest.mark.skipif(not FITABASE.is_dir(), reason=f"the Fitabase data are not at {FITABASE}")
def test_known_answers_on_real_data(db: None) -> None:
    trial: Trial = TrialFactory(code="REAL", time_zone="America/New_York")
    heart, sleep = FITABASE / "heartrate_seconds_merged.csv.gz", FITABASE / "minuteSleep_merged.csv.gz"
    call_command("import_data", trial.code, str(heart), str(sleep), timezone=trial.time_zone, verbosity=0)
    # Minutes by their text: a million of times to read would take longer than all the rest.
    minutes = {(who, f"{time[:-6]}:00 {time[-2:]}") for who, time, _ in _rows(heart)}
    worn = Counter((who, _clock(minute).date()) for who, minute in minutes)
    days = ParticipantDay.objects.filter(participant__trial=trial).select_related("participant")
    assert {(d.participant.study_id, d.date): d.worn_minutes for d in days if d.worn_minutes} == worn
    valid = Counter(who for (who, _), found in worn.items() if found >= 600)
    summaries = ParticipantStatusSummary.objects.filter(participant__trial=trial).select_related("participant")
    assert {s.participant.study_id: s.valid_days for s in summaries if s.valid_days} == valid
    nights: dict[tuple[str, str], list[tuple[dt.datetime, str]]] = defaultdict(list)
    for who, time, value, log in _rows(sleep):
        nights[who, log].append((_clock(time), value))
    asleep: dict[tuple[str, dt.date], int] = {}
    for (who, _), night in nights.items():  # a night belongs to the day of waking; the longest is the main one
        key = who, (max(at for at, _ in night) + dt.timedelta(minutes=1)).date()
        asleep[key] = max(asleep.get(key, 0), sum(value == "1" for _, value in night))
    found = {(d.participant.study_id, d.date): d.asleep_minutes for d in days if d.asleep_minutes is not None}
    assert found == asleep
    assert SleepSession.objects.count() == len(nights)


def _rows(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt", newline="") as lines:
        return list(csv.reader(lines))[1:]


def _clock(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p")  # noqa: DTZ007  a wall clock's


# --- the collection interval ---------------------------------------------------------------------------------------


def status_on(person: Participant, date: dt.date) -> tuple[str, str]:
    return ParticipantDay.objects.values_list("status", "reason").get(participant=person, date=date)


@pytest.mark.parametrize("whose", ["participant", "trial"])
def test_the_last_day_counts_and_the_next_is_after_the_end(db: None, whose: str) -> None:
    person = ParticipantFactory(monitoring_starts_on=MONDAY)
    now = START + 2 * ONE_DAY
    wear(person, 11, now=now)
    wear(person, 11, day=1, now=now)
    if whose == "participant":
        services.participant_update(person, monitoring_ends_on=MONDAY)
    else:
        services.trial_update(person.trial, ends_on=MONDAY)
    evaluation.refresh(person, now=now)
    assert status_on(person, MONDAY) == ("v", "")
    assert status_on(person, MONDAY + ONE_DAY) == ("x", Exclusion.AFTER_END)


@pytest.mark.parametrize("whose", ["participant", "trial"])
def test_the_first_day_counts_and_the_one_before_is_before_the_start(db: None, whose: str) -> None:
    person = ParticipantFactory(monitoring_starts_on=MONDAY)
    now = START + 2 * ONE_DAY
    wear(person, 11, now=now)
    wear(person, 11, day=1, now=now)
    if whose == "participant":
        services.participant_update(person, monitoring_starts_on=MONDAY + ONE_DAY)
    else:
        services.trial_update(person.trial, starts_on=MONDAY + ONE_DAY)
    evaluation.refresh(person, now=now)
    assert status_on(person, MONDAY) == ("x", Exclusion.BEFORE_START)
    assert status_on(person, MONDAY + ONE_DAY) == ("v", "")


def test_a_trials_first_day_is_nobodys_who_came_later(db: None) -> None:
    person = ParticipantFactory(trial=TrialFactory(starts_on=MONDAY - 30 * ONE_DAY))
    wear(person, 11, now=END)
    assert list(ParticipantDay.objects.values_list("date", "status")) == [(MONDAY, "v")]


def test_the_day_on_which_a_trial_was_closed_is_no_whole_day(db: None) -> None:
    person = ParticipantFactory(monitoring_starts_on=MONDAY)
    wear(person, 11, now=END + 20 * HOUR)
    wear(person, 5, day=1, now=END + 20 * HOUR)
    Trial.objects.update(status=Trial.Status.CLOSED, closed_at=END + 15 * HOUR)
    evaluation.refresh(person, now=END + 10 * ONE_DAY)
    assert status_on(person, MONDAY) == ("v", "")
    assert status_on(person, MONDAY + ONE_DAY) == ("x", Exclusion.AFTER_END)
    assert ParticipantDay.objects.count() == 2


def test_a_trial_closed_at_midnight_keeps_its_last_day(db: None) -> None:
    person = ParticipantFactory(monitoring_starts_on=MONDAY)
    wear(person, 5, now=END)
    Trial.objects.update(status=Trial.Status.CLOSED, closed_at=END)
    evaluation.refresh(person, now=END + 10 * ONE_DAY)
    assert list(ParticipantDay.objects.values_list("date", "status")) == [(MONDAY, "i")]


def test_days_of_a_pause_that_are_not_collected_are_excluded_as_paused(person: Participant) -> None:
    Protocol.objects.filter(trial=person.trial).update(collect_in_pauses=False)
    services.pause_begin(person, starts_on=MONDAY + ONE_DAY, ends_on=MONDAY + ONE_DAY, reason="Holiday")
    now = START + 3 * ONE_DAY
    for day in range(3):
        wear(person, 11, day=day, now=now)
    evaluation.refresh(person, now=now)
    assert statuses(person)[:3] == "vxv"
    assert status_on(person, MONDAY + ONE_DAY) == ("x", Exclusion.PAUSED)


# --- a day too short to be valid --------------------------------------------------------------------------------------


def over_the_date_line(person: Participant, minutes: int) -> None:
    """Westwards: of Tuesday so many minutes exist, then Wednesday begins. All three days are worn throughout."""
    Participant.objects.filter(pk=person.pk).update(time_zone="UTC")
    person.refresh_from_db()
    tuesday = dt.datetime(2026, 5, 5, 10, tzinfo=UTC)  # midnight at -10:00
    left = tuesday + dt.timedelta(minutes=minutes)
    offset = int((dt.datetime(2026, 5, 6, tzinfo=UTC) - left).total_seconds())  # where it is Wednesday's midnight
    OffsetPeriod.objects.create(participant=person, starts_at=tuesday - ONE_DAY, utc_offset=-10 * 3600)
    OffsetPeriod.objects.create(participant=person, starts_at=left, utc_offset=offset)
    beats = [70.0] * (2 * 1440 + minutes)
    store(person, deliver(batch(beats, start=tuesday - ONE_DAY, step=60)), now=left + 3 * ONE_DAY)


@pytest.mark.parametrize(("minutes", "status"), [(60, ("x", "short_day")), (599, ("x", "short_day")), (600, ("v", ""))])
def test_a_day_of_an_hour_over_the_date_line_does_not_count(
    person: Participant, minutes: int, status: tuple[str, str]
) -> None:
    over_the_date_line(person, minutes)
    tuesday = ParticipantDay.objects.get(date=MONDAY + ONE_DAY)
    assert tuesday.day_minutes == minutes
    assert (tuesday.status, tuesday.reason) == status
    assert statuses(person)[:3] == f"v{status[0]}v"
    summary = ParticipantStatusSummary.objects.get(participant=person)
    counted = 3 if status[0] == "v" else 2
    assert (summary.valid_days, summary.counted_days, summary.adherence) == (counted, counted, 1.0)
    known = adherence_as_of(Participant.objects.all(), dt.datetime(2026, 6, 1, tzinfo=UTC))[person.pk]
    assert (known.valid, known.counted) == (counted, counted)


def test_another_definition_leaves_out_the_days_that_are_too_short_for_it(person: Participant) -> None:
    over_the_date_line(person, 660)
    found = adherence_by_minutes(Participant.objects.all(), [480, 660, 661, 720])
    assert {minutes: (one[person.pk].valid, one[person.pk].counted) for minutes, one in found.items()} == {
        480: (3, 3), 660: (3, 3), 661: (2, 2), 720: (2, 2),
    }  # fmt: skip
