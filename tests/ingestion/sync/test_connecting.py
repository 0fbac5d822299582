"""From an invitation to a connection: who may, what is stored of it, and what is refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.core import signing
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from ingestion.connections import invitations
from ingestion.connections import services as connections_services
from ingestion.connections.invitations import InvitationRefused
from ingestion.connections.services import ConnectRefused
from ingestion.models import Connection, ConnectionEvent, Device, Invitation
from ingestion.providers.base.errors import AccessGone, BrokenResponse
from ingestion.providers.base.live import DataType, DeviceState, Grant
from metrics.models import ParticipantStatusSummary
from participants.models import AuditEntry, Consent, Participant, Trial
from participants.privacy import consent as privacy_consent
from participants.privacy import encryption
from tests.conftest import SetUpProviders
from tests.factories import ParticipantFactory, TrialFactory, UserFactory
from tests.ingestion.sync.conftest import connect
from tests.ingestion.sync.fake import TYPES, FakeVendor

DAY, MICRO = dt.timedelta(days=1), dt.timedelta(microseconds=1)
# In the evening in Amsterdam, the next morning in Auckland.
NOW = dt.datetime(2026, 11, 20, 19, 30, tzinfo=dt.UTC)
TODAY = dt.date(2026, 11, 20)
GRANT = Grant("access-new", "refresh-new", dt.datetime(2030, 1, 1, tzinfo=dt.UTC), frozenset({"move", "heart"}))

pytestmark = pytest.mark.django_db


class Vendor(FakeVendor):
    """The scripted vendor; its account and its devices are as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.owned: list[DeviceState] | Exception = super().devices("")
        self.types: Mapping[str, DataType] = TYPES

    @property
    def data_types(self) -> Mapping[str, DataType]:
        return self.types

    def devices(self, access_token: str) -> list[DeviceState]:
        if isinstance(self.owned, Exception):
            raise self.owned
        return self.owned


@pytest.fixture
def vendor(set_up_providers: SetUpProviders, settings: Settings) -> Vendor:
    made = Vendor()
    settings.TOKEN_KEYS = ["a-key-for-tests-that-is-long-enough"]
    set_up_providers(made)
    return made


@pytest.fixture
def participant(vendor: Vendor) -> Participant:
    return ParticipantFactory(status=Participant.Status.INVITED)


def invite(participant: Participant, now: dt.datetime = NOW) -> Invitation:
    return invitations.invitation_create(participant=participant, by=None, now=now)


def entries(action: str) -> list[tuple[int | None, str]]:
    return list(AuditEntry.objects.filter(action=action).order_by("pk").values_list("participant", "thing"))


def locked(requested: CaptureQueriesContext, table: str) -> list[str]:
    """How rows of a table were locked: the words after FOR."""
    return [query["sql"].partition(" FOR ")[2] for query in requested if f'FROM "{table}"' in query["sql"]]


# --- invitations -------------------------------------------------------------------------------------------------


def test_an_invitation_is_one_participant_s_by_one_user_for_so_many_days(
    participant: Participant, settings: Settings
) -> None:
    settings.INVITATION_DAYS = 10
    by = UserFactory()
    made = invitations.invitation_create(participant=participant, by=by, now=NOW)
    made.refresh_from_db()
    assert (made.participant, made.created_by, made.created_at) == (participant, by, NOW)
    assert made.expires_at == NOW + 10 * DAY
    assert (made.opened_at, made.used_at, made.cancelled_at) == (None, None, None)
    assert entries("invitation.create") == [(participant.pk, f"invitation:{made.pk}")]


def test_a_new_invitation_ends_the_open_ones_of_its_participant_and_no_others(participant: Participant) -> None:
    cancelled, used, opened = (invite(participant, NOW - n * DAY) for n in (5, 4, 3))
    theirs = invite(ParticipantFactory(trial=participant.trial))
    Invitation.objects.filter(participant=participant).update(cancelled_at=None)
    Invitation.objects.filter(pk=cancelled.pk).update(cancelled_at=NOW - DAY)
    Invitation.objects.filter(pk=used.pk).update(used_at=NOW - DAY)
    invite(participant)
    ends = dict(Invitation.objects.values_list("pk", "cancelled_at"))
    assert [ends[one.pk] for one in (cancelled, used, opened, theirs)] == [NOW - DAY, None, NOW, None]


