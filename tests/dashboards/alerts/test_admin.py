"""Alerts in the administration: to look at, with their history."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from participants.models import Participant
from tests import factories


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(factories.UserFactory.create(is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("model", ["alert", "alertevent", "digest"])
def test_lists_open_and_nothing_is_added(staff: Client, participant: Participant, model: str) -> None:
    factories.AlertFactory.create(participant=participant).events.create(what="raised")
    assert staff.get(reverse(f"admin:dashboards_{model}_changelist"), {"q": "AX"}).status_code == 200
    assert staff.get(reverse(f"admin:dashboards_{model}_add")).status_code == 403


def test_an_alert_is_shown_with_its_history_and_is_not_deleted(staff: Client, participant: Participant) -> None:
    alert = factories.AlertFactory.create(participant=participant)
    alert.events.create(what="raised", note="warning")
    assert "warning" in staff.get(reverse("admin:dashboards_alert_change", args=[alert.pk])).content.decode()
    assert staff.post(reverse("admin:dashboards_alert_delete", args=[alert.pk])).status_code == 403
