"""Counting trials anew by other ranges: what it would change, that looking changes nothing, what it leaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from dashboards.alerts import digests
from dashboards.alerts import engine as alerts_engine
from dashboards.models import Alert, AlertEvent
from metrics.maintenance import data_check
from metrics.maintenance.retention import cutoff_for, retain
from metrics.models import (
    DayRollup,
    DayStatusHistory,
    HourRollup,
    ImplausibleCount,
    Measurement,
    MinuteRollup,
    ParticipantDay,
    ParticipantStatusSummary,
    Recompute,
)
from metrics.monitoring import evaluation
from metrics.reevaluation import range_change, recompute
from metrics.writing.retention_filter import MARGIN
from metrics.writing.writer import store
from participants.models import AuditEntry, Participant, Trial
from tests import factories
from tests.metrics.samples import batch, deliver

pytestmark = pytest.mark.django_db
ZONE = "Europe/Amsterdam"
START = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)  # Monday's first instant in Amsterdam
MONDAY = dt.date(2026, 5, 4)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
NOW = START + 5 * DAY + HOUR
TABLES: dict[Any, tuple[str, ...]] = {
    MinuteRollup: ("participant", "metric", "source", "bucket", "n", "total", "low", "high"),
    HourRollup: ("participant", "metric", "source", "bucket", "n", "total", "low", "high"),
    DayRollup: ("participant", "metric", "source", "date", "minutes", "n", "total", "low", "high"),
    ImplausibleCount: ("participant", "metric", "source", "date", "n", "newest"),
    ParticipantDay: ("participant", "date", "status", "reason", "worn_minutes", "last_sample_at"),
    DayStatusHistory: ("participant", "date", "known_at", "status", "why"),
    ParticipantStatusSummary: ("participant", "adherence", "best_adherence", "low_wear", "recounted", "day_codes"),
}


def everything() -> dict[str, list[tuple[Any, ...]]]:
    return {model.__name__: sorted(model.objects.values_list(*names), key=repr) for model, names in TABLES.items()}


def enrol(trial: Trial, study_id: str = "P-1") -> Participant:
    found: Participant = factories.ParticipantFactory.create(
        trial=trial, study_id=study_id, time_zone=ZONE, status="active",
        monitoring_starts_on=MONDAY, monitoring_ends_on=MONDAY + 27 * DAY,
    )  # fmt: skip
    return found


@pytest.fixture
def trial() -> Trial:
    made: Trial = factories.TrialFactory.create(code="KNEE", status="running", time_zone=ZONE)
    return made


def worn(person: Participant, *, days: int = 5, now: dt.datetime = NOW) -> None:
    """Eleven hours of heart rates and some steps on each of so many days."""
    for n in range(days):
        start = START + n * DAY
        walked = batch([10.0] * 60, start=start + 8 * HOUR, step=60, metric="steps", seconds=60)
        store(person, deliver(batch([60.0] * 660, start=start, step=60), walked), now=now)


def counted_before(person: Participant, day: int, *, metric: str = "heart_rate", value: float = 0.0) -> None:
    """Make that day's values some that do not count, while everything made of them stays as it was counted before."""
    start = START + day * DAY
    rows = Measurement.objects.filter(participant=person, metric__code=metric, time__gte=start, time__lt=start + DAY)
    rows.update(value=value)


@pytest.fixture
def person(trial: Trial) -> Participant:
    """Five valid days; of the second and third, counted before there were ranges, the heart rates are all 0."""
    made = enrol(trial)
    worn(made)
    for day in (1, 2):
        counted_before(made, day)
    evaluation.refresh(made, now=NOW)
    assert ParticipantStatusSummary.objects.get(participant=made).adherence == 1.0
    return made


def statuses(person: Participant) -> str:
    return "".join(ParticipantDay.objects.filter(participant=person).order_by("date").values_list("status", flat=True))


def command(*args: str) -> str:
    out = StringIO()
    call_command("reevaluate_ranges", *args, stdout=out)
    return out.getvalue()