def test_a_simulator_plays_for_demo_trials_alone(
    participant: Participant, vendor: Vendor, set_up_providers: SetUpProviders
) -> None:
    simulator = type("Simulator", (Vendor,), {"slug": "simulator", "synthetic": True})()
    set_up_providers(vendor, simulator)
    with pytest.raises(ValueError, match="only participants of demo trials"):
        invite(participant)
    assert not Invitation.objects.exists()
    Trial.objects.update(is_demo=True)
    participant.refresh_from_db()
    assert invite(Participant.objects.get(pk=participant.pk)).participant == participant


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "withdrawn", "withdrawn_on": TODAY}, "cannot be invited: they are withdrawn."),
        ({"status": "completed"}, "cannot be invited: they are completed."),
    ],
)
def test_who_has_left_is_not_invited_and_it_is_said_why(
    participant: Participant, change: dict[str, Any], words: str
) -> None:
    Participant.objects.filter(pk=participant.pk).update(**change)
    with pytest.raises(ValueError, match=f"^{participant.study_id} {words}$"):
        invite(participant)


def test_nobody_is_invited_to_a_trial_that_is_over(participant: Participant) -> None:
    Trial.objects.update(status=Trial.Status.CLOSED)
    with pytest.raises(
        ValueError, match=f"^{participant.study_id} cannot be invited: trial {participant.trial} is over.$"
    ):
        invite(participant)


def test_a_cancelled_invitation_stays_cancelled_since_then(participant: Participant) -> None:
    made = invite(participant)
    other = invite(ParticipantFactory(trial=participant.trial))
    with CaptureQueriesContext(database) as requested:
        invitations.invitation_cancel(made, now=NOW + DAY)
    assert "UPDATE" in locked(requested, "ingestion_invitation")
    assert made.cancelled_at == NOW + DAY
    stale = Invitation.objects.get(pk=made.pk)
    stale.cancelled_at = None
    invitations.invitation_cancel(stale, now=NOW + 2 * DAY)
    assert stale.cancelled_at == NOW + DAY
    assert Invitation.objects.get(pk=made.pk).cancelled_at == NOW + DAY
    assert Invitation.objects.get(pk=other.pk).cancelled_at is None
    assert entries("invitation.cancel") == [(participant.pk, f"invitation:{made.pk}")]


def test_an_invitation_that_was_used_is_not_cancelled(participant: Participant) -> None:
    made = invite(participant)
    Invitation.objects.update(used_at=NOW)
    with pytest.raises(ValueError, match="disconnect them instead"):
        invitations.invitation_cancel(made, now=NOW)
    assert Invitation.objects.get().cancelled_at is None
    assert entries("invitation.cancel") == []


def test_who_is_invited_or_let_in_is_held_meanwhile_and_the_trial_stays_open(
    participant: Participant, vendor: Vendor
) -> None:
    """What others do to them at once comes before or after: to withdraw them, to close the trial, to invite again."""
    with CaptureQueriesContext(database) as requested:
        made = invite(participant)
    assert locked(requested, "participants_participant")[0].startswith("NO KEY UPDATE")
    with CaptureQueriesContext(database) as requested:
        consent(participant, vendor, invitation=made)
    statements = [query["sql"] for query in requested]
    holding = next(n for n, sql in enumerate(statements) if "participants_participant" in sql and " FOR " in sql)
    inside = next(n for n, sql in enumerate(statements) if "pg_advisory_xact_lock_shared" in sql)
    stored = next(n for n, sql in enumerate(statements) if sql.startswith('INSERT INTO "ingestion_connection"'))
    assert holding < inside < stored
    with CaptureQueriesContext(database) as requested:
        invitations.invitation_cancel(invite(participant), now=NOW)
    assert len([sql for sql in locked(requested, "participants_participant") if sql]) == 2


