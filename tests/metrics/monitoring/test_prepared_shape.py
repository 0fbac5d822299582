"""Statements that are kept and run with other values: those of another shape are refused where they are built."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db.models import Count, Q, QuerySet

from metrics.monitoring.prepared_sql import (
    OTHER_MOMENT,
    SOME_DAY,
    SOME_MOMENT,
    Aggregation,
    Prepared,
    UnknownShape,
    check_shape,
)
from participants.models import Participant
from tests.factories import ParticipantFactory

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
FIXED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
READ = 'SELECT count(*) FROM "participants_participant"'

pytestmark = pytest.mark.django_db


def count(people: QuerySet[Any], **conditions: Any) -> dict[str, Any]:
    return people.aggregate(n=Count("pk", filter=Q(**conditions)))


@pytest.mark.parametrize(
    "aggregate",
    [
        lambda people, now, day: count(people, enrolled_at__lt=now),
        lambda people, now, day: count(people, enrolled_at__lt=now - dt.timedelta(hours=3)),
        lambda people, now, day: count(people, monitoring_starts_on__lte=day, enrolled_at__lt=now),
        lambda people, now, day: count(people, monitoring_starts_on__range=(day - dt.timedelta(days=9), day)),
        lambda people, now, day: count(people, study_id="P-1"),
    ],
)
def test_what_keeps_its_distance_from_the_moment_gives_what_django_gives(aggregate: Aggregation) -> None:
    ParticipantFactory(study_id="P-1", enrolled_at=NOW - dt.timedelta(hours=2), monitoring_starts_on=NOW.date())
    ParticipantFactory(enrolled_at=NOW - dt.timedelta(days=2), monitoring_starts_on=NOW.date() - dt.timedelta(days=9))
    prepared = Prepared(aggregate)
    for at in (NOW, NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=400)):
        found = prepared.of(Participant.objects.all(), at, at.date())
        assert found == aggregate(Participant.objects.all(), at, at.date())


@pytest.mark.parametrize(
    ("aggregate", "why"),
    [
        (lambda people, now, day: count(people, enrolled_at__lt=FIXED), "Parameter 1 of 1 does not move"),
        (lambda people, now, day: count(people, enrolled_at__lt=SOME_MOMENT), "Parameter 1 of 1 does not move"),
        (
            lambda people, now, day: count(people, enrolled_at__lt=now, monitoring_starts_on__lt=SOME_DAY),
            "Parameter 2 of 2 does not move",
        ),
        # A date of the moment is none of the day.
        (lambda people, now, day: count(people, monitoring_starts_on__lt=now.date()), "Parameter 1 of 1 does not move"),
        # It turns on the moment in another way than by a distance.
        (lambda people, now, day: count(people, enrolled_at__lt=now.replace(hour=0)), "Parameter 1 of 1 does not move"),
        (lambda people, now, day: count(people, study_id=str(now.year + now.month)), "Parameter 1 of 1 does not move"),
        (lambda people, now, day: count(people, pk__in=range(now.month)), "At another moment the statement is another"),
        (lambda people, now, day: count(people.filter(enrolled_at__lt=now)), "No condition can be appended"),
        (lambda people, now, day: people.values("trial").annotate(n=Count("pk")).get(), "No condition can be appended"),
        (lambda people, now, day: people.distinct().aggregate(n=Count("pk")), "does not read participants_participant"),
        (lambda people, now, day: {}, "It runs no statement"),
    ],
)
def test_what_has_another_shape_is_refused(aggregate: Aggregation, why: str) -> None:
    prepared = Prepared(aggregate)
    for _ in range(2):  # nothing of it is kept
        with pytest.raises(UnknownShape, match=why):
            prepared.of(Participant.objects.all(), NOW, NOW.date())


@pytest.mark.parametrize(
    ("sql", "parameters", "why"),
    [
        (READ, (1,), "1 parameters, and not a place for each"),
        (f"{READ} FILTER (x = %s)", (), "0 parameters, and not a place for each"),
        (f"{READ} -- 5%%", (), "0 parameters, and not a place for each"),
        (f"{READ}; SELECT", (), "It is not one SELECT"),
        (f"{READ} CROSS JOIN SELECT", (), "It is not one SELECT"),
        (f"WITH a AS (SELECT 1) {READ}", (), "It is not one SELECT"),
        ('SELECT 1 FROM "participants_trial"', (), "does not read participants_participant"),
        ('SELECT (SELECT 1 FROM "participants_participant")', (), "does not read participants_participant"),
        (f"{READ} GROUP BY 1", (), "No condition can be appended after its GROUP"),
        (f"{READ} limit 1", (), "No condition can be appended after its LIMIT"),
        (f"{READ} UNION {READ}", (), "It is not one SELECT"),
        (f"{READ} FOR UPDATE", (), "No condition can be appended after its FOR"),
    ],
)
def test_a_statement_that_takes_no_condition_is_refused(sql: str, parameters: tuple[Any, ...], why: str) -> None:
    with pytest.raises(UnknownShape, match=why):
        check_shape(sql, parameters)


@pytest.mark.parametrize(
    "sql",
    [
        READ,
        'SELECT count(*) FILTER (WHERE (a > (1)) AND b IN (SELECT c FROM d LIMIT 1)) FROM "participants_participant"',
        """SELECT max(a ->> 'order by') AS "limit" FROM "participants_participant" LEFT OUTER JOIN b ON (c = d)""",
        'SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY a) FROM "participants_participant"',
    ],
)
def test_what_stands_in_parentheses_or_quotes_is_no_clause(sql: str) -> None:
    check_shape(sql, ())


def test_it_is_built_once(django_assert_num_queries: Any) -> None:
    moments = []

    def aggregate(people: QuerySet[Any], now: dt.datetime, day: dt.date) -> dict[str, Any]:
        moments.append(now)
        return count(people, enrolled_at__lt=now)

    prepared = Prepared(aggregate)
    prepared.of(Participant.objects.all(), NOW)
    for _ in range(2):
        with django_assert_num_queries(1):
            prepared.of(Participant.objects.all(), NOW)
    assert moments == [SOME_MOMENT, OTHER_MOMENT]
