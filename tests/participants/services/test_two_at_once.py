"""Two people at once: who comes second finds what the first has done, is told so, and nothing is done twice."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from dashboards.messaging import services as messaging_services
from dashboards.models import Outreach
from participants.locks import lock_trial_shared
from participants.models import AuditEntry, Consent, Erasure, Membership, Participant, Pause, Protocol, Trial
from participants.privacy import consent, contacts
from participants.privacy import erasure as privacy_erasure
from participants.services import (
    EnrolmentError,
    membership_grant,
    participant_begin,
    participant_complete,
    participant_enrol,
    participant_update,
    participant_withdraw,
    pause_begin,
    pause_change,
    pause_end,
    pause_remove,
    protocol_revise,
    site_create,
    trial_update,
)
from tests.actors import all_at_once, another_user, at_once, refused
from tests.factories import ParticipantFactory, TrialFactory, UserFactory

pytestmark = pytest.mark.django_db
seen_by_others = pytest.mark.django_db(transaction=True)
MAY_4 = dt.date(2026, 5, 4)
ONE_DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _keys(settings: Any) -> None:
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]


def entries(action: str) -> int:
    return AuditEntry.objects.filter(action=action).count()


def fresh(person: Participant) -> Participant:
    """The same participant as another page has read them."""
    read: Participant = Participant.objects.select_related("trial").get(pk=person.pk)
    return read


# --- at the same moment ------------------------------------------------------------------------------------------


@seen_by_others
def test_of_three_pauses_of_the_same_days_one_is_kept() -> None:
    person = ParticipantFactory()
    pause = refused(ValueError)(lambda: pause_begin(fresh(person), starts_on=MAY_4, reason="holidays"))
    said = at_once(3, pause)
    assert sorted(said) == sorted(["done", *[f"{person.study_id} is paused then already."] * 2])
    assert (Pause.objects.count(), entries("pause.begin")) == (1, 1)


@seen_by_others
def test_of_three_withdrawals_one_is_recorded() -> None:
    person = ParticipantFactory()
    said = at_once(3, refused(ValueError)(lambda: participant_withdraw(fresh(person), on=MAY_4)))
    assert sorted(said) == sorted(["done", *[f"{person.study_id} is withdrawn from 2026-05-04 on already."] * 2])
    assert entries("participant.withdraw") == 1


@seen_by_others
def test_of_two_requests_for_erasure_one_is_kept() -> None:
    person = ParticipantFactory()
    users = [UserFactory(), UserFactory()]
    ask = [partial(privacy_erasure.erasure_request, fresh(person), by=user, reason="letter") for user in users]
    said = all_at_once(*map(refused(privacy_erasure.ErasureRefused), ask))
    assert sorted(said) == ["An erasure was requested already.", "done"]
    assert Erasure.objects.count() == 1


@seen_by_others
def test_of_two_who_complete_and_withdraw_both_are_told_what_holds() -> None:
    person = ParticipantFactory()
    said = all_at_once(
        refused(ValueError)(lambda: participant_complete(fresh(person), on=MAY_4)),
        refused(ValueError)(lambda: participant_withdraw(fresh(person), on=MAY_4)),
    )
    person.refresh_from_db()
    assert person.status == Participant.Status.WITHDRAWN
    assert said[1] == "done"
    assert entries("participant.complete") == (said[0] == "done")


@seen_by_others
def test_of_two_versions_of_a_protocol_each_has_a_number() -> None:
    trial = TrialFactory()
    days = iter((MAY_4, MAY_4 + ONE_DAY))

    def revise() -> int:
        made = Protocol(trial=trial, effective_on=next(days))
        return protocol_revise(made, today=MAY_4 - ONE_DAY).version

    assert sorted(at_once(2, revise)) == [2, 3]


@seen_by_others
def test_of_two_memberships_of_one_person_one_is_granted() -> None:
    trial, user = TrialFactory(), UserFactory()
    said = at_once(
        2, refused(ValidationError)(lambda: membership_grant(user=user, trial=trial, role=Membership.Role.VIEWER))
    )
    assert "done" in said
    assert Membership.objects.count() == 1


@seen_by_others
def test_of_two_sites_of_one_code_one_is_made() -> None:
    trial = TrialFactory()
    said = at_once(2, refused(ValidationError)(lambda: site_create(trial=trial, code="AMS", name="Amsterdam")))
    assert "done" in said
    assert trial.sites.count() == 1


# --- on what was read before -------------------------------------------------------------------------------------

Act = Callable[[Participant], object]
AFTER_WITHDRAWAL: dict[str, Act] = {
    "withdrawn again": lambda person: participant_withdraw(person, on=MAY_4),
    "completed": lambda person: participant_complete(person, on=MAY_4),
    "begun": participant_begin,
    "consent given": lambda person: consent.consent_give(person, document(person.trial), how=Consent.How.PAPER),
    "consent taken back": lambda person: consent.consent_withdraw(person, on=MAY_4),
}
AFTER_ERASURE: dict[str, Act] = {
    **AFTER_WITHDRAWAL,
    "paused": lambda person: pause_begin(person, starts_on=MAY_4, reason="holidays"),
    "changed": lambda person: participant_update(person, arm="control"),
    "contact kept": lambda person: contacts.contact_store(person, email="ada@example.org"),
    "erasure asked": lambda person: privacy_erasure.erasure_request(person, by=UserFactory(), reason="letter"),
}


def document(trial: Trial) -> Any:
    return trial.consent_documents.first() or consent.document_add(
        trial, version="1", title="Consent", effective_on=MAY_4
    )


@pytest.mark.parametrize("act", AFTER_WITHDRAWAL.values(), ids=AFTER_WITHDRAWAL)
def test_what_was_begun_before_a_withdrawal_is_refused_after_it(act: Act) -> None:
    person = ParticipantFactory(status=Participant.Status.INVITED)
    stale = fresh(person)
    participant_withdraw(person, on=MAY_4)
    with pytest.raises((ValueError, ValidationError)):
        act(stale)
    person.refresh_from_db()
    assert (person.status, person.withdrawn_on) == (Participant.Status.WITHDRAWN, MAY_4)


@pytest.mark.parametrize("act", AFTER_ERASURE.values(), ids=AFTER_ERASURE)
def test_what_was_begun_before_an_erasure_is_refused_after_it(act: Act) -> None:
    person = ParticipantFactory(status=Participant.Status.INVITED)
    stale = fresh(person)
    privacy_erasure.remove(person, "00000000-0000-0000-0000-000000000000")
    with pytest.raises((ValueError, ValidationError)):
        act(stale)
    person.refresh_from_db()
    assert (person.status, person.pauses.count(), person.arm) == (Participant.Status.ERASED, 0, "")


def test_an_open_pause_is_ended_once() -> None:
    person = ParticipantFactory()
    pause_begin(person, starts_on=MAY_4, reason="holidays")
    stale = fresh(person)
    pause_end(person, ends_on=MAY_4 + ONE_DAY)
    with pytest.raises(ValueError, match="no open pause"):
        pause_end(stale, ends_on=MAY_4 + 2 * ONE_DAY)
    assert Pause.objects.get().ends_on == MAY_4 + ONE_DAY


def test_ending_a_pause_does_not_bring_back_who_was_withdrawn() -> None:
    person = ParticipantFactory(status=Participant.Status.PAUSED)
    pause_begin(person, starts_on=MAY_4, reason="holidays")
    stale = fresh(person)
    participant_withdraw(person, on=MAY_4 + ONE_DAY)
    pause_end(stale, ends_on=MAY_4)
    person.refresh_from_db()
    assert person.status == Participant.Status.WITHDRAWN


@pytest.mark.parametrize("act", [
    lambda pause: pause_change(pause, ends_on=MAY_4), lambda pause: pause_remove(pause, why="a slip"),
])  # fmt: skip
def test_a_pause_that_was_taken_back_is_changed_no_more(act: Callable[[Pause], object]) -> None:
    pause = pause_begin(ParticipantFactory(), starts_on=MAY_4, reason="holidays")
    stale = Pause.objects.select_related("participant__trial").get()
    pause_remove(pause, why="a slip")
    with pytest.raises(ValueError, match="cancelled already"):
        act(stale)
    assert entries("pause.remove") == 1


def test_an_erasure_is_decided_once() -> None:
    person, asks, decides = ParticipantFactory(), UserFactory(), UserFactory()
    asked = privacy_erasure.erasure_request(person, by=asks, reason="letter")
    stale = Erasure.objects.get(pk=asked.pk)
    privacy_erasure.erasure_decide(asked, by=decides, approve=False)
    with pytest.raises(privacy_erasure.ErasureRefused, match="already"):
        privacy_erasure.erasure_decide(stale, by=decides, approve=True)


def test_nobody_is_enrolled_into_a_trial_that_was_closed_meanwhile() -> None:
    trial = TrialFactory()
    stale = Trial.objects.get(pk=trial.pk)
    trial_update(trial, status=Trial.Status.CLOSED)
    with pytest.raises(EnrolmentError):
        participant_enrol(trial=stale, study_id="A-1")


@seen_by_others
def test_who_is_let_in_while_a_trial_is_closed_is_waited_for() -> None:
    trial = TrialFactory()
    with transaction.atomic():
        assert lock_trial_shared(trial).closed_at is None
        with pytest.raises(Exception, match="lock timeout"):
            another_user(lambda: trial_update(trial, status=Trial.Status.CLOSED))
    before = timezone.now()
    closed_at = trial_update(trial, status=Trial.Status.CLOSED).closed_at
    assert closed_at
    assert closed_at >= before


def test_a_call_to_who_was_erased_meanwhile_is_not_kept() -> None:
    person = ParticipantFactory()
    stale = fresh(person)
    privacy_erasure.remove(person, "00000000-0000-0000-0000-000000000000")
    messaging_services.call_store(
        stale, outcome="spoke", said="will sync", reason="no upload", by=UserFactory(), batch=uuid.uuid4(),
        now=timezone.now(),
    )  # fmt: skip
    assert not Outreach.objects.exists()