# --- what it would change ----------------------------------------------------------------------------------------


def test_looking_says_which_days_change_and_changes_nothing(person: Participant) -> None:
    before = everything()
    found = range_change.preview(person, now=NOW)
    assert found.dates == [MONDAY + DAY, MONDAY + 2 * DAY]
    assert [(change.date, change.before, change.after) for change in found.changes] == [
        (MONDAY + DAY, "v", "i"),
        (MONDAY + 2 * DAY, "v", "i"),
    ]
    assert (found.adherence_before, found.adherence_after, found.kept) == (1.0, 0.6, 0)
    assert everything() == before


def test_days_of_which_only_values_change_are_told_too(trial: Trial) -> None:
    person = enrol(trial)
    worn(person)
    counted_before(person, 1, metric="steps", value=-1.0)
    found = range_change.preview(person, now=NOW)
    assert (found.dates, found.changes) == ([MONDAY + DAY], [])
    assert found.adherence_before == found.adherence_after == 1.0


def test_of_a_participant_without_such_values_nothing_changes(trial: Trial) -> None:
    person = enrol(trial)
    worn(person)
    before = everything()
    found = range_change.reevaluate([person], now=NOW)[0]
    assert not found.any
    assert everything() == before


def test_what_the_clock_changes_is_not_told_as_the_ranges_doing(trial: Trial) -> None:
    """Saturday is pending; a week later it is lost, whatever the ranges."""
    person = enrol(trial)
    worn(person)
    counted_before(person, 1)
    later = NOW + 10 * DAY
    found = range_change.reevaluate([person], now=later)[0]
    assert [(change.date, change.before, change.after) for change in found.changes] == [(MONDAY + DAY, "v", "i")]
    assert set(DayStatusHistory.objects.filter(known_at=later).values_list("date", "why")) >= {
        (MONDAY + DAY, range_change.REASON),
        (MONDAY + 5 * DAY, ""),
    }


# --- doing it ----------------------------------------------------------------------------------------------------


def test_done_it_is_as_if_these_values_had_never_counted(person: Participant) -> None:
    range_change.reevaluate([person], now=NOW)
    assert statuses(person) == "viivvp"
    assert ParticipantStatusSummary.objects.get(participant=person).adherence == 0.6
    for day in (1, 2):
        date, start = MONDAY + day * DAY, START + day * DAY
        assert ImplausibleCount.objects.get(date=date).n == 660
        for model in (MinuteRollup, HourRollup):
            rows = model.objects.filter(metric__code="heart_rate", bucket__gte=start, bucket__lt=start + DAY)
            assert not rows.exists()
        assert list(DayRollup.objects.filter(date=date).values_list("metric__code", "total")) == [("steps", 600.0)]
    assert list(data_check.check([person])) == []


def test_done_twice_it_changes_nothing(person: Participant) -> None:
    range_change.reevaluate([person], now=NOW)
    before = everything()
    assert not range_change.reevaluate([person], now=NOW)[0].any
    assert everything() == before


def test_what_wider_ranges_let_in_is_counted(trial: Trial) -> None:
    """Values that a version before left out, and that count now."""
    person = enrol(trial)
    worn(person)
    bad = batch([0.0] * 660, start=START + DAY, step=60)
    store(person, deliver(bad), now=NOW)
    assert statuses(person) == "vivvvp"
    counted_before(person, 1, value=61.0)
    found = range_change.reevaluate([person], now=NOW)[0]
    assert (found.dates, found.adherence_before, found.adherence_after) == ([MONDAY + DAY], 0.8, 1.0)
    assert statuses(person) == "vvvvvp"
    assert not ImplausibleCount.objects.exists()
    assert DayRollup.objects.get(date=MONDAY + DAY, metric__code="heart_rate").low == 61.0


