"""What happens while a vendor is asked: the answer is for nobody who has left meanwhile, and nothing of it is kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

import pytest

from ingestion.connections import invitations
from ingestion.connections import services as connections_services
from ingestion.connections.services import ConnectRefused
from ingestion.models import Connection, Device, DeviceReading, Fingerprint, Invitation, SyncWindow
from ingestion.providers.base.live import Grant
from ingestion.sync import dispatch
from ingestion.sync.run import run_sync
from metrics.models import Measurement
from participants.models import Consent, Erasure, Participant, Trial
from participants.privacy import consent as privacy_consent
from participants.privacy import erasure as privacy_erasure
from participants.services import participant_complete, participant_withdraw, trial_update
from tests.actors import all_at_once, another_user, at_once, refused
from tests.factories import ParticipantFactory, UserFactory
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import FakeVendor

pytestmark = pytest.mark.django_db(transaction=True)
GRANT = Grant("access-new", "refresh-new", dt.datetime(2030, 1, 1, tzinfo=dt.UTC), frozenset({"heart", "move"}))
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def participant(vendor: FakeVendor, settings: object, tmp_path: object) -> Participant:
    settings.ERASURE_JOURNAL = f"{tmp_path}/erasures.jsonl"  # type: ignore[attr-defined]
    return ParticipantFactory(status=Participant.Status.INVITED)


@pytest.fixture
def invitation(participant: Participant, now: dt.datetime) -> Invitation:
    return invitations.invitation_create(participant=participant, by=None, now=now)


def consent(
    invitation: Invitation, vendor: FakeVendor, now: dt.datetime, grant: Grant = GRANT
) -> connections_services.Connected:
    """As the callback does it: with what was read before the vendor is asked."""
    known = Invitation.objects.select_related("participant__trial").get(pk=invitation.pk)
    return connections_services.connect(
        participant=known.participant, provider=vendor, grant=grant, now=now, invitation=known
    )


def during(vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have somebody else do something while the vendor is asked for the devices."""
    answer = vendor.devices

    def devices(access_token: str) -> object:
        another_user(act)
        return answer(access_token)

    monkeypatch.setattr(vendor, "devices", devices)


def withdraw(participant: Participant) -> None:
    participant_withdraw(Participant.objects.get(pk=participant.pk), on=dt.date(2026, 11, 1))


def erase(participant: Participant) -> None:
    requested = privacy_erasure.erasure_request(
        Participant.objects.get(pk=participant.pk), by=UserFactory(), reason="letter"
    )
    Erasure.objects.filter(pk=requested.pk).update(state=Erasure.State.APPROVED, decided_by=UserFactory())
    privacy_erasure.erase(requested.pk)


def complete(participant: Participant) -> None:
    participant_complete(Participant.objects.get(pk=participant.pk), on=dt.date(2026, 11, 1))


def close(participant: Participant) -> None:
    trial_update(participant.trial, status=Trial.Status.CLOSED)


def invite_anew(participant: Participant) -> None:
    invitations.invitation_create(participant=participant, by=None, now=dt.datetime.now(dt.UTC))


def new_version(participant: Participant) -> None:
    privacy_consent.document_add(participant.trial, version="2", title="Consent", effective_on=dt.date(2026, 1, 1))


MEANWHILE = {
    "left": [withdraw, erase, complete],
    "study_over": [close],
    "cancelled": [invite_anew],
    "consent_missing": [new_version],
}


@pytest.mark.parametrize(("act", "code"), [(act, code) for code, acts in MEANWHILE.items() for act in acts])
def test_a_consent_that_comes_too_late_is_refused_and_nothing_of_it_remains(
    participant: Participant, invitation: Invitation, vendor: FakeVendor, now: dt.datetime,
    monkeypatch: pytest.MonkeyPatch, act: Callable[[Participant], None], code: str,
) -> None:  # fmt: skip
    during(vendor, monkeypatch, lambda: act(participant))
    with pytest.raises(ConnectRefused) as refusal:
        consent(invitation, vendor, now)
    after = Participant.objects.get(pk=participant.pk)
    assert refusal.value.code == code
    assert vendor.revoked == ["refresh-new"]
    assert (Connection.objects.count(), Device.objects.count()) == (0, 0)
    assert after.status != Participant.Status.ACTIVE
    assert not Invitation.objects.exclude(used_at=None).exists()


