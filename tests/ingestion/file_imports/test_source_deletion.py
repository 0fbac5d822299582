"""Deletion by source where data arrive: not while they would come again, by the command, beside imports."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.management import CommandError, call_command

from ingestion.models import Connection, ImportFile
from ingestion.source_deletion import delete_of_source
from metrics.corrections.data_deletion import DeletionRefused, Selection, deletion_run
from metrics.models import Measurement, Source
from participants.models import Participant, Trial
from tests.conftest import SetUpProviders
from tests.factories import ParticipantFactory
from tests.ingestion.conftest import Import, utc
from tests.ingestion.file_imports.test_import_undo import beats, undo, write


class Vendor:
    slug, source_provider = "vendor", "fitabase"
    data_types: ClassVar[dict[str, object]] = {}


@pytest.fixture
def participant(trial: Trial, tmp_path: Path, import_data: Import) -> Participant:
    person: Participant = ParticipantFactory.create(trial=trial, study_id="P-1", time_zone="Europe/Amsterdam")
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61)))
    return person


@pytest.fixture
def source(participant: Participant) -> Source:
    return Source.objects.get(provider="fitabase")


def run(*arguments: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command("delete_measurements", *map(str, arguments), stdout=out, **options)
    return out.getvalue()


@pytest.mark.parametrize(("status", "refused"), [("active", True), ("reconnect", True), ("revoked", False)])
def test_nothing_is_deleted_that_a_connection_would_bring_again(
    participant: Participant, source: Source, set_up_providers: SetUpProviders, status: str, refused: bool
) -> None:
    set_up_providers(Vendor)
    Connection.objects.create(participant=participant, trial=participant.trial, provider="vendor", status=status)
    selection = Selection(participant, source)
    if refused:
        with pytest.raises(DeletionRefused, match="disconnect it first"):
            delete_of_source(selection, by=None, reason="not theirs")
        assert "disconnect it first" in run("WALK", "P-1", source=source.pk)
    else:
        deletion_run(delete_of_source(selection, by=None, reason="not theirs").pk)
    assert Measurement.objects.exists() is refused


def test_a_connection_with_another_vendor_is_no_reason(
    participant: Participant, source: Source, set_up_providers: SetUpProviders
) -> None:
    set_up_providers(Vendor)
    Connection.objects.create(participant=participant, trial=participant.trial, provider="other", status="active")
    assert delete_of_source(Selection(participant, source), by=None, reason="not theirs")


def test_the_command_lists_tells_and_deletes_when_told(participant: Participant, source: Source) -> None:
    assert f"{source.pk:>6}  fitabase" in run("WALK", "p-1")
    told = run("WALK", "P-1", source=source.pk)
    assert "Heart rate: 2 rows, 2024-05-01 to 2024-05-01" in told
    assert Measurement.objects.count() == 2
    assert "2 rows were deleted." in run("WALK", "P-1", source=source.pk, confirm=True, reason="not theirs")
    assert not Measurement.objects.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"source": 9999}, "Nothing of P-1 is stored from a source 9999"),
        ({"confirm": True}, "--reason"),
        ({"metric": "pulse"}, "no metric"),
    ],
)
def test_the_command_refuses_in_one_line(
    participant: Participant, source: Source, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(CommandError, match=says):
        run("WALK", "P-1", **{"source": source.pk, **options})
    assert Measurement.objects.exists()


def test_an_import_whose_rows_were_deleted_is_known_and_can_be_undone_and_imported_again(
    trial: Trial, participant: Participant, source: Source, tmp_path: Path, import_data: Import
) -> None:
    deletion_run(delete_of_source(Selection(participant, source), by=None, reason="not theirs").pk)
    assert "already imported" in import_data(trial, tmp_path / "a.csv").text
    assert not Measurement.objects.exists()
    undo(ImportFile.objects.get())
    import_data(trial, tmp_path / "a.csv")
    assert len(utc("P-1", "heart_rate")) == 2


def test_rows_that_were_deleted_do_not_come_back_with_those_that_were_turned_away(
    trial: Trial, participant: Participant, source: Source, tmp_path: Path, import_data: Import
) -> None:
    path = write(tmp_path, "b.csv", *beats(60, 61), *beats(70, who="LATE-1"))
    import_data(trial, path, no_enrol=True)
    deletion_run(delete_of_source(Selection(participant, source), by=None, reason="not theirs").pk)
    ParticipantFactory(trial=trial, study_id="LATE-1")
    import_data(trial, path, no_enrol=True)
    assert utc("P-1", "heart_rate") == []
    assert len(utc("LATE-1", "heart_rate")) == 1
