"""Study ids that differ in upper and lower case alone are one person, wherever one is named."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from participants.models import Participant, Trial
from participants.privacy.erasure import _mentions
from participants.services import participant_enrol, participant_update
from participants.study_ids import spelt, study_key
from tests.factories import ParticipantFactory, TrialFactory, UserFactory


@pytest.fixture
def trial(db: None) -> Trial:
    return TrialFactory(code="CASES")


def pair(trial: Trial) -> tuple[Participant, Participant]:
    """Two from before ids were compared without case."""
    return (
        ParticipantFactory(trial=trial, study_id="ZERO-1"),
        ParticipantFactory(trial=trial, study_id="zero-1", case_twin=True),
    )


def test_nobody_is_enrolled_under_an_id_that_only_case_tells_from_another_s(trial: Trial) -> None:
    ParticipantFactory(trial=trial, study_id="ZERO-1")
    with pytest.raises(ValidationError) as refused:
        participant_enrol(trial=trial, study_id="zero-1")
    said = ["ZERO-1 is enrolled already: they differ in upper and lower case alone."]
    assert refused.value.message_dict == {"study_id": said}


def test_the_same_id_is_taken_and_of_another_trial_it_is_not(trial: Trial) -> None:
    ParticipantFactory(trial=trial, study_id="ZERO-1")
    with pytest.raises(ValidationError) as refused:
        participant_enrol(trial=trial, study_id="ZERO-1")
    assert refused.value.message_dict == {"study_id": ["This study id is taken in this trial."]}
    assert participant_enrol(trial=TrialFactory(code="OTHER"), study_id="zero-1").study_id == "zero-1"


def test_an_id_is_not_changed_to_one_that_only_case_tells_from_another_s_but_in_its_own_case(trial: Trial) -> None:
    ParticipantFactory(trial=trial, study_id="ZERO-1")
    other = ParticipantFactory(trial=trial, study_id="ONE-1")
    with pytest.raises(ValidationError):
        participant_update(other, study_id="zero-1")
    assert participant_update(other, study_id="one-1").study_id == "one-1"


def test_the_database_itself_refuses_a_second(trial: Trial) -> None:
    ParticipantFactory(trial=trial, study_id="ZERO-1")
    with pytest.raises(IntegrityError), transaction.atomic():
        ParticipantFactory(trial=trial, study_id="zero-1")


def test_an_id_taken_at_the_same_moment_is_an_error_fit_to_show(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    ParticipantFactory(trial=trial, study_id="ZERO-1")
    monkeypatch.setattr(Participant, "full_clean", lambda *_, **__: None)
    with pytest.raises(ValidationError) as refused:
        participant_enrol(trial=trial, study_id="zero-1")
    assert refused.value.message_dict == {"study_id": ["This study id is taken in this trial."]}


def test_pairs_from_before_can_be_changed_and_nobody_joins_them(trial: Trial) -> None:
    older, younger = pair(trial)
    for one in (older, younger):
        assert participant_update(one, arm="B").arm == "B"
    with pytest.raises(ValidationError):
        participant_enrol(trial=trial, study_id="Zero-1")


@pytest.mark.parametrize(
    ("written", "found"),
    [("ZERO-1", ["ZERO-1"]), ("zero-1", ["zero-1"]), ("Zero-1", ["ZERO-1"]), ("ZERO-2", []), ("ZERO-1\0", [])],
)
def test_of_a_pair_the_one_written_so_is_meant_else_the_older(trial: Trial, written: str, found: list[str]) -> None:
    pair(trial)
    named = Participant.objects.with_study_id(written)
    assert list(named.values_list("study_id", flat=True)) == found


def test_several_are_named_at_once(trial: Trial) -> None:
    pair(trial)
    ParticipantFactory(trial=trial, study_id="A-1")
    ParticipantFactory(trial=TrialFactory(code="OTHER"), study_id="a-1")
    named = Participant.objects.filter(trial=trial).with_study_ids(["a-1", "ZERO-1", "zero-1", "nobody"])
    assert sorted(named.values_list("study_id", flat=True)) == ["A-1", "ZERO-1", "zero-1"]


def test_characters_outside_ascii_are_not_taken_for_others() -> None:
    assert study_key("\u212a-1") != study_key("K-1")  # the Kelvin sign, whose lower case is k
    assert study_key("\u017fIX") != study_key("SIX")


def test_what_was_written_is_matched_by_the_same_case_first() -> None:
    known = ["A-1", "B-1", "b-1"]
    assert spelt(["a-1", "b-1", "C-1"], known) == {"a-1": "A-1", "b-1": "b-1"}
    assert spelt(["B-1"], ["b-1"]) == {"B-1": "b-1"}


def test_the_migration_marks_the_younger_of_a_pair_and_says_so(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    pair(trial)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX participant_study_id_any_case")
        cursor.execute("UPDATE participants_participant SET case_twin = false")
    ParticipantFactory(trial=trial, study_id="ONE-1")
    migration: Any = importlib.import_module("participants.migrations.0011_study_ids_any_case")
    migration.mark(apps, connection.schema_editor())
    marked = dict(Participant.objects.values_list("study_id", "case_twin"))
    assert marked == {"ZERO-1": False, "zero-1": True, "ONE-1": False}
    assert "CASES: 1 study ids" in capsys.readouterr().err


def test_an_erasure_finds_the_participant_s_id_in_whatever_case(trial: Trial) -> None:
    person = ParticipantFactory(trial=trial, study_id="ZERO-1")
    user = UserFactory()
    for text in ("zero-1", "ZERO-1", "zero-10"):
        LogEntry.objects.create(user=user, object_repr=text, action_flag=1, change_message="")
    _mentions(person)
    assert list(LogEntry.objects.values_list("object_repr", flat=True)) == ["zero-10"]
