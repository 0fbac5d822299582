"""Series over the API: the columns, their times and units, and that missing stays missing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from metrics.models import Source
from metrics.writing.writer import store
from participants.models import AuditEntry, Participant, Protocol, Trial
from tests.factories import ParticipantFactory
from tests.metrics.samples import NOON, NOW, PHONE, batch, deliver, random_day

pytestmark = pytest.mark.django_db
SERIES = "/api/v1/series"
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def person(trial: Trial) -> Participant:
    """In Amsterdam, with heart rates at 12:00 and 15:00 UTC (14:00 and 17:00 on the local clock) and some steps."""
    person: Participant = ParticipantFactory(trial=trial, study_id="AX-001")
    steps = batch([10.0] * 5, metric="steps", step=60, seconds=60)
    store(person, deliver(batch([60, 62]), batch([70], start=NOON + 3 * HOUR), steps), now=NOW)
    return person


def ask(client: Client, status: int = 200, **asked: Any) -> Any:
    query = {"trial": "STRIDE-2", "metrics": "heart_rate", "start": "2026-05-04", "end": "2026-05-04"} | asked
    answer = client.get(SERIES, {name: value for name, value in query.items() if value is not None})
    assert answer.status_code == status, getattr(answer, "content", b"")[:500]
    if status != 200:
        assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.json()


def only(client: Client, **asked: Any) -> dict[str, Any]:
    (series,) = ask(client, **asked)["series"]
    return dict(series)


def test_a_series_is_an_object_of_columns(reader: Client, person: Participant) -> None:
    answer = ask(reader, resolution="1h", start="2026-05-04T12:00:00Z", end="2026-05-04T16:00:00Z")
    (series,) = answer.pop("series")
    assert answer == {
        "trial": "STRIDE-2",
        "start": "2026-05-04T12:00:00Z",
        "end": "2026-05-04T16:00:00Z",
        "resolution": "1h",
        "time": "utc",
        "statistics": ["mean", "sum", "min", "max", "count"],
    }
    source = series.pop("source")
    assert (source["provider"], source["platform"], source["device_model"]) == ("testvendor", "watch", "Charge 6")
    assert series.pop("sources") == [{"date": "2026-05-04", "time": "2026-05-04T12:00:00Z", "source": source}]
    assert series == {
        "participant": "AX-001",
        "metric": "heart_rate",
        "unit": "/min",
        "aggregate": "mean",
        "time_zone": "Europe/Amsterdam",
        "width_seconds": 3600,
        "other_sources": [],
        "time": [f"2026-05-04T{hour}:00:00Z" for hour in (12, 13, 14, 15)],
        "mean": [61.0, None, None, 70.0],
        "sum": [122.0, None, None, 70.0],
        "min": [60.0, None, None, 70.0],
        "max": [62.0, None, None, 70.0],
        "count": [2, None, None, 1],
    }


def test_missing_buckets_can_be_left_out(reader: Client, person: Participant) -> None:
    series = only(reader, resolution="1h", missing="omit")
    assert series["time"] == ["2026-05-04T12:00:00Z", "2026-05-04T15:00:00Z"]
    assert series["count"] == [2, 1]


def test_a_day_without_data_is_null_and_never_zero(reader: Client, person: Participant) -> None:
    series = only(reader, metrics="steps", resolution="1d", start="2026-05-03", end="2026-05-05")
    assert series["date"] == ["2026-05-03", "2026-05-04", "2026-05-05"]
    assert series["sum"] == [None, 50.0, None]
    assert series["count"] == [None, 5, None]


def test_a_participant_without_any_data_has_nulls_and_no_source(reader: Client, trial: Trial) -> None:
    ParticipantFactory(trial=trial)
    series = only(reader, resolution="1d")
    assert (series["source"], series["mean"], series["count"]) == (None, [None], [None])


def test_zeros_that_were_measured_are_zeros(reader: Client, trial: Trial) -> None:
    person = ParticipantFactory(trial=trial)
    store(person, deliver(batch([0.0, 0.0], metric="steps", step=60, seconds=60)), now=NOW)
    series = only(reader, metrics="steps", resolution="1d")
    assert (series["sum"], series["count"]) == ([0.0], [2])


def test_only_the_statistics_asked_for_come(reader: Client, person: Participant) -> None:
    series = only(reader, resolution="1h", statistics="max,mean")
    assert {"mean", "max"} == set(series) & {"mean", "sum", "min", "max", "count"}


def test_times_can_be_on_the_participants_clock(reader: Client, person: Participant) -> None:
    series = only(reader, resolution="1h", time="local", missing="omit")
    assert series["time"] == ["2026-05-04T14:00:00+02:00", "2026-05-04T17:00:00+02:00"]


@pytest.mark.parametrize(
    ("date", "hours", "first", "last"),
    [
        ("2026-03-29", 23, "2026-03-29T00:00:00+01:00", "2026-03-29T23:00:00+02:00"),
        ("2026-10-25", 25, "2026-10-25T00:00:00+02:00", "2026-10-25T23:00:00+01:00"),
    ],
)
def test_a_local_day_has_23_or_25_hours_where_clocks_change(
    reader: Client, person: Participant, date: str, hours: int, first: str, last: str
) -> None:
    midnight = dt.datetime.fromisoformat(first)
    store(person, deliver(batch([60.0] * hours, start=midnight, step=3600)), now=NOW)
    series = only(reader, resolution="1h", time="local", start=date, end=date)
    assert series["count"] == [1] * hours
    assert (series["time"][0], series["time"][-1]) == (first, last)
    assert len(set(series["time"])) == hours
    day = only(reader, resolution="1d", time="local", start=date, end=date)
    assert (day["date"], day["time"], day["count"]) == ([date], [first], [hours])


def test_dates_are_each_participants_own_days(reader: Client, person: Participant) -> None:
    away = ParticipantFactory(trial=person.trial, study_id="AX-002", time_zone="America/Los_Angeles")
    late = dt.datetime(2026, 5, 5, 5, tzinfo=dt.UTC)  # 22:00 on the 4th in Los Angeles, 07:00 on the 5th in Amsterdam
    for somebody in (person, away):
        store(somebody, deliver(batch([99.0], start=late)), now=NOW)
    here, there = ask(reader, resolution="1h", missing="omit")["series"]
    assert (here["participant"], max(here["max"])) == ("AX-001", 70.0)
    assert (there["participant"], there["max"]) == ("AX-002", [99.0])
    day = ask(reader, resolution="1d", participants="AX-002")["series"][0]
    assert (day["date"], day["time"], day["max"]) == (["2026-05-04"], ["2026-05-04T07:00:00Z"], [99.0])


def test_many_participants_and_metrics_come_in_the_order_asked_for(reader: Client, person: Participant) -> None:
    ParticipantFactory(trial=person.trial, study_id="AX-000")
    series = ask(reader, participants="AX-001,AX-000", metrics="steps,heart_rate", resolution="1d")["series"]
    assert [(one["participant"], one["metric"], one["unit"]) for one in series] == [
        ("AX-001", "steps", "{steps}"),
        ("AX-001", "heart_rate", "/min"),
        ("AX-000", "steps", "{steps}"),
        ("AX-000", "heart_rate", "/min"),
    ]


def test_lists_can_be_given_by_repeating_a_parameter(reader: Client, person: Participant) -> None:
    series = ask(reader, metrics=["steps", "heart_rate"], participants=["AX-001"])["series"]
    assert [one["metric"] for one in series] == ["steps", "heart_rate"]


@pytest.mark.parametrize("days", [1, 7, 30, 365, 730])
@pytest.mark.parametrize("most", [2, 50, 2000])
def test_auto_never_gives_more_than_the_points_asked_for(
    reader: Client, person: Participant, days: int, most: int
) -> None:
    store(person, deliver(random_day(3)), now=NOW)
    start = NOON + dt.timedelta(minutes=17)
    span: dict[str, Any] = {"start": start.isoformat(), "end": (start + dt.timedelta(days=days)).isoformat()}
    for series in ask(reader, metrics="heart_rate,steps,resting_heart_rate", max_points=most, **span)["series"]:
        assert 1 <= len(series["time"]) <= most, series["width_seconds"]


def test_short_spans_give_each_sample_unless_they_are_too_many(reader: Client, person: Participant) -> None:
    dense = batch([60.0] * 3000, start=NOON + 6 * HOUR, step=0.2)
    store(person, deliver(dense), now=NOW)
    span: dict[str, Any] = {"start": "2026-05-04T18:00:00Z", "end": "2026-05-04T18:10:00Z"}
    assert only(reader, max_points=10_000, **span)["width_seconds"] == 0
    coarse = only(reader, max_points=700, **span)
    assert (coarse["width_seconds"], len(coarse["time"])) == (1, 600)


def test_daily_values_are_never_spread_over_finer_buckets(reader: Client, person: Participant) -> None:
    midnight = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)
    store(person, deliver(batch([55.0], metric="resting_heart_rate", start=midnight)), now=NOW)
    assert only(reader, metrics="resting_heart_rate", resolution="1h")["width_seconds"] == 86_400


def test_one_source_is_read_and_the_others_are_named(reader: Client, person: Participant) -> None:
    store(person, deliver(batch([9.0] * 4, metric="steps", step=60, source=PHONE)), now=NOW)
    series = only(reader, metrics="steps", resolution="1d")
    assert (series["sum"], series["other_sources"][0]["platform"]) == ([50.0], "phone")
    Protocol.objects.filter(trial=person.trial).update(source_priority=["phone"])
    assert only(reader, metrics="steps", resolution="1d")["sum"] == [36.0]


def test_another_source_can_be_asked_for(reader: Client, person: Participant) -> None:
    store(person, deliver(batch([9.0] * 4, metric="steps", step=60, source=PHONE)), now=NOW)
    phone = Source.objects.get(platform="phone")
    assert only(reader, metrics="steps", resolution="1d", source=phone.pk)["sum"] == [36.0]
    assert only(reader, resolution="1d", source=phone.pk)["mean"] == [None]


def test_buckets_come_as_csv_too(reader: Client, person: Participant) -> None:
    query = {"trial": "STRIDE-2", "metrics": "steps", "start": "2026-05-03", "end": "2026-05-04", "resolution": "1d"}
    answer = reader.get(SERIES, query | {"format": "csv", "statistics": "sum,count"})
    source = Source.objects.get().pk
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert b"".join(answer.streaming_content).decode().splitlines() == [  # type: ignore[attr-defined]
        "participant,metric,unit,source,width_seconds,time,date,sum,count",
        f"AX-001,steps,{{steps}},{source},86400,2026-05-02T22:00:00Z,2026-05-03,,",
        f"AX-001,steps,{{steps}},{source},86400,2026-05-03T22:00:00Z,2026-05-04,50.0,5",
    ]


def test_an_answer_is_kept_by_no_cache(reader: Client, person: Participant) -> None:
    answer = reader.get(SERIES, {"trial": "STRIDE-2", "metrics": "steps", "start": "2026-05-04", "end": "2026-05-04"})
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_the_view_is_in_the_audit_trail(reader: Client, person: Participant) -> None:
    ask(reader)
    entry = AuditEntry.objects.get(action="series.view")
    assert (entry.participant_id, entry.trial_id) == (person.pk, person.trial_id)


def test_the_number_of_queries_does_not_grow_with_the_participants(
    reader: Client, person: Participant, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        store(ParticipantFactory(trial=person.trial), deliver(batch([60.0])), now=NOW)
    with django_assert_max_num_queries(20):
        assert len(ask(reader, metrics="heart_rate,steps", resolution="1d")["series"]) == 42
