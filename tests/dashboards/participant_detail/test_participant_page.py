"""The participant's page as a whole: what stands on it, for whom, how heavy it is and how many queries it takes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboards.models import Note
from participants.models import Membership, Participant, Trial
from tests import factories
from tests.dashboards.measured import NOON, heart_rate, store
from tests.dashboards.scene import set_scene, written

pytestmark = pytest.mark.usefixtures("_now")

PERSON = "/trials/STRIDE-2/participants/AX-0042/"
HTMX = {"HX-Request": "true"}


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode().replace("\u00a0", " "))


@pytest.fixture
def scene(trial: Trial, participant: Participant) -> Participant:
    Trial.objects.filter(pk=trial.pk).update(is_demo=True)
    participant.trial.refresh_from_db()
    return set_scene(participant, timezone.now())


def test_the_head_says_how_they_stand_why_and_what_the_evidence_is(manager: Client, scene: Participant) -> None:
    page = text(manager.get(PERSON))
    assert "Off the wrist since Sun 21:40; last upload 3 h ago; best still possible 82 %." in page
    assert "502 min of zero steps, no heart rate." in page
    assert "Low wear" in page
    assert "arm A · day 87 of 160" in page


def test_open_alerts_stand_above_the_figures(manager: Client, scene: Participant) -> None:
    page = text(manager.get(PERSON))
    assert "Adherence 66 %, below 70 %" in page
    assert page.index("not acknowledged yet") < page.index("57 of 86 days valid")


def test_gaps_are_listed_with_cause_and_evidence(manager: Client, scene: Participant) -> None:
    page = text(manager.get(PERSON))
    assert "Last reading 2 %, falling 9 % a day" in page
    assert (
        '<th scope="row">Wed 18 Nov, 02:10</th><td>12:20</td><td class="num">10 h 10</td><td>Battery flat</td>' in page
    )
    assert '<th scope="row">Mon 23 Nov, 06:02</th><td>now</td>' in page


def test_each_chart_has_a_table_of_its_own(manager: Client, scene: Participant) -> None:
    page = text(manager.get(PERSON, {"compare": "spo2"}))
    assert page.count("<canvas") == 2
    for table in ("wear", "main", "steps", "night", "nights", "nightly"):
        assert f'id="table-{table}"' in page
    assert 'aria-label="Oxygen saturation, table"' in page


def test_what_is_compared_or_added_is_kept_from_range_to_range(manager: Client, scene: Participant) -> None:
    page = text(manager.get(PERSON, {"compare": "steps", "extra": "spo2", "list": "show=low-wear"}))
    assert "?metric=heart_rate&amp;compare=steps&amp;extra=spo2&amp;list=show%3Dlow-wear&amp;range=day" in page
    assert page.count("<canvas") == 3


def test_a_night_can_be_chosen(manager: Client, scene: Participant) -> None:
    assert "Night to Tue 17 Nov" in text(manager.get(PERSON, {"night": "2026-11-17"}))
    assert "Night to" in text(manager.get(PERSON, {"night": "nonsense"}))


def test_the_history_tells_whether_data_came_back(manager: Client, scene: Participant) -> None:
    page = text(manager.get(PERSON))
    assert "Data came back after 4 h 25" in page
    assert "Resolved by itself after 6 h 00" in page
    assert "All 11" in page


def test_a_contact_without_an_answer_says_how_long_it_has_been(manager: Client, participant: Participant) -> None:
    written(participant, timezone.now() - dt.timedelta(hours=5), "Please sync")
    assert "Waiting for data (sent 5 h ago)" in text(manager.get(PERSON))


def test_the_list_that_led_here_gives_the_neighbours(manager: Client, trial: Trial, participant: Participant) -> None:
    for study_id in ("AX-0041", "AX-0043", "BY-0001"):
        factories.ParticipantFactory.create(trial=trial, study_id=study_id)
    page = text(manager.get(PERSON, {"list": "q=AX&sort=id"}))
    assert "2 of 3" in page
    assert f'rel="prev" href="{PERSON.replace("0042", "0041")}?list=q%3DAX%26sort%3Did"' in page
    assert f'rel="next" href="{PERSON.replace("0042", "0043")}?list=q%3DAX%26sort%3Did"' in page
    assert 'href="/trials/STRIDE-2/?q=AX&amp;sort=id"' in page


def test_neighbours_are_those_of_the_members_own_site(client: Client, trial: Trial, participant: Participant) -> None:
    here = factories.SiteFactory.create(trial=trial)
    Participant.objects.filter(pk=participant.pk).update(site=here)
    factories.ParticipantFactory.create(trial=trial, study_id="AX-0043", site=factories.SiteFactory.create(trial=trial))
    client.force_login(factories.MembershipFactory.create(trial=trial, site=here).user)
    page = text(client.get(PERSON))
    assert "1 of 1" in page
    assert "AX-0043" not in page


@pytest.mark.parametrize("query", ["", "?range=day", "?range=trial", "?range=month"])
def test_the_page_needs_the_same_queries_for_more_of_everything(
    manager: Client, scene: Participant, query: str
) -> None:
    store(scene, heart_rate(NOON - dt.timedelta(days=20), 30))  # a second source, or its priority would be asked later
    with CaptureQueriesContext(connection) as few:
        assert manager.get(PERSON + query).status_code == 200
    now = timezone.now()
    store(scene, *(heart_rate(NOON - dt.timedelta(days=n), 30) for n in range(21, 60)))
    for n in range(20):
        written(scene, now - dt.timedelta(days=n), f"Letter {n}")
        Note.objects.create(participant=scene, text=f"note {n}")
    factories.ParticipantFactory.create_batch(20, trial=scene.trial)
    with CaptureQueriesContext(connection) as many:
        manager.get(PERSON + query)
    assert len(many) == len(few) <= 59


def test_the_page_stays_light(manager: Client, scene: Participant) -> None:
    assert len(manager.get(PERSON, {"range": "trial"}).content) < 200_000


def test_a_withdrawn_participant_without_any_data_has_a_page(manager: Client, participant: Participant) -> None:
    Participant.objects.filter(pk=participant.pk).update(status="withdrawn", withdrawn_on="2026-11-20")
    page = text(manager.get(PERSON))
    assert "No data yet" in page
    assert "Withdrawn from the trial" in page


# --- notes ------------------------------------------------------------------------------------------------


def test_a_note_is_kept_and_shown_to_all_who_see_the_participant(
    manager: Client, trial: Trial, participant: Participant
) -> None:
    manager.post(f"{PERSON}notes/", {"text": "Night shifts."})
    viewer = Client()
    viewer.force_login(factories.MembershipFactory.create(trial=trial, role=Membership.Role.VIEWER).user)
    page = text(viewer.get(PERSON))
    assert "Night shifts." in page
    assert "Write a note" not in page


def test_htmx_gets_the_card_of_notes_anew(manager: Client, participant: Participant) -> None:
    card = text(manager.post(f"{PERSON}notes/", {"text": "Night <b>shifts</b>."}, headers=HTMX))
    assert card.lstrip().startswith('<section class="card" id="notes"')
    assert "Night &lt;b&gt;shifts&lt;/b&gt;." in card


@pytest.mark.parametrize(
    ("written_text", "words"), [("  ", "Write something first."), ("x" * 2001, "longer than 2,000")]
)
def test_an_empty_or_endless_note_is_refused_with_a_reason(
    manager: Client, participant: Participant, written_text: str, words: str
) -> None:
    assert words in text(manager.post(f"{PERSON}notes/", {"text": written_text}, headers=HTMX))
    assert not Note.objects.exists()


# --- live -------------------------------------------------------------------------------------------------


def test_an_alert_or_an_email_changes_the_pulse(manager: Client, participant: Participant) -> None:
    page = text(manager.get(PERSON))
    seen = page.split("pulse/?seen=")[1].split('"')[0]
    assert manager.get(f"{PERSON}pulse/?seen={seen}", headers=HTMX).status_code == 204
    written(participant, timezone.now(), "Please sync")
    parts = text(manager.get(f"{PERSON}pulse/?seen={seen}", headers=HTMX))
    assert 'id="rail" hx-swap-oob="true"' in parts
    assert "Please sync" in parts
