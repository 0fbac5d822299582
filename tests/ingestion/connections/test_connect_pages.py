"""The participant's pages: from the link to the vendor and back, each outcome on a page of its own."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language

from config.observability.logs import Formatter
from dashboards.ui import formatting
from ingestion.connections import invitations
from ingestion.connections import services as connections_services
from ingestion.models import Connection, Invitation
from ingestion.providers.base.errors import AccessGone, BrokenResponse, ClientMisconfigured, VendorBusy
from participants.models import Participant, Trial
from participants.privacy import contacts, languages
from participants.privacy.consent import document_add
from tests import broker, factories
from tests.conftest import SetUpProviders
from tests.ingestion.connections.vendor import ACCESS, ALL, CODE, GEAR, HEART, NIGHTS, REFRESH, Vendor

NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    """Signed links hold the second in which they were made: it stands still."""
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def vendor(set_up_providers: SetUpProviders, settings: Any) -> Vendor:
    made = Vendor()
    set_up_providers(made)
    settings.TOKEN_KEYS = ["a key for tests"]
    settings.PUBLIC_URL = "https://trials.example.org"
    return made


@pytest.fixture
def participant(trial: Trial) -> Participant:
    made: Participant = factories.ParticipantFactory.create(
        trial=trial, study_id="AX-0042", status=Participant.Status.INVITED
    )
    return made


@pytest.fixture
def invitation(participant: Participant) -> Invitation:
    return invitations.invitation_create(participant=participant, by=None, now=timezone.now())


@pytest.fixture
def link(invitation: Invitation) -> str:
    return f"/connect/{invitations.invitation_code(invitation)}/"


@pytest.fixture
def browser(client: Client, vendor: Vendor) -> Client:
    """A participant's browser, at a site with one vendor set up."""
    return client


def sent_off(browser: Client, link: str) -> dict[str, str]:
    """Press the button; what the vendor is asked."""
    response = browser.post(f"{link}to/vendor/")
    assert response.status_code == 303
    return {name: values[0] for name, values in parse_qs(urlsplit(response["Location"]).query).items()}


def back(browser: Client, state: str, **answer: str) -> Any:
    """What comes back from the vendor's screen."""
    return browser.get("/connect/callback/vendor/", {"state": state, **(answer or {"code": CODE})})


def walk(browser: Client, link: str, **answer: str) -> Any:
    return back(browser, sent_off(browser, link)["state"], **answer)


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


# --- before ------------------------------------------------------------------------------------------------------


def test_the_page_says_in_plain_language_what_is_shared(browser: Client, link: str) -> None:
    page = text(browser.get(link))
    for words in ("Heart rate, day and night", "Steps and activity", "Sleep: when, how long", "Device model, battery"):
        assert words in page
    assert "Walks, runs and other exercise" in page
    assert "Continue to Vendor Health" in page


def test_the_page_says_until_when_data_are_collected(browser: Client, link: str, participant: Participant) -> None:
    Participant.objects.filter(pk=participant.pk).update(monitoring_ends_on=dt.date(2027, 6, 30))
    assert "30 June 2027" in text(browser.get(link))


def test_opening_the_link_is_noted(browser: Client, link: str, invitation: Invitation) -> None:
    browser.get(link)
    invitation.refresh_from_db()
    assert invitation.opened_at is not None


def test_the_page_is_kept_from_search_engines_and_caches_and_its_address_to_itself(browser: Client, link: str) -> None:
    headers = browser.get(link).headers
    assert headers["X-Robots-Tag"].startswith("noindex")
    assert headers["Referrer-Policy"] == "same-origin"
    assert "no-store" in headers["Cache-Control"]


def test_the_study_id_of_the_participant_is_not_on_their_page(
    browser: Client, link: str, participant: Participant
) -> None:
    assert participant.study_id not in text(browser.get(link))


def test_going_to_the_vendor_needs_the_form_of_the_page(vendor: Vendor, link: str) -> None:
    assert Client(enforce_csrf_checks=True).post(f"{link}to/vendor/").status_code == 403


def test_going_to_the_vendor_by_an_address_alone_is_refused(browser: Client, link: str) -> None:
    assert browser.get(f"{link}to/vendor/").status_code == 405


def test_the_vendor_is_asked_for_all_consents_and_told_where_to_send_them_back(browser: Client, link: str) -> None:
    asked = sent_off(browser, link)
    assert set(asked["scope"].split()) == ALL
    assert asked["redirect"] == "https://trials.example.org/connect/callback/vendor/"


