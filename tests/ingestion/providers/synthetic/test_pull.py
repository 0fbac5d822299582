"""Taking in synthetic devices: step by step, each stretch once, and in demo trials only."""

from __future__ import annotations

import datetime as dt
import sys
import threading

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from ingestion import synthetic, tasks
from ingestion.models import SyntheticDevice
from metrics.models import Measurement, OffsetPeriod, ParticipantDay, SleepSession
from metrics.writing.writer import SyntheticRefused
from participants.models import Participant, Trial
from tests import broker
from tests.factories import ParticipantFactory, TrialFactory

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 13, 21, 7, tzinfo=dt.UTC)
STARTS_ON = dt.date(2026, 11, 10)
WELL, TRAVELS, NEVER = 1, 9, 16


def device(number: int = WELL, *, starts_on: dt.date = STARTS_ON, **participant: object) -> SyntheticDevice:
    participant.setdefault("trial", TrialFactory(is_demo=True))
    return synthetic.device_assign(
        participant=ParticipantFactory(**participant),
        provider=synthetic.provider_of("synthetic"),
        device="inspire_3",
        seed=4,
        number=number,
        starts_on=starts_on,
    )


def pull(given: SyntheticDevice, now: dt.datetime = NOW) -> list[synthetic.Step]:
    return list(synthetic.device_pull(given.pk, now=now))


def test_a_pull_reaches_to_the_last_upload() -> None:
    given = device()
    pull(given)
    given.refresh_from_db()
    last = Measurement.objects.filter(participant=given.participant).order_by("-time")[0]
    assert given.pulled_until is not None
    assert NOW - dt.timedelta(minutes=15) < given.pulled_until <= NOW
    assert given.pulled_until - dt.timedelta(minutes=2) < last.time < given.pulled_until
    assert SleepSession.objects.filter(participant=given.participant).count() == 3


def test_a_second_pull_at_once_finds_nothing() -> None:
    given = device()
    pull(given)
    assert pull(given) == []


def test_later_pulls_add_what_is_new_and_change_nothing() -> None:
    given = device()
    pull(given)
    (step,) = pull(given, NOW + dt.timedelta(hours=1))
    assert step.until - step.since == dt.timedelta(hours=1)
    assert (step.counts.changed, step.counts.unchanged, step.counts.repeated) == (0, 0, 0)
    assert step.counts.new > 200


def test_pulling_in_parts_stores_the_same_as_pulling_at_once() -> None:
    trial = TrialFactory(is_demo=True)
    whole, parts = (device(trial=trial) for _ in range(2))
    pull(whole)
    for hours in (70, 60, 43, 30, 12, 5, 0):
        pull(parts, NOW - dt.timedelta(hours=hours))
    rows = [
        list(
            Measurement.objects.filter(participant=given.participant)
            .order_by("metric_id", "time")
            .values_list("metric_id", "time", "value", "seconds")
        )
        for given in (whole, parts)
    ]
    assert rows[0] == rows[1]


def test_the_newest_week_comes_first() -> None:
    given = device(starts_on=STARTS_ON - dt.timedelta(days=10))
    steps = pull(given)
    assert len(steps) == 2
    assert steps[0].until > steps[0].since >= steps[1].until


def test_an_earlier_first_day_is_filled_in() -> None:
    given = device()
    pull(given)
    synthetic.device_assign(
        participant=given.participant,
        provider=synthetic.provider_of("synthetic"),
        device="inspire_3",
        seed=4,
        number=WELL,
        starts_on=STARTS_ON - dt.timedelta(days=3),
    )
    (step,) = pull(given)
    assert step.until == dt.datetime(2026, 11, 9, 23, tzinfo=dt.UTC)


def test_the_travellers_clock_is_stored() -> None:
    given = device(TRAVELS, starts_on=dt.date(2026, 10, 26))
    pull(given)
    periods = OffsetPeriod.objects.filter(participant=given.participant).order_by("starts_at")
    assert list(periods.values_list("utc_offset", flat=True)) == [-5 * 3600, None]


