"""A trial with people, and staff of each kind."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from dashboards.models import MessageTemplate
from ingestion.models import Connection, ConnectionEvent, Device, ImportFile, Invitation, SyncWindow, WebhookDelivery
from participants import services
from participants.accounts.staff_groups import staff_groups_make
from participants.models import Participant, Trial, User
from participants.privacy import contacts
from participants.services import api_tokens
from tests import factories

ENCRYPTED = "encrypted-text-that-nobody-sees"


@pytest.fixture(autouse=True)
def _keys(settings: Any) -> None:
    settings.TOKEN_KEYS = ["a-key-of-tests"]
    settings.LIVE_PROVIDERS = {}


@pytest.fixture
def trial(db: None) -> Trial:
    made: Trial = factories.TrialFactory.create(code="STRIDE-2", ends_on=dt.date(2027, 6, 30))
    factories.SiteFactory.create(trial=made, code="N", name="North")
    return made


@pytest.fixture
def participant(trial: Trial) -> Participant:
    made: Participant = factories.ParticipantFactory.create(trial=trial, study_id="AX-0042")
    return made


@pytest.fixture
def everything(participant: Participant) -> Participant:
    """A row of each kind that the administration shows."""
    now = timezone.now()
    contacts.contact_store(participant, name="Jo Example", email="jo@example.org", phone="020 555 0123")
    link = Connection.objects.create(
        participant=participant,
        trial=participant.trial,
        provider="fake",
        status="active",
        encrypted_tokens=ENCRYPTED,
        external_user_id="account-1",
        connected_at=now,
    )
    ConnectionEvent.objects.create(connection=link, status="active")
    Device.objects.create(connection=link, external_id="device-1", model="Charge 6", seen_at=now)
    SyncWindow.objects.create(
        connection=link, data_type="steps", starts_at=now, ends_at=now, reason="manual", state="failed", due_at=now
    )
    Invitation.objects.create(participant=participant, nonce="nonce-of-a-link", expires_at=now, created_at=now)
    file = ImportFile.objects.create(
        trial=participant.trial, sha256="0" * 64, name="steps.csv", size=1, format="csv", started_at=now
    )
    file.rejected_rows.create(line=2, reason="no date")
    WebhookDelivery.objects.create(provider="fake", body=b"body-of-a-notice", received_at=now)
    MessageTemplate.objects.create(trial=participant.trial, code="hello", title="Hello", subject="Hello", body="Hello")
    factories.AlertFactory.create(participant=participant).events.create(what="raised")
    member = factories.MembershipFactory.create(trial=participant.trial)
    api_tokens.token_create(user=member.user, name="nightly", expires_at=now + dt.timedelta(days=30))
    services.pause_begin(participant, starts_on=dt.date(2026, 11, 1), reason="holiday")
    return participant


def _staff(group: str = "") -> Client:
    user: User = factories.UserFactory.create(is_staff=True, is_superuser=not group)
    if group:
        staff_groups_make()
        user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def superuser(db: None) -> Client:
    return _staff()


@pytest.fixture
def enroller(db: None) -> Client:
    return _staff("Enrolment staff")


@pytest.fixture
def administrator(db: None) -> Client:
    return _staff("Trial administrators")