def test_each_departure_has_a_state_of_its_own(browser: Client, link: str) -> None:
    assert sent_off(browser, link)["state"] != sent_off(browser, link)["state"]


def test_an_unknown_vendor_is_not_found(browser: Client, link: str) -> None:
    assert browser.post(f"{link}to/nobody/").status_code == 404


# --- in their language ---------------------------------------------------------------------------------------------


@pytest.fixture
def german(participant: Participant, settings: Any) -> Participant:
    settings.TOKEN_KEYS = ["a key for tests"]
    contacts.contact_store(participant, name="Zwaantje", language="de")
    return participant


def test_the_page_is_in_the_participant_s_language(browser: Client, link: str, german: Participant) -> None:
    Participant.objects.filter(pk=german.pk).update(monitoring_ends_on=dt.date(2027, 6, 30))
    page = text(browser.get(link, headers={"accept-language": "nl"}))
    assert '<html lang="de">' in page
    for words in ("Puls, Tag und Nacht", "nach dem <b>30. Juni 2027</b>", "Weiter zu Vendor Health", "Fragen?"):
        assert words in page
    assert "Heart rate" not in page


def test_each_page_on_the_way_is_in_the_participant_s_language(
    browser: Client, link: str, german: Participant, vendor: Vendor
) -> None:
    assert "Sie haben Nein gesagt" in text(walk(browser, link, error="access_denied"))
    walk(browser, link)
    Connection.objects.update(connected_at=NOW - dt.timedelta(days=3))
    assert "Seit Freitag, 09:12 Uhr geben Sie Ihre Daten" in text(browser.get(link))
    vendor.revoke_error = BrokenResponse("later")
    assert "Weitergabe Ihrer Daten" in text(browser.get(f"{link}stop/vendor/"))
    browser.post(f"{link}stop/vendor/")
    page = text(browser.get(link))
    assert "Vendor Health hat es noch nicht bestätigt" in page
    assert "Seit heute, 09:12 Uhr bekommt die Studie WALK nichts mehr" in page
    with time_machine.travel(NOW + dt.timedelta(days=15)):
        assert "Dieser Link ist zu alt" in text(browser.get(link))


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [("nl-BE, en;q=0.5", "Deze link is niet volledig"), ("fr, de;q=0.5", "Dieser Link"), ("fr", "This link")],
)
def test_a_page_of_nobody_known_is_in_the_browser_s_language(
    browser: Client, db: None, wanted: str, shown: str
) -> None:
    assert shown in text(browser.get("/connect/nonsense/", headers={"accept-language": wanted}))


def test_without_a_contact_the_browser_s_language_counts(browser: Client, link: str) -> None:
    assert "Puls, Tag und Nacht" in text(browser.get(link, headers={"accept-language": "de-AT"}))


def test_a_language_ends_with_its_page(browser: Client, link: str, german: Participant) -> None:
    browser.get(link)
    assert get_language() == "en-gb"
    assert "Sign in" in text(browser.get(reverse("login"), headers={"accept-language": "de"}))


@pytest.mark.parametrize(
    ("ago", "english", "german"),
    [
        (dt.timedelta(hours=2), "today, 07:12", "heute, 07:12 Uhr"),
        (dt.timedelta(days=1), "Sun 09:12", "Sonntag, 09:12 Uhr"),
        (dt.timedelta(days=6), "Tue 09:12", "Dienstag, 09:12 Uhr"),
        (dt.timedelta(days=7), "16 Nov, 09:12", "16. November, 09:12 Uhr"),
        (dt.timedelta(days=400), "19 Oct 2025, 10:12", "19. Oktober 2025, 10:12 Uhr"),
    ],
)
def test_past_instants_are_told_as_people_say_them(ago: dt.timedelta, english: str, german: str) -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    assert languages.moment(NOW - ago, NOW, zone) == english == formatting.clock(NOW - ago, NOW, zone)
    with languages.in_language("de"):
        assert languages.moment(NOW - ago, NOW, zone) == german


# --- links that do not open ----------------------------------------------------------------------------------------


def test_an_expired_link_says_so(browser: Client, link: str) -> None:
    with time_machine.travel(NOW + dt.timedelta(days=15)):
        page = browser.get(link)
    assert page.status_code == 410
    assert "too old" in text(page)


def test_a_link_that_was_replaced_says_so(browser: Client, link: str, participant: Participant) -> None:
    invitations.invitation_create(participant=participant, by=None, now=timezone.now())
    page = browser.get(link)
    assert page.status_code == 410
    assert "replaced" in text(page)


