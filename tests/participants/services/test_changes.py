"""Changes of trials, sites, members and participants: their rules, and what they leave in the audit trail."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from participants import services
from participants.models import AuditEntry, Membership, Participant
from tests import factories
from tests.dashboards.measured import NOON, heart_rate, store

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)


def audit_trail(action: str) -> list[tuple[dict[str, Any], dict[str, Any], str]]:
    """Old and new values and reasons of the entries of one action, oldest first."""
    entries = AuditEntry.objects.filter(action=action).select_related("detail").order_by("pk")
    return [(entry.detail.old, entry.detail.new, entry.detail.reason) for entry in entries]


def test_a_trials_change_keeps_old_and_new_value_and_the_reason() -> None:
    trial = factories.TrialFactory.create(title="Walking", ends_on=None)
    services.trial_update(trial, title="Running", ends_on=dt.date(2027, 1, 31), reason="amendment 2")
    trial.refresh_from_db()
    assert (trial.title, trial.ends_on) == ("Running", dt.date(2027, 1, 31))
    old, new = {"title": "Walking", "ends_on": None}, {"title": "Running", "ends_on": "2027-01-31"}
    assert audit_trail("trial.update") == [(old, new, "amendment 2")]


def test_nothing_different_leaves_no_trace() -> None:
    trial = factories.TrialFactory.create(title="Walking")
    services.trial_update(trial, title="Walking")
    assert audit_trail("trial.update") == []


@pytest.mark.parametrize("change", [{"code": "OTHER"}, {"is_demo": True}])
def test_a_trials_code_and_kind_are_fixed_with_the_first_participant(change: dict[str, Any]) -> None:
    trial = factories.TrialFactory.create()
    services.trial_update(trial, **change)
    person = factories.ParticipantFactory.create()
    with pytest.raises(ValidationError, match="participants already"):
        services.trial_update(person.trial, **change)


def test_a_bad_value_changes_nothing() -> None:
    trial = factories.TrialFactory.create(time_zone="Europe/Amsterdam")
    with pytest.raises(ValidationError, match="IANA"):
        services.trial_update(trial, time_zone="Mars/Olympus")
    trial.refresh_from_db()
    assert trial.time_zone == "Europe/Amsterdam"


def test_sites_are_made_and_changed() -> None:
    trial = factories.TrialFactory.create()
    site = services.site_create(trial=trial, code="N", name="North")
    services.site_update(site, name="Northern clinic", phone="020 123")
    assert trial.sites.get().name == "Northern clinic"
    assert audit_trail("site.update") == [
        ({"name": "North", "phone": ""}, {"name": "Northern clinic", "phone": "020 123"}, "")
    ]


def test_a_sites_code_is_taken_once_in_a_trial() -> None:
    site = factories.SiteFactory.create(code="N")
    with pytest.raises(ValidationError):
        services.site_create(trial=site.trial, code="N", name="Another")


def test_a_user_is_a_member_once() -> None:
    membership = factories.MembershipFactory.create()
    with pytest.raises(ValidationError, match="already a member"):
        services.membership_grant(user=membership.user, trial=membership.trial, role="viewer")


def test_another_role_ends_the_membership_and_begins_the_next() -> None:
    before = factories.MembershipFactory.create(role="viewer")
    after = services.membership_change(before, role="coordinator", now=NOW, reason="trained")
    before.refresh_from_db()
    assert (before.role, before.ended_at) == ("viewer", NOW)
    assert (after.role, after.started_at, after.ended_at) == ("coordinator", NOW, None)
    assert audit_trail("membership.change") == [({"role": "viewer"}, {"role": "coordinator"}, "trained")]


def test_another_hour_of_the_digest_keeps_the_membership() -> None:
    membership = factories.MembershipFactory.create()
    same = services.membership_change(membership, digest_at=None)
    assert (same.pk, same.digest_at) == (membership.pk, None)
    assert audit_trail("membership.change") == [({"digest_at": "07:00:00"}, {"digest_at": None}, "")]


def test_a_membership_ends_once() -> None:
    membership = factories.MembershipFactory.create()
    services.membership_end(membership, now=NOW)
    assert services.membership_end(membership).ended_at == NOW
    assert len(audit_trail("membership.end")) == 1
    with pytest.raises(ValueError, match="no longer a member"):
        services.membership_change(membership, role="viewer")


def test_a_participants_change_keeps_old_and_new_value() -> None:
    person = factories.ParticipantFactory.create(arm="control")
    site = factories.SiteFactory.create(trial=person.trial, code="N")
    services.participant_update(person, arm="walking", site=site, reason="wrong envelope")
    assert audit_trail("participant.update") == [
        ({"arm": "control", "site": None}, {"arm": "walking", "site": "N"}, "wrong envelope")
    ]


def test_a_participants_study_id_and_zone_are_fixed_once_data_have_arrived() -> None:
    person = factories.ParticipantFactory.create()
    services.participant_update(person, study_id="AX-1", time_zone="Asia/Tokyo")
    person.refresh_from_db()
    store(person, heart_rate(NOON, 1))
    for change in ({"study_id": "AX-2"}, {"time_zone": "Europe/London"}):
        with pytest.raises(ValidationError, match="It is fixed"):
            services.participant_update(person, **change)  # type: ignore[arg-type]


def test_another_trials_site_is_refused() -> None:
    with pytest.raises(ValidationError, match="another trial"):
        services.participant_update(factories.ParticipantFactory.create(), site=factories.SiteFactory.create())


def test_nothing_of_an_erased_participant_is_changed() -> None:
    with pytest.raises(ValidationError, match="erased"):
        services.participant_update(factories.ParticipantFactory.create(status=Participant.Status.ERASED), arm="b")


def test_a_field_that_is_no_ones_business_is_refused() -> None:
    with pytest.raises(TypeError):
        services.participant_update(factories.ParticipantFactory.create(), status="active")  # type: ignore[call-arg]


def test_a_pauses_days_are_corrected_unless_another_covers_them() -> None:
    person = factories.ParticipantFactory.create()
    first = services.pause_begin(person, starts_on=dt.date(2026, 11, 1), ends_on=dt.date(2026, 11, 3), reason="holiday")
    services.pause_begin(person, starts_on=dt.date(2026, 11, 10), ends_on=dt.date(2026, 11, 12), reason="hospital")
    services.pause_change(first, ends_on=dt.date(2026, 11, 5))
    assert audit_trail("pause.change") == [({"ends_on": "2026-11-03"}, {"ends_on": "2026-11-05"}, "")]
    with pytest.raises(ValueError, match="paused then already"):
        services.pause_change(first, ends_on=dt.date(2026, 11, 11))


def test_a_pause_that_was_a_mistake_is_kept_by_the_audit_trail_alone() -> None:
    person = factories.ParticipantFactory.create()
    pause = services.pause_begin(person, starts_on=dt.date(2026, 11, 1), reason="holiday")
    services.pause_remove(pause, why="somebody else's")
    assert not person.pauses.exists()
    [(old, _, reason)] = audit_trail("pause.remove")
    assert (old["starts_on"], old["reason"], reason) == ("2026-11-01", "holiday", "somebody else's")


def test_a_new_membership_is_in_the_audit_trail() -> None:
    user, trial = factories.UserFactory.create(), factories.TrialFactory.create()
    made = services.membership_grant(user=user, trial=trial, role=Membership.Role.ANALYST)
    assert Membership.objects.filter(user=user, ended_at=None).get() == made
    [(_, new, _)] = audit_trail("membership.grant")
    assert (new["user"], new["role"], new["site"]) == (user.email, "analyst", None)


def test_who_takes_part_by_files_begins_without_a_connection() -> None:
    person = factories.ParticipantFactory.create(status=Participant.Status.INVITED)
    services.participant_begin(person, reason="files by post")
    assert Participant.objects.get(pk=person.pk).status == Participant.Status.ACTIVE
    with pytest.raises(ValueError, match="not invited"):
        services.participant_begin(person)
