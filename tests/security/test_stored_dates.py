"""Rows with dates from before there were bounds: every page shows them, none breaks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import override_settings

from participants.models import ConsentDocument, Participant, Pause, Protocol, Trial
from tests.access import addresses
from tests.access.people import MANAGER, SUPERUSER, WRITING, Knock, everybody
from tests.api.scene import CODE, STUDY_ID

pytestmark = pytest.mark.django_db


@pytest.fixture
def knock() -> Iterator[Knock]:
    with override_settings(API_RATE="1000000/minute", TOKEN_KEYS=["a-key-for-the-tests"]):
        yield everybody()


def planted(early: dt.date, late: dt.date) -> None:
    """Give everything that people enter a date for these dates, past all checks."""
    Trial.objects.filter(code=CODE).update(starts_on=early, ends_on=late)
    trial = Trial.objects.get(code=CODE)
    participant = Participant.objects.get(study_id=STUDY_ID)
    Participant.objects.filter(pk=participant.pk).update(monitoring_ends_on=late)
    Pause.objects.bulk_create(
        [
            Pause(participant=participant, starts_on=early, ends_on=early, reason="x"),
            Pause(participant=participant, starts_on=late, ends_on=None, reason="x"),
        ]
    )
    ConsentDocument.objects.bulk_create(
        [ConsentDocument(trial=trial, version=f"{day.year}", title="x", effective_on=day) for day in (early, late)]
    )
    Protocol.objects.bulk_create(
        [Protocol(trial=trial, version=10_000 + day.year, effective_on=day) for day in (early, late)]
    )


@pytest.mark.parametrize("withdrawn_on", [None, dt.date.min])
def test_every_address_answers_with_dates_of_all_years(knock: Knock, withdrawn_on: dt.date | None) -> None:
    planted(dt.date.min, dt.date.max)
    if withdrawn_on:
        Participant.objects.update(status="withdrawn", withdrawn_on=withdrawn_on)
    wrong = []
    for route in addresses.routes():
        person = SUPERUSER if route.startswith("admin/") else WRITING if route.startswith(("api", "data")) else MANAGER
        with transaction.atomic():
            answer = knock(person, "GET", addresses.address(route))
            transaction.set_rollback(True)
        if answer.status_code >= 500:
            wrong.append(f"{route}: {answer.status_code}")
    assert wrong == []