def test_days_whose_hours_begin_within_an_hour_are_counted_whole(trial: Trial) -> None:
    """In Kathmandu, 5:45 from UTC, hours lie across midnights: neighbours of a day lose nothing."""
    person = enrol(trial)
    Participant.objects.update(time_zone="Asia/Kathmandu")
    person.refresh_from_db()
    midnight = dt.datetime(2026, 5, 4, 18, 15, tzinfo=dt.UTC)  # of Tuesday
    store(person, deliver(batch([60.0] * 120, start=midnight - HOUR, step=60)), now=NOW)
    before = everything()
    Measurement.objects.filter(time=midnight).update(value=0.0)
    found = range_change.reevaluate([person], now=NOW)[0]
    assert found.dates == [MONDAY + DAY]
    assert HourRollup.objects.get(bucket=midnight.replace(minute=0)).n == 59
    assert sorted(DayRollup.objects.values_list("date", "n")) == [(MONDAY, 60), (MONDAY + DAY, 59)]
    Measurement.objects.filter(time=midnight).update(value=60.0)
    range_change.reevaluate([person], now=NOW)
    after = everything()
    assert after["HourRollup"] == before["HourRollup"]
    assert after["DayRollup"] == before["DayRollup"]


def test_the_history_says_why(person: Participant) -> None:
    before = set(DayStatusHistory.objects.values_list("date", "known_at"))
    assert set(DayStatusHistory.objects.values_list("why", flat=True)) == {""}
    range_change.reevaluate([person], now=NOW + HOUR)
    new = [row for row in DayStatusHistory.objects.order_by("date") if (row.date, row.known_at) not in before]
    assert [(row.date, row.status, row.why, row.worn_minutes) for row in new] == [
        (MONDAY + DAY, "i", "ranges v1", 0),
        (MONDAY + 2 * DAY, "i", "ranges v1", 0),
    ]


def test_days_of_which_the_samples_are_deleted_stay_and_are_counted(trial: Trial) -> None:
    now = START + 200 * DAY
    Trial.objects.update(retain_raw_days=100)
    person = factories.ParticipantFactory.create(trial=trial, time_zone=ZONE, monitoring_starts_on=MONDAY)
    cutoff = cutoff_for(100, now)
    worn(person, now=now)
    young = cutoff + MARGIN + DAY
    store(person, deliver(batch([60.0] * 660, start=young, step=60)), now=now)
    Measurement.objects.filter(metric__code="heart_rate").update(value=0.0)
    DayRollup.objects.filter(metric__code="heart_rate", date__lt=MONDAY + 2 * DAY).update(low=0.0)
    retain(now)
    before = everything()["DayRollup"]
    found = range_change.reevaluate([person], now=now)[0]
    assert (found.dates, found.kept) == ([young.astimezone(dt.UTC).date()], 2)
    assert [row for row in everything()["DayRollup"] if row[3] < cutoff.date()] == [
        row for row in before if row[3] < cutoff.date()
    ]


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    """The present of what has a clock of its own."""
    with time_machine.travel(NOW, tick=False):
        yield


def test_without_apply_the_command_only_shows(trial: Trial, person: Participant) -> None:
    worn(enrol(trial, "P-2"))
    before = everything()
    said = command("KNEE")
    assert "P-1: 2 days, adherence 100.0% -> 60.0%" in said
    assert "2026-05-05  valid -> invalid" in said
    assert "P-2" not in said
    assert "KNEE: 1 participants, 2 days; 2 valid -> invalid." in said
    assert "Nothing was changed" in said
    assert everything() == before
    assert not Recompute.objects.exists()
    assert not AuditEntry.objects.filter(action="recompute.start").exists()


def test_with_apply_it_does_it_and_leaves_its_traces(trial: Trial, person: Participant) -> None:
    worn(enrol(trial, "P-2"))
    other = enrol(factories.TrialFactory.create(code="OTHER", status="running"), "P-3")
    worn(other)
    counted_before(other, 1)
    said = command("KNEE", "--apply")
    assert "P-1: 2 days, adherence 100.0% -> 60.0%" in said
    assert "KNEE: 1 participants, 2 days; 2 valid -> invalid. Done." in said
    assert statuses(person) == "viivvp"
    assert statuses(other) == "vvvvvp"
    run = Recompute.objects.get()
    assert (run.trial, run.ranges, run.changed, run.people) == (trial, 1, {"v>i": 2}, {"P-1": [2, 1.0, 0.6]})
    assert run.finished_at is not None
    assert (run.done, run.total, run.error) == (2, 2, "")
    entry = AuditEntry.objects.get(action="recompute.start")
    assert (entry.trial_id, entry.detail.new, entry.detail.reason) == (
        trial.pk,
        {"ranges": 1},
        "Plausible ranges, version 1",
    )
    assert "KNEE: 0 participants, 0 days." in command("KNEE")