def test_the_travellers_days_are_right_though_the_return_was_stored_before_the_departure() -> None:
    given = device(TRAVELS, starts_on=dt.date(2026, 10, 26))
    departure, since_return = dt.datetime(2026, 11, 5, 11, tzinfo=dt.UTC), pull(given)[0].since
    assert departure < since_return
    provider, synthetic_participant = synthetic.provider_of("synthetic"), synthetic.synthetic_participant_of(given)
    stored = dict(ParticipantDay.objects.filter(participant=given.participant).values_list("date", "worn_minutes"))
    for date in (dt.date(2026, 11, 4) + dt.timedelta(days=n) for n in range(9)):
        made = provider.day(synthetic_participant, date, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), NOW)
        (heart,) = [batch for batch in made.samples if batch.metric == "heart_rate"]
        assert stored[date] == len(np.unique(heart.time // 60_000_000)), date


def test_who_never_connected_has_no_data() -> None:
    given = device(NEVER)
    assert pull(given) == []
    assert not Measurement.objects.filter(participant=given.participant).exists()


def test_monitoring_that_has_ended_ends_the_data() -> None:
    given = device(monitoring_ends_on=dt.date(2026, 11, 11))
    pull(given)
    given.refresh_from_db()
    assert given.pulled_until == dt.datetime(2026, 11, 11, 23, tzinfo=dt.UTC)


def test_a_trial_that_is_no_demo_gets_no_synthetic_device() -> None:
    with pytest.raises(SyntheticRefused, match="not a demo trial"):
        device(trial=TrialFactory(is_demo=False))


def test_a_trial_that_stopped_being_a_demo_gets_no_data() -> None:
    given = device()
    Trial.objects.update(is_demo=False)
    with pytest.raises(SyntheticRefused):
        pull(given)
    assert not Measurement.objects.exists()


def test_another_seed_on_the_same_device_is_refused() -> None:
    given = device()
    with pytest.raises(ValueError, match="already wears"):
        synthetic.device_assign(
            participant=given.participant,
            provider=synthetic.provider_of("synthetic"),
            device="inspire_3",
            seed=5,
            number=WELL,
            starts_on=STARTS_ON,
        )


@pytest.mark.django_db(transaction=True)
def test_a_device_that_another_worker_pulls_is_left_to_it() -> None:
    given = device()
    locked, release = threading.Event(), threading.Event()

    def other_worker() -> None:
        with transaction.atomic():
            SyntheticDevice.objects.select_for_update().get(pk=given.pk)
            locked.set()
            release.wait(10)
        connection.close()

    worker = threading.Thread(target=other_worker)
    worker.start()
    try:
        assert locked.wait(10)
        with pytest.raises(synthetic.DeviceBusy):
            pull(given)
    finally:
        release.set()
        worker.join()


def test_who_has_left_or_whose_trial_is_closed_is_not_pulled_any_more() -> None:
    active = device()
    device(status=Participant.Status.WITHDRAWN)
    device(trial=TrialFactory(is_demo=True, status=Trial.Status.CLOSED))
    assert [d.pk for d in synthetic.devices_active(live=True)] == [active.pk]
    assert not synthetic.devices_active(live=False)


def test_the_demo_is_extended_by_one_task_a_device() -> None:
    given = device()
    tasks.extend_demo()
    assert broker.sent("ingestion.pull_synthetic") == [(given.pk,)]


def test_the_task_run_twice_stores_once(time_machine: object) -> None:
    time_machine.move_to(NOW, tick=False)  # type: ignore[attr-defined]
    given = device()
    tasks.pull_synthetic(given.pk)
    stored = Measurement.objects.count()
    tasks.pull_synthetic(given.pk)
    assert stored == Measurement.objects.count() > 20_000


def test_whole_day_devices_wait_for_the_switch(settings: object) -> None:
    given = device()
    SyntheticDevice.objects.filter(pk=given.pk).update(provider="wearipedia", device="oura_ring3")
    settings.SYNTHETIC = False  # type: ignore[attr-defined]
    tasks.pull_synthetic_days()
    assert not broker.messages()
    settings.SYNTHETIC = True  # type: ignore[attr-defined]
    tasks.pull_synthetic_days()
    assert broker.sent("ingestion.pull_synthetic") == [(given.pk,)]


def command(
    trial: str, study_id: str, *, device: str = "inspire_3", start: str = "2026-11-01", end: str = "2026-11-02"
) -> None:
    call_command("pull_synthetic", trial, study_id, f"--device={device}", f"--start={start}", f"--end={end}")


@pytest.fixture
def switched_on(settings: object) -> None:
    settings.SYNTHETIC = True  # type: ignore[attr-defined]


def test_the_command_pulls_whole_days_once(switched_on: None, capsys: pytest.CaptureFixture[str]) -> None:
    given = ParticipantFactory(trial=TrialFactory(is_demo=True))
    command(given.trial.code, given.study_id)
    command(given.trial.code, given.study_id)
    lines = capsys.readouterr().out.splitlines()
    assert [" 0 new measurements" in line for line in lines] == [False, True]
    last = Measurement.objects.order_by("-time")[0].time
    assert last < dt.datetime(2026, 11, 2, 23, tzinfo=dt.UTC) < last + dt.timedelta(minutes=2)


def test_the_command_says_that_synthetic_data_is_switched_off(settings: object) -> None:
    settings.SYNTHETIC = False  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="SYNTHETIC=True"):
        command("T", "P")


def test_the_command_refuses_a_real_trial(switched_on: None) -> None:
    given = ParticipantFactory(trial=TrialFactory(is_demo=False))
    with pytest.raises(CommandError, match="not a demo trial"):
        command(given.trial.code, given.study_id)


def test_the_command_names_the_devices_there_are(switched_on: None) -> None:
    given = ParticipantFactory(trial=TrialFactory(is_demo=True))
    with pytest.raises(CommandError, match=r"no synthetic device 'watch'.*fitbit_sense.*dexcom_pro_cgm"):
        command(given.trial.code, given.study_id, device="watch")


def test_the_command_says_how_to_get_the_library(switched_on: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wearipedia", None)
    given = ParticipantFactory(trial=TrialFactory(is_demo=True))
    with pytest.raises(CommandError, match="pip install"):
        command(given.trial.code, given.study_id, device="fitbit_sense")
    assert not SyntheticDevice.objects.exists()
