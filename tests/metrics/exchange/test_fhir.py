"""FHIR R5: every metric as Observations that another system's reader takes."""

from __future__ import annotations

import datetime as dt
import json
import uuid

import numpy as np
import pytest

from metrics.batch import MICROSECOND
from metrics.exchange.fhir import fhir_lines
from metrics.exchange.series import NAMESPACE, id_texts, identity, ids, numbers
from metrics.local_time import LocalCalendar
from metrics.registry import LOINC, METRICS, Metric
from tests.metrics.exchange.made import AMSTERDAM, MADE_UP, NOON, SPRING, fhir, series


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.code)
def test_every_metric_becomes_valid_observations(metric: Metric) -> None:
    low, high = metric.plausible
    values = [low, high, (2 * low + high) / 3]
    found = fhir(fhir_lines(series(metric.code, [NOON + n * 60 * MICROSECOND for n in range(3)], values)))
    assert [one["valueQuantity"]["value"] for one in found] == pytest.approx(values, abs=0.006)
    assert {one["valueQuantity"]["code"] for one in found} == {metric.unit}
    assert {one["valueQuantity"]["system"] for one in found} == {"http://unitsofmeasure.org"}
    assert {"system": metric.system, "code": metric.concept} in found[0]["code"]["coding"]
    assert found[0]["status"] == "final"


@pytest.mark.parametrize("metric", [m for m in METRICS if m.system == LOINC], ids=lambda metric: metric.code)
def test_loinc_codes_have_the_right_check_digit(metric: Metric) -> None:
    number, check = metric.concept.split("-")
    assert luhn(number) == int(check)


def luhn(number: str) -> int:
    doubled = [int(digit) * (2 if n % 2 == 0 else 1) for n, digit in enumerate(reversed(number))]
    return -sum(digit // 10 + digit % 10 for digit in doubled) % 10


def test_a_minute_of_heart_rate_has_its_mean_and_all_its_samples() -> None:
    times = [NOON + n * 5 * MICROSECOND for n in range(13)]
    first, second = fhir(fhir_lines(series("heart_rate", times, [60 + n for n in range(13)])))
    assert first["valueQuantity"] == {
        "value": 65.5, "unit": "bpm", "system": "http://unitsofmeasure.org", "code": "/min",
    }  # fmt: skip
    assert first["effectivePeriod"] == {"start": "2026-05-04T12:00:00+02:00", "end": "2026-05-04T12:01:00+02:00"}
    sampled = first["component"][0]["valueSampledData"]
    assert sampled["offsets"] == " ".join(str(n * 5000) for n in range(12))
    assert sampled["data"] == " ".join(str(60 + n) for n in range(12))
    assert "interval" not in sampled
    assert second["component"][0]["valueSampledData"]["data"] == "72"


def test_samples_between_milliseconds_are_kept_exactly() -> None:
    (one,) = fhir(fhir_lines(series("heart_rate", [NOON + 1, NOON + 2_500], [61.25, 62])))
    assert one["component"][0]["valueSampledData"]["offsets"] == "0.001 2.5"
    assert one["component"][0]["valueSampledData"]["data"] == "61.25 62"


def test_the_vital_signs_profiles_find_their_category_code_and_unit() -> None:
    (spo2,) = fhir(fhir_lines(series("spo2", [NOON], [96.5])))
    assert [coding["code"] for coding in spo2["code"]["coding"]] == ["2708-6", "59408-5"]
    assert spo2["category"][0]["coding"][0]["code"] == "vital-signs"
    assert spo2["effectiveDateTime"] == "2026-05-04T12:00:00+02:00"


def test_nobody_is_named_and_the_subject_is_a_study_id_in_its_trial() -> None:
    (one,) = fhir(fhir_lines(series("weight", [NOON], [70], trial="A B/C")))
    assert one["subject"] == {
        "type": "Patient", "identifier": {"system": "urn:wearable-trials:participant:A%20B%2FC", "value": "P-001"},
    }  # fmt: skip


def test_a_value_that_is_known_to_be_missing_has_a_reason_and_is_no_zero() -> None:
    one, other = fhir(fhir_lines(series("steps_24h", [SPRING - 86_400 * MICROSECOND, SPRING], [8000, np.nan])))
    assert one["valueQuantity"]["value"] == 8000
    assert "valueQuantity" not in other
    assert other["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_a_day_of_changing_clocks_lasts_from_midnight_to_midnight() -> None:
    (one,) = fhir(fhir_lines(series("steps_24h", [SPRING], [8000])))
    assert one["effectivePeriod"] == {"start": "2026-03-29T00:00:00+01:00", "end": "2026-03-30T00:00:00+02:00"}


def test_the_repeated_hour_is_told_apart_by_its_offset() -> None:
    first = int(dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC).timestamp()) * MICROSECOND
    found = fhir(fhir_lines(series("steps", [first, first + 3600 * MICROSECOND], [1, 2])))
    assert [one["effectivePeriod"]["start"] for one in found] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
    ]


