"""Open mHealth and IEEE 1752.1: data points that the schemas take, and metrics that are left out for a reason."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from metrics.batch import MICROSECOND
from metrics.exchange.mappings import LEFT_OUT, SCHEMAS, left_out
from metrics.exchange.open_mhealth import BLOCK, omh_blocks
from metrics.exchange.series import Series
from metrics.registry import METRICS, Metric
from tests.metrics.exchange.made import MADE_UP, NOON, SPRING, ValidationError, omh, read, series


def omh_lines(of: Series) -> Iterator[bytes]:
    return (text for _, text in omh_blocks(of))


def test_every_metric_either_has_a_schema_or_a_reason_why_not() -> None:
    codes = {metric.code for metric in METRICS}
    assert set(SCHEMAS) | set(LEFT_OUT) == codes
    assert not set(SCHEMAS) & set(LEFT_OUT)
    assert left_out(["steps", "vo2_max"]) == {"vo2_max": LEFT_OUT["vo2_max"]}


@pytest.mark.parametrize("metric", [m for m in METRICS if m.code in SCHEMAS], ids=lambda metric: metric.code)
def test_every_metric_with_a_schema_becomes_valid_points(metric: Metric) -> None:
    low, high = metric.plausible
    values = [low, high, (2 * low + high) / 3]
    found = omh(omh_lines(series(metric.code, [NOON + n * 60 * MICROSECOND for n in range(3)], values)))
    member = SCHEMAS[metric.code].member
    assert [point["body"][member]["value"] for point in found] == values
    assert found[0]["body"][member]["unit"] == SCHEMAS[metric.code].unit


@pytest.mark.parametrize("code", sorted(LEFT_OUT))
def test_of_a_metric_that_is_left_out_there_are_no_points(code: str) -> None:
    assert list(omh_lines(series(code, [NOON], [1]))) == []


def test_the_header_satisfies_open_mhealth_and_ieee() -> None:
    (point,) = omh(omh_lines(series("steps", [NOON], [12])))
    header = point["header"]
    assert header["id"] == header["uuid"]
    assert header["creation_date_time"] == header["source_creation_date_time"] == "2026-05-04T12:01:00+02:00"
    assert header["schema_id"] == {"namespace": "omh", "name": "step-count", "version": "3.0"}
    assert header["modality"] == header["acquisition_provenance"]["modality"] == "sensed"
    assert header["user_id"] == "KNEE/P-001"


def test_made_up_and_imputed_data_are_not_sensed() -> None:
    (made_up,) = omh(omh_lines(series("weight", [NOON], [70], source=MADE_UP)))
    (imputed,) = omh(omh_lines(series("weight", [NOON], [70], imputed=True)))
    assert made_up["header"]["synthetic"]
    assert imputed["header"]["imputed"]
    assert made_up["header"]["acquisition_provenance"]["source_name"] == "synthetic · Charge 6 (synthetic)"
    for point in (made_up, imputed):
        assert "modality" not in point["header"]
        assert "modality" not in point["header"]["acquisition_provenance"]


def test_the_schemas_are_really_asked() -> None:
    (line,) = omh_lines(series("heart_rate", [NOON], [60]))
    with pytest.raises(ValidationError):
        omh([line.replace(b"beats/min", b"bpm")])
    with pytest.raises(ValidationError):
        omh([line.replace(b"creation_date_time", b"made_at")])


def test_a_missing_value_makes_no_point_and_no_zero() -> None:
    found = omh(omh_lines(series("steps_24h", [SPRING - 86_400 * MICROSECOND, SPRING], [np.nan, 8000])))
    assert [point["body"]["step_count"]["value"] for point in found] == [8000]
    assert found[0]["body"]["effective_time_frame"]["time_interval"] == {
        "start_date_time": "2026-03-29T00:00:00+01:00", "end_date_time": "2026-03-30T00:00:00+02:00",
    }  # fmt: skip


def test_a_resting_heart_rate_is_told_from_any_other() -> None:
    (point,) = omh(omh_lines(series("resting_heart_rate", [SPRING], [58])))
    assert point["body"]["temporal_relationship_to_physical_activity"] == "at rest"


def test_points_repeated_are_the_same_to_the_byte() -> None:
    assert list(omh_lines(series("spo2", [NOON], [97]))) == list(omh_lines(series("spo2", [NOON], [97])))


def test_texts_that_are_special_in_templates_survive() -> None:
    (point,) = omh(omh_lines(series("body_fat", [NOON], [20], study_id='%d"')))
    assert point["header"]["user_id"] == 'KNEE/%d"'


def test_values_that_do_not_count_are_left_out() -> None:
    assert list(omh_lines(series("heart_rate", [NOON, NOON + 1], [24.9, 240.1]))) == []
    assert len(read(omh_lines(series("heart_rate", [NOON, NOON + 1], [25, 240])))) == 2
    assert list(omh_lines(series("steps", [NOON], [-1]))) == []


def test_more_lines_than_a_block_are_all_written_once() -> None:
    times = NOON + np.arange(2 * BLOCK + 3) * MICROSECOND
    points = read(omh_lines(series("heart_rate", times, np.full(len(times), 60))))
    assert len({point["header"]["id"] for point in points}) == len(times)
