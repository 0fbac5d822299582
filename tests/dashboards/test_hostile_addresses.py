"""Addresses that nobody types: a page answers them with what it has, never with a fault."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import MembershipFactory, ParticipantFactory, TrialFactory

pytestmark = pytest.mark.django_db

NUL = "?q=%00&site=%00&show=%00&sort=%00&page=%00&rule=%00&state=%00&as_of=%00&batch=%00&template=%00&to=%00"


@pytest.mark.parametrize("page", ["trial", "heatmap", "alerts", "adherence", "contacts", "sync", "protocol"])
def test_a_nul_among_the_parameters_is_no_fault(page: str, client: Client) -> None:
    trial = TrialFactory.create()
    ParticipantFactory.create(trial=trial)
    client.force_login(MembershipFactory.create(trial=trial).user)
    assert client.get(reverse(f"dashboards:{page}", args=[trial.code]) + NUL).status_code == 200


@pytest.mark.parametrize("page", ["contact", "call-list"])
def test_a_nul_for_a_study_id_finds_nobody(page: str, client: Client) -> None:
    trial = TrialFactory.create()
    client.force_login(MembershipFactory.create(trial=trial).user)
    assert client.get(reverse(f"dashboards:{page}", args=[trial.code]) + NUL).status_code == 404
