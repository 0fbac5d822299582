"""Consent: versions, taking it back, and what that stops."""

from __future__ import annotations

import datetime as dt
import importlib
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from ingestion.models import Connection, Invitation
from metrics.models import Measurement
from metrics.writing.writer import Frozen
from participants import user_input
from participants.models import AuditEntry, Consent, ConsentDocument, Participant
from participants.privacy import consent
from participants.user_input import midnight
from tests.dashboards.measured import NOON, heart_rate, store
from tests.factories import ParticipantFactory, TrialFactory

pytestmark = pytest.mark.django_db
TODAY = dt.date(2026, 11, 20)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def person() -> Participant:
    person: Participant = ParticipantFactory.create(status="active")
    return person


@pytest.fixture
def document(person: Participant) -> ConsentDocument:
    return consent.document_add(person.trial, version="1.0", title="Information", effective_on=dt.date(2026, 1, 1))


def test_the_newest_version_in_force_is_asked_for(person: Participant, document: ConsentDocument) -> None:
    later = consent.document_add(person.trial, version="2.0", title="More", effective_on=dt.date(2026, 12, 1))
    assert consent.document_in_force(person.trial, TODAY) == document
    assert consent.document_in_force(person.trial, dt.date(2026, 12, 1)) == later


def test_who_agreed_to_an_older_version_is_asked_again(person: Participant, document: ConsentDocument) -> None:
    consent.consent_give(person, document, how="paper")
    assert consent.consent_missing(person, TODAY) is None
    later = consent.document_add(person.trial, version="2.0", title="More", effective_on=TODAY)
    assert consent.consent_missing(person, TODAY) == later


def test_agreeing_twice_is_agreeing_once(person: Participant, document: ConsentDocument) -> None:
    consent.consent_give(person, document, how="paper")
    consent.consent_give(person, document, how="paper")
    assert Consent.objects.count() == 1
    assert AuditEntry.objects.filter(action="consent.give").count() == 1


def test_another_trials_document_is_refused(person: Participant) -> None:
    foreign = consent.document_add(TrialFactory.create(), version="1", title="x", effective_on=TODAY)
    with pytest.raises(ValueError, match="another trial"):
        consent.consent_give(person, foreign, how="paper")


def test_taking_it_back_ends_consent_links_and_connections(
    person: Participant, document: ConsentDocument, django_capture_on_commit_callbacks: object
) -> None:
    consent.consent_give(person, document, how="paper")
    Invitation.objects.create(participant=person, expires_at=timezone.now() + dt.timedelta(days=1))
    Connection.objects.create(participant=person, trial=person.trial, provider="vendor", status="active")
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        consent.consent_withdraw(person, on=TODAY, reason="moved away")
    person.refresh_from_db()
    assert (person.status, person.withdrawn_on) == ("withdrawn", TODAY)
    assert Consent.objects.get().withdrawn_at
    assert Invitation.objects.get().cancelled_at
    assert Connection.objects.get().status == "revoked"


def test_a_withdrawn_participants_record_is_frozen_and_kept(person: Participant) -> None:
    store(person, heart_rate(NOON, 5))
    consent.consent_withdraw(person, on=TODAY)
    with pytest.raises(Frozen):
        store(person, heart_rate(NOON + dt.timedelta(hours=1), 5))
    assert Measurement.objects.filter(participant=person).count() == 30


@pytest.mark.parametrize(
    "at", [user_input.FIRST_INSTANT - dt.timedelta(microseconds=1), dt.datetime(1, 1, 1, tzinfo=AMSTERDAM)]
)
def test_a_consent_of_a_year_that_is_none_is_refused_and_cannot_be_stored(
    person: Participant, document: ConsentDocument, at: dt.datetime
) -> None:
    with pytest.raises(ValidationError, match="2000 to 2099"):
        consent.consent_give(person, document, how="paper", given_at=at)
    with pytest.raises(IntegrityError), transaction.atomic():
        Consent.objects.create(participant=person, document=document, how="paper", given_at=at)


def test_the_first_instant_of_the_bounds_is_kept(person: Participant, document: ConsentDocument) -> None:
    at = midnight(user_input.EARLIEST, AMSTERDAM)
    assert consent.consent_give(person, document, how="paper", given_at=at).given_at == at


@pytest.mark.parametrize("stored", ["0001-01-01 00:00:00 BC", "9999-12-31 23:59:59-12:00"])
def test_consents_that_broke_their_participants_pages_are_mended_by_the_migration(
    person: Participant, document: ConsentDocument, stored: str
) -> None:
    consent.consent_give(person, document, how="paper")
    mend = importlib.import_module("participants.migrations.0009_consent_within_bounds").WITHIN
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE participants_consent DROP CONSTRAINT consent_given_within_bounds")
        cursor.execute("UPDATE participants_consent SET given_at = %s", [stored])
        cursor.execute(mend)
    mended = Consent.objects.get()
    assert user_input.FIRST_INSTANT <= mended.given_at <= timezone.now()
    assert mended.withdrawn_at is None
    consent.consent_withdraw(person, on=TODAY)
    assert Consent.objects.get().withdrawn_at is not None


@pytest.mark.parametrize("on", [dt.date.min, dt.date(1999, 12, 31), dt.date(2100, 1, 1), dt.date.max])
def test_nobody_is_withdrawn_as_of_a_day_out_of_all_bounds(person: Participant, on: dt.date) -> None:
    with pytest.raises(ValidationError, match="2000 to 2099"):
        consent.consent_withdraw(person, on=on)
    person.refresh_from_db()
    assert person.status == "active"
