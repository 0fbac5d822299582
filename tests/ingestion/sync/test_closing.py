"""Connections of which nothing more may come are ended and their grants given back; others are left alone."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from ingestion import tasks
from ingestion.connections import end_of_collection, invitations
from ingestion.connections import services as connections_services
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import BrokenResponse
from participants.models import AuditEntry, Participant, Pause, Protocol, Trial
from participants.services import trial_update
from tests.api.conftest import Bring, bring  # noqa: F401  a fixture
from tests.factories import MembershipFactory, ParticipantFactory
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import FakeVendor
from tests.ingestion.sync.test_collecting import on

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
Status = Connection.Status


pytestmark = pytest.mark.usefixtures("tasks_run_at_once")


def state(connection: Connection) -> tuple[str, str]:
    connection.refresh_from_db()
    return connection.status, connection.status_reason


def close(trial: Trial, capture: DjangoCaptureOnCommitCallbacks) -> Trial:
    with capture(execute=True):
        return trial_update(trial, status=Trial.Status.CLOSED)


# --- closing a trial ---------------------------------------------------------------------------------------------


def test_closing_a_trial_ends_its_connections_and_gives_their_grants_back(
    connection: Connection, vendor: FakeVendor, now: dt.datetime,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:  # fmt: skip
    other = connect(now, user="user-2")
    SyncWindow.objects.create(
        connection=connection, data_type="pulse", starts_at=now - HOUR, ends_at=now, due_at=now, reason="scheduled"
    )
    link = invitations.invitation_create(participant=connection.participant, by=None, now=now)
    close(connection.trial, django_capture_on_commit_callbacks)
    assert state(connection) == (Status.REVOKED, "trial_closed")
    assert state(other)[0] == Status.ACTIVE
    assert (connection.encrypted_tokens, vendor.revoked, SyncWindow.objects.count()) == ("", ["refresh-0"], 0)
    link.refresh_from_db()
    assert link.cancelled_at is not None
    ended = AuditEntry.objects.get(action="trial.update").detail.new["ended"]
    assert ended == "1 connection ends and 1 open invitation is cancelled"


def test_before_closing_it_is_said_how_much_that_ends(connection: Connection, now: dt.datetime) -> None:
    trial = connection.trial
    connect(now, user="user-2")
    assert end_of_collection.open_connections(trial) == (1, 0)
    guest = ParticipantFactory(trial=trial, status=Participant.Status.INVITED)
    for days, count in ((-30, 0), (0, 1)):
        invitations.invitation_create(participant=guest, by=None, now=now + days * DAY)
        assert end_of_collection.open_connections(trial) == (1, count)


def test_a_grant_that_is_not_taken_back_is_visible_and_asked_again(
    connection: Connection, vendor: FakeVendor, now: dt.datetime,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:  # fmt: skip
    vendor.revoke_error = BrokenResponse("connection_failed")
    close(connection.trial, django_capture_on_commit_callbacks)
    vendor.revoke_error = None
    assert end_of_collection.progress(connection.trial) == end_of_collection.Progress(
        not_ended=0, giving_back=1, ended=1
    )
    connection.refresh_from_db()
    assert connection.give_back_at is not None
    for pk in connections_services.give_back_due(connection.give_back_at):
        tasks.give_back(pk)
    assert end_of_collection.progress(connection.trial) == end_of_collection.Progress(
        not_ended=0, giving_back=0, ended=1
    )


def test_what_a_killed_worker_left_is_ended_by_the_daily_task(connection: Connection, now: dt.datetime) -> None:
    Trial.objects.update(status=Trial.Status.CLOSED, closed_at=now)
    assert end_of_collection.end_over(now) == 1
    assert state(connection) == (Status.REVOKED, "trial_closed")
    assert end_of_collection.end_over(now) == 0


def test_a_trial_that_was_opened_again_meanwhile_is_left_alone(connection: Connection, now: dt.datetime) -> None:
    assert end_of_collection.end_trial(connection.trial_id, now=now) == 0
    assert state(connection)[0] == Status.ACTIVE


def test_opened_again_it_takes_new_invitations(
    connection: Connection, now: dt.datetime, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    trial, person = connection.trial, connection.participant
    old = invitations.invitation_create(participant=person, by=None, now=now)
    close(trial, django_capture_on_commit_callbacks)
    person.refresh_from_db()
    with pytest.raises(ValueError, match="is over"):
        invitations.invitation_create(participant=person, by=None, now=now)
    trial_update(trial, status=Trial.Status.RUNNING)
    with pytest.raises(invitations.InvitationRefused, match="cancelled"):
        invitations.invitation_open(invitations.invitation_code(old), now=now)
    assert invitations.invitation_create(participant=person, by=None, now=now).cancelled_at is None
    assert state(connection)[0] == Status.REVOKED


# --- its end, and theirs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["trial", "participant"])
def test_after_the_last_day_late_uploads_are_waited_for_and_then_the_connection_ends(
    connection: Connection, now: dt.datetime, whose: str
) -> None:
    Connection.objects.update(status_since=now - 30 * DAY)
    if whose == "trial":
        Trial.objects.update(ends_on=on(now, 8))
    else:
        Participant.objects.update(monitoring_ends_on=on(now, 8))
    over = dt.datetime.combine(on(now, 7), dt.time(), dt.UTC) - HOUR  # Amsterdam, in winter
    Protocol.objects.update(lost_after_hours=100)
    wait = 100 * HOUR
    assert end_of_collection.end_over(over + wait - dt.timedelta(seconds=1)) == 0
    assert end_of_collection.end_over(over + wait) == 1
    assert state(connection) == (Status.REVOKED, "over")


def test_the_protocol_in_force_says_how_long_is_waited(connection: Connection, now: dt.datetime) -> None:
    Connection.objects.update(status_since=now - 30 * DAY)
    Participant.objects.update(monitoring_ends_on=on(now, 6))
    Protocol.objects.create(trial=connection.trial, version=2, effective_on=on(now, 20), lost_after_hours=24)
    Protocol.objects.create(trial=connection.trial, version=3, effective_on=on(now, -2), lost_after_hours=900)
    assert end_of_collection.end_over(now) == 1


def test_who_connects_for_days_that_are_past_is_read_first(connection: Connection, now: dt.datetime) -> None:
    Participant.objects.update(monitoring_starts_on=dt.date(2016, 4, 12), monitoring_ends_on=dt.date(2016, 5, 11))
    Connection.objects.update(status_since=now)
    assert end_of_collection.end_over(now + 7 * DAY - HOUR) == 0
    unread = SyncWindow.objects.create(
        connection=connection, data_type="pulse", starts_at=now - HOUR, ends_at=now, due_at=now, reason="backfill"
    )
    assert end_of_collection.end_over(now + 8 * DAY) == 0
    SyncWindow.objects.filter(pk=unread.pk).update(finished_at=now)
    assert end_of_collection.end_over(now + 8 * DAY) == 1


@pytest.mark.parametrize(("status", "reason"), [("completed", "completed"), ("withdrawn", "left"), ("erased", "left")])
def test_who_takes_part_no_more_is_let_go(connection: Connection, now: dt.datetime, status: str, reason: str) -> None:
    Participant.objects.update(status=status)
    end_of_collection.end_over(now)
    assert state(connection) == (Status.REVOKED, reason)


def test_an_open_pause_that_is_not_collected_ends_no_connection(connection: Connection, now: dt.datetime) -> None:
    Protocol.objects.update(collect_in_pauses=False)
    Pause.objects.create(participant=connection.participant, starts_on=on(now, 40), reason="away")
    Connection.objects.update(status_since=now - 60 * DAY)
    assert end_of_collection.end_over(now) == 0


def test_nobody_else_is_ended(connection: Connection, now: dt.datetime) -> None:
    assert end_of_collection.end_over(now) == 0
    assert state(connection)[0] == Status.ACTIVE


# --- connecting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days_ago", "refused"), [(0, False), (1, True)])
def test_after_the_trials_last_day_nobody_is_invited_or_let_in(
    now: dt.datetime, vendor: FakeVendor, db: None, days_ago: int, refused: bool
) -> None:
    person = ParticipantFactory(status=Participant.Status.INVITED)
    link = invitations.invitation_code(invitations.invitation_create(participant=person, by=None, now=now))
    Trial.objects.update(ends_on=on(now, days_ago))
    person.refresh_from_db()
    person.trial.refresh_from_db()
    if not refused:
        invitations.invitation_open(link, now=now)
        invitations.invitation_create(participant=person, by=None, now=now)
        return
    with pytest.raises(invitations.InvitationRefused, match="study_over"):
        invitations.invitation_open(link, now=now)
    with pytest.raises(ValueError, match="is over"):
        invitations.invitation_create(participant=person, by=None, now=now)


def test_whose_own_monitoring_is_over_may_still_connect_for_it(now: dt.datetime, vendor: FakeVendor, db: None) -> None:
    person = ParticipantFactory(status=Participant.Status.INVITED, monitoring_ends_on=on(now, 9))
    assert invitations.invitation_create(participant=person, by=None, now=now)


# --- the API and the administration ------------------------------------------------------------------------------


@pytest.fixture
def manager(connection: Connection, bring: Bring) -> Client:  # noqa: F811
    return bring(MembershipFactory.create(trial=connection.trial).user, can_write=True)


def patch(client: Client, trial: Trial, **body: object) -> dict[str, object]:
    answer = client.patch(f"/api/v1/trials/{trial.code}", body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return answer.json()  # type: ignore[no-any-return]


def test_the_api_says_first_what_closing_ends_and_changes_nothing(connection: Connection, manager: Client) -> None:
    told = patch(manager, connection.trial, status="closed", dry_run=True)
    assert (told["status"], told["ends"]) == ("closed", {"connections": 1, "invitations": 0})
    connection.trial.refresh_from_db()
    assert (connection.trial.status, connection.trial.closed_at) == (Trial.Status.RUNNING, None)
    assert not AuditEntry.objects.filter(action="trial.update").exists()


def test_the_api_closes_and_says_what_it_ended(
    connection: Connection, manager: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        told = patch(manager, connection.trial, status="closed")
    assert (told["status"], told["ends"]) == ("closed", {"connections": 1, "invitations": 0})
    assert state(connection)[0] == Status.REVOKED
    assert patch(manager, connection.trial, title="Walking")["ends"] is None


def test_the_administration_asks_twice_and_says_how_much_ends(
    connection: Connection, admin_client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    settings: Settings,
) -> None:  # fmt: skip
    trial = connection.trial
    address = f"/admin/participants/trial/{trial.pk}/change/"
    parts = (f"{name}-{what}_FORMS" for name in ("sites", "memberships", "protocols") for what in ("TOTAL", "INITIAL"))
    form = dict.fromkeys(parts, "0")
    form |= {"code": trial.code, "title": trial.title, "status": "closed", "time_zone": trial.time_zone}
    requested = admin_client.post(address, form).content.decode()
    assert "1 connection ends and 0 open invitations are cancelled" in requested
    assert state(connection)[0] == Status.ACTIVE
    with django_capture_on_commit_callbacks(execute=True):
        assert admin_client.post(address, {**form, "close": "on"}).status_code == 302
    assert state(connection) == (Status.REVOKED, "trial_closed")


def test_the_page_of_connections_tells_how_far_the_closing_is(
    connection: Connection, client: Client, now: dt.datetime
) -> None:
    client.force_login(MembershipFactory.create(trial=connection.trial).user)
    Trial.objects.update(status=Trial.Status.CLOSED, closed_at=now)
    page = f"/trials/{connection.trial.code}/sync/"
    assert "This trial is closed: 1 connection still to be ended, 0 ended" in client.get(page).content.decode()
    Connection.objects.update(status=Status.REVOKED, give_back_at=now)
    assert "1 ended, 1 of them with access" in client.get(page).content.decode()