def test_the_link_of_a_participant_who_withdrew_no_longer_opens(
    browser: Client, link: str, participant: Participant
) -> None:
    Participant.objects.filter(pk=participant.pk).update(status=Participant.Status.WITHDRAWN)
    assert browser.get(link).status_code == 410


@pytest.mark.parametrize("code", ["nonsense", "WzEsIm4iXQ:1abc:forged"])
def test_an_unknown_link_says_so(browser: Client, db: None, code: str) -> None:
    page = browser.get(f"/connect/{code}/")
    assert page.status_code == 404
    assert "not complete" in text(page)


def test_a_link_whose_last_character_was_changed_is_unknown(browser: Client, link: str) -> None:
    changed = "A" if link[-2] != "A" else "B"
    assert browser.get(f"{link[:-2]}{changed}/").status_code == 404


def test_an_expired_link_does_not_lead_to_the_vendor(browser: Client, link: str) -> None:
    with time_machine.travel(NOW + dt.timedelta(days=15)):
        assert browser.post(f"{link}to/vendor/").status_code == 410


def test_a_site_without_a_vendor_asks_to_come_later(
    browser: Client, link: str, set_up_providers: SetUpProviders
) -> None:
    set_up_providers()
    assert browser.get(link).status_code == 503


# --- and back ------------------------------------------------------------------------------------------------------


def test_a_consent_becomes_a_connection(browser: Client, link: str, participant: Participant) -> None:
    assert walk(browser, link)["Location"] == link
    connection = Connection.objects.get(participant=participant)
    assert connection.status == Connection.Status.ACTIVE
    assert set(connection.scopes) == ALL


def test_after_a_consent_the_page_says_what_happens_next(browser: Client, link: str) -> None:
    walk(browser, link)
    page = text(browser.get(link))
    assert "Your watch is connected" in page
    assert "within some minutes" in page
    assert "Stop sharing" in page


def test_the_first_pull_is_queued_at_once(browser: Client, link: str, participant: Participant) -> None:
    walk(browser, link)
    assert broker.sent("ingestion.sync_connection") == [(Connection.objects.get(participant=participant).pk,)]


@pytest.mark.usefixtures("broker_away")
def test_without_a_broker_they_are_connected_all_the_same(browser: Client, link: str, participant: Participant) -> None:
    assert walk(browser, link).status_code == 303
    assert Connection.objects.get(participant=participant).status == Connection.Status.ACTIVE


def test_the_code_is_exchanged_with_the_secret_half_of_the_challenge(
    browser: Client, link: str, vendor: Vendor
) -> None:
    asked = sent_off(browser, link)
    back(browser, asked["state"])
    code, verifier, redirect = vendor.exchanged[0]
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert (code, digest, redirect) == (CODE, asked["challenge"], asked["redirect"])


def test_a_partial_consent_names_what_is_missing_and_offers_another_try(
    browser: Client, link: str, vendor: Vendor
) -> None:
    vendor.granted = frozenset({HEART, GEAR})
    walk(browser, link)
    page = text(browser.get(link))
    assert "a part is missing" in page
    assert "Steps and activity" in page
    assert "Sleep: when" in page
    assert "Heart rate" not in page
    assert "Try again" in page


def test_another_try_completes_a_partial_consent(browser: Client, link: str, vendor: Vendor) -> None:
    vendor.granted = frozenset({HEART, NIGHTS})
    walk(browser, link)
    vendor.granted = ALL
    walk(browser, link)
    assert "Your watch is connected" in text(browser.get(link))


def test_a_renewed_connection_keeps_the_day_of_the_first(browser: Client, link: str, participant: Participant) -> None:
    walk(browser, link)
    connection = Connection.objects.get(participant=participant)
    connections_services.lost(connection, AccessGone.EXPIRED_GRANT, now=timezone.now())
    assert "again" in text(browser.get(link))
    walk(browser, link)
    renewed = Connection.objects.get(participant=participant)
    assert (renewed.status, renewed.connected_at) == (Connection.Status.ACTIVE, connection.connected_at)


