"""What staff can do in the administration, and what it protects."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from participants.models import Membership, Participant, Protocol, Trial, User
from tests import factories
from tests.dashboards.measured import NOON, heart_rate, store

OURS = [model for model in admin.site._registry if model._meta.app_label in ("participants", "metrics")]


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(factories.UserFactory.create(is_staff=True, is_superuser=True))
    return client


def inlines(**rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Form data of inline formsets, empty unless given."""
    data: dict[str, Any] = {}
    for prefix, entries in rows.items():
        data |= {f"{prefix}-TOTAL_FORMS": len(entries), f"{prefix}-INITIAL_FORMS": 0}
        for i, entry in enumerate(entries):
            data |= {f"{prefix}-{i}-{name}": value for name, value in entry.items()}
    return data


def trial_form(**changes: Any) -> dict[str, Any]:
    return {
        "code": "NEW",
        "title": "A new trial",
        "status": "recruiting",
        "time_zone": "Europe/Amsterdam",
        **inlines(sites=[], memberships=[]),
        **changes,
    }


def participant_form(trial: Trial, **changes: Any) -> dict[str, Any]:
    return {"trial": trial.pk, "study_id": "AX-0001", "status": "active", **changes}


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_list_opens(staff: Client, participant: Participant, model: Any) -> None:
    store(participant, heart_rate(NOON, 1))
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert staff.get(address, {"q": "x"}).status_code == 200
    assert staff.get(address).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_member_who_is_not_staff_stays_outside(manager: Client, model: Any) -> None:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert manager.get(address).status_code == 302


def test_creating_a_trial_makes_its_first_protocol(staff: Client) -> None:
    staff.post(reverse("admin:participants_trial_add"), trial_form(starts_on="2026-12-01"))
    protocol = Protocol.objects.get(trial__code="NEW")
    assert (protocol.version, protocol.effective_on) == (1, dt.date(2026, 12, 1))


def test_a_trial_is_created_with_its_sites_and_members(staff: Client) -> None:
    user = factories.UserFactory.create()
    member = {"user": user.pk, "role": "manager", "started_at_0": "2026-11-01", "started_at_1": "00:00"}
    form = trial_form(**inlines(sites=[{"code": "N", "name": "North"}], memberships=[member]))
    staff.post(reverse("admin:participants_trial_add"), form)
    assert list(Trial.objects.visible_to(user).values_list("sites__code", flat=True)) == ["N"]


def test_a_participant_gets_the_trials_zone_if_none_is_given(staff: Client, trial: Trial) -> None:
    staff.post(reverse("admin:participants_participant_add"), participant_form(trial))
    assert Participant.objects.get(study_id="AX-0001").time_zone == "Europe/Amsterdam"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"study_id": "has spaces"}, "Use letters, digits"),
        ({"study_id": "AX-0042"}, "This study id is taken in this trial."),
        ({"time_zone": "Mars/Olympus"}, "is not an IANA time zone"),
        (
            {"monitoring_starts_on": "2026-11-02", "monitoring_ends_on": "2026-11-01"},
            "Monitoring ends before it starts.",
        ),
    ],
)
def test_a_bad_participant_is_refused_with_the_reason(
    staff: Client, participant: Participant, changes: dict[str, str], message: str
) -> None:
    form = participant_form(participant.trial, **changes)
    assert message in staff.post(reverse("admin:participants_participant_add"), form).content.decode()


def test_nobody_is_enrolled_in_a_closed_trial(staff: Client) -> None:
    trial = factories.TrialFactory.create(code="OVER", status=Trial.Status.CLOSED)
    page = staff.post(reverse("admin:participants_participant_add"), participant_form(trial)).content.decode()
    assert "Trial OVER is closed" in page


def test_the_zone_is_fixed_once_data_have_arrived(staff: Client, participant: Participant) -> None:
    address = reverse("admin:participants_participant_change", args=[participant.pk])
    assert 'name="time_zone"' in staff.get(address).content.decode()
    store(participant, heart_rate(NOON, 1))
    assert 'name="time_zone"' not in staff.get(address).content.decode()


def test_a_protocol_in_force_cannot_be_edited(staff: Client, trial: Trial) -> None:
    protocol = trial.protocols.get()
    address = reverse("admin:participants_protocol_change", args=[protocol.pk])
    assert staff.post(address, {"valid_day_minutes": 1}).status_code == 403
    assert 'name="valid_day_minutes"' not in staff.get(address).content.decode()


def protocol_form(trial: Trial, effective_on: str) -> dict[str, Any]:
    return {
        "trial": trial.pk,
        "effective_on": effective_on,
        "valid_day_minutes": 480,
        "adherence_target": 0.8,
        "upload_warn_hours": 48,
        "upload_critical_hours": 120,
        "lost_after_hours": 168,
        "device_keeps_hours": 168,
        "sleep_nights_warn": 5,
        "sleep_nights_critical": 3,
        "gap_minutes": 10,
        "battery_flat_percent": 10,
        "never_connected_hours": 72,
        "expected_metrics": '["heart_rate"]',
        "valid_day_variants": "[480, 720]",
        "valid_day_steps": 1500,
        "alert_rules": '["no_upload"]',
        "contact_gap_hours": 24,
        "quiet_from": "21:00",
        "quiet_until": "08:00",
        "source_priority": "[]",
    }


def test_a_change_of_the_rules_is_the_next_version(staff: Client, trial: Trial) -> None:
    staff.post(reverse("admin:participants_protocol_add"), protocol_form(trial, "2099-01-01"))
    assert list(trial.protocols.values_list("version", "valid_day_minutes")) == [(2, 480), (1, 600)]


def test_new_rules_do_not_reach_back(staff: Client, trial: Trial) -> None:
    page = staff.post(reverse("admin:participants_protocol_add"), protocol_form(trial, "2020-01-01")).content.decode()
    assert "A new version begins tomorrow at the earliest." in page


def test_memberships_are_ended_and_not_deleted(staff: Client, trial: Trial) -> None:
    membership = factories.MembershipFactory.create(trial=trial)
    data = {"action": "endmembership", "_selected_action": [membership.pk], "confirmed": "yes", "reason": "left"}
    staff.post(reverse("admin:participants_membership_changelist"), data)
    assert Membership.objects.get(pk=membership.pk).ended_at is not None
    assert staff.get(reverse("admin:participants_membership_delete", args=[membership.pk])).status_code == 403


def test_accounts_are_made_by_e_mail_address(staff: Client) -> None:
    form = {
        "email": "New@Example.org",
        "usable_password": "true",
        "password1": "a-long-test-password",
        "password2": "a-long-test-password",
    }
    staff.post(reverse("admin:participants_user_add"), form)
    assert User.objects.get(email="new@example.org").check_password("a-long-test-password")


def test_one_address_in_another_case_is_the_same_account(staff: Client) -> None:
    factories.UserFactory.create(email="taken@example.org")
    form = {"email": "Taken@example.org", "usable_password": "false"}
    page = staff.post(reverse("admin:participants_user_add"), form).content.decode()
    assert "There is an account with this e-mail address." in page