def test_a_refused_grant_of_an_account_that_serves_elsewhere_is_kept(
    participant: Participant,
    invitation: Invitation,
    vendor: FakeVendor,
    now: dt.datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(now, user="user-1")
    during(vendor, monkeypatch, lambda: withdraw(participant))
    with pytest.raises(ConnectRefused, match="left"):
        consent(invitation, vendor, now)
    assert vendor.revoked == []


def test_another_account_that_was_connected_meanwhile_is_not_replaced(
    participant: Participant,
    invitation: Invitation,
    vendor: FakeVendor,
    now: dt.datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two consents at once with two accounts: data of two people must not come under one id."""

    def other() -> None:
        Connection.objects.create(
            participant=participant, trial=participant.trial, provider="fake", external_user_id="user-2",
            status="active", encrypted_tokens="of user-2",
        )  # fmt: skip

    during(vendor, monkeypatch, other)
    with pytest.raises(ConnectRefused, match="other_account"):
        consent(invitation, vendor, now)
    mine = Connection.objects.get()
    assert (mine.external_user_id, mine.encrypted_tokens, vendor.revoked) == ("user-2", "of user-2", ["refresh-new"])


def test_two_consents_with_one_account_at_once_make_one_connection(
    participant: Participant, invitation: Invitation, vendor: FakeVendor, now: dt.datetime
) -> None:
    made = at_once(2, lambda: consent(invitation, vendor, now).connection.pk)
    assert len(set(made)) == Connection.objects.count() == 1


def test_connecting_and_withdrawing_at_once_leaves_nobody_connected(
    participant: Participant, invitation: Invitation, vendor: FakeVendor, now: dt.datetime
) -> None:
    connecting = refused(ConnectRefused)(partial(consent, invitation, vendor, now))
    all_at_once(connecting, refused(ValueError)(partial(withdraw, participant)))
    participant.refresh_from_db()
    assert participant.status == Participant.Status.WITHDRAWN
    assert not Connection.objects.exclude(status=Connection.Status.REVOKED).exists()
    assert not Connection.objects.exclude(encrypted_tokens="").exists()


def test_of_two_invitations_at_once_one_link_works(participant: Participant, now: dt.datetime) -> None:
    at_once(2, lambda: invitations.invitation_create(participant=participant, by=None, now=now).pk)
    assert Invitation.objects.filter(cancelled_at=None).count() == 1


@pytest.mark.parametrize("status", ["withdrawn", "erased", "completed"])
def test_who_has_left_is_not_invited(participant: Participant, now: dt.datetime, status: str) -> None:
    stale = Participant.objects.select_related("trial").get(pk=participant.pk)
    Participant.objects.update(status=status)
    with pytest.raises(ValueError, match="cannot be invited"):
        invitations.invitation_create(participant=stale, by=None, now=now)


# --- a worker in flight ------------------------------------------------------------------------------------------


def at_the_first_request(vendor: FakeVendor, act: Callable[[], object]) -> None:
    """Have somebody else do something while the vendor is asked for data the first time."""

    def before() -> None:
        vendor.before = lambda: None
        another_user(act)

    vendor.before = before


def left(mine: Connection) -> None:
    participant_withdraw(Participant.objects.get(pk=mine.participant_id), on=dt.date(2026, 11, 1))


def stopped(mine: Connection) -> None:
    connections_services.disconnect(
        Connection.objects.get(pk=mine.pk), reason="participant", now=dt.datetime.now(dt.UTC)
    )


def over(mine: Connection) -> None:
    trial_update(mine.trial, status=Trial.Status.CLOSED)


@pytest.mark.parametrize("act", [left, stopped, over])
def test_what_a_worker_was_reading_when_it_ended_is_not_stored(
    vendor: FakeVendor, now: dt.datetime, act: Callable[[Connection], None]
) -> None:
    mine = connect(now)
    vendor.points["pulse"][now - 3 * HOUR] = 60.0
    start = now.replace(minute=0) - 3 * HOUR
    for kind in ("read", "look"):
        SyncWindow.objects.create(
            connection=mine, data_type="pulse", kind=kind, starts_at=start, ends_at=start + HOUR, due_at=now,
            reason="scheduled",
        )  # fmt: skip
    at_the_first_request(vendor, partial(act, mine))
    outcome = run_sync(mine.pk)
    assert outcome.note == "ended meanwhile"
    assert (Measurement.objects.count(), Fingerprint.objects.count()) == (0, 0)
    assert not SyncWindow.objects.filter(state="done").exists()


@pytest.mark.parametrize("act", [left, stopped, over])
def test_devices_that_the_vendor_told_of_when_it_ended_are_not_kept(
    vendor: FakeVendor, now: dt.datetime, monkeypatch: pytest.MonkeyPatch, act: Callable[[Connection], None]
) -> None:
    mine = connect(now)
    during(vendor, monkeypatch, lambda: act(mine))
    dispatch.serve(mine.pk)
    assert (Device.objects.count(), DeviceReading.objects.count()) == (0, 0)


def test_windows_of_a_connection_that_ended_meanwhile_wait_for_nobody(vendor: FakeVendor, now: dt.datetime) -> None:
    mine = connect(now)
    at_the_first_request(vendor, partial(stopped, mine))
    dispatch.serve(mine.pk)
    assert not SyncWindow.objects.filter(state__in=("due", "claimed")).exists()


@pytest.mark.parametrize(("seconds", "refreshes"), [(30, 1), (90, 0)])
def test_a_token_that_is_about_to_run_out_is_refreshed_beforehand(
    vendor: FakeVendor, now: dt.datetime, seconds: int, refreshes: int
) -> None:
    mine = connect(now, token_hours=seconds / 3600)
    connections_services.fresh_token(mine, vendor)
    assert vendor.refreshes == refreshes


def test_consent_is_asked_of_who_was_invited_and_not_of_who_was_not(
    participant: Participant, invitation: Invitation, vendor: FakeVendor, now: dt.datetime
) -> None:
    document = privacy_consent.document_add(
        participant.trial, version="1", title="Consent", effective_on=dt.date(2026, 1, 1)
    )
    privacy_consent.consent_give(participant, document, how=Consent.How.ONLINE)
    assert consent(invitation, vendor, now).connection.status == Connection.Status.ACTIVE
