"""The manager's side of connections: invite, look, disconnect, start syncs; and who may not."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from benchmarks.monitoring_data import fill
from ingestion.connections import invitations
from ingestion.connections import services as connections_services
from ingestion.models import Connection, Device, Invitation, SyncWindow
from participants.models import Membership, Participant, Trial
from participants.privacy import contacts, encryption
from tests import broker, factories
from tests.conftest import SetUpProviders
from tests.dashboards.measured import heart_rate, store
from tests.ingestion.connections.vendor import ALL, HEART, REFRESH, Vendor

PERSON = "/trials/STRIDE-2/participants/AX-0042/"
SYNC = "/trials/STRIDE-2/sync/AX-0042/vendor/"
NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)

pytestmark = pytest.mark.usefixtures("_now", "participant")


@pytest.fixture(autouse=True)
def vendor(set_up_providers: SetUpProviders, settings: Any) -> Vendor:
    made = Vendor()
    set_up_providers(made)
    settings.TOKEN_KEYS = ["a key for tests"]
    settings.PUBLIC_URL = "https://trials.example.org"
    return made


@pytest.fixture
def connection(participant: Participant) -> Connection:
    made = Connection.objects.create(
        participant=participant,
        trial=participant.trial,
        provider="vendor",
        external_user_id="user-1",
        status=Connection.Status.ACTIVE,
        status_since=NOW - dt.timedelta(days=3),
        connected_at=NOW - dt.timedelta(days=3),
        scopes=sorted(ALL),
        encrypted_tokens=encryption.encrypt(f'["access", "{REFRESH}"]'),
        next_due_at=NOW + dt.timedelta(hours=2),
    )
    Device.objects.create(
        connection=made, external_id="d", model="Inspire 3", battery_percent=64, last_sync_at=NOW, seen_at=NOW
    )
    return made


def window(connection: Connection, hours_ago: int, state: str, **more: Any) -> SyncWindow:
    starts_at = NOW - dt.timedelta(hours=hours_ago)
    made: SyncWindow = SyncWindow.objects.create(
        connection=connection,
        data_type="heart",
        starts_at=starts_at,
        ends_at=starts_at + dt.timedelta(hours=1),
        state=state,
        due_at=NOW,
        **{"reason": SyncWindow.Reason.SCHEDULED, **more},
    )
    return made


def member(client: Client, trial: Trial, role: str) -> Client:
    client.force_login(factories.MembershipFactory.create(trial=trial, role=role).user)
    return client


def text(response: Any) -> str:
    return " ".join(response.content.decode().replace("\u00a0", " ").replace("&nbsp;", " ").split())


# --- inviting -------------------------------------------------------------------------------------------------------


def test_a_manager_invites_and_sees_the_link_with_its_code_to_scan(manager: Client) -> None:
    response = manager.post(f"{PERSON}invite/", follow=True)
    made = Invitation.objects.get()
    page = text(response)
    assert response.redirect_chain == [(f"{PERSON}invitations/{made.pk}/", 303)]
    assert f"https://trials.example.org/connect/{invitations.invitation_code(made)}/" in page
    assert re.search(r"<svg[^>]*>.*QR code of the link", page)
    assert "7 December 2026" in page


def test_what_is_printed_is_in_the_participant_s_language_and_the_page_is_not(manager: Client, trial: Trial) -> None:
    contacts.contact_store(Participant.objects.get(trial=trial), name="Zwaantje", language="de")
    page = text(manager.post(f"{PERSON}invite/", follow=True))
    assert '<div class="print-only" lang="de">' in page
    assert "Bitte verbinden Sie Ihre Uhr mit der Studie" in page
    assert "Send the participant this link" in page
    assert "7 December 2026" in page


def test_the_link_leads_to_the_participant_s_page(manager: Client) -> None:
    page = text(manager.post(f"{PERSON}invite/", follow=True))
    found = re.search(r'value="https://trials\.example\.org(/connect/[^"]+)"', page)
    assert found
    assert "What the study will get" in text(Client().get(found[1]))


def test_the_link_is_not_shown_to_another_person(manager: Client, trial: Trial) -> None:
    manager.post(f"{PERSON}invite/")
    other = member(Client(), trial, Membership.Role.MANAGER)
    page = text(other.get(f"{PERSON}invitations/{Invitation.objects.get().pk}/"))
    assert "/connect/" not in page
    assert "no longer shown" in page


def test_the_link_is_not_shown_after_a_quarter_of_an_hour(manager: Client) -> None:
    manager.post(f"{PERSON}invite/")
    Invitation.objects.update(created_at=NOW - dt.timedelta(minutes=16))
    assert "/connect/" not in text(manager.get(f"{PERSON}invitations/{Invitation.objects.get().pk}/"))


def test_a_second_invitation_replaces_the_first(manager: Client) -> None:
    manager.post(f"{PERSON}invite/")
    manager.post(f"{PERSON}invite/")
    assert Invitation.objects.filter(cancelled_at=None).count() == 1
    assert "replaced" in text(manager.get(PERSON))


def test_past_invitations_say_what_became_of_them(manager: Client) -> None:
    manager.post(f"{PERSON}invite/")
    assert "the newest not opened yet" in text(manager.get(PERSON))
    Invitation.objects.update(opened_at=NOW)
    assert "the newest opened, not used yet" in text(manager.get(PERSON))
    Invitation.objects.update(used_at=NOW)
    assert "the newest used" in text(manager.get(PERSON))
    Invitation.objects.update(used_at=None, expires_at=NOW)
    assert "the newest expired" in text(manager.get(PERSON))


def test_a_participant_who_withdrew_cannot_be_invited(manager: Client, participant: Participant) -> None:
    Participant.objects.filter(pk=participant.pk).update(status=Participant.Status.WITHDRAWN)
    assert "Invite" not in text(manager.get(PERSON))
    assert "cannot be invited" in text(manager.post(f"{PERSON}invite/", follow=True))
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("role", [Membership.Role.VIEWER, Membership.Role.ANALYST])
def test_others_do_not_see_the_buttons_and_are_refused(
    client: Client, trial: Trial, connection: Connection, role: str
) -> None:
    looker = member(client, trial, role)
    page = text(looker.get(PERSON))
    assert "Connected" in page
    assert f"{PERSON}invite/" not in page
    assert "Disconnect…" not in page
    refused = [f"{PERSON}invite/", f"{PERSON}disconnect/vendor/", f"{SYNC}now/", f"{SYNC}backfill/", f"{SYNC}requeue/"]
    assert {looker.post(address).status_code for address in refused} == {403}
    assert not Invitation.objects.exists()


def test_a_coordinator_may_invite(client: Client, trial: Trial) -> None:
    assert member(client, trial, Membership.Role.COORDINATOR).post(f"{PERSON}invite/").status_code == 303


def test_a_manager_of_another_trial_finds_nothing(client: Client, connection: Connection) -> None:
    client.force_login(factories.MembershipFactory.create().user)
    assert client.post(f"{PERSON}invite/").status_code == 404
    assert client.get(SYNC).status_code == 404
    assert client.get("/trials/STRIDE-2/sync/").status_code == 404
    assert client.get(f"{PERSON}pulse/").status_code == 404


def test_a_coordinator_of_one_site_may_not_invite_at_another(client: Client, participant: Participant) -> None:
    site, other = factories.SiteFactory.create_batch(2, trial=participant.trial)
    Participant.objects.filter(pk=participant.pk).update(site=other)
    user = factories.UserFactory.create()
    factories.MembershipFactory.create(trial=participant.trial, user=user, site=site, role=Membership.Role.COORDINATOR)
    factories.MembershipFactory.create(trial=participant.trial, user=user, role=Membership.Role.VIEWER)
    client.force_login(user)
    assert client.get(PERSON).status_code == 200
    assert client.post(f"{PERSON}invite/").status_code == 403


def test_inviting_needs_the_form_of_the_page(participant: Participant) -> None:
    strict = member(Client(enforce_csrf_checks=True), participant.trial, Membership.Role.MANAGER)
    assert strict.post(f"{PERSON}invite/").status_code == 403


# --- the card -------------------------------------------------------------------------------------------------------


def test_the_card_shows_status_permissions_and_devices(manager: Client, connection: Connection) -> None:
    page = text(manager.get(PERSON))
    for words in (
        "Connected",
        "Vendor Health",
        "since Fri 09:12",
        "5 of 5",
        "<b>Inspire 3</b>",
        "Battery </span>64 %",
        "today, 11:12",
    ):
        assert words in page


def test_a_partial_consent_is_shown_as_reconnect_with_what_is_missing(manager: Client, connection: Connection) -> None:
    Connection.objects.update(scopes=[HEART])
    page = text(manager.get(PERSON))
    assert "Reconnect link" in page
    assert "1 of 5. Missing: Steps and activity; Sleep" in page


def test_a_dead_token_is_shown_with_reason_and_since_when(manager: Client, connection: Connection) -> None:
    connections_services.lost(connection, "expired_grant", now=NOW - dt.timedelta(hours=9))
    page = text(manager.get(PERSON))
    assert "since today, 00:12: access at the vendor has ended" in page
    assert "Reconnect link" in page


def test_a_participant_who_never_connected_is_shown_so(manager: Client) -> None:
    page = text(manager.get(PERSON))
    assert "Unconnected" in page
    assert "not been invited" in page


def test_no_card_where_the_site_has_no_vendor(manager: Client, set_up_providers: SetUpProviders) -> None:
    set_up_providers()
    assert "Unconnected" not in text(manager.get(PERSON))


# --- disconnecting --------------------------------------------------------------------------------------------------


def test_disconnecting_asks_first(manager: Client, connection: Connection) -> None:
    assert "Disconnect AX-0042 from Vendor Health?" in text(manager.get(f"{PERSON}disconnect/vendor/"))
    connection.refresh_from_db()
    assert connection.status == Connection.Status.ACTIVE


def test_disconnecting_ends_the_grant_and_says_so(manager: Client, connection: Connection, vendor: Vendor) -> None:
    page = text(manager.post(f"{PERSON}disconnect/vendor/", follow=True))
    connection.refresh_from_db()
    assert (connection.status, connection.status_reason) == (Connection.Status.REVOKED, "manager")
    assert vendor.revoked == [REFRESH]
    assert "No more data are requested there" in page
    assert "the study team ended it" in page


def test_disconnecting_twice_does_nothing_the_second_time(
    manager: Client, connection: Connection, vendor: Vendor
) -> None:
    manager.post(f"{PERSON}disconnect/vendor/")
    manager.post(f"{PERSON}disconnect/vendor/")
    assert len(vendor.revoked) == 1


# --- the pulse ------------------------------------------------------------------------------------------------------


def pulse(client: Client, page: Any) -> Any:
    """Ask again as the page does."""
    found = re.search(r'hx-get="([^"]+/pulse/[^"]*)"', page.content.decode())
    assert found
    return client.get(found[1], headers={"HX-Request": "true"})


def test_nothing_new_is_answered_with_nothing(manager: Client, connection: Connection) -> None:
    answer = pulse(manager, manager.get(PERSON))
    assert (answer.status_code, answer.content) == (204, b"")


def test_new_data_bring_new_figures_and_have_the_chart_follow(manager: Client, participant: Participant) -> None:
    page = manager.get(PERSON)
    store(participant, heart_rate(NOW - dt.timedelta(hours=2), 30))
    answer = pulse(manager, page)
    assert answer.status_code == 200
    assert "newdata" in answer["HX-Trigger"]
    assert "1 h ago" in text(answer)
    assert pulse(manager, answer).status_code == 204


def test_an_opened_link_and_a_new_connection_show_without_new_data(
    manager: Client, connection: Connection, participant: Participant
) -> None:
    page = manager.get(PERSON)
    made = invitations.invitation_create(participant=participant, by=None, now=NOW)
    answer = pulse(manager, page)
    assert "HX-Trigger" not in answer
    Invitation.objects.filter(pk=made.pk).update(opened_at=NOW)
    again = pulse(manager, answer)
    assert again.status_code == 200
    connections_services.lost(connection, "expired_grant", now=NOW)
    assert "Reconnect" in text(pulse(manager, again))


def test_what_the_page_says_of_times_is_kept_up_to_date(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOW - dt.timedelta(minutes=10), 5))
    page = manager.get(PERSON)
    with time_machine.travel(NOW + dt.timedelta(minutes=20), tick=False):
        answer = pulse(manager, page)
    assert "25 min ago" in text(answer)
    assert "HX-Trigger" not in answer


def test_the_pulse_is_cheap(manager: Client, connection: Connection, django_assert_max_num_queries: Any) -> None:
    page = manager.get(PERSON)
    with django_assert_max_num_queries(8):
        pulse(manager, page)


# --- the sync pages -------------------------------------------------------------------------------------------------


def test_the_trial_s_page_counts_windows_by_state_and_names_the_newest_trouble(
    manager: Client, connection: Connection
) -> None:
    window(connection, 3, SyncWindow.State.DONE)
    window(connection, 2, SyncWindow.State.DUE)
    window(connection, 1, SyncWindow.State.FAILED, error_code="http_500", finished_at=NOW)
    page = text(manager.get("/trials/STRIDE-2/sync/"))
    for name in ("Waiting", "Received", "Failed"):
        assert f'<span class="cell-label">{name}</span>1</td>' in page
    assert "the vendor answered with error 500" in page


def test_the_trial_s_page_counts_who_never_connected(manager: Client, trial: Trial, connection: Connection) -> None:
    factories.ParticipantFactory.create_batch(2, trial=trial)
    assert "1 active · 0 to reconnect · 0 disconnected · 2 never connected" in text(
        manager.get("/trials/STRIDE-2/sync/")
    )


def test_connections_that_need_attention_come_first(manager: Client, trial: Trial, connection: Connection) -> None:
    for study_id, status in (("ZZ-1", "reconnect"), ("AA-1", "revoked")):
        person = factories.ParticipantFactory.create(trial=trial, study_id=study_id)
        Connection.objects.create(
            participant=person, trial=trial, provider="vendor", external_user_id=study_id, status=status
        )
    page = manager.get("/trials/STRIDE-2/sync/").content.decode()
    assert re.findall(r'class="study-id"[^>]*>([^<]+)', page) == ["ZZ-1", "AX-0042", "AA-1"]


def test_the_number_of_queries_does_not_grow_with_the_connections(
    manager: Client, trial: Trial, connection: Connection, django_assert_max_num_queries: Any
) -> None:
    for number, person in enumerate(factories.ParticipantFactory.create_batch(5, trial=trial)):
        Connection.objects.create(
            participant=person, trial=trial, provider="vendor", external_user_id=f"x{number}", status="active"
        )
    with django_assert_max_num_queries(11):
        manager.get("/trials/STRIDE-2/sync/")


def test_a_connection_s_page_shows_what_was_read_last(manager: Client, connection: Connection) -> None:
    window(connection, 3, SyncWindow.State.DONE, finished_at=NOW, points=1800)
    page = text(manager.get(SYNC))
    assert "1,800" in page
    assert "scheduled" in page


def test_sync_now_makes_a_pass_due_and_starts_it(
    manager: Client, connection: Connection, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        page = text(manager.post(f"{SYNC}now/", follow=True))
    assert broker.sent("ingestion.sync_connection") == [(connection.pk,)]
    assert SyncWindow.objects.filter(connection=connection, state=SyncWindow.State.DUE).count() > 100
    assert "Started:" in page


def test_a_backfill_fetches_from_the_day_on_and_shows_its_progress(
    manager: Client, connection: Connection, participant: Participant
) -> None:
    Participant.objects.filter(pk=participant.pk).update(monitoring_starts_on=dt.date(2026, 11, 1))
    page = text(manager.post(f"{SYNC}backfill/", {"from": "2026-11-10"}, follow=True))
    oldest = SyncWindow.objects.filter(reason=SyncWindow.Reason.BACKFILL, data_type="heart").order_by("starts_at")[0]
    assert oldest.starts_at == dt.datetime(2026, 11, 9, 23, tzinfo=dt.UTC)
    assert "Fetching older data: 0 of" in page
    assert 'hx-trigger="every 2s"' in page


def test_the_progress_stops_asking_when_all_is_read(manager: Client, connection: Connection) -> None:
    window(connection, 3, SyncWindow.State.DONE, reason=SyncWindow.Reason.BACKFILL, finished_at=NOW)
    assert "every 2s" not in text(manager.get(SYNC, headers={"HX-Request": "true"}))


def test_progress_comes_as_a_part_of_the_page(manager: Client, connection: Connection) -> None:
    window(connection, 3, SyncWindow.State.DONE, reason=SyncWindow.Reason.BACKFILL, finished_at=NOW)
    window(connection, 4, SyncWindow.State.DUE, reason=SyncWindow.Reason.BACKFILL)
    part = text(manager.get(SYNC, headers={"HX-Request": "true"}))
    assert "1 of 2 data requests received" in part
    assert "<html" not in part


def test_a_backfill_without_a_day_says_what_is_missing(manager: Client, connection: Connection) -> None:
    assert "Choose the first day" in text(manager.post(f"{SYNC}backfill/", {"from": "soon"}, follow=True))


def test_failed_windows_are_tried_again(manager: Client, connection: Connection) -> None:
    made = window(connection, 1, SyncWindow.State.FAILED, error_code="http_500", finished_at=NOW, attempts=6)
    assert "Trying 1 failed data request again" in text(manager.post(f"{SYNC}requeue/", follow=True))
    made.refresh_from_db()
    assert (made.state, made.attempts) == (SyncWindow.State.DUE, 0)


def test_nothing_is_started_for_a_connection_that_is_not_active(manager: Client, connection: Connection) -> None:
    connections_services.disconnect(connection, reason="participant", now=timezone.now())
    page = text(manager.post(f"{SYNC}now/", follow=True))
    assert "the connection is not active" in page
    assert not SyncWindow.objects.exists()


def test_a_viewer_may_look_at_the_sync_pages(client: Client, trial: Trial, connection: Connection) -> None:
    looker = member(client, trial, Membership.Role.VIEWER)
    page = text(looker.get(SYNC))
    assert "Data requests" in page
    assert "Sync now" not in page


def test_data_that_came_otherwise_are_named_and_nobody_is_called_unconnected(
    manager: Client, participant: Participant
) -> None:
    store(participant, heart_rate(NOW - dt.timedelta(hours=3), 10))
    page = manager.get(PERSON).content.decode()
    assert "fitabase · Charge 6" in page
    assert "never connected" not in page


def test_without_any_data_they_are_unconnected(manager: Client) -> None:
    assert "never connected" in manager.get(PERSON).content.decode()


def test_who_never_connected_is_offered_another_invitation(manager: Client) -> None:
    made = fill("ALIKE", 1, 30, now=NOW, kind="unconnected", rollups=False)
    factories.MembershipFactory.create(trial=made, user_id=manager.session["_auth_user_id"])
    page = manager.get(f"/trials/ALIKE/participants/{made.participants.get().study_id}/").content.decode()
    assert "Invite again" in page


def test_where_a_simulator_plays_the_vendor_only_demo_trials_are_invited(
    manager: Client, vendor: Vendor, participant: Participant
) -> None:
    vendor.synthetic = True
    page = manager.post(PERSON + "invite/", follow=True).content.decode()
    assert "only participants of demo trials" in page
    assert not Invitation.objects.exists()
    Trial.objects.update(is_demo=True)
    manager.post(PERSON + "invite/")
    assert Invitation.objects.filter(participant=participant).exists()