# --- links -------------------------------------------------------------------------------------------------------


def code(*parts: object, salt: str = "ingestion.invitation") -> str:
    return signing.dumps(list(parts), salt=salt)


def refused(link: str, now: dt.datetime = NOW) -> str:
    with pytest.raises(InvitationRefused) as refusal:
        invitations.invitation_open(link, now=now)
    return refusal.value.code


def test_a_link_holds_its_invitation_signed_for_this_purpose(participant: Participant) -> None:
    made = invite(participant)
    link = invitations.invitation_code(made)
    assert signing.loads(link, salt="ingestion.invitation") == [made.pk, made.nonce]
    assert invitations.invitation_open(link, now=NOW) == made
    assert refused(code(made.pk, made.nonce, salt="another")) == "unknown"
    assert refused(signing.dumps([made.pk, made.nonce])) == "unknown"


def test_a_link_opens_with_both_its_halves_alone(participant: Participant) -> None:
    made, other = invite(participant), invite(ParticipantFactory(trial=participant.trial))
    assert invitations.invitation_open(code(other.pk, other.nonce), now=NOW) == other
    for parts in ((made.pk, other.nonce), (made.pk + other.pk, made.nonce), (made.pk,), (made.pk, made.nonce, 1), ()):
        assert refused(code(*parts)) == "unknown"
    assert refused(signing.dumps(5, salt="ingestion.invitation")) == "unknown"


def test_the_first_opening_is_noted_of_this_invitation(participant: Participant) -> None:
    made, other = invite(participant), invite(ParticipantFactory(trial=participant.trial))
    link = invitations.invitation_code(made)
    assert invitations.invitation_open(link, now=NOW).opened_at == NOW
    assert invitations.invitation_open(link, now=NOW + DAY).opened_at == NOW
    assert dict(Invitation.objects.values_list("pk", "opened_at")) == {made.pk: NOW, other.pk: None}


def test_of_two_openings_at_once_the_first_is_noted(participant: Participant) -> None:
    link = invitations.invitation_code(invite(participant))
    others = [NOW]

    def another_first(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if others and sql.startswith('UPDATE "ingestion_invitation"'):
            Invitation.objects.update(opened_at=others.pop())
        return execute(sql, *rest)

    with database.execute_wrapper(another_first):
        invitations.invitation_open(link, now=NOW + DAY)
    assert (others, Invitation.objects.get().opened_at) == ([], NOW)


def test_a_link_is_too_old_from_the_instant_at_which_it_ends(participant: Participant, settings: Settings) -> None:
    settings.INVITATION_DAYS = 14
    link = invitations.invitation_code(invite(participant))
    assert refused(link, NOW + 14 * DAY) == "expired"
    assert Invitation.objects.get().opened_at is None
    assert invitations.invitation_open(link, now=NOW + 14 * DAY - MICRO)


def test_of_several_reasons_why_a_link_does_not_open_the_first_is_told(participant: Participant) -> None:
    made = invite(participant)
    link = invitations.invitation_code(made)
    invitations.invitation_cancel(made, now=NOW)
    assert refused(link, NOW + 30 * DAY) == "cancelled"
    Trial.objects.update(status=Trial.Status.CLOSED)
    assert refused(link) == "study_over"
    Participant.objects.update(status="completed")
    assert refused(link) == "left"


# --- who may -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [("invited", ""), ("active", ""), ("paused", ""), ("withdrawn", "left"), ("completed", "left"), ("erased", "left")],
)
def test_who_takes_part_may_connect(participant: Participant, status: str, expected: str) -> None:
    participant.status = status
    assert invitations.refusal(participant, NOW) == expected


