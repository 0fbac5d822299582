"""The library itself, where it is installed: `make test-wearipedia` brings an environment with it."""

from __future__ import annotations

import datetime as dt
import random
import warnings
import zoneinfo

import numpy as np
import pytest
from django.core.management import call_command

from ingestion.providers.base.synthetic import SyntheticParticipant
from ingestion.providers.wearipedia.provider import DEVICES, Wearipedia
from metrics.batch import Payload, instant
from metrics.models import DayRollup, Measurement, SleepSession
from metrics.registry import BY_CODE
from tests.factories import ParticipantFactory, TrialFactory

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the library's own dependencies warn as they are imported
    pytest.importorskip("wearipedia", reason="wearipedia is not installed: make test-wearipedia")

AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
ON = dt.date(2026, 11, 10)
EVER = (dt.datetime(2000, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC))

# What each device brings in a day: metric -> samples.
BROUGHT: dict[str, dict[str, int | tuple[int, int]]] = {
    "fitbit_sense": {"heart_rate": 86_400, "hrv_rmssd": (360, 540), "spo2": (360, 540), "distance": (1, 1440)},
    "fitbit_charge_6": {"heart_rate": 86_400, "hrv_rmssd": (360, 540), "spo2": (360, 540), "steps_24h": 1},
    "oura_ring3": {"heart_rate": 288, "steps_24h": 1, "energy_24h": 1, "respiratory_rate": 1},
    "garmin_fenix_7s": {"heart_rate": 24, "steps": 96, "stress_score": 96, "respiratory_rate_instant": 96},
    "dexcom_pro_cgm": {"glucose": 288},
}


def made(device: str, on: dt.date = ON, seed: int = 3, number: int = 1) -> Payload:
    return Wearipedia().day(SyntheticParticipant(device, seed, number, AMSTERDAM, ON), on, *EVER)


def as_bytes(payload: Payload) -> list[object]:
    return [*((b.metric, b.time.tobytes(), b.value.tobytes()) for b in payload.samples), *payload.sleep]


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_a_day_brings_the_devices_metrics(device: str) -> None:
    counts = {batch.metric: len(batch) for batch in made(device).samples}
    for metric, expected in BROUGHT[device].items():
        low, high = expected if isinstance(expected, tuple) else (expected, expected)
        assert low <= counts[metric] <= high, metric


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_the_same_seed_gives_the_same_day_alone_or_after_others(device: str) -> None:
    alone = as_bytes(made(device))
    made(device, ON - dt.timedelta(days=1))
    assert as_bytes(made(device)) == alone


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_seeds_people_and_days_differ(device: str) -> None:
    days = [made(device), made(device, seed=4), made(device, number=2), made(device, ON + dt.timedelta(days=1))]
    values = [tuple(batch.value.tobytes() for batch in day.samples) for day in days]
    assert len(set(values)) == 4


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_most_values_are_plausible_and_lie_on_the_day_or_the_night_after(device: str) -> None:
    for batch in made(device).samples:
        low, high = BY_CODE[batch.metric].plausible
        assert np.mean((batch.value >= low) & (batch.value <= high)) > 0.9, batch.metric
        assert batch.source.synthetic
        dates = {instant(time).astimezone(AMSTERDAM).date() for time in (batch.time.min(), batch.time.max())}
        assert dates <= {ON, ON + dt.timedelta(days=1)}, batch.metric


@pytest.mark.parametrize("device", ["fitbit_sense", "fitbit_charge_6"])
def test_a_fitbit_night_is_whole(device: str) -> None:
    (night,) = made(device).sleep
    assert sum(stage.seconds for stage in night.stages) == round((night.ends_at - night.starts_at).total_seconds())
    assert dt.timedelta(hours=4) <= night.ends_at - night.starts_at <= dt.timedelta(hours=10)


def test_glucose_does_not_sink_at_midnight() -> None:
    (batch,) = made("dexcom_pro_cgm").samples
    assert batch.value[np.argsort(batch.time)][[0, -1]].min() > 70


def test_a_day_of_25_hours_is_measured_once() -> None:
    october = dt.date(2026, 10, 25)
    (heart,) = [batch for batch in made("fitbit_sense", october).samples if batch.metric == "heart_rate"]
    assert len(np.unique(heart.time)) == 86_400
    assert instant(heart.time.max()) == dt.datetime(2026, 10, 25, 23, 59, 59, tzinfo=AMSTERDAM)


def test_the_global_random_numbers_stay_as_they_were() -> None:
    random.seed(1)
    np.random.seed(1)
    expected = random.getstate(), np.random.get_state()[1].copy()  # type: ignore[index]
    made("fitbit_charge_6")
    assert random.getstate() == expected[0]
    assert (np.random.get_state()[1] == expected[1]).all()  # type: ignore[index]


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    made("dexcom_pro_cgm")
    assert capfd.readouterr() == ("", "")


@pytest.mark.django_db
@pytest.mark.parametrize("device", sorted(DEVICES))
def test_the_command_stores_two_days_and_the_second_time_nothing(device: str, settings: object) -> None:
    settings.SYNTHETIC = True  # type: ignore[attr-defined]
    who = ParticipantFactory(trial=TrialFactory(is_demo=True))
    arguments = ("pull_synthetic", who.trial.code, who.study_id, f"--device={device}")
    for _ in range(2):
        call_command(*arguments, "--start=2026-11-10", "--end=2026-11-11", "--seed=3")
        assert set(DayRollup.objects.values_list("date", flat=True)) >= {ON, ON + dt.timedelta(days=1)}
        counts = Measurement.objects.count(), SleepSession.objects.count()
    assert counts[0] >= 2 * 288 - 1
    assert counts == (Measurement.objects.count(), 0 if device == "dexcom_pro_cgm" else 2)