def test_a_device_with_an_impossible_clock_is_written_in_utc() -> None:
    lost = LocalCalendar(AMSTERDAM._zone, [(0, 20 * 3600)])
    (one,) = fhir(fhir_lines(series("weight", [NOON], [70], calendar=lost)))
    assert one["effectiveDateTime"] == "2026-05-04T10:00:00+00:00"


def test_made_up_and_imputed_data_say_so() -> None:
    (made_up,) = fhir(fhir_lines(series("weight", [NOON], [70], source=MADE_UP)))
    (imputed,) = fhir(fhir_lines(series("weight", [NOON], [70], imputed=True)))
    (measured,) = fhir(fhir_lines(series("weight", [NOON], [70])))
    assert made_up["meta"]["security"][0]["code"] == "HTEST"
    assert "(synthetic)" in made_up["device"]["display"]
    assert imputed["meta"]["tag"][0]["code"] == "imputed"
    assert "imputed" in imputed["method"]["text"]
    assert "meta" not in measured
    assert len({one["id"] for one in (made_up, imputed, measured)}) == 3


def test_an_export_repeated_is_the_same_to_the_byte() -> None:
    times = [NOON + n * 5 * MICROSECOND for n in range(30)]
    for code in ("heart_rate", "spo2"):
        assert list(fhir_lines(series(code, times, range(30)))) == list(fhir_lines(series(code, times, range(30))))


def test_ids_are_version_5_uuids_and_differ_by_all_that_identifies() -> None:
    assert ids("start")(12) == str(uuid.uuid5(NAMESPACE, "start/12"))
    assert id_texts("start", np.array([12, -3])).to_pylist() == [ids("start")(12), ids("start")(-3)]
    assert identity("a/b", "c") != identity("a", "b/c")
    several = [series("weight", [NOON], [70]), series("weight", [NOON + 1], [70]), series("body_fat", [NOON], [70])]
    several += [series("weight", [NOON], [70], study_id="P-002"), series("weight", [NOON], [70], trial="HIP")]
    assert len({one["id"] for each in several for one in fhir(fhir_lines(each))}) == 5


def test_texts_that_are_special_in_json_or_templates_survive() -> None:
    (one,) = fhir(fhir_lines(series("body_fat", [NOON], [20], study_id='P%s"\\')))
    assert one["subject"]["identifier"]["value"] == 'P%s"\\'
    assert one["valueQuantity"]["unit"] == "%"


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e-9, 1e22, -7.5, 123456789.125, 2.0**53, 5e-324])
def test_numbers_are_exact_and_never_powers_of_ten(value: float) -> None:
    (word,) = numbers(np.array([value]))
    assert float(word) == value
    assert json.loads(word) == value
    assert "e" not in word.lower()


def test_an_empty_series_has_no_lines() -> None:
    assert list(fhir_lines(series("heart_rate", [], []))) == []
    assert list(fhir_lines(series("steps", [], []))) == []


def test_values_that_do_not_count_are_left_out_and_missing_ones_stay() -> None:
    found = fhir(fhir_lines(series("resting_heart_rate", [SPRING, NOON], [29.9, np.nan])))
    assert len(found) == 1
    assert found[0]["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert list(fhir_lines(series("heart_rate", [NOON, NOON + 1], [24.9, 240.1]))) == []
    found = fhir(fhir_lines(series("heart_rate", [NOON, NOON + 1], [25, 240])))
    assert found[0]["component"][0]["valueSampledData"]["data"] == "25 240"


def test_an_interval_s_range_grows_with_its_length() -> None:
    assert len(list(fhir_lines(series("steps", [NOON], [4000], seconds=3600)))) == 1
    assert list(fhir_lines(series("steps", [NOON], [4000], seconds=60))) == []
