"""Everything about one participant as an export: for who leads the trial, and nobody else."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from metrics.exports import exports_forget, exports_of, folder_store, runner, store, subject_export_create
from metrics.models import Export
from participants.models import AuditEntry, Membership, Participant, Trial, User
from participants.privacy.subject_access import README
from tests.metrics.exports.scene import manager_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def person(trial: Trial) -> Participant:
    return Participant.objects.get(study_id="AX-1")


def written(user: User, person: Participant) -> Export:
    export = subject_export_create(user, person, reason="their letter")
    runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.DONE, export.error
    return export


def test_it_becomes_one_archive_of_that_participant_alone(manager: User, person: Participant) -> None:
    export = written(manager, person)
    assert list(export.files.values_list("path", flat=True)) == ["everything.zip"]
    with zipfile.ZipFile(io.BytesIO(store.open_file(export, "everything.zip").read())) as archive:
        assert f"STRIDE-2 AX-1/{README}" in archive.namelist()
        text = b"".join(archive.read(name) for name in archive.namelist())
    assert b"AX-2" not in text
    assert [path.name for path in folder_store.folder(export).iterdir()] == ["everything.zip"]


def test_the_audit_trail_says_who_asked_about_whom_and_why(manager: User, person: Participant) -> None:
    written(manager, person)
    entry = AuditEntry.objects.get(action="subject.export")
    assert entry.participant_id == person.pk
    assert entry.detail.reason == "their letter"


@pytest.mark.parametrize("role", ["coordinator", "analyst", "viewer"])
def test_only_who_leads_the_trial_may_ask(trial: Trial, person: Participant, role: str) -> None:
    with pytest.raises(PermissionDenied):
        subject_export_create(manager_of(trial, role=role), person)
    assert not Export.objects.exists()


def test_who_leads_the_trial_no_more_does_not_see_it_any_more(manager: User, person: Participant) -> None:
    export = written(manager, person)
    assert list(exports_of(manager)) == [export]
    Membership.objects.filter(user=manager).update(role=Membership.Role.ANALYST)
    assert list(exports_of(User.objects.get(pk=manager.pk))) == []


def test_an_erasure_deletes_it(manager: User, person: Participant) -> None:
    export = written(manager, person)
    exports_forget(person)
    assert not folder_store.folder(export).exists()


def test_the_exports_page_shows_whose_it_is_and_hands_it_out(
    client: Client, manager: User, person: Participant
) -> None:
    export = written(manager, person)
    client.force_login(manager)
    page = client.get("/trials/STRIDE-2/exports/").content.decode()
    assert "Everything about one participant" in page
    assert "AX-1 ·" in page
    assert client.get(f"/trials/STRIDE-2/exports/{export.uuid}/").status_code == 200
    assert client.get(f"/trials/STRIDE-2/exports/{export.uuid}/files/everything.zip").status_code == 200


def test_it_is_not_among_the_formats_of_the_form(client: Client, manager: User) -> None:
    client.force_login(manager)
    answer = client.post("/trials/STRIDE-2/exports/", {"format": "subject"})
    assert answer.status_code == 422
    assert not Export.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("manager", 303), ("coordinator", 403), ("viewer", 403)])
def test_the_page_asks_for_it(
    client: Client, trial: Trial, person: Participant, role: str, status: int, settings: Any
) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = True
    client.force_login(manager_of(trial, role=role))
    url = reverse("dashboards:consent-act", args=["STRIDE-2", "AX-1", "access"])
    assert client.post(url, {"reason": "their letter"}).status_code == status
    assert Export.objects.count() == (status == 303)