CASES: dict[str, tuple[dict[str, Any], dict[str, str], int, str]] = {
    "denial": ({}, {"error": "access_denied"}, 403, "You said no"),
    "nothing allowed": ({"granted": frozenset()}, {}, 403, "No box was ticked"),
    "no device": ({"owned": []}, {}, 422, "no device on this account"),
    "account without health data": (
        {"account_fault": AccessGone(AccessGone.ACCOUNT_NOT_LINKED)},
        {},
        422,
        "no device on this account",
    ),
    "no refresh token": ({"refresh_token": None}, {}, 502, "did not answer properly"),
    "code refused": ({"fault": AccessGone(AccessGone.CODE_REFUSED)}, {}, 400, "took too long"),
    "vendor busy": ({"fault": VendorBusy("rate_limit", 90.2)}, {}, 503, "is busy just now"),
    "vendor broken": ({"fault": BrokenResponse("http_500")}, {}, 502, "did not answer properly"),
    "our credentials": ({"fault": ClientMisconfigured("invalid_client")}, {}, 503, "wrong on our side"),
    "another error of the screen": ({}, {"error": "server_error"}, 400, "did not answer properly"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_failure_has_a_page_of_its_own(browser: Client, link: str, vendor: Vendor, case: str) -> None:
    behaviour, answer, status, words = CASES[case]
    for name, value in behaviour.items():
        setattr(vendor, name, value)
    page = walk(browser, link, **answer)
    assert page.status_code == status
    assert words in text(page)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert not Connection.objects.exists()


def test_a_busy_vendor_s_time_is_passed_on(browser: Client, link: str, vendor: Vendor) -> None:
    vendor.fault = VendorBusy("rate_limit", 90.2)
    assert walk(browser, link)["Retry-After"] == "91"


def test_wrong_credentials_of_ours_alarm_the_operator(
    browser: Client, link: str, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.fault = ClientMisconfigured("invalid_client")
    walk(browser, link)
    assert [record.levelno for record in caplog.records if record.name == "ingestion.connections.views"] == [
        logging.CRITICAL
    ]


def test_an_account_of_another_participant_is_refused(browser: Client, link: str, vendor: Vendor, trial: Trial) -> None:
    other = factories.ParticipantFactory.create(trial=trial)
    Connection.objects.create(
        participant=other, trial=trial, provider="vendor", external_user_id="user-1", status=Connection.Status.ACTIVE
    )
    page = walk(browser, link)
    assert page.status_code == 409
    assert "already connected" in text(page)
    assert not vendor.revoked


def test_reconnecting_with_another_account_is_refused(browser: Client, link: str, vendor: Vendor) -> None:
    walk(browser, link)
    vendor.user_id = "user-2"
    page = walk(browser, link)
    assert page.status_code == 409
    assert "another account than before" in text(page)


def test_a_failure_offers_the_way_back_to_the_link(browser: Client, link: str) -> None:
    assert f'href="{link}"' in text(walk(browser, link, error="access_denied"))


# --- answers that are not ours ---------------------------------------------------------------------------------------


def test_a_replayed_answer_is_refused(browser: Client, link: str, vendor: Vendor) -> None:
    state = sent_off(browser, link)["state"]
    back(browser, state)
    page = back(browser, state)
    assert page.status_code == 400
    assert "cannot be used again" in text(page)
    assert len(vendor.exchanged) == 1


def test_an_answer_in_another_browser_is_refused(browser: Client, link: str, vendor: Vendor) -> None:
    state = sent_off(browser, link)["state"]
    assert back(Client(), state).status_code == 400
    assert not vendor.exchanged


def test_an_answer_with_a_made_up_state_is_refused(browser: Client, link: str, vendor: Vendor) -> None:
    sent_off(browser, link)
    assert back(browser, "made-up").status_code == 400
    assert not vendor.exchanged


def test_an_answer_without_a_state_is_refused(browser: Client, db: None) -> None:
    assert browser.get("/connect/callback/vendor/", {"code": CODE}).status_code == 400


def test_an_answer_after_a_quarter_of_an_hour_is_refused(browser: Client, link: str, vendor: Vendor) -> None:
    state = sent_off(browser, link)["state"]
    with time_machine.travel(NOW + dt.timedelta(minutes=16)):
        assert back(browser, state).status_code == 400
    assert not vendor.exchanged


def test_an_answer_to_a_link_that_was_replaced_meanwhile_is_refused(
    browser: Client, link: str, vendor: Vendor, participant: Participant
) -> None:
    state = sent_off(browser, link)["state"]
    invitations.invitation_create(participant=participant, by=None, now=timezone.now())
    assert back(browser, state).status_code == 410
    assert not vendor.exchanged


def test_only_the_newest_departures_are_remembered(browser: Client, link: str) -> None:
    states = [sent_off(browser, link)["state"] for _ in range(6)]
    assert back(browser, states[0]).status_code == 400
    assert back(browser, states[5]).status_code == 303


# --- the end -------------------------------------------------------------------------------------------------------


def test_stopping_asks_first(browser: Client, link: str, participant: Participant) -> None:
    walk(browser, link)
    assert "Stop sharing your data" in text(browser.get(f"{link}stop/vendor/"))
    assert Connection.objects.get(participant=participant).status == Connection.Status.ACTIVE


def test_stopping_ends_the_connection_here_and_there(
    browser: Client, link: str, vendor: Vendor, participant: Participant
) -> None:
    walk(browser, link)
    response = browser.post(f"{link}stop/vendor/")
    assert (response.status_code, response["Location"]) == (303, link)
    connection = Connection.objects.get(participant=participant)
    assert (connection.status, connection.status_reason) == (Connection.Status.REVOKED, "participant")
    assert (vendor.revoked, connection.encrypted_tokens) == ([REFRESH], "")


def test_after_stopping_the_link_says_so_and_lets_them_share_again(browser: Client, link: str) -> None:
    walk(browser, link)
    browser.post(f"{link}stop/vendor/")
    assert "You have stopped sharing" in text(browser.get(link))
    walk(browser, link)
    assert "Your watch is connected" in text(browser.get(link))


def test_a_stop_that_the_vendor_does_not_confirm_says_what_to_do(browser: Client, link: str, vendor: Vendor) -> None:
    walk(browser, link)
    vendor.revoke_error = BrokenResponse("http_500")
    browser.post(f"{link}stop/vendor/")
    assert "has not confirmed it yet" in text(browser.get(link))


def test_stopping_what_never_began_leads_back_to_the_page(browser: Client, link: str) -> None:
    assert browser.post(f"{link}stop/vendor/")["Location"] == link


# --- secrets -------------------------------------------------------------------------------------------------------


def test_no_token_code_or_state_is_logged_or_shown(
    browser: Client, link: str, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[Any] = []
    state = sent_off(browser, link)["state"]
    seen.append(back(browser, state))
    seen.append(browser.get(link))
    vendor.revoke_error = BrokenResponse("http_500")
    browser.post(f"{link}stop/vendor/")
    seen.append(browser.get(link))
    vendor.fault = BrokenResponse("http_500")
    failing = sent_off(browser, link)["state"]
    seen += [back(browser, failing), back(browser, failing)]
    shown = caplog.text + "".join(text(page) + str(dict(page.headers)) for page in seen)
    for secret in (ACCESS, REFRESH, CODE, state, failing):
        assert secret not in shown


def test_an_invitation_s_code_is_not_logged_when_its_page_is_refused(
    browser: Client, link: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser.get(f"{link}to/vendor/")
    Client(enforce_csrf_checks=True).post(f"{link}to/vendor/")
    written = "\n".join(Formatter("line").format(record) for record in caplog.records)
    assert "Method Not Allowed" in written
    assert "Forbidden" in written
    assert link.split("/")[2] not in written


def test_a_trial_that_keeps_its_consent_here_asks_for_it_first(
    client: Client, invitation: Invitation, vendor: Vendor, participant: Participant
) -> None:
    document_add(
        participant.trial, version="2.0", title="What the study does", effective_on=NOW.date(), text="It measures."
    )
    code = invitations.invitation_code(invitation)
    assert "What the study does" in client.get(f"/connect/{code}/").content.decode()
    refused = client.post(f"/connect/{code}/to/vendor/")
    assert "agree=1" in refused.headers["Location"]
    assert "Please tick the box" in client.get(refused.headers["Location"].split("#")[0]).content.decode()
    assert not participant.consents.exists()


def test_agreeing_on_the_page_is_kept_with_its_version(
    client: Client, invitation: Invitation, vendor: Vendor, participant: Participant
) -> None:
    document_add(participant.trial, version="2.0", title="What the study does", effective_on=NOW.date())
    code = invitations.invitation_code(invitation)
    answer = client.post(f"/connect/{code}/to/vendor/", {"agreed": "2.0"})
    assert "agree=1" not in answer.headers["Location"]
    given = participant.consents.get()
    assert (given.document.version, given.how) == ("2.0", "online")
    assert "What the study does" not in client.get(f"/connect/{code}/").content.decode()


def test_an_older_versions_box_agrees_to_nothing(
    client: Client, invitation: Invitation, vendor: Vendor, participant: Participant
) -> None:
    document_add(participant.trial, version="2.0", title="What the study does", effective_on=NOW.date())
    client.post(f"/connect/{invitations.invitation_code(invitation)}/to/vendor/", {"agreed": "1.0"})
    assert not participant.consents.exists()