@pytest.mark.parametrize(
    ("zone", "last", "expected"),
    [
        ("Europe/Amsterdam", None, ""),
        ("Europe/Amsterdam", TODAY, ""),
        ("Europe/Amsterdam", TODAY - DAY, "study_over"),
        ("Pacific/Auckland", TODAY, "study_over"),
        ("Pacific/Auckland", TODAY + DAY, ""),
    ],
)
def test_a_trial_is_over_when_its_last_day_is_where_they_live(
    participant: Participant, zone: str, last: dt.date | None, expected: str
) -> None:
    participant.time_zone, participant.trial.ends_on = zone, last
    assert invitations.refusal(participant, NOW) == expected


def test_a_trial_that_was_closed_is_over_whatever_its_last_day(participant: Participant) -> None:
    participant.trial.status = Trial.Status.CLOSED
    assert invitations.refusal(participant, NOW) == "study_over"
    participant.trial.ends_on = TODAY + DAY
    assert invitations.refusal(participant, NOW) == "study_over"


def test_whose_own_monitoring_is_over_may_connect_still(participant: Participant) -> None:
    participant.monitoring_ends_on = TODAY - 30 * DAY
    assert invitations.refusal(participant, NOW) == ""


# --- connecting --------------------------------------------------------------------------------------------------


def consent(
    participant: Participant, vendor: Vendor, grant: Grant = GRANT, *, invitation: Invitation | None = None,
    now: dt.datetime = NOW,
) -> connections_services.Connected:  # fmt: skip
    return connections_services.connect(
        participant=participant, provider=vendor, grant=grant, now=now, invitation=invitation
    )


def turned_away(participant: Participant, vendor: Vendor, grant: Grant = GRANT, **more: Any) -> str:
    with pytest.raises(ConnectRefused) as refusal:
        consent(participant, vendor, grant, **more)
    return refusal.value.code


def test_a_consent_is_stored_as_it_was_given(participant: Participant, vendor: Vendor) -> None:
    made = invite(participant)
    other = invite(ParticipantFactory(trial=participant.trial))
    with CaptureQueriesContext(database) as requested:
        found = consent(participant, vendor, invitation=made)
    mine = Connection.objects.get()
    assert (found.connection, found.missing, found.devices) == (mine, (), 1)
    assert (mine.participant, mine.trial, mine.provider, mine.external_user_id) == (
        participant, participant.trial, "fake", "user-1",
    )  # fmt: skip
    assert (mine.scopes, mine.token_expires_at) == (["heart", "move"], GRANT.expires_at)
    assert json.loads(encryption.decrypt(mine.encrypted_tokens)) == ["access-new", "refresh-new"]
    assert (mine.status, mine.status_since, mine.status_reason) == ("active", NOW, "connected")
    assert (mine.connected_at, mine.next_due_at) == (NOW, NOW)
    assert list(Device.objects.values_list("external_id", "seen_at")) == [("d1", NOW)]
    assert list(ConnectionEvent.objects.values_list("status", "reason", "at")) == [("active", "connected", NOW)]
    assert dict(Invitation.objects.values_list("pk", "used_at")) == {made.pk: NOW, other.pk: None}
    assert Participant.objects.get(pk=participant.pk).status == "active"
    assert ParticipantStatusSummary.objects.get().updated_at == NOW
    assert "NO KEY UPDATE" in locked(requested, "ingestion_connection")
    assert "UPDATE" in locked(requested, "ingestion_invitation")


def test_who_pauses_goes_on_pausing(participant: Participant, vendor: Vendor) -> None:
    Participant.objects.update(status=Participant.Status.PAUSED)
    participant.refresh_from_db()
    consent(participant, vendor)
    assert Participant.objects.get(pk=participant.pk).status == "paused"


