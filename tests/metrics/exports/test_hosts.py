"""Hosts that should share an export folder and do not: they are told, nothing breaks and nothing is lost."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from metrics.exports import deletion, runner, store
from metrics.models import Export
from participants.models import AuditEntry, Participant, Trial, User
from tests.metrics.exports.scene import exported

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def export(trial: Trial, manager: User) -> Export:
    return exported(manager, trial, format="daily")


@pytest.fixture
def other_host(export: Export, settings: Settings, tmp_path: Path) -> Path:
    """From here on we are a host with a disk of its own."""
    settings.EXPORT_FOLDER = tmp_path / "other"
    return tmp_path / "other"


def test_a_download_there_says_that_the_files_are_elsewhere(
    client: Client, manager: User, export: Export, other_host: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client.force_login(manager)
    answer = client.get(f"/trials/STRIDE-2/exports/{export.uuid}/download/")
    assert (answer.status_code, "cannot be reached" in answer.content.decode()) == (503, True)
    assert "Share EXPORT_FOLDER among all hosts, or set EXPORT_STORE" in caplog.text


def test_an_erasure_is_not_done_before_the_files_are_gone(
    export: Export, other_host: Path, settings: Settings, tmp_path: Path
) -> None:
    person = Participant.objects.get(study_id="AX-1")
    with pytest.raises(store.Elsewhere):
        deletion.exports_forget(person)
    export.refresh_from_db()
    assert export.state == Export.State.DONE
    settings.EXPORT_FOLDER = tmp_path / "exports"  # a worker of the other host
    assert deletion.exports_forget(person) == [str(export.uuid)]


def test_another_hosts_files_are_left_to_it_when_their_time_is_over(export: Export, other_host: Path) -> None:
    assert export.expires_at is not None
    assert deletion.expire(export.expires_at) == 0
    export.refresh_from_db()
    assert export.state == Export.State.DONE


def test_a_worker_there_begins_a_half_written_export_anew(export: Export, other_host: Path) -> None:
    Export.objects.update(state=Export.State.RUNNING, claim=None)
    runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.DONE
    assert all(store.holds(export, file.path) for file in export.files.all())


def test_the_checks_warn_of_it(trial: Trial, manager: User, export: Export, settings: Settings, tmp_path: Path) -> None:
    assert store.foreign() == set()
    settings.EXPORT_FOLDER = tmp_path / "web"
    assert store.foreign() == set(), "a host that writes none cannot know"
    exported(manager, trial, format="daily")
    assert store.foreign() == {export.store}


def test_a_folder_that_is_gone_for_good_is_written_off(
    client: Client, manager: User, export: Export, other_host: Path
) -> None:
    call_command("exports_lost", export.store, stdout=io.StringIO())
    assert deletion.exports_forget(Participant.objects.get(study_id="AX-1")) == [str(export.uuid)]
    export.refresh_from_db()
    assert export.state == Export.State.EXPIRED
    assert AuditEntry.objects.filter(action="export.lost").count() == 1


def test_the_folder_of_this_host_is_not_written_off(export: Export) -> None:
    with pytest.raises(CommandError, match="not this host's"):
        call_command("exports_lost", export.store)
