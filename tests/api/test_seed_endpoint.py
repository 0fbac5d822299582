"""The seed's address: the same shape as ever, for every metric, with the API's rules on who may see what."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson
import pytest
from django.test import Client

from metrics.registry import BY_CODE, METRICS
from metrics.writing.writer import store
from participants.models import AuditEntry, Participant, Trial, User
from tests.api.conftest import Bring
from tests.factories import MembershipFactory, ParticipantFactory, TrialFactory
from tests.metrics.samples import NOON, NOW, PHONE, batch, deliver

pytestmark = pytest.mark.django_db
DAY = {"start_date": "2026-05-04", "end_date": "2026-05-04"}


@pytest.fixture
def person(trial: Trial) -> Participant:
    person: Participant = ParticipantFactory(trial=trial, study_id="AX-001")
    store(person, deliver(batch([60, 62])), now=NOW)
    return person


def ask(client: Client, path: str, status: int = 200, **asked: Any) -> Any:
    answer = client.get(f"/data/{path}", DAY | asked)
    assert answer.status_code == status
    if status == 200:
        return whole(answer)
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.json()


def whole(answer: Any) -> Any:
    """The JSON of an answer that comes as a stream."""
    assert answer.streaming
    return orjson.loads(b"".join(answer.streaming_content))


def test_the_shape_is_the_seeds(reader: Client, person: Participant) -> None:
    assert ask(reader, "AX-001/heart_rate") == {
        "user_id": "AX-001",
        "metric": "heart_rate",
        "data": [{"time": "2026-05-04T12:00:00Z", "value": 60.0}, {"time": "2026-05-04T12:00:05Z", "value": 62.0}],
    }


def test_values_that_do_not_count_are_left_out(reader: Client, person: Participant) -> None:
    store(person, deliver(batch([0.0, 255.0, 61.0], start=NOON + dt.timedelta(hours=1))), now=NOW)
    assert [one["value"] for one in ask(reader, "AX-001/heart_rate")["data"]] == [60.0, 62.0, 61.0]
    store(person, deliver(batch([-1.0], metric="steps", seconds=60)), now=NOW)
    ask(reader, "AX-001/steps", 404)


def test_a_participant_can_be_named_with_their_trial(reader: Client, person: Participant) -> None:
    answer = ask(reader, "STRIDE-2/AX-001/heart_rate")
    assert (answer["user_id"], len(answer["data"])) == ("STRIDE-2/AX-001", 2)


@pytest.mark.parametrize("metric", [metric.code for metric in METRICS])
def test_every_metric_is_there(reader: Client, person: Participant, metric: str) -> None:
    midnight = NOON.replace(hour=0)
    value = float(BY_CODE[metric].plausible[1])
    store(person, deliver(batch([value], metric=metric, start=midnight)), now=NOW)
    assert ask(reader, f"AX-001/{metric}")["data"][0] == {"time": "2026-05-04T00:00:00Z", "value": value}


def test_days_are_utc_and_both_ends_are_included(reader: Client, person: Participant) -> None:
    edges = [NOON.replace(hour=0), NOON.replace(hour=23, minute=59), NOON.replace(day=5, hour=0)]
    store(person, deliver(*(batch([1.0], metric="steps", start=at) for at in edges)), now=NOW)
    assert [s["time"] for s in ask(reader, "AX-001/steps")["data"]] == ["2026-05-04T00:00:00Z", "2026-05-04T23:59:00Z"]


def test_without_dates_the_last_week_comes(reader: Client, person: Participant) -> None:
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for days in (6, 7, 8):
        at = today - dt.timedelta(days=days)
        store(person, deliver(batch([float(days)], metric="steps", start=at)), now=today + dt.timedelta(days=1))
    answer = whole(reader.get("/data/AX-001/steps"))
    assert [sample["value"] for sample in answer["data"]] == [7.0, 6.0]


def test_long_answers_come_whole(reader: Client, person: Participant) -> None:
    store(person, deliver(batch([60.0] * 9001, step=1, start=NOON - dt.timedelta(hours=6))), now=NOW)
    answer = ask(reader, "AX-001/heart_rate")["data"]
    assert len(answer) == 9001 + 2
    assert answer == sorted(answer, key=lambda sample: sample["time"])


def test_one_source_is_read(reader: Client, person: Participant) -> None:
    store(person, deliver(batch([99.0], step=1, source=PHONE)), now=NOW)
    assert [sample["value"] for sample in ask(reader, "AX-001/heart_rate")["data"]] == [60.0, 62.0]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"start_date": "yesterday"}, {"start_date"}),
        ({"end_date": "2026-02-30"}, {"end_date"}),
        ({"start_date": "20260504"}, {"start_date"}),
        ({"start_date": "2026-05-05"}, {"start_date", "end_date"}),
        ({"end_date": "9999-12-31"}, {"end_date"}),
        ({"limit": "5"}, {"limit"}),
    ],
)
def test_a_wrong_date_is_named(reader: Client, person: Participant, asked: dict[str, Any], named: set[str]) -> None:
    assert set(ask(reader, "AX-001/heart_rate", 400, **asked)["errors"]) == named


def test_nothing_found_is_said_as_it_was(reader: Client, person: Participant) -> None:
    assert ask(reader, "AX-001/steps", 404)["detail"] == "No data found for the given parameters."
    assert ask(reader, "AX-001/mood", 404)["detail"].startswith("Metric not found.")


@pytest.mark.parametrize("path", ["AX-999/heart_rate", "NONE/AX-001/heart_rate", "STRIDE-2/AX-999/heart_rate"])
def test_who_is_not_there_is_not_found(reader: Client, person: Participant, path: str) -> None:
    ask(reader, path, 404)


def test_another_trials_participant_is_not_found(reader: Client, person: Participant) -> None:
    store(ParticipantFactory(trial=TrialFactory(code="OTHER"), study_id="OX-1"), deliver(batch([60])), now=NOW)
    ask(reader, "OX-1/heart_rate", 404)
    ask(reader, "OTHER/OX-1/heart_rate", 404)


def test_a_study_id_of_two_trials_asks_for_the_trial(reader: Client, person: Participant, manager: User) -> None:
    other = MembershipFactory.create(user=manager, trial=TrialFactory(code="OTHER")).trial
    store(ParticipantFactory(trial=other, study_id="AX-001"), deliver(batch([90])), now=NOW)
    assert set(ask(reader, "AX-001/heart_rate", 400)["errors"]) == {"user_id"}
    assert ask(reader, "OTHER/AX-001/heart_rate")["data"][0]["value"] == 90.0


def test_a_study_id_of_a_trial_that_is_not_visible_does_not_count(
    manager: User, person: Participant, trial: Trial, bring: Bring
) -> None:
    other = MembershipFactory.create(user=manager).trial
    ParticipantFactory(trial=other, study_id="AX-001")
    assert len(ask(bring(manager, trials=[trial]), "AX-001/heart_rate")["data"]) == 2


def test_nobody_is_let_in_without_a_token(client: Client, person: Participant) -> None:
    ask(client, "AX-001/heart_rate", 401)


def test_no_slash_is_added(reader: Client, person: Participant) -> None:
    assert reader.get("/data/AX-001/heart_rate/", DAY).status_code == 404


def test_the_view_is_in_the_audit_trail(reader: Client, person: Participant) -> None:
    ask(reader, "AX-001/heart_rate")
    assert AuditEntry.objects.get(action="series.view").participant_id == person.pk