def test_a_killed_run_goes_on_where_it_stopped(trial: Trial, person: Participant) -> None:
    worn(enrol(trial, "P-2"))
    run = recompute.ranges_start(trial)
    assert recompute.recompute_step(run.pk)
    run.refresh_from_db()
    assert (run.done, run.finished_at) == (1, None)
    recompute.recompute_run(run.pk)
    run.refresh_from_db()
    assert (run.done, run.people) == (2, {"P-1": [2, 1.0, 0.6]})


def test_an_unknown_trial_is_refused_before_anything_is_done(person: Participant) -> None:
    with pytest.raises(CommandError, match="no trial NOPE"):
        command("KNEE", "NOPE", "--apply")
    assert not Recompute.objects.exists()


# --- no alert, no digest -----------------------------------------------------------------------------------------


def alerted() -> list[tuple[str, int]]:
    return list(Alert.objects.filter(resolved_at=None).values_list("rule", "level"))


def watch(trial: Trial) -> None:
    assert alerts_engine.watch(trial.pk, NOW) is not None


def test_low_wear_that_comes_of_it_raises_no_alert_and_stands_in_no_digest(trial: Trial, person: Participant) -> None:
    member = factories.MembershipFactory.create(trial=trial, started_at=NOW - 30 * DAY)
    watch(trial)
    assert alerted() == []
    command("KNEE", "--apply")
    summary = ParticipantStatusSummary.objects.get(participant=person)
    assert (summary.low_wear, summary.recounted) == (True, True)
    watch(trial)
    assert alerted() == []
    assert not AlertEvent.objects.exists()
    content = digests.content(member, NOW.date(), NOW)
    assert (content.attention, content.news) == (0, False)


def test_it_raises_none_either_when_the_days_are_evaluated_again(trial: Trial, person: Participant) -> None:
    command("KNEE", "--apply")
    evaluation.refresh(person, now=NOW)
    watch(trial)
    assert alerted() == []


def test_when_adherence_falls_further_it_does(trial: Trial, person: Participant) -> None:
    member = factories.MembershipFactory.create(trial=trial, started_at=NOW - 30 * DAY)
    command("KNEE", "--apply")
    later = NOW + DAY
    store(person, deliver(batch([60.0], start=later)), now=later)  # Saturday was not worn
    assert statuses(person) == "viivvip"
    watch(trial)
    assert alerted() == [("low_wear", Alert.Level.WARN)]
    assert digests.content(member, NOW.date(), NOW).attention == 1


def test_an_alert_that_is_open_gets_no_worse_by_it(trial: Trial) -> None:
    """Of eight days two were not worn, and one more falls away: now the target is out of reach."""
    person = enrol(trial)
    Participant.objects.update(monitoring_ends_on=MONDAY + 7 * DAY)
    person.refresh_from_db()
    for n in (2, 3, 4):
        store(person, deliver(batch([60.0] * 660, start=START + n * DAY, step=60)), now=NOW)
    watch(trial)
    assert alerted() == [("low_wear", Alert.Level.WARN)]
    counted_before(person, 2)
    command("KNEE", "--apply")
    summary = ParticipantStatusSummary.objects.get(participant=person)
    assert (summary.low_wear, summary.out_of_reach) == (True, True)
    watch(trial)
    assert alerted() == [("low_wear", Alert.Level.WARN)]
    assert list(AlertEvent.objects.values_list("what", flat=True)) == [AlertEvent.What.RAISED]
