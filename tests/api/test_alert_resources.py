"""Alerts over the API: whose are told, and the acts of the alerts' page."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboards.models import Alert, AlertEvent
from participants.models import AuditEntry, Membership, Trial, User
from tests.api.conftest import Bring
from tests.factories import AlertFactory, MembershipFactory, ParticipantFactory, SiteFactory

pytestmark = pytest.mark.django_db
ALERTS = "/api/v1/trials/STRIDE-2/alerts"


@pytest.fixture
def alert(trial: Trial) -> Alert:
    made: Alert = AlertFactory.create(participant=ParticipantFactory.create(trial=trial, study_id="P-1"))
    return made


def ids(client: Client, query: str = "") -> list[int]:
    answer = client.get(ALERTS + query)
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["results"]]


def test_an_alert_says_its_participant_rule_and_level_as_labels(reader: Client, alert: Alert) -> None:
    (told,) = reader.get(ALERTS).json()["results"]
    assert (told["study_id"], told["rule"], told["level"]) == ("P-1", "no_upload", "warning")
    assert told["raised_at"] == "2026-11-22T08:00:00Z"


def test_alerts_of_another_trial_are_not_there(alert: Alert, bring: Bring) -> None:
    stranger = bring(MembershipFactory.create().user, can_write=True)
    assert stranger.get(ALERTS).status_code == 404
    assert stranger.post(f"{ALERTS}/{alert.pk}/acknowledge").status_code == 404
    assert not AlertEvent.objects.exists()


def test_a_sites_member_gets_that_sites_alerts(trial: Trial, alert: Alert, bring: Bring) -> None:
    site = SiteFactory.create(trial=trial)
    theirs = AlertFactory.create(participant=ParticipantFactory.create(trial=trial, site=site))
    client = bring(MembershipFactory.create(trial=trial, site=site).user)
    assert ids(client) == [theirs.pk]
    assert client.get(f"{ALERTS}/{alert.pk}").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?state=open", True),
        ("?state=unacknowledged&rule=no_upload&level=warning&participant=P-1", True),
        ("?state=snoozed", False),
        ("?level=critical", False),
        ("?participant=P-2", False),
        ("?assigned_to=colleague@example.org", False),
    ],
)
def test_alerts_are_narrowed(reader: Client, alert: Alert, query: str, found: bool) -> None:
    assert bool(ids(reader, query)) is found


def test_wrong_parameters_are_named(reader: Client) -> None:
    answer = reader.get(f"{ALERTS}?level=dire&shade=red&cursor=nonsense")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"level", "shade"}
    assert set(reader.get(f"{ALERTS}?cursor=cD1ub25zZW5zZQ==").json()["errors"]) == {"cursor"}


def test_acknowledging_tells_who_and_is_written_down_once(writer: Client, manager: User, alert: Alert) -> None:
    for _ in range(2):
        answer = writer.post(f"{ALERTS}/{alert.pk}/acknowledge")
        assert answer.status_code == 200, answer.content
    assert answer.json()["acknowledged_by"] == manager.email
    assert [event["what"] for event in answer.json()["events"]] == ["acknowledged"]
    assert AuditEntry.objects.filter(action="alert.change", via="api", actor=manager).count() == 1


def test_what_was_acknowledged_is_taken_back(writer: Client, alert: Alert) -> None:
    writer.post(f"{ALERTS}/{alert.pk}/acknowledge")
    assert writer.post(f"{ALERTS}/{alert.pk}/unacknowledge").json()["acknowledged_at"] is None


def test_snoozing_for_a_span_that_is_offered(writer: Client, alert: Alert) -> None:
    said = {"days": 3}
    answer = writer.post(f"{ALERTS}/{alert.pk}/snooze", said, content_type="application/json")
    assert answer.json()["snoozed_until"] is not None
    assert writer.post(f"{ALERTS}/{alert.pk}/unsnooze").json()["snoozed_until"] is None


@pytest.mark.parametrize("body", [{"days": 2}, {}, {"days": 3, "why": "x"}])
def test_snoozing_otherwise_is_refused(writer: Client, alert: Alert, body: dict[str, object]) -> None:
    answer = writer.post(f"{ALERTS}/{alert.pk}/snooze", body, content_type="application/json")
    assert answer.status_code == 400
    assert not AlertEvent.objects.exists()


def test_giving_it_to_a_colleague_who_sees_the_participant(writer: Client, trial: Trial, alert: Alert) -> None:
    colleague = MembershipFactory.create(trial=trial, role=Membership.Role.COORDINATOR).user
    address = f"{ALERTS}/{alert.pk}/assign"
    answer = writer.post(address, {"to": colleague.email.upper()}, content_type="application/json")
    assert answer.json()["assigned_to"] == colleague.email
    answer = writer.post(address, {"to": None}, content_type="application/json")
    assert answer.json()["assigned_to"] is None


def test_not_to_a_user_who_does_not_see_the_participant(writer: Client, trial: Trial, alert: Alert) -> None:
    elsewhere = MembershipFactory.create(trial=trial, site=SiteFactory.create(trial=trial)).user
    answer = writer.post(f"{ALERTS}/{alert.pk}/assign", {"to": elsewhere.email}, content_type="application/json")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"to"}


@pytest.mark.parametrize("role", [Membership.Role.ANALYST, Membership.Role.VIEWER])
def test_those_who_may_only_look_do_not_act(trial: Trial, alert: Alert, bring: Bring, role: str) -> None:
    client = bring(MembershipFactory.create(trial=trial, role=role).user, can_write=True)
    assert ids(client) == [alert.pk]
    answer = client.post(f"{ALERTS}/{alert.pk}/acknowledge")
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")


def test_a_read_only_token_does_not_act(reader: Client, alert: Alert) -> None:
    assert reader.post(f"{ALERTS}/{alert.pk}/acknowledge").status_code == 403


def test_nothing_is_done_with_an_alert_that_is_over(writer: Client, alert: Alert) -> None:
    Alert.objects.update(resolved_at=timezone.now())
    answer = writer.post(f"{ALERTS}/{alert.pk}/acknowledge")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "This alert is resolved."


def test_listing_is_recorded_for_the_trial(reader: Client, trial: Trial, alert: Alert) -> None:
    reader.get(ALERTS)
    assert AuditEntry.objects.filter(action="participants.list", trial=trial, via="api").count() == 1


def test_pages_hold_everything_once(reader: Client, trial: Trial) -> None:
    made = {AlertFactory.create(participant=ParticipantFactory.create(trial=trial)).pk for _ in range(5)}
    address, told = f"{ALERTS}?page_size=2", []
    while address:
        answer = reader.get(address).json()
        told += [one["id"] for one in answer["results"]]
        address = answer["next"]
    assert sorted(told) == sorted(made)


def test_a_list_takes_as_many_queries_for_many_as_for_one(reader: Client, trial: Trial, alert: Alert) -> None:
    reader.get(ALERTS)
    with CaptureQueriesContext(connection) as one:
        reader.get(ALERTS)
    for _ in range(5):
        AlertFactory.create(participant=ParticipantFactory.create(trial=trial))
    with CaptureQueriesContext(connection) as many:
        reader.get(ALERTS)
    assert len(many) == len(one)
