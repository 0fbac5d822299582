"""What people do with alerts, and who may."""

from __future__ import annotations

import datetime as dt

import pytest

from dashboards.alerts import engine as alerts_engine
from dashboards.alerts import services as alerts_services
from dashboards.models import Alert, AlertEvent
from dashboards.trial_overview import open_alerts
from participants.models import Membership, Participant, Trial, User
from tests import factories

NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)
What = AlertEvent.What


@pytest.fixture
def nurse(trial: Trial) -> User:
    made: User = factories.MembershipFactory.create(trial=trial, role=Membership.Role.COORDINATOR).user
    return made


@pytest.fixture
def alert(participant: Participant) -> Alert:
    made: Alert = factories.AlertFactory.create(participant=participant)
    return made


def told(alert: Alert) -> list[tuple[str, str]]:
    return [(event.what, event.note) for event in alert.events.all()]


def test_acknowledging_twice_is_told_once(nurse: User, alert: Alert) -> None:
    for _ in range(2):
        alerts_services.acknowledge(Alert.objects.all(), by=nurse, now=NOW)
    alert.refresh_from_db()
    assert (alert.acknowledged_at, alert.acknowledged_by) == (NOW, nurse)
    assert told(alert) == [(What.ACKNOWLEDGED, "")]


def test_an_acknowledgement_can_be_taken_back(nurse: User, alert: Alert) -> None:
    alerts_services.acknowledge(Alert.objects.all(), by=nurse, now=NOW)
    alerts_services.unacknowledge(Alert.objects.all(), by=nurse, now=NOW)
    alert.refresh_from_db()
    assert (alert.acknowledged_at, alert.acknowledged_by) == (None, None)
    assert told(alert) == [(What.ACKNOWLEDGED, ""), (What.ACKNOWLEDGED, "taken back")]


def test_a_resolved_alert_is_not_changed_any_more(nurse: User, alert: Alert) -> None:
    Alert.objects.update(resolved_at=NOW)
    assert alerts_services.acknowledge(Alert.objects.all(), by=nurse, now=NOW) == []
    assert told(alert) == []


def test_a_snoozed_alert_counts_again_at_the_trials_midnight(trial: Trial, nurse: User, alert: Alert) -> None:
    alerts_services.snooze(Alert.objects.all(), days=1, trial=trial, by=nurse, now=NOW)
    midnight = dt.datetime(2026, 11, 23, 23, 0, tzinfo=dt.UTC)  # in Amsterdam
    assert open_alerts.open_count(trial, nurse, midnight - dt.timedelta(seconds=1)) == 0
    assert open_alerts.open_count(trial, nurse, midnight) == 1


def test_a_snooze_over_a_change_of_clocks_ends_at_midnight(trial: Trial) -> None:
    friday = dt.datetime(2026, 10, 23, 8, 0, tzinfo=dt.UTC)  # clocks go back on Sunday
    assert alerts_services.snooze_end(trial, 3, friday) == dt.datetime(2026, 10, 25, 23, 0, tzinfo=dt.UTC)


def test_a_snooze_can_be_taken_back(trial: Trial, nurse: User, alert: Alert) -> None:
    alerts_services.snooze(Alert.objects.all(), days=7, trial=trial, by=nurse, now=NOW)
    alerts_services.unsnooze(Alert.objects.all(), by=nurse, now=NOW)
    assert open_alerts.open_count(trial, nurse, NOW) == 1


def test_other_spans_are_refused(trial: Trial, nurse: User, alert: Alert) -> None:
    with pytest.raises(ValueError, match="until tomorrow"):
        alerts_services.snooze(Alert.objects.all(), days=365, trial=trial, by=nurse, now=NOW)


def test_alerts_are_given_to_those_who_manage_the_participant(trial: Trial, nurse: User, alert: Alert) -> None:
    viewer = factories.MembershipFactory.create(trial=trial, role=Membership.Role.VIEWER).user
    assert alerts_services.assign(Alert.objects.all(), to=viewer, by=nurse, now=NOW) == []
    assert len(alerts_services.assign(Alert.objects.all(), to=nurse, by=nurse, now=NOW)) == 1
    alert.refresh_from_db()
    assert alert.assigned_to == nurse
    alerts_services.assign(Alert.objects.all(), to=None, by=nurse, now=NOW)
    alert.refresh_from_db()
    assert alert.assigned_to is None


def test_the_team_of_a_site_is_those_who_see_it(trial: Trial, nurse: User) -> None:
    here, there = factories.SiteFactory.create_batch(2, trial=trial)
    local = factories.MembershipFactory.create(trial=trial, site=here).user
    factories.MembershipFactory.create(trial=trial, role=Membership.Role.ANALYST)
    factories.MembershipFactory.create(trial=trial, ended_at=NOW)
    team = alerts_services.Team(trial)
    assert set(team.of([here.pk])) == {nurse, local}
    assert team.of([there.pk]) == team.of([here.pk, there.pk]) == team.of([None]) == [nurse]


def test_one_acts_for_ones_own_site_only(trial: Trial, alert: Alert) -> None:
    here, there = factories.SiteFactory.create_batch(2, trial=trial)
    Participant.objects.update(site=here)
    others = factories.MembershipFactory.create(trial=trial, site=there).user
    local = factories.MembershipFactory.create(trial=trial, site=here).user
    viewer = factories.MembershipFactory.create(trial=trial, role=Membership.Role.VIEWER).user
    acting = [alerts_services.actable(user, trial).count() for user in (others, local, viewer)]
    assert acting == [0, 1, 0]


def test_the_badge_counts_what_one_may_see(trial: Trial, participant: Participant, alert: Alert) -> None:
    here, there = factories.SiteFactory.create_batch(2, trial=trial)
    Participant.objects.update(site=here)
    factories.AlertFactory.create(participant=participant, rule="low_wear", resolved_at=NOW)
    factories.AlertFactory.create()  # of another trial
    users = [factories.MembershipFactory.create(trial=trial, site=site).user for site in (here, there)]
    assert [open_alerts.open_count(trial, user, NOW) for user in users] == [1, 0]


def test_a_participants_alerts_come_the_most_urgent_first(participant: Participant) -> None:
    create = factories.AlertFactory.create
    create(participant=participant, rule="low_sleep", level=1)
    create(participant=participant, rule="low_wear", level=2)
    create(participant=participant, rule="reconnect", level=1)
    create(participant=participant, rule="no_upload", level=2)
    found = [alert.rule for alert in alerts_engine.open_alerts(participant)]
    assert found == ["no_upload", "low_wear", "reconnect", "low_sleep"]
