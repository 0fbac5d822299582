"""Spoilt files of every format, plain and packed: refused in one line or rejected by row, and nothing else."""

from __future__ import annotations

import io
import random
import shutil
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from participants.models import Trial
from tests.factories import ParticipantFactory, TrialFactory
from tests.security.fuzz.conftest import Watch
from tests.security.fuzz.mutations import chances, counted, fuzzed, packed, spoilt
from tests.security.fuzz.seeds import FILES

pytestmark = pytest.mark.django_db


@pytest.fixture
def trial() -> Trial:
    made: Trial = TrialFactory.create(code="WALK")
    ParticipantFactory.create(trial=made, study_id="P-1")
    return made


def imported(trial: Trial, path: Path) -> str:
    """What an operator sees in the end; what was stored is taken back."""
    out = io.StringIO()
    with transaction.atomic():
        try:
            call_command("import_data", trial.code, str(path), stdout=out, stderr=out, verbosity=0, participant="P-1")
        except CommandError as error:
            return str(error)
        finally:
            transaction.set_rollback(True)
    return ""


@pytest.mark.parametrize("name", FILES)
def test_the_seeds_are_valid(name: str, trial: Trial, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    assert imported(trial, path) == ""


@fuzzed(0.30)
@given(name=st.sampled_from(sorted(FILES)), chance=chances)
def test_spoilt_files_are_refused_or_taken_row_by_row(
    trial: Trial, tmp_path: Path, watch: Watch, name: str, chance: random.Random
) -> None:
    path = tmp_path / name
    path.write_bytes(spoilt(FILES[name], chance))
    with watch():
        said = imported(trial, path)
    assert "Traceback" not in said
    assert said.count("\n") <= 1
    counted("imports", "refused" if said else "taken")


@fuzzed(0.10)
@given(name=st.sampled_from(sorted(FILES)), chance=chances)
def test_spoilt_archives_are_refused_or_read_and_write_nothing(
    trial: Trial, tmp_path: Path, watch: Watch, name: str, chance: random.Random
) -> None:
    folder = tmp_path / "inbox" / "deep" / "deeper"
    shutil.rmtree(tmp_path / "inbox", ignore_errors=True)
    folder.mkdir(parents=True)
    body = FILES[name] if chance.random() < 0.5 else spoilt(FILES[name], chance)
    given_name, raw = packed(name, body, chance)
    (folder / given_name).write_bytes(raw)
    before = sorted(tmp_path.rglob("*"))
    with watch():
        said = imported(trial, folder)
    assert "root:" not in said
    assert sorted(tmp_path.rglob("*")) == before
    counted("archives", "refused" if said else "taken")
