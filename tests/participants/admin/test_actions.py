"""Acts in the administration: each asks first, says whom it touches, and goes through a service."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ingestion.connections import invitations
from ingestion.models import Connection, Invitation, SyncWindow
from participants.models import (
    ApiToken,
    AuditEntry,
    ConsentDocument,
    Membership,
    Participant,
    Pause,
    Protocol,
    Trial,
    User,
)
from participants.privacy import contacts
from tests import factories

PEOPLE = "admin:participants_participant_changelist"


def act(client: Client, name: str, *rows: Any, at: str = PEOPLE, confirmed: bool = True, **asked: str) -> Any:
    data = {"action": name, "_selected_action": [row.pk for row in rows], **asked}
    return client.post(reverse(at), {**data, "confirmed": "yes"} if confirmed else data)


def recorded(action: str) -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(action=action).select_related("detail").order_by("pk")
    return [(entry.detail.subject, entry.detail.reason) for entry in entries]


@pytest.mark.parametrize("name", ["begin", "pausethem", "endpause", "complete", "withdraw", "invite"])
def test_nothing_is_done_before_it_is_confirmed(enroller: Client, participant: Participant, name: str) -> None:
    Participant.objects.update(status="invited")
    page = act(enroller, name, participant, confirmed=False)
    assert "AX-0042" in page.content.decode()
    assert Participant.objects.get().status == "invited"
    assert not Pause.objects.exists()
    assert not Invitation.objects.exists()


def test_a_withdrawal_asks_for_day_and_reason(enroller: Client, participant: Participant) -> None:
    page = act(enroller, "withdraw", participant, on="", reason="")
    assert page.status_code == 400
    assert Participant.objects.get().status == "active"


def test_who_is_chosen_is_withdrawn_and_who_has_left_is_left_out(enroller: Client, participant: Participant) -> None:
    gone = factories.ParticipantFactory.create(trial=participant.trial, study_id="AX-0001", status="withdrawn")
    page = act(enroller, "withdraw", participant, gone, confirmed=False).content.decode()
    assert "Left out" in page
    act(enroller, "withdraw", participant, gone, on="2026-11-20", reason="moved away")
    participant.refresh_from_db()
    assert (participant.status, str(participant.withdrawn_on)) == ("withdrawn", "2026-11-20")
    assert recorded("participant.withdraw") == [("AX-0042", "moved away")]


def test_a_pause_begins_and_ends(enroller: Client, participant: Participant) -> None:
    act(enroller, "pausethem", participant, on="2026-11-01", until="", reason="holiday")
    act(enroller, "endpause", participant, on="2026-11-09", reason="back")
    pause = Pause.objects.get()
    assert (str(pause.starts_on), str(pause.ends_on)) == ("2026-11-01", "2026-11-09")
    assert recorded("pause.begin") == [("AX-0042", "holiday")]
    assert recorded("pause.end") == [("AX-0042", "back")]


def test_one_that_is_refused_is_told_and_holds_up_nobody(enroller: Client, participant: Participant) -> None:
    other = factories.ParticipantFactory.create(trial=participant.trial)
    Pause.objects.create(participant=participant, starts_on="2026-11-01", reason="holiday")
    answer = act(enroller, "pausethem", participant, other, on="2026-11-05", until="", reason="hospital")
    page = enroller.get(answer.url).content.decode()
    assert "1 paused." in page
    assert "AX-0042 is paused then already." in page
    assert other.pauses.count() == 1


def test_who_is_done_is_completed(enroller: Client, participant: Participant) -> None:
    act(enroller, "complete", participant, on="2026-11-20", reason="end of study")
    participant.refresh_from_db()
    assert (participant.status, str(participant.monitoring_ends_on)) == ("completed", "2026-11-20")


def test_links_come_as_printable_invitations_once(enroller: Client, participant: Participant) -> None:
    other = factories.ParticipantFactory.create(trial=participant.trial, study_id="AX-0043")
    page = act(enroller, "invite", participant, other, how="letters")
    html = page.content.decode()
    assert html.count("<article") == 2
    assert "/connect/" in html
    assert "no-store" in page.headers["Cache-Control"]
    assert recorded("invitation.create") == [("AX-0042", ""), ("AX-0043", "")]


def test_each_invitation_is_in_the_language_of_its_participant(
    enroller: Client, participant: Participant, settings: Any
) -> None:
    settings.TOKEN_KEYS = ["a key for tests"]
    other = factories.ParticipantFactory.create(trial=participant.trial, study_id="AX-0043")
    contacts.contact_store(other, name="Zwaantje", language="nl")
    html = act(enroller, "invite", participant, other, how="letters").content.decode()
    assert "Please connect your watch to the" in html
    assert '<article class="wt-invitation" lang="nl">' in html
    assert "Verbind uw horloge met het onderzoek" in html
    assert "Print them now" in html  # for staff


def test_links_come_as_a_file_for_a_mail_merge(enroller: Client, participant: Participant) -> None:
    answer = act(enroller, "invite", participant, how="csv")
    [row] = csv.DictReader(io.StringIO(answer.content.decode()))
    assert row["study_id"] == "AX-0042"
    code = row["link"].rstrip("/").rsplit("/", 1)[1]
    assert invitations.invitation_open(code, now=timezone.now()).participant == participant


def test_a_link_is_cancelled(enroller: Client, everything: Participant) -> None:
    made = Invitation.objects.get()
    act(enroller, "cancelinvitation", made, at="admin:ingestion_invitation_changelist")
    made.refresh_from_db()
    assert made.cancelled_at


def test_a_connection_is_ended_by_administrators_and_not_by_enrolment_staff(
    enroller: Client, administrator: Client, everything: Participant
) -> None:
    made = Connection.objects.get()
    Connection.objects.update(encrypted_tokens="")
    at = "admin:ingestion_connection_changelist"
    act(enroller, "disconnect", made, at=at)
    assert Connection.objects.get().status == "active"
    act(administrator, "disconnect", made, at=at)
    assert Connection.objects.get().status == "revoked"


def test_a_window_of_a_connection_that_cannot_be_asked_is_left_out(
    administrator: Client, everything: Participant
) -> None:
    Connection.objects.update(status="reconnect")
    at = "admin:ingestion_syncwindow_changelist"
    page = act(administrator, "readagain", SyncWindow.objects.get(), at=at).content.decode()
    assert "its connection is not active" in page


def test_a_token_is_revoked(administrator: Client, everything: Participant) -> None:
    act(administrator, "revoke", ApiToken.objects.get(), at="admin:participants_apitoken_changelist")
    assert ApiToken.objects.get().revoked_at
    assert AuditEntry.objects.filter(action="token.revoke").exists()


def test_a_change_is_recorded_with_its_reason(enroller: Client, participant: Participant) -> None:
    form = {"study_id": "AX-0042", "arm": "walking", "site": "", "time_zone": "Europe/Amsterdam"}
    page = reverse("admin:participants_participant_change", args=[participant.pk])
    enroller.post(page, {**form, "audit_reason": "wrong envelope", "pauses-TOTAL_FORMS": 0, "pauses-INITIAL_FORMS": 0})
    assert Participant.objects.get().arm == "walking"
    assert recorded("participant.update") == [("AX-0042", "wrong envelope")]
    entry = AuditEntry.objects.get(action="participant.update")
    assert entry.via == "admin"
    assert entry.actor_name.startswith("user")


def test_another_role_is_another_membership(administrator: Client, participant: Participant) -> None:
    before = factories.MembershipFactory.create(trial=participant.trial, role="viewer")
    page = reverse("admin:participants_membership_change", args=[before.pk])
    administrator.post(page, {"role": "coordinator", "site": "", "digest_at": "07:00", "audit_reason": "trained"})
    assert list(Membership.objects.order_by("pk").values_list("role", flat=True)) == ["viewer", "coordinator"]
    assert Membership.objects.filter(ended_at=None).count() == 1


def test_a_version_of_a_protocol_starts_from_another(administrator: Client, participant: Participant) -> None:
    protocol = Protocol.objects.get()
    Protocol.objects.update(valid_day_minutes=480)
    shown = administrator.get(reverse("admin:participants_protocol_add"), {"from": protocol.pk}).content.decode()
    assert 'name="valid_day_minutes" value="480"' in shown
    page = reverse("admin:participants_protocol_change", args=[protocol.pk])
    assert "New version from this one" in administrator.get(page).content.decode()
    assert administrator.post(page, {"valid_day_minutes": 1}).status_code == 403


def test_the_audit_trail_is_searched_by_whom_it_concerns(administrator: Client, everything: Participant) -> None:
    page = administrator.get(reverse("admin:participants_auditentry_changelist"), {"q": "AX-0042"}).content.decode()
    assert "pause.begin" in page


def test_a_consent_document_is_added_and_never_edited(superuser: Client, trial: Trial) -> None:
    asked = {"trial": trial.pk, "version": "1.0", "title": "Information", "text": "…", "effective_on": "2026-11-01"}
    assert superuser.post(reverse("admin:participants_consentdocument_add"), asked).status_code == 302
    made = ConsentDocument.objects.get()
    assert (
        superuser.post(reverse("admin:participants_consentdocument_change", args=[made.pk]), asked).status_code == 403
    )
    assert AuditEntry.objects.filter(action="consent_document.add").count() == 1


def test_what_a_form_alone_saves_is_recorded_without_a_password(superuser: Client) -> None:
    asked = {
        "email": "new@example.org",
        "usable_password": "true",
        "password1": "long-enough-1x",
        "password2": "long-enough-1x",
    }
    assert superuser.post(reverse("admin:participants_user_add"), asked).status_code == 302
    made = User.objects.get(email="new@example.org")
    change = {"email": made.email, "is_active": "on", "is_staff": "on", "first_name": "", "last_name": ""}
    assert superuser.post(reverse("admin:participants_user_change", args=[made.pk]), change).status_code == 302
    told = AuditEntry.objects.filter(thing=f"user:{made.pk}").select_related("detail").order_by("pk")
    assert [entry.action for entry in told] == ["user.add", "user.change"]
    assert told[1].detail.new["is_staff"] is True
    assert "long-enough-1x" not in str([vars(entry.detail) for entry in told])


def test_a_password_that_staff_set_is_recorded(superuser: Client) -> None:
    user = factories.UserFactory.create()
    page = reverse("admin:auth_user_password_change", args=[user.pk])
    asked = {"usable_password": "true", "password1": "long-enough-1x", "password2": "long-enough-1x"}
    assert superuser.post(page, asked).status_code == 302
    assert AuditEntry.objects.filter(action="user.set_password", thing=f"user:{user.pk}").exists()
