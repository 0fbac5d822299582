"""A trial over the API: itself, its sites, team, protocols, recomputes and audit trail; and who asks."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from metrics.models import Recompute
from participants.audit import record_view
from participants.models import AuditEntry, Membership, Protocol, Site, Trial, User
from tests.api.conftest import Bring
from tests.api.test_participant_resources import patch, post
from tests.factories import MembershipFactory, ParticipantFactory, SiteFactory, UserFactory
from tests.programs import program

pytestmark = pytest.mark.django_db
TRIAL = "/api/v1/trials/STRIDE-2"
FAR = "2099-01-01"


@pytest.fixture
def coordinator(trial: Trial, bring: Bring) -> Client:
    """Acts for participants, but does not lead."""
    return bring(MembershipFactory.create(trial=trial, role=Membership.Role.COORDINATOR).user, can_write=True)


@pytest.fixture
def site_manager(trial: Trial, bring: Bring) -> Client:
    return bring(MembershipFactory.create(trial=trial, site=SiteFactory.create(trial=trial)).user, can_write=True)


LEADING: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", "", {"title": "x"}),
    ("POST", "/sites", {"code": "X", "name": "X"}),
    ("GET", "/members", {}),
    ("POST", "/members", {"email": "a@example.org", "role": "viewer"}),
    ("POST", "/protocols", {"effective_on": FAR, "valid_day_minutes": 480}),
    ("POST", "/recomputes", {"why": "x"}),
    ("GET", "/audit-entries", {}),
]


@pytest.mark.parametrize(("method", "address", "body"), LEADING)
def test_what_only_managers_of_the_whole_trial_may(
    trial: Trial,
    coordinator: Client,
    site_manager: Client,
    bring: Bring,
    method: str,
    address: str,
    body: dict[str, Any],
) -> None:
    stranger = bring(MembershipFactory.create().user, can_write=True)
    for client, status in ((coordinator, 403), (site_manager, 403), (stranger, 404)):
        answer = client.generic(
            method, TRIAL + address, json.dumps(body) if body else "", content_type="application/json"
        )
        assert answer.status_code == status, answer.content


def test_changing_a_trial(writer: Client, trial: Trial) -> None:
    etag = writer.get(TRIAL).headers["ETag"]
    answer = patch(writer, TRIAL, {"title": "Walking", "reason": "shorter"}, **{"If-Match": etag})
    assert answer.json()["title"] == "Walking"
    assert patch(writer, TRIAL, {"title": "Again"}, **{"If-Match": etag}).status_code == 412
    assert AuditEntry.objects.get(action="trial.update").detail.reason == "shorter"


@pytest.mark.parametrize(
    ("body", "named"), [({"code": "X"}, "code"), ({"time_zone": "Mars"}, "time_zone"), ({"status": "lost"}, "status")]
)
def test_what_is_wrong_with_a_change_is_named(writer: Client, body: dict[str, str], named: str) -> None:
    answer = patch(writer, TRIAL, body)
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {named}


def test_sites_are_added_and_changed(writer: Client, trial: Trial) -> None:
    answer = post(writer, f"{TRIAL}/sites", {"code": "AMS", "name": "Amsterdam"})
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{TRIAL}/sites/AMS")
    assert patch(writer, f"{TRIAL}/sites/AMS", {"phone": "020"}).json()["phone"] == "020"
    assert [one["code"] for one in writer.get(f"{TRIAL}/sites").json()["results"]] == ["AMS"]
    assert post(writer, f"{TRIAL}/sites", {"code": "AMS", "name": "Again"}).status_code == 400


def test_a_sites_member_sees_that_site(trial: Trial, bring: Bring) -> None:
    theirs, other = SiteFactory.create(trial=trial), SiteFactory.create(trial=trial)
    client = bring(MembershipFactory.create(trial=trial, site=theirs).user)
    assert [one["code"] for one in client.get(f"{TRIAL}/sites").json()["results"]] == [theirs.code]
    assert client.get(f"{TRIAL}/sites/{other.code}").status_code == 404


def test_a_member_is_granted_changed_and_ended(writer: Client, trial: Trial) -> None:
    colleague, site = UserFactory.create(), SiteFactory.create(trial=trial)
    said = {"email": colleague.email, "role": "viewer", "site": site.code}
    made = post(writer, f"{TRIAL}/members", said)
    assert made.status_code == 201, made.content
    follows = patch(writer, f"{TRIAL}/members/{made.json()['id']}", {"role": "analyst"}).json()
    assert (follows["role"], follows["site"], follows["ended_at"]) == ("analyst", site.code, None)
    assert patch(writer, f"{TRIAL}/members/{made.json()['id']}", {"role": "viewer"}).status_code == 409
    ended = post(writer, f"{TRIAL}/members/{follows['id']}/end", {"reason": "left"})
    assert ended.json()["ended_at"] is not None
    assert len(writer.get(f"{TRIAL}/members?ended=true").json()["results"]) == 2


def test_nobody_without_an_account_is_made_a_member(writer: Client, trial: Trial) -> None:
    answer = post(writer, f"{TRIAL}/members", {"email": "nobody@example.org", "role": "viewer", "site": "X"})
    assert set(answer.json()["errors"]) == {"email"}


def test_a_version_begins_tomorrow_and_keeps_what_is_not_named(writer: Client, trial: Trial) -> None:
    answer = post(writer, f"{TRIAL}/protocols", {"effective_on": FAR, "valid_day_minutes": 480})
    assert answer.status_code == 201, answer.content
    assert answer.headers["Location"] == f"{TRIAL}/protocols/2"
    assert (answer.json()["valid_day_minutes"], answer.json()["adherence_target"]) == (480, 0.7)
    assert answer.json()["recompute"] is None
    assert writer.get(f"{TRIAL}/protocols/2").json()["valid_day_minutes"] == 480
    again = post(writer, f"{TRIAL}/protocols", {"effective_on": FAR, "valid_day_minutes": 480})
    assert (again.status_code, again.json()["detail"]) == (409, "Nothing is different from the newest version.")


def test_a_version_that_begins_in_the_past_is_confirmed_and_re_evaluates(writer: Client, trial: Trial) -> None:
    said: dict[str, Any] = {"effective_on": "2026-01-01", "valid_day_minutes": 480}
    address = f"{TRIAL}/protocols"
    assert set(post(writer, address, said).json()["errors"]) == {"effective_on"}
    said["retroactive"] = True
    assert set(post(writer, address, said).json()["errors"]) == {"confirmed"}
    assert Protocol.objects.filter(trial=trial).count() == 1
    answer = post(writer, address, said | {"confirmed": True})
    run = Recompute.objects.get(trial=trial)
    assert (answer.status_code, answer.json()["recompute"]) == (201, run.pk)
    assert writer.get(f"{TRIAL}/recomputes/{run.pk}").json()["since"] == "2026-01-01"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"upload_critical_hours": 1}, "upload_critical_hours"),
        ({"adherence_target": 2}, "adherence_target"),
        ({"expected_metrics": ["mood"]}, "expected_metrics"),
        ({"valid_day_variants": [0]}, "valid_day_variants"),
        ({"quiet_from": "late"}, "quiet_from"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_with_a_version_is_named(writer: Client, trial: Trial, body: dict[str, Any], named: str) -> None:
    answer = post(writer, f"{TRIAL}/protocols", {"effective_on": FAR, **body})
    assert answer.status_code == 400, answer.content
    assert set(answer.json()["errors"]) == {named}


def test_a_recompute_is_asked_for_with_its_reason(writer: Client, manager: User, trial: Trial) -> None:
    answer = post(writer, f"{TRIAL}/recomputes", {"why": "a correction", "since": "2026-11-01"})
    assert answer.status_code == 201
    run = Recompute.objects.get()
    assert (run.why, run.by, str(run.since)) == ("a correction", manager, "2026-11-01")
    assert set(post(writer, f"{TRIAL}/recomputes", {}).json()["errors"]) == {"why"}


def test_what_a_recompute_changed_is_told_of_those_whom_one_sees(trial: Trial, reader: Client, bring: Bring) -> None:
    site = SiteFactory.create(trial=trial)
    for study_id, where in (("P-1", None), ("P-2", site)):
        ParticipantFactory.create(trial=trial, study_id=study_id, site=where)
    run = Recompute.objects.create(
        trial=trial,
        why="x",
        asked_at=timezone.now(),
        finished_at=timezone.now(),
        changed={"v>i": 3},
        people={"P-1": [2, 0.9, 0.8], "P-2": [1, None, 0.5]},
    )
    told = reader.get(f"{TRIAL}/recomputes/{run.pk}").json()
    assert told["changed"] == [{"before": "valid", "after": "invalid", "days": 3}]
    assert [one["study_id"] for one in told["people"]] == ["P-1", "P-2"]
    client = bring(MembershipFactory.create(trial=trial, site=site).user)
    told = client.get(f"{TRIAL}/recomputes/{run.pk}").json()
    assert told["changed"] is None
    assert told["people"] == [{"study_id": "P-2", "days": 1, "adherence_before": None, "adherence_after": 0.5}]


def test_days_that_a_fault_took_away_are_told_as_excluded_ones(trial: Trial, reader: Client) -> None:
    run = Recompute.objects.create(trial=trial, why="x", asked_at=timezone.now(), changed={"l>f": 2}, ranges=1)
    told = reader.get(f"{TRIAL}/recomputes/{run.pk}").json()
    assert told["changed"] == [{"before": "lost", "after": "excluded", "days": 2}]
    assert told["ranges"] == 1


def test_the_audit_trail_of_a_trial_is_read_with_a_read_only_token(reader: Client, trial: Trial) -> None:
    other = ParticipantFactory.create()
    mine = ParticipantFactory.create(trial=trial, study_id="P-1")
    record_view([mine, other])
    (told,) = reader.get(f"{TRIAL}/audit-entries?action=participant.view&participant=P-1").json()["results"]
    assert (told["study_id"], told["trial"], told["actor"]) == ("P-1", "STRIDE-2", "")
    assert reader.get(f"{TRIAL}/audit-entries?participant={other.study_id}").json()["results"] == []
    day = dt.datetime.now(dt.UTC).date().isoformat()
    assert reader.get(f"{TRIAL}/audit-entries?end={day}T00:00:00Z&actor=x").json()["results"] == []


def whole_audit_trail(client: Client) -> int | None:
    """How many looks at participants the whole trail tells of; None: refused."""
    answer = client.get("/api/v1/audit-entries?action=participant.view")
    return len(answer.json()["results"]) if answer.status_code == 200 else None


def test_the_whole_audit_trail_is_for_staff_who_may_view_it(manager: User, trial: Trial, bring: Bring) -> None:
    record_view(ParticipantFactory.create())
    record_view(ParticipantFactory.create(trial=trial))
    assert whole_audit_trail(bring(manager)) is None
    staff = UserFactory.create(is_staff=True)
    assert whole_audit_trail(bring(staff)) is None
    staff.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    assert whole_audit_trail(bring(User.objects.get(pk=staff.pk))) == 2
    assert whole_audit_trail(bring(UserFactory.create(is_staff=True, is_superuser=True))) == 2


def test_the_permission_without_being_staff_is_not_enough(manager: User, bring: Bring) -> None:
    manager.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    assert whole_audit_trail(bring(manager)) is None


def test_a_program_is_nobodys_staff(trial: Trial, bring: Bring) -> None:
    made = program(trial)
    User.objects.filter(pk=made.pk).update(is_staff=True, is_superuser=True)
    assert whole_audit_trail(bring(User.objects.get(pk=made.pk))) is None


def test_with_a_token_of_some_trials_staff_read_the_audit_trail_of_those(trial: Trial, bring: Bring) -> None:
    record_view(ParticipantFactory.create())
    record_view(ParticipantFactory.create(trial=trial))
    staff = MembershipFactory.create(
        trial=trial, role=Membership.Role.VIEWER, user__is_staff=True, user__is_superuser=True
    ).user
    assert whole_audit_trail(bring(staff, trials=[trial])) == 1


def test_the_administration_shows_entries_by_the_same_rule(client: Client) -> None:
    record_view(ParticipantFactory.create())
    staff = UserFactory.create(is_staff=True)
    client.force_login(staff)
    assert client.get("/admin/participants/auditentry/").status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    assert b"participant.view" in client.get("/admin/participants/auditentry/").content


def test_who_i_am(manager: User, trial: Trial, bring: Bring) -> None:
    MembershipFactory.create(user=manager)
    told = bring(manager, trials=[trial]).get("/api/v1/me").json()
    assert told["email"] == manager.email
    assert [(one["trial"], one["role"]) for one in told["memberships"]] == [("STRIDE-2", "manager")]
    assert (told["token"]["can_write"], told["token"]["trials"]) == (False, ["STRIDE-2"])


def test_sites_of_other_trials_are_not_there(writer: Client, trial: Trial) -> None:
    other: Site = SiteFactory.create()
    assert writer.get(f"{TRIAL}/sites/{other.code}").status_code == 404
    assert patch(writer, f"{TRIAL}/sites/{other.code}", {"name": "x"}).status_code == 404


def test_whether_paused_days_are_collected_stays_unless_it_is_named(writer: Client) -> None:
    first = post(writer, f"{TRIAL}/protocols", {"effective_on": FAR, "collect_in_pauses": False}).json()
    then = post(writer, f"{TRIAL}/protocols", {"effective_on": "2099-02-01", "valid_day_minutes": 480}).json()
    assert [first["collect_in_pauses"], then["collect_in_pauses"]] == [False, False]
