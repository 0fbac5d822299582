"""What was measured besides series: the registry, sources, days, day status, gaps, nights, exercise, summaries."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from metrics.batch import ExerciseRecord, Payload, SleepRecord, Stage
from metrics.models import Cause, DayStatus, DayStatusHistory, Gap, ParticipantDay, ParticipantStatusSummary
from metrics.registry import METRICS
from metrics.writing.writer import store
from participants.models import AuditEntry, Membership, Participant, Trial
from tests.api.conftest import Bring
from tests.factories import MembershipFactory, ParticipantFactory, SiteFactory, TrialFactory
from tests.metrics.samples import CHARGE, NOON, NOW, PHONE, batch, deliver

pytestmark = pytest.mark.django_db
TRIAL = "/api/v1/trials/STRIDE-2"
RECORDS = ["participant-days", "day-verdicts", "gaps", "sleep-sessions", "exercise-sessions", "standings"]
FIRST = dt.date(2026, 5, 4)


@pytest.fixture
def person(trial: Trial) -> Participant:
    """With a record of each kind on 4 May."""
    person: Participant = ParticipantFactory(trial=trial, study_id="AX-001")
    furnish(person)
    return person


def furnish(person: Participant) -> None:
    night = SleepRecord(
        CHARGE,
        "n1",
        NOON - dt.timedelta(hours=12),
        NOON - dt.timedelta(hours=5),
        (Stage(NOON - dt.timedelta(hours=12), 3600, "light"), Stage(NOON - dt.timedelta(hours=11), 7200, "deep")),
    )
    walk = ExerciseRecord(CHARGE, "e1", NOON, NOON + dt.timedelta(hours=1), "walk", steps=4000)
    store(person, Payload(samples=[batch([60.0] * 30)], sleep=[night], exercise=[walk]), now=NOW)
    ParticipantDay.objects.filter(participant=person).delete()
    Gap.objects.filter(participant=person).delete()
    DayStatusHistory.objects.filter(participant=person).delete()
    ParticipantStatusSummary.objects.filter(participant=person).delete()
    ParticipantDay.objects.create(
        participant=person, date=FIRST, status=DayStatus.INVALID, worn_minutes=42, coverage={"heart_rate": 42},
        known_at=NOW, updated_at=NOW,
    )  # fmt: skip
    for days, status in ((1, DayStatus.PENDING), (8, DayStatus.LOST), (20, DayStatus.INVALID)):
        known = NOON + dt.timedelta(days=days)
        DayStatusHistory.objects.create(
            participant=person, date=FIRST, known_at=known, status=status, worn_minutes=days
        )
    Gap.objects.create(
        participant=person, date=FIRST, starts_at=NOON, ends_at=NOON + dt.timedelta(hours=2),
        cause=Cause.OFF_WRIST, evidence={"zero_step_minutes": 118}, known_at=NOW,
    )  # fmt: skip
    ParticipantStatusSummary.objects.create(
        participant=person, updated_at=NOW, adherence=0.25, low_wear=True, target=0.7
    )


def rows(client: Client, what: str, expected: int = 200, **asked: Any) -> Any:
    path = what if what.startswith("/") else f"{TRIAL}/{what}"
    answer = client.get(path, asked)
    assert answer.status_code == expected, answer.content[:400]
    return answer.json() if expected != 200 else answer.json()["results"]


def every(client: Client, what: str, **asked: Any) -> list[dict[str, Any]]:
    """All rows, page by page."""
    found: list[dict[str, Any]] = []
    answer = client.get(f"{TRIAL}/{what}", asked).json()
    while True:
        found += answer["results"]
        if answer["next"] is None:
            return found
        answer = client.get(answer["next"]).json()


def test_the_registry_names_units_and_codes(reader: Client) -> None:
    found = rows(reader, "/api/v1/metrics")
    assert len(found) == len(METRICS)
    assert found[0] == {
        "code": "heart_rate",
        "name": "Heart rate",
        "unit": "/min",
        "kind": "sample",
        "aggregate": "mean",
        "concept": "8867-4",
        "concept_system": "http://loinc.org",
        "plausible_low": 25.0,
        "plausible_high": 240.0,
        "plausible_per_minute": False,
    }


def test_the_registry_is_not_sent_again_while_it_is_the_same(reader: Client) -> None:
    answer = reader.get("/api/v1/metrics")
    assert reader.get("/api/v1/metrics", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_sources_are_those_of_visible_data(reader: Client, person: Participant) -> None:
    hidden = ParticipantFactory(trial=TrialFactory())
    store(hidden, deliver(batch([60.0], source=CHARGE.__class__("other", "", "Secret 9"))), now=NOW)
    assert [source["device_model"] for source in rows(reader, "/api/v1/sources")] == ["Charge 6"]
    assert rows(reader, "/api/v1/sources", trial="STRIDE-2")[0]["provider"] == "testvendor"
    rows(reader, "/api/v1/sources", 404, trial=hidden.trial.code)


def test_days_have_status_labels_and_coverage(reader: Client, person: Participant) -> None:
    (day,) = rows(reader, "participant-days")
    assert (day["participant"], day["date"], day["status"]) == ("AX-001", "2026-05-04", "invalid")
    assert (day["worn_minutes"], day["coverage"], day["asleep_minutes"]) == (42, {"heart_rate": 42}, None)


def test_days_are_chosen_by_status_and_date(reader: Client, person: Participant) -> None:
    for days, status in ((1, DayStatus.VALID), (2, DayStatus.LOST)):
        date = FIRST + dt.timedelta(days=days)
        ParticipantDay.objects.create(participant=person, date=date, status=status, updated_at=NOW)
    assert [d["status"] for d in rows(reader, "participant-days", status="valid,lost")] == ["valid", "lost"]
    assert [d["date"] for d in rows(reader, "participant-days", start="2026-05-05", end="2026-05-05")] == ["2026-05-05"]


def test_day_statuses_are_kept_as_they_became_known(reader: Client, person: Participant) -> None:
    assert [v["status"] for v in rows(reader, "day-verdicts")] == ["pending", "lost", "invalid"]


@pytest.mark.parametrize(("days", "known"), [(0, []), (2, ["pending"]), (9, ["lost"]), (99, ["invalid"])])
def test_what_was_known_at_an_instant_can_be_asked(
    reader: Client, person: Participant, days: int, known: list[str]
) -> None:
    at = NOON + dt.timedelta(days=days)
    assert [v["status"] for v in rows(reader, "day-verdicts", as_of=at.isoformat())] == known


def test_gaps_have_a_cause_and_its_evidence(reader: Client, person: Participant) -> None:
    (gap,) = rows(reader, "gaps", cause="off_wrist")
    assert (gap["starts_at"], gap["ends_at"]) == ("2026-05-04T12:00:00Z", "2026-05-04T14:00:00Z")
    assert (gap["cause"], gap["evidence"]) == ("off_wrist", {"zero_step_minutes": 118})
    assert rows(reader, "gaps", cause="paused,unknown") == []


def test_a_gap_that_is_not_over_ends_now(reader: Client, person: Participant) -> None:
    now = timezone.now()
    for start in (now - dt.timedelta(hours=1), now + dt.timedelta(hours=1)):
        Gap.objects.create(participant=person, date=now.date(), starts_at=start, ends_at=now + dt.timedelta(hours=3),
                           cause=Cause.NOT_SYNCED, known_at=now)  # fmt: skip
    (gap,) = rows(reader, "gaps", cause="not_synced")
    assert dt.datetime.fromisoformat(gap["ends_at"]) - now < dt.timedelta(minutes=1)


def test_nights_have_their_stages(reader: Client, person: Participant) -> None:
    (night,) = rows(reader, "sleep-sessions", main="true")
    assert (night["date"], night["is_main"], night["deep_minutes"]) == ("2026-05-04", True, 120)
    assert night["stages"][1] == {"offset_seconds": 3600, "seconds": 7200, "stage": "deep"}
    assert rows(reader, "sleep-sessions", main="false") == []


def test_each_date_has_the_nights_of_the_source_that_counts(reader: Client, person: Participant) -> None:
    (night,) = rows(reader, "sleep-sessions")
    wakes = dt.datetime.fromisoformat(night["ends_at"])
    longer = SleepRecord(PHONE, "longer", wakes - dt.timedelta(hours=11), wakes)
    store(person, Payload(sleep=[longer]), now=NOW)
    assert [one["external_id"] for one in rows(reader, "sleep-sessions")] == ["longer"]
    other = rows(reader, "sleep-sessions", source=night["source"])
    assert [one["external_id"] for one in other] == [night["external_id"]]


@pytest.mark.parametrize("what", ["sleep-sessions", "exercise-sessions"])
def test_what_is_not_collected_is_in_no_list(reader: Client, person: Participant, what: str) -> None:
    (one,) = rows(reader, what)
    date = dt.date.fromisoformat(one["date"])
    Participant.objects.filter(pk=person.pk).update(monitoring_ends_on=date)
    assert len(rows(reader, what)) == 1
    Participant.objects.filter(pk=person.pk).update(monitoring_ends_on=date - dt.timedelta(days=1))
    assert rows(reader, what) == []


@pytest.mark.parametrize("what", ["participant-days", "day-verdicts"])
def test_a_day_that_is_not_collected_has_no_worn_minutes(reader: Client, person: Participant, what: str) -> None:
    (one,) = rows(reader, what)[:1]
    assert one["worn_minutes"] is not None
    date = dt.date.fromisoformat(one["date"])
    Participant.objects.filter(pk=person.pk).update(monitoring_ends_on=date - dt.timedelta(days=1))
    hidden = rows(reader, what)[0]
    assert hidden["worn_minutes"] is None
    if what == "participant-days":
        assert (hidden["coverage"], hidden["asleep_minutes"], hidden["last_sample_at"]) == ({}, None, None)


def test_exercise_has_null_for_what_its_source_does_not_know(reader: Client, person: Participant) -> None:
    (walk,) = rows(reader, "exercise-sessions")
    assert (walk["activity"], walk["steps"], walk["distance_m"]) == ("walk", 4000, None)


def test_status_summaries_say_the_most_urgent_status(reader: Client, person: Participant, trial: Trial) -> None:
    ParticipantFactory(trial=trial, study_id="AX-002")
    low, waiting = rows(reader, "standings")
    assert (low["participant"], low["word"], low["adherence"], low["target"]) == ("AX-001", "low_wear", 0.25, 0.7)
    assert (waiting["word"], waiting["adherence"], waiting["access"]) == ("waiting", None, None)
    assert [s["participant"] for s in rows(reader, "standings", word="waiting,paused")] == ["AX-002"]


@pytest.mark.parametrize("what", RECORDS)
def test_another_trial_is_not_there(reader: Client, person: Participant, what: str) -> None:
    other = TrialFactory(code="OTHER")
    ParticipantFactory(trial=other)
    rows(reader, f"/api/v1/trials/OTHER/{what}", 404)


@pytest.mark.parametrize("what", RECORDS)
def test_a_token_of_another_trial_opens_nothing(bring: Bring, person: Participant, manager: Any, what: str) -> None:
    other = MembershipFactory.create(user=manager).trial
    rows(bring(manager, trials=[other]), what, 404)


@pytest.mark.parametrize("what", RECORDS)
def test_members_of_a_site_see_its_records_alone(bring: Bring, trial: Trial, person: Participant, what: str) -> None:
    site = SiteFactory(trial=trial)
    furnish(ParticipantFactory(trial=trial, site=site, study_id="AX-777"))
    client = bring(MembershipFactory.create(trial=trial, site=site, role=Membership.Role.ANALYST).user)
    assert {row["participant"] for row in rows(client, what)} == {"AX-777"}
    rows(client, what, 404, participants="AX-001")


@pytest.mark.parametrize("what", RECORDS)
def test_participants_can_be_chosen(reader: Client, trial: Trial, person: Participant, what: str) -> None:
    furnish(ParticipantFactory(trial=trial, study_id="AX-002"))
    assert {row["participant"] for row in rows(reader, what, participants="AX-002")} == {"AX-002"}
    assert {row["participant"] for row in rows(reader, what, participants="AX-002,AX-001")} == {"AX-001", "AX-002"}


@pytest.mark.parametrize("what", RECORDS)
def test_pages_hold_every_row_once(reader: Client, trial: Trial, person: Participant, what: str) -> None:
    for i in range(4):
        furnish(ParticipantFactory(trial=trial, study_id=f"AX-10{i}"))
    whole = rows(reader, what)
    assert len(whole) >= 5
    assert every(reader, what, page_size=2) == whole
    assert every(reader, what, page_size=len(whole)) == whole


@pytest.mark.parametrize("what", RECORDS)
def test_views_are_in_the_audit_trail(reader: Client, person: Participant, what: str) -> None:
    rows(reader, what)
    assert AuditEntry.objects.get(action__endswith=".view").participant_id == person.pk


@pytest.mark.parametrize("what", [f"{TRIAL}/{what}" for what in RECORDS] + ["/api/v1/metrics", "/api/v1/sources"])
def test_unknown_parameters_and_cursors_are_named(reader: Client, person: Participant, what: str) -> None:
    assert set(rows(reader, what, 400, colour="blue")["errors"]) == {"colour"}
    for cursor in ("x", "é", "W10", "WzEsMl0", "WyJ4IiwieSIsInoiXQ", "W251bGwsMSwyXQ", "WzFlOTksMV0"):
        assert set(rows(reader, what, 400, cursor=cursor)["errors"]) == {"cursor"}, cursor


@pytest.mark.parametrize(
    ("what", "asked", "named"),
    [
        ("participant-days", {"status": "splendid"}, {"status"}),
        ("participant-days", {"start": "yesterday"}, {"start"}),
        ("participant-days", {"start": "2026-05-05", "end": "2026-05-04"}, {"start", "end"}),
        ("participant-days", {"end": "0001-01-01"}, {"end"}),
        ("day-verdicts", {"as_of": "then"}, {"as_of"}),
        ("gaps", {"cause": "weather"}, {"cause"}),
        ("sleep-sessions", {"main": "maybe"}, {"main"}),
        ("standings", {"word": "fine"}, {"word"}),
    ],
)
def test_a_wrong_filter_is_named(
    reader: Client, person: Participant, what: str, asked: dict[str, Any], named: set[str]
) -> None:
    assert set(rows(reader, what, 400, **asked)["errors"]) == named