def test_a_renewed_connection_begins_anew_but_for_when_they_first_connected(
    participant: Participant, vendor: Vendor
) -> None:
    consent(participant, vendor, now=NOW - 30 * DAY)
    Connection.objects.update(
        status="reconnect", busy_until=NOW + DAY, swept_at=NOW - DAY, next_due_at=None, give_back_at=NOW, scopes=[]
    )
    later = Grant("access-later", "refresh-later", NOW + DAY, frozenset({"heart"}))
    assert consent(participant, vendor, later).missing == ("walk",)
    mine = Connection.objects.get()
    assert (mine.connected_at, mine.status, mine.status_since) == (NOW - 30 * DAY, "active", NOW)
    assert (mine.next_due_at, mine.busy_until, mine.swept_at, mine.give_back_at) == (NOW, None, None, None)
    assert (mine.scopes, mine.token_expires_at) == (["heart"], NOW + DAY)
    assert json.loads(encryption.decrypt(mine.encrypted_tokens)) == ["access-later", "refresh-later"]


@pytest.mark.parametrize("scopes", [None, frozenset[str](), frozenset({"weight"})])
def test_a_consent_to_nothing_we_ask_for_is_refused_and_there_is_nothing_to_give_back(
    participant: Participant, vendor: Vendor, scopes: frozenset[str] | None
) -> None:
    assert turned_away(participant, vendor, dataclasses.replace(GRANT, scopes=scopes)) == "nothing_allowed"
    assert vendor.revoked == []


def test_a_grant_that_cannot_be_renewed_is_refused_and_given_back_by_what_there_is(
    participant: Participant, vendor: Vendor
) -> None:
    assert turned_away(participant, vendor, dataclasses.replace(GRANT, refresh_token=None)) == "no_refresh_token"
    assert vendor.revoked == ["access-new"]


@pytest.mark.parametrize("owned", [[], AccessGone(AccessGone.ACCOUNT_NOT_LINKED)])
def test_an_account_without_a_device_is_refused_and_given_back(
    participant: Participant, vendor: Vendor, owned: list[DeviceState] | Exception
) -> None:
    vendor.owned = owned
    assert turned_away(participant, vendor) == "no_device"
    assert (vendor.revoked, Connection.objects.count()) == (["refresh-new"], 0)


def test_who_does_not_show_their_devices_is_connected_without(participant: Participant, vendor: Vendor) -> None:
    vendor.owned = AccessGone(AccessGone.SCOPE_MISSING)
    assert consent(participant, vendor).devices == 0
    assert (Connection.objects.get().status, Device.objects.count()) == ("active", 0)


