"""Aggregates whose statement is made once give what Django would give, at any moment and of whomever they are asked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from metrics.monitoring import status
from metrics.monitoring.status import AttentionStatus
from participants.models import Participant
from tests.factories import ParticipantFactory, ParticipantStatusSummaryFactory, SiteFactory, TrialFactory

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> Any:
    """One of many kinds at each of two sites of a trial, and as many of another trial."""
    for trial in (TrialFactory(), TrialFactory(code="OTHER")):
        for site in (SiteFactory(trial=trial), SiteFactory(trial=trial)):
            for facts in (
                {"silent_at": NOW + HOUR},
                {"critical_at": NOW - DAY, "silent_at": NOW - 2 * DAY},
                {"critical_at": NOW - HOUR, "silent_at": NOW - 2 * DAY},
                {"excused": "paused"},
                {"waiting": True, "evidence": {"next_at": "2026-11-23T09:00:00+00:00"}, "cause_since": NOW - HOUR},
                {"low_wear": True, "adherence": 0.4, "day_codes": "v" * 20, "day_codes_from": NOW.date() - 19 * DAY,
                 "day_codes_until": NOW.date()},
            ):  # fmt: skip
                ParticipantStatusSummaryFactory(participant=ParticipantFactory(trial=trial, site=site), **facts)
        ParticipantFactory(trial=trial)
    return Participant.objects.exclude(trial__code="OTHER")


@pytest.mark.parametrize("at", [NOW, NOW + HOUR, NOW + 2 * HOUR, NOW + DAY, NOW - 3 * DAY])
def test_counts_are_what_django_counts(people: Any, at: dt.datetime) -> None:
    found = status.counts(people, at)
    for attention_status, condition in status.conditions(at).items():
        assert found[attention_status] == people.filter(condition).count()
    well = status.with_attention_status(people, at).filter(attention_status=AttentionStatus.WELL)
    assert (found[AttentionStatus.WELL], found.everybody) == (well.count(), people.count())
    assert (
        found.attention
        == status.with_attention_status(people, at).filter(attention_status__in=status.ATTENTION).count()
    )


@pytest.mark.parametrize("at", [NOW, NOW + 2 * HOUR, NOW + DAY, NOW - 3 * DAY])
def test_a_summary_is_what_django_sums_up(people: Any, at: dt.datetime) -> None:
    day = at.date() - DAY
    asked = status._sum_up(people.order_by(), at, at - DAY, day, day + DAY, day + 2 * DAY)
    found = status.summary(people, at, day)
    assert {name: getattr(found, name) for name in asked if not name.startswith("new")} == {
        name: value for name, value in asked.items() if not name.startswith("new")
    }
    assert found.new == {attention_status: asked[f"new{attention_status.value}"] for attention_status in found.new}


def test_people_are_those_that_were_asked_about(people: Any) -> None:
    whole = status.counts(people, NOW)
    site = people.exclude(site=None).first().site
    assert status.counts(people.filter(site=site), NOW).everybody == 6
    assert whole.everybody == 13


def test_of_nobody_there_is_nothing(people: Any) -> None:
    nobody = Participant.objects.visible_to(AnonymousUser())
    assert status.counts(nobody, NOW).everybody == 0
    assert status.summary(nobody, NOW, NOW.date()).total == 0
