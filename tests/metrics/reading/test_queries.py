"""Reading: the right table, the right source, the right day, and gaps that stay gaps."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from metrics.batch import MICROSECOND, SampleBatch, instant, microseconds
from metrics.reading import queries as reading_queries
from metrics.registry import BY_CODE
from metrics.selection.collection_window import collected_of
from metrics.writing.writer import store
from participants.models import Participant, Protocol
from tests.factories import ParticipantFactory
from tests.metrics.samples import CHARGE, NOON, NOW, PHONE, batch, deliver, random_day

HEART, STEPS, RESTING = BY_CODE["heart_rate"], BY_CODE["steps"], BY_CODE["resting_heart_rate"]
DAY = dt.timedelta(days=1)


@pytest.fixture
def person(db: None) -> Participant:
    return ParticipantFactory(time_zone="Europe/Amsterdam")


def one(
    person: Participant, metric: str, start: dt.datetime, end: dt.datetime, **options: object
) -> reading_queries.Series:
    return reading_queries.series([person.pk], [metric], start, end, **options)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        (dt.timedelta(minutes=30), 0),
        (dt.timedelta(hours=2), 5),
        (DAY, 60),
        (7 * DAY, 600),
        (30 * DAY, 3600),
        (90 * DAY, 7200),
        (365 * DAY, 86_400),
        (730 * DAY, 86_400),
    ],
)
def test_a_line_gets_a_resolution_that_fits_its_span(span: dt.timedelta, seconds: int) -> None:
    assert reading_queries.bucket_width(HEART, span, "auto", 2000) == seconds


@pytest.mark.parametrize(("span", "seconds"), [(DAY, 300), (7 * DAY, 3600), (30 * DAY, 7200), (90 * DAY, 86_400)])
def test_bars_are_fewer_than_the_points_of_a_line(span: dt.timedelta, seconds: int) -> None:
    assert reading_queries.bucket_width(STEPS, span, "auto", 2000) == seconds


@pytest.mark.parametrize("days", [0.1, 1, 3, 10, 45, 100, 400, 4000, 20_000])
@pytest.mark.parametrize("most", [50, 500, 2000])
def test_no_span_yields_more_points_than_asked_for(days: float, most: int) -> None:
    width = reading_queries.bucket_width(HEART, dt.timedelta(days=days), "auto", most)
    assert days * 86_400 / max(width, 1) <= most or (width == 0 and days * 86_400 <= most)


def test_daily_metrics_are_read_by_the_day_at_any_span() -> None:
    assert reading_queries.bucket_width(RESTING, dt.timedelta(hours=3), "auto", 2000) == 86_400


def test_every_resolution_tells_the_same_total(person: Participant) -> None:
    start = dt.datetime(2026, 5, 3, 22, tzinfo=dt.UTC)  # midnight in Amsterdam
    store(person, deliver(random_day(1, start=start)), now=NOW)
    answers = [one(person, "heart_rate", start, start + DAY, resolution=r) for r in ("raw", "1m", "1h", "1d", "auto")]
    assert [answer.width for answer in answers] == [0, 60, 3600, 86_400, 60]
    assert len({(int(a.n.sum()), float(a.total.sum()), float(a.low.min()), float(a.high.max())) for a in answers}) == 1


def test_a_bucket_without_data_is_not_in_the_answer(person: Participant) -> None:
    store(person, deliver(batch([60], start=NOON), batch([70], start=NOON + dt.timedelta(hours=3))), now=NOW)
    answer = one(person, "heart_rate", NOON, NOON + DAY, resolution="1h")
    assert answer.mean.tolist() == [60, 70]
    assert [instant(t).hour for t in answer.time] == [12, 15]


def test_a_bucket_keeps_its_extremes(person: Participant) -> None:
    store(person, deliver(batch([60, 90, 45], step=10)), now=NOW)
    answer = one(person, "heart_rate", NOON, NOON + DAY)
    assert (answer.low[0], answer.mean[0], answer.high[0], answer.n[0]) == (45, 65, 90, 3)


def test_days_are_the_participants_own(person: Participant) -> None:
    evening = dt.datetime(2026, 5, 4, 21, 30, tzinfo=dt.UTC)
    store(person, deliver(batch([60, 80], start=evening, step=3600)), now=NOW)
    answer = one(person, "heart_rate", evening - DAY, evening + DAY, resolution="1d")
    assert [instant(t).isoformat() for t in answer.time] == ["2026-05-03T22:00:00+00:00", "2026-05-04T22:00:00+00:00"]
    assert answer.mean.tolist() == [60, 80]


def test_long_spans_join_days_and_stay_within_the_number_of_points(person: Participant) -> None:
    start = dt.datetime(2026, 1, 1, 11, tzinfo=dt.UTC)
    store(person, deliver(batch([60.0] * 200, start=start, step=86_400)), now=NOW)
    answer = one(person, "heart_rate", start, start + 200 * DAY, max_points=20)
    # From 11:00 to 11:00 they are 201 days.
    assert answer.width == 11 * 86_400
    assert len(answer) <= 20
    assert answer.n.sum() == 200


def test_sums_never_add_sources(person: Participant) -> None:
    watch = batch([10] * 5, metric="steps", step=60, seconds=60)
    phone = batch([9] * 4, metric="steps", step=60, seconds=60, source=PHONE)
    store(person, deliver(watch, phone), now=NOW)
    answer = one(person, "steps", NOON, NOON + DAY, resolution="1d")
    assert answer.total.sum() == 50
    assert str(answer.source) == "testvendor · watch · Charge 6"
    assert [str(source) for source in answer.others] == ["testvendor · phone"]


def test_the_protocol_says_which_source_wins(person: Participant) -> None:
    Protocol.objects.filter(trial=person.trial).update(source_priority=["phone"])
    store(person, deliver(batch([10] * 5, metric="steps", step=60)), now=NOW)
    store(person, deliver(batch([9] * 4, metric="steps", step=60, source=PHONE)), now=NOW)
    assert one(person, "steps", NOON, NOON + DAY).total.sum() == 36
    assert reading_queries.day_tables(person, ["steps"], NOON.date(), NOON.date())["steps"][0].total == 36


def test_several_participants_and_metrics_come_in_one_answer(person: Participant) -> None:
    other = ParticipantFactory(trial=person.trial)
    store(person, deliver(batch([60]), batch([5], metric="steps")), now=NOW)
    store(other, deliver(batch([90])), now=NOW)
    found = reading_queries.series([person.pk, other.pk], ["heart_rate", "steps"], NOON, NOON + DAY)
    assert [(s.participant_id, s.metric.code, len(s)) for s in found] == [
        (person.pk, "heart_rate", 1),
        (other.pk, "heart_rate", 1),
        (person.pk, "steps", 1),
        (other.pk, "steps", 0),
    ]


def test_a_bad_request_is_named() -> None:
    with pytest.raises(ValueError, match="resolution must be one of"):
        reading_queries.series([1], ["heart_rate"], NOON, NOON + DAY, resolution="5m")
    with pytest.raises(ValueError, match="ends before it starts"):
        reading_queries.series([1], ["heart_rate"], NOON, NOON)


def test_the_overview_is_of_the_days_with_data(
    person: Participant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    store(person, deliver(batch([60.0] * 4, step=86_400)), now=NOW)
    held = collected_of(person)
    reading_queries.overview_of(0, held)
    with django_assert_num_queries(1):
        found = reading_queries.overview_of(person.pk, held)
    assert found is not None
    assert (found.days_with_data, found.last_sample_at, found.worn_minutes_last) == (4, NOON + 3 * DAY, 1)
    assert reading_queries.overview_of(ParticipantFactory.create(trial=person.trial).pk, held) is None


def test_metrics_with_data_lists_only_those(person: Participant) -> None:
    store(person, deliver(batch([60, 61]), batch([5, 6], metric="steps", step=86_400)), now=NOW)
    found = {s.metric.code: (s.n, s.days) for s in reading_queries.metrics_with_data(person.pk)}
    assert found == {"heart_rate": (2, 1), "steps": (2, 2)}


def test_what_is_not_collected_is_not_there(person: Participant) -> None:
    store(person, deliver(batch([60.0] * 3, step=86_400), batch([5], metric="steps", start=NOON + 2 * DAY)), now=NOW)
    Participant.objects.filter(pk=person.pk).update(monitoring_ends_on=NOON.date() + DAY)
    assert {s.metric.code: (s.n, s.days) for s in reading_queries.metrics_with_data(person.pk)} == {
        "heart_rate": (2, 2)
    }
    assert [s.days for s in reading_queries.sources_with_data(person.pk)] == [2]
    found = reading_queries.overview_of(person.pk, collected_of(person))
    assert found is not None
    assert (found.days_with_data, found.last_on) == (2, NOON.date() + DAY)
    days = reading_queries.participant_days(person.pk, NOON.date(), NOON.date() + 2 * DAY)
    assert [(day.worn_minutes, day.last_sample_at is None) for day in days] == [(1, False), (1, False), (0, True)]
    table = reading_queries.day_tables(person, ["heart_rate"], NOON.date(), NOON.date() + 2 * DAY)["heart_rate"]
    assert [row.date for row in table] == [NOON.date(), NOON.date() + DAY]
    for resolution in ("raw", "1m", "1h", "1d"):
        answer = one(person, "heart_rate", NOON - DAY, NOON + 4 * DAY, resolution=resolution)
        assert answer.n.sum() == 2, resolution


def test_an_empty_participant_has_empty_answers(person: Participant) -> None:
    assert len(one(person, "heart_rate", NOON, NOON + DAY)) == 0
    assert reading_queries.metrics_with_data(person.pk) == []
    assert reading_queries.day_tables(person, ["heart_rate"], NOON.date(), NOON.date()) == {"heart_rate": []}


def test_the_seeds_table_lives_on_as_a_view(person: Participant) -> None:
    store(person, deliver(batch([60])), now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT client_id, time, metric, value FROM raw_data")
        assert cursor.fetchall() == [(f"{person.trial.code}/{person.study_id}", NOON, "heart_rate", 60)]


def test_microseconds_survive_a_raw_read(person: Participant) -> None:
    at = microseconds(NOON) + np.array([1, 2 * MICROSECOND + 7])
    store(person, deliver(SampleBatch("heart_rate", CHARGE, at, np.array([60.0, 61.0]))), now=NOW)
    assert one(person, "heart_rate", NOON, NOON + DAY, resolution="raw").time.tolist() == at.tolist()
