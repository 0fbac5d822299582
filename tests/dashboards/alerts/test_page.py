"""The page of alerts: what it shows to whom, and acting on it with and without script."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dashboards.models import Alert
from participants.models import Membership, Participant, Trial
from tests import factories

pytestmark = pytest.mark.usefixtures("_now")
NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)
PAGE = "/trials/STRIDE-2/alerts/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def alert(participant: Participant) -> Alert:
    facts = {"last_sample_at": "2026-11-20T21:10:00+00:00"}
    made: Alert = factories.AlertFactory.create(participant=participant, facts=facts)
    factories.ParticipantStatusSummaryFactory.create(
        participant=participant, cause="battery_flat", evidence={"battery_percent": 2}
    )
    return made


def act(client: Client, alert: Alert, verb: str, **data: str) -> Alert:
    answer = client.post(reverse("dashboards:alert-act", args=["STRIDE-2", alert.pk, verb]), data)
    assert answer.status_code == 303
    alert.refresh_from_db()
    return alert


def test_a_row_says_what_and_since_when_and_why(manager: Client, alert: Alert) -> None:
    page = manager.get(PAGE).content.decode()
    assert "No upload since Fri 22:10" in page
    assert "Last reading 2\u00a0%, then nothing" in page
    assert "not acknowledged yet" in page


def test_a_trial_without_alerts_says_so(manager: Client) -> None:
    assert "Nothing needs anybody" in manager.get(PAGE).content.decode()


def test_critical_ones_come_first(manager: Client, trial: Trial, alert: Alert) -> None:
    other = factories.ParticipantFactory.create(trial=trial, study_id="AX-0999")
    factories.AlertFactory.create(participant=other, rule="low_wear", level=2, raised_at=NOW)
    page = manager.get(PAGE).content.decode()
    assert page.index("AX-0999") < page.index("AX-0042")


SHOWS = [
    ("open", {}, True),
    ("open", {"snoozed_until": NOW + dt.timedelta(days=1)}, False),
    ("open", {"snoozed_until": NOW}, True),
    ("open", {"resolved_at": NOW}, False),
    ("snoozed", {"snoozed_until": NOW + dt.timedelta(days=1)}, True),
    ("unassigned", {}, True),
    ("mine", {}, False),
    ("acknowledged", {"acknowledged_at": NOW}, True),
    ("acknowledged", {}, False),
    ("resolved", {"resolved_at": NOW - dt.timedelta(days=13), "resolution": "recovered"}, True),
    ("resolved", {"resolved_at": NOW - dt.timedelta(days=15)}, False),
]


@pytest.mark.parametrize(("show", "changes", "found"), SHOWS)
def test_each_view_shows_its_own(
    manager: Client, alert: Alert, show: str, changes: dict[str, dt.datetime], found: bool
) -> None:
    Alert.objects.update(**changes)
    page = manager.get(PAGE, {"show": show}, headers=HTMX).content.decode()
    assert ("AX-0042" in page) is found


def test_rule_site_and_study_id_filter(manager: Client, trial: Trial, alert: Alert) -> None:
    for asked in ({"rule": "low_wear"}, {"site": "nowhere"}, {"q": "0043"}):
        assert "AX-0042" not in manager.get(PAGE, asked, headers=HTMX).content.decode()
    assert "AX-0042" in manager.get(PAGE, {"rule": "no_upload", "q": "0042"}, headers=HTMX).content.decode()


def test_acknowledging_and_taking_it_back(manager: Client, alert: Alert) -> None:
    assert act(manager, alert, "acknowledge").acknowledged_by is not None
    assert act(manager, alert, "unacknowledge").acknowledged_at is None


def test_snoozing_until_tomorrow(manager: Client, alert: Alert) -> None:
    until = act(manager, alert, "snooze", days="1").snoozed_until
    assert until == dt.datetime(2026, 11, 23, 23, 0, tzinfo=dt.UTC)


def test_assigning_to_oneself_makes_it_mine(manager: Client, alert: Alert) -> None:
    me = Membership.objects.get().user
    act(manager, alert, "assign", to=str(me.pk))
    assert "AX-0042" in manager.get(PAGE, {"show": "mine"}).content.decode()


@pytest.mark.parametrize(("verb", "data"), [("explode", {}), ("snooze", {"days": "99"}), ("assign", {"to": "9999"})])
def test_what_cannot_be_done_is_not_found(manager: Client, alert: Alert, verb: str, data: dict[str, str]) -> None:
    assert manager.post(reverse("dashboards:alert-act", args=["STRIDE-2", alert.pk, verb]), data).status_code == 404


def test_several_at_once_come_back_as_the_table_with_an_undo(manager: Client, trial: Trial, alert: Alert) -> None:
    second = factories.AlertFactory.create(participant=alert.participant, rule="low_wear")
    stranger = factories.AlertFactory.create()
    address = reverse("dashboards:alerts-act", args=["STRIDE-2", "acknowledge"])
    data = {"alert": [alert.pk, second.pk, stranger.pk], "next": PAGE + "?show=acknowledged"}
    page = manager.post(address, data, headers=HTMX).content.decode()
    assert "2 alerts acknowledged" in page
    assert "several/unacknowledge/" in page
    assert set(Alert.objects.exclude(acknowledged_at=None)) == {alert, second}


def test_on_the_participants_page_the_answer_is_the_notice(manager: Client, alert: Alert) -> None:
    address = reverse("dashboards:alert-act", args=["STRIDE-2", alert.pk, "acknowledge"])
    answer = manager.post(address, headers={**HTMX, "HX-Target": f"alert-{alert.pk}"}).content.decode()
    assert f'id="alert-{alert.pk}"' in answer
    assert "acknowledged by" in answer
    assert "<table" not in answer


def test_a_form_sends_nobody_to_another_site(manager: Client, alert: Alert) -> None:
    address = reverse("dashboards:alert-act", args=["STRIDE-2", alert.pk, "acknowledge"])
    answer = manager.post(address, {"next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == PAGE


def test_a_viewer_reads_and_does_not_act(client: Client, trial: Trial, alert: Alert) -> None:
    client.force_login(factories.MembershipFactory.create(trial=trial, role=Membership.Role.VIEWER).user)
    page = client.get(PAGE).content.decode()
    assert "AX-0042" in page
    assert "Acknowledge<" not in page


def test_a_site_member_sees_and_counts_that_site_only(client: Client, trial: Trial, alert: Alert) -> None:
    here, there = factories.SiteFactory.create_batch(2, trial=trial)
    Participant.objects.update(site=there)
    mine = factories.ParticipantFactory.create(trial=trial, site=here, study_id="MINE")
    factories.AlertFactory.create(participant=mine, rule="low_sleep")
    client.force_login(factories.MembershipFactory.create(trial=trial, site=here).user)
    page = client.get(PAGE).content.decode()
    assert "MINE" in page
    assert "AX-0042" not in page
    assert there.name not in page
    assert '<span class="counter-value">2</span>' not in page


def test_polling_answers_nothing_until_something_changes(manager: Client, alert: Alert) -> None:
    page = manager.get(PAGE).content.decode()
    seen = page.split("seen=")[1].split('"')[0]
    assert manager.get(PAGE, {"seen": seen}, headers=HTMX).status_code == 204
    act(manager, alert, "acknowledge")
    assert manager.get(PAGE, {"seen": seen}, headers=HTMX).status_code == 200


def test_the_number_of_queries_does_not_grow(manager: Client, trial: Trial, alert: Alert) -> None:
    with CaptureQueriesContext(database) as few:
        manager.get(PAGE)
    for person in factories.ParticipantFactory.create_batch(30, trial=trial):
        made = factories.AlertFactory.create(participant=person)
        made.events.create(what="raised")
    with CaptureQueriesContext(database) as many:
        manager.get(PAGE)
    assert len(many) <= len(few) + 1  # the second page's link counts