def test_a_vendor_that_takes_no_grant_back_does_not_hide_why_it_was_refused(
    participant: Participant, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.owned, vendor.revoke_error = [], BrokenResponse("http_500")
    assert turned_away(participant, vendor) == "no_device"
    assert "could not be given back to Fake Vendor: http_500" in caplog.text


# --- whose account -----------------------------------------------------------------------------------------------


def elsewhere(participant: Participant, **changes: Any) -> Connection:
    """Somebody's connection that is there already: with the account, at this vendor, live."""
    fields = {"provider": "fake", "external_user_id": "user-1", "status": "active", **changes}
    return Connection.objects.create(participant=participant, trial=participant.trial, **fields)


@pytest.mark.parametrize(
    ("status", "person_status", "taken"),
    [
        ("active", "active", True),
        ("reconnect", "active", True),
        ("revoked", "active", True),
        ("revoked", "paused", True),
        ("active", "completed", True),
        ("revoked", "completed", False),
        ("revoked", "withdrawn", False),
    ],
)
def test_an_account_is_another_s_while_they_take_part_or_are_connected(
    participant: Participant, vendor: Vendor, status: str, person_status: str, taken: bool
) -> None:
    other = ParticipantFactory(
        trial=participant.trial, status=person_status, withdrawn_on=TODAY if person_status == "withdrawn" else None
    )
    elsewhere(other, status=status)
    if taken:
        assert turned_away(participant, vendor) == "account_taken"
    else:
        assert consent(participant, vendor).connection.external_user_id == "user-1"


def test_whose_account_it_is_comes_before_what_devices_it_has(participant: Participant, vendor: Vendor) -> None:
    elsewhere(ParticipantFactory(trial=participant.trial), status="revoked")
    vendor.owned = BrokenResponse("not to be asked")
    assert turned_away(participant, vendor) == "account_taken"


def test_the_account_in_another_trial_at_another_vendor_or_of_another_name_is_no_hindrance(
    participant: Participant, vendor: Vendor
) -> None:
    elsewhere(ParticipantFactory(trial=TrialFactory()))
    elsewhere(ParticipantFactory(trial=participant.trial), provider="other")
    elsewhere(ParticipantFactory(trial=participant.trial), external_user_id="user-2")
    elsewhere(participant, provider="other", external_user_id="user-3")
    assert consent(participant, vendor).connection.external_user_id == "user-1"
    assert Connection.objects.filter(participant=participant).count() == 2


@pytest.mark.parametrize(("known", "expected"), [("user-2", "other_account"), ("user-1", ""), ("", "")])
def test_they_keep_their_account_until_it_is_released(
    participant: Participant, vendor: Vendor, known: str, expected: str
) -> None:
    elsewhere(participant, external_user_id=known, status="revoked")
    if expected:
        assert turned_away(participant, vendor) == expected
        assert Connection.objects.get().external_user_id == known
    else:
        assert consent(participant, vendor).connection.external_user_id == "user-1"


def test_a_refused_grant_of_an_account_that_is_connected_elsewhere_is_not_ended(
    participant: Participant, vendor: Vendor
) -> None:
    connect(NOW, user="user-1")
    vendor.owned = []
    assert turned_away(participant, vendor) == "no_device"
    assert vendor.revoked == []


# --- what the invitation says when the vendor has answered -----------------------------------------------------------


def take_away(invitation: Invitation) -> None:
    Invitation.objects.filter(pk=invitation.pk).delete()


def cancel(invitation: Invitation) -> None:
    Invitation.objects.filter(pk=invitation.pk).update(cancelled_at=NOW)


def nothing(invitation: Invitation) -> None:
    pass


@pytest.mark.parametrize(
    ("act", "after", "expected"),
    [(take_away, 0 * DAY, "cancelled"), (cancel, 0 * DAY, "cancelled"), (nothing, 14 * DAY, "expired")],
)
def test_an_invitation_that_does_not_hold_any_more_lets_nobody_in(
    participant: Participant, vendor: Vendor, act: Callable[[Invitation], None], after: dt.timedelta, expected: str
) -> None:
    made = invite(participant)
    held = Invitation.objects.get(pk=made.pk)
    other = invite(ParticipantFactory(trial=participant.trial))
    act(made)
    assert turned_away(participant, vendor, invitation=held, now=NOW + after) == expected
    assert (vendor.revoked, Connection.objects.count()) == (["refresh-new"], 0)
    assert not Invitation.objects.filter(pk=other.pk).exclude(used_at=None).exists()


@pytest.mark.parametrize(("zone", "expected"), [("Europe/Amsterdam", ""), ("Pacific/Auckland", "consent_missing")])
def test_they_must_have_agreed_to_what_is_in_force_where_they_live(
    participant: Participant, vendor: Vendor, zone: str, expected: str
) -> None:
    first = privacy_consent.document_add(
        participant.trial, version="1", title="Consent", effective_on=dt.date(2026, 1, 1)
    )
    privacy_consent.document_add(participant.trial, version="2", title="Consent", effective_on=TODAY + DAY)
    privacy_consent.consent_give(participant, first, how=Consent.How.ONLINE)
    Participant.objects.update(time_zone=zone)
    made = invite(Participant.objects.get(pk=participant.pk))
    if expected:
        assert turned_away(made.participant, vendor, invitation=made) == expected
    else:
        assert consent(made.participant, vendor, invitation=made).connection.status == "active"


def test_who_was_not_invited_is_not_asked_for_a_consent_of_ours(participant: Participant, vendor: Vendor) -> None:
    privacy_consent.document_add(participant.trial, version="1", title="Consent", effective_on=dt.date(2026, 1, 1))
    assert consent(participant, vendor).connection.status == "active"
