"""What the pages show, and how many queries they need."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from metrics.batch import ExerciseRecord, SleepRecord, Stage
from participants.models import Participant, Trial
from tests import factories
from tests.dashboards.measured import DAY, NOON, WATCH, heart_rate, steps, store

pytestmark = pytest.mark.usefixtures("_now")

TRIAL = "/trials/STRIDE-2/"
PERSON = "/trials/STRIDE-2/participants/AX-0042/"
HTMX = {"HX-Request": "true"}


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode().replace("\u00a0", " "))


# --- trials -----------------------------------------------------------------------------------------------


def test_the_list_tells_each_trials_newest_data(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(dt.datetime(2026, 11, 23, 5, 2, tzinfo=dt.UTC), 1))
    page = text(manager.get("/"))
    assert "3 h ago" in page
    assert "today, 06:02" in page


def test_the_list_tells_who_needs_attention_in_each_trial(manager: Client, trial: Trial) -> None:
    long_ago = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    factories.EvaluatedSummaryFactory.create(participant__trial=trial, last=long_ago)
    factories.EvaluatedSummaryFactory.create(participant__trial=trial)
    assert '<a class="strong" href="/trials/STRIDE-2/?show=attention">1</a>' in text(manager.get("/"))


def test_a_person_without_trials_is_told_so(client: Client, db: None) -> None:
    client.force_login(factories.UserFactory.create())
    assert "You are in no trial yet" in text(client.get("/"))


def test_the_list_needs_the_same_queries_for_many(
    manager: Client, trial: Trial, django_assert_num_queries: Any
) -> None:
    for person in factories.ParticipantFactory.create_batch(3, trial=trial):
        store(person, heart_rate(NOON, 1))
    with django_assert_num_queries(4):  # session, user with memberships, counts by trial, trials
        manager.get("/")


# --- trials and their marks ------------------------------------------------------------------------------------


def test_an_empty_trial_says_what_to_do(manager: Client) -> None:
    assert "No participants yet" in text(manager.get(TRIAL))


def test_a_demo_trial_is_marked_on_every_page(manager: Client, trial: Trial, participant: Participant) -> None:
    Trial.objects.filter(pk=trial.pk).update(is_demo=True)
    for address in ("/", TRIAL, PERSON):
        assert "Demo: synthetic data" in text(manager.get(address))


# --- one participant ------------------------------------------------------------------------------------------


def test_a_participant_without_data_says_so(manager: Client, participant: Participant) -> None:
    assert "No data yet" in text(manager.get(PERSON))


def test_the_table_under_the_chart_has_a_row_for_each_day(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 60, value=64.0), heart_rate(NOON + dt.timedelta(minutes=60), 60, value=80.0))
    page = text(manager.get(PERSON, {"range": "week"}))
    assert '<th scope="row">Wed 18 Nov 2026</th><td class="num">72</td>' in page
    assert '<th scope="row">Thu 19 Nov 2026</th><td class="num">–</td>' in page


def test_a_single_day_is_listed_by_bucket_in_local_time(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 60))
    assert "Wed 18 Nov, 12:00" in text(manager.get(PERSON, {"from": DAY.isoformat(), "to": DAY.isoformat()}))


def test_the_metric_can_be_chosen_from_those_with_data(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 1), steps(NOON, [10, 20]))
    page = text(manager.get(PERSON, {"metric": "steps"}))
    assert "Total, steps" in page
    assert 'value="steps" selected' in page
    assert 'value="spo2"' not in page


def test_bad_dates_are_told_and_the_last_week_is_shown(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 1))
    page = text(manager.get(PERSON, {"from": "2026-11-20", "to": "2026-11-19"}))
    assert "The first day comes after the last." in page
    assert "17–23 Nov 2026" in page


def test_old_data_are_shown_where_they_end(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(dt.datetime(2016, 5, 12, 10, tzinfo=dt.UTC), 30))
    page = text(manager.get(PERSON))
    assert "6–12 May 2016" in page
    assert "The data end on 12 May 2016" in page


def test_htmx_gets_the_data_alone_and_its_address(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 1))
    answer = manager.get(PERSON, {"range": "day", "to": "2026-11-18"}, headers=HTMX)
    assert text(answer).lstrip().startswith('<div id="data"')
    assert answer.headers["HX-Push-Url"] == f"{PERSON}?metric=heart_rate&range=day&to=2026-11-18"


def test_nights_are_listed_in_local_time(manager: Client, participant: Participant) -> None:
    asleep = dt.datetime(2026, 11, 19, 22, 40, tzinfo=dt.UTC)
    record = SleepRecord(WATCH, "n", asleep, asleep + dt.timedelta(hours=7), (Stage(asleep, 25_200, "light"),))
    store(participant, heart_rate(NOON, 1), sleep=[record])
    page = text(manager.get(PERSON))
    assert '<td class="num">23:40</td><td class="num">06:40</td><td class="num">7 h 00</td>' in page


def test_exercise_is_listed_in_local_time_with_what_is_known_of_it(manager: Client, participant: Participant) -> None:
    began = dt.datetime(2026, 11, 19, 17, 5, tzinfo=dt.UTC)
    record = ExerciseRecord(WATCH, "e", began, began + dt.timedelta(minutes=42), "trail_run", distance_m=6543.0)
    store(participant, heart_rate(NOON, 1), exercise=[record])
    page = text(manager.get(PERSON))
    assert "<td>Trail run</td>" in page
    cells = ("18:05", "0 h 42", "6.54", "–", "–")
    assert "".join(f'<td class="num">{cell}</td>' for cell in cells) in page


def test_values_that_do_not_count_are_told_of_the_days_shown(manager: Client, participant: Participant) -> None:
    zeros = heart_rate(NOON, 2, value=0.0)
    store(participant, zeros, heart_rate(NOON - dt.timedelta(hours=1), 1), steps(NOON, [-7]))
    page = text(manager.get(PERSON))
    assert "12 implausible values of heart rate on these days (outside 25 to 240 bpm) are not counted." in page
    assert "1 implausible value of steps on these days (outside 0 to 300 steps a minute) is not counted." in page
    assert "implausible" not in text(manager.get(f"{PERSON}?range=day&to=2026-11-17"))


def test_who_has_nothing_but_such_values_is_told_so(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 1, value=0.0))
    assert "6 implausible values of heart rate" in text(manager.get(PERSON))


def test_without_exercise_there_is_no_table_of_it(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 1))
    assert "Exercise" not in text(manager.get(PERSON))


@pytest.mark.parametrize(("query", "queries"), [("", 10), ("?range=day&to=2026-11-18", 14)])
def test_the_page_needs_the_same_queries_for_much_data(
    manager: Client, participant: Participant, django_assert_num_queries: Any, query: str, queries: int
) -> None:
    store(participant, *(heart_rate(NOON - dt.timedelta(days=n), 30) for n in range(3)), steps(NOON, [5]))
    with django_assert_num_queries(queries):
        manager.get(PERSON + query)


# --- signing in and errors ----------------------------------------------------------------------------------


def test_a_wrong_password_does_not_tell_which_part_was_wrong(client: Client, db: None) -> None:
    for email in (factories.UserFactory.create().email, "nobody@example.org"):
        page = text(client.post(reverse("login"), {"login": email, "password": "wrong"}))
        assert "E-mail and password do not match." in page


def test_signing_in_leads_to_the_trials_whatever_the_case_of_the_address(client: Client, db: None) -> None:
    user = factories.UserFactory.create(email="manager@example.org")
    user.set_password("a-long-test-password")
    user.save()
    answer = client.post(reverse("login"), {"login": "Manager@Example.org", "password": "a-long-test-password"})
    assert answer.headers["Location"] == "/"


def test_signing_out_needs_a_post(manager: Client) -> None:
    assert manager.get(reverse("logout")).status_code == 405
    assert manager.post(reverse("logout")).headers["Location"] == "/login/"


def test_an_unknown_address_has_a_page_in_our_look(manager: Client) -> None:
    answer = manager.get("/nowhere/")
    assert answer.status_code == 404
    assert "Not found" in answer.content.decode()


def test_the_page_of_a_broken_server_needs_no_database(rf: Any, django_assert_num_queries: Any, db: None) -> None:
    from django.views.defaults import server_error

    with django_assert_num_queries(0):
        answer = server_error(rf.get("/"))
    assert b"Something broke" in answer.content


def test_pages_hold_no_inline_script_or_style(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 1))
    for address in ("/", TRIAL, PERSON):
        page = text(manager.get(address))
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick=" not in page
        assert "<script>" not in page


def test_imported_data_show_as_a_source_where_no_vendor_is_set_up(manager: Client, participant: Participant) -> None:
    store(participant, heart_rate(NOON, 10))
    page = manager.get("/trials/STRIDE-2/participants/AX-0042/").content.decode()
    assert "Data from" in page
    assert "fitabase · Charge 6" in page
