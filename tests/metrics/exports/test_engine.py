"""Asking, writing, stopping, going on, expiring: what becomes of an export."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone

from metrics.exports import deletion, export_request, folder_store, runner, service, store
from metrics.models import Export, Measurement
from participants.models import AuditEntry, Membership, Participant, Trial, User
from tests import factories
from tests.metrics.exports import scene
from tests.metrics.exports.scene import exported, killed_half_way, manager_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_manifest_tells_what_the_files_are(trial: Trial, manager: User) -> None:
    export = exported(manager, trial, metrics=["heart_rate", "steps"], start_on=dt.date(2026, 10, 24))
    manifest = json.loads(store.open_file(export, "manifest.json").read())
    assert manifest["trial"]["code"] == "STRIDE-2"
    assert manifest["participants"] == 2
    assert manifest["filters"]["from"] == "2026-10-24"
    assert manifest["protocols"] == [{"version": 1, "effective_on": "2000-01-01"}]
    assert len(manifest["as_of"]) == 1
    assert manifest["rows"] == Measurement.objects.filter(metric__code__in=["heart_rate", "steps"]).count()
    for file in manifest["files"]:
        content = store.open_file(export, file["path"]).read()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert len(content) == file["bytes"]
    on_disk = {
        str(path.relative_to(folder_store.folder(export)))
        for path in folder_store.folder(export).rglob("*")
        if path.is_file()
    }
    assert on_disk == {file["path"] for file in manifest["files"]} | {"manifest.json"}


def test_a_member_of_a_site_exports_that_site_only(trial: Trial) -> None:
    user = manager_of(trial, site=trial.sites.get(), role=Membership.Role.VIEWER)
    export = exported(user, trial, format="csv", compressed=False)
    text = b"".join(store.open_file(export, file.path).read() for file in export.files.filter(rows__gt=0))
    assert b"AX-1" in text
    assert b"AX-2" not in text


def test_another_trials_people_are_unknown(trial: Trial, manager: User) -> None:
    scene.person(factories.TrialFactory.create(), "BX-1")
    with pytest.raises(ValidationError) as refused:
        export_request.check(manager, trial, participants=["AX-1", "BX-1"], metrics=["pulse"], format="xls")
    assert set(refused.value.message_dict) == {"participants", "metrics", "format"}


def test_who_lost_sight_of_a_participant_in_it_does_not_see_the_export_any_more(trial: Trial, manager: User) -> None:
    export = exported(manager, trial)
    assert list(service.exports_of(manager)) == [export]
    assert not service.exports_of(manager_of(trial))
    Membership.objects.filter(user=manager).update(site=trial.sites.get())
    assert not service.exports_of(manager)
    Membership.objects.filter(user=manager).update(site=None, ended_at=timezone.now())
    assert not service.exports_of(manager)


def test_who_joined_after_the_asking_is_not_in_it(trial: Trial, manager: User) -> None:
    export = service.create(manager, export_request.check(manager, trial))
    scene.fill(scene.person(trial, "AX-3"), 3)
    runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.rows_done == Measurement.objects.exclude(participant__study_id="AX-3").count()


def test_a_worker_that_was_killed_half_way_is_followed_by_one_that_goes_on(trial: Trial, manager: User) -> None:
    export = service.create(manager, export_request.check(manager, trial))
    killed_half_way(export, {"EXPORT_FOLDER": str(settings.EXPORT_FOLDER)})
    before = {file.path: (folder_store.folder(export) / file.path).stat().st_mtime_ns for file in export.files.all()}
    assert len(before) >= 2
    (folder_store.folder(export) / "left.part").write_bytes(b"half a file")
    runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.RUNNING, "a worker that was just heard of is not replaced"
    Export.objects.update(heard_at=timezone.now() - dt.timedelta(minutes=5))
    assert runner.due(timezone.now()) == [export.pk]
    runner.export_run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.rows_done) == (Export.State.DONE, Measurement.objects.count())
    after = {path: (folder_store.folder(export) / path).stat().st_mtime_ns for path in before}
    assert after == before, "finished files are not written again"
    assert not list(folder_store.folder(export).rglob("*.part"))
    manifest = json.loads(store.open_file(export, "manifest.json").read())
    assert len(manifest["as_of"]) == 2, "each run has its own snapshot, and the manifest says so"


def test_one_that_is_called_off_leaves_nothing_behind(
    trial: Trial, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = service.create(manager, export_request.check(manager, trial))
    keep = runner.keep

    def called_off(*args: object) -> None:
        keep(*args)  # type: ignore[arg-type]
        service.export_cancel(export)

    monkeypatch.setattr(runner, "keep", called_off)
    runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.CANCELLED
    assert not folder_store.folder(export).exists()
    assert not service.export_cancel(export)


def test_files_are_deleted_when_their_time_is_over(trial: Trial, manager: User) -> None:
    export = exported(manager, trial)
    assert export.expires_at is not None
    assert deletion.expire(export.expires_at - dt.timedelta(seconds=1)) == 0
    assert deletion.expire(export.expires_at) == 1
    export.refresh_from_db()
    assert export.state == Export.State.EXPIRED
    assert not folder_store.folder(export).exists()


def test_files_of_exports_that_were_deleted_go_too(trial: Trial, manager: User) -> None:
    export = exported(manager, trial)
    Export.objects.all().delete()
    deletion.expire(timezone.now())
    assert not folder_store.folder(export).exists()


def test_an_erasure_takes_the_exports_that_hold_the_participant(trial: Trial, manager: User) -> None:
    holding, without = exported(manager, trial), exported(manager, trial, participants=["AX-2"])
    assert deletion.exports_forget(Participant.objects.get(study_id="AX-1")) == [str(holding.uuid)]
    assert not folder_store.folder(holding).exists()
    assert folder_store.folder(without).exists()


def test_a_fault_is_told_in_plain_language(trial: Trial, manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    export = service.create(manager, export_request.check(manager, trial))
    monkeypatch.setattr(runner, "keep", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.FAILED
    assert "worker's log" in export.error
    deletion.expire(timezone.now())
    assert not folder_store.folder(export).exists(), "what it had written is not left lying about"


def on_a_disk(monkeypatch: pytest.MonkeyPatch, fault: OSError | None) -> None:
    """From here on the disk for exports answers each write so; None: it takes them."""

    def take(self: Any, data: memoryview) -> None:
        self._file.write(data)
        if fault:
            raise fault

    monkeypatch.setattr(folder_store._FolderPartialFile, "take", take)


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("kind", ["parquet", "csv", "daily", "fhir", "subject"])
def test_an_export_on_a_full_disk_waits_for_room_and_is_written_then(
    trial: Trial, manager: User, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "subject":
        export = service.subject_export_create(manager, Participant.objects.get(study_id="AX-1"))
    else:
        export = service.create(manager, export_request.check(manager, trial, format=kind))
    on_a_disk(monkeypatch, full())
    now = timezone.now()
    with pytest.raises(OSError, match="No space"):
        runner.export_run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.error, export.attempts) == (Export.State.WAITING, "The disk for exports is full.", 0)
    assert export.retry_at is not None
    assert now + dt.timedelta(minutes=5) <= export.retry_at <= timezone.now() + dt.timedelta(minutes=5)
    assert not [path for path in folder_store.folder(export).rglob("*") if path.is_file()], "no half-written file stays"
    assert runner.due(export.retry_at - dt.timedelta(seconds=1)) == []
    assert runner.due(export.retry_at) == [export.pk]
    on_a_disk(monkeypatch, None)
    runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.DONE
    assert not export.error
    assert export.retry_at is None


def test_what_was_whole_before_the_disk_was_full_is_not_written_again(
    trial: Trial, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = service.create(manager, export_request.check(manager, trial, format="csv"))
    kept = runner.keep

    def keep_one(*arguments: Any) -> None:
        kept(*arguments)
        on_a_disk(monkeypatch, full())

    monkeypatch.setattr(runner, "keep", keep_one)
    with pytest.raises(OSError, match="No space"):
        runner.export_run(export.pk)
    (first,) = export.files.all()
    written = (folder_store.folder(export) / first.path).stat().st_mtime_ns
    on_a_disk(monkeypatch, None)
    monkeypatch.setattr(runner, "keep", kept)
    runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.DONE
    assert (folder_store.folder(export) / first.path).stat().st_mtime_ns == written


def test_after_a_day_on_a_full_disk_it_has_failed_and_can_be_asked_for_again(
    trial: Trial, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = service.create(manager, export_request.check(manager, trial, format="csv", metrics=["steps"]))
    on_a_disk(monkeypatch, full())
    waited = dt.timedelta()
    while export.state == Export.State.WAITING:
        began = timezone.now()
        with pytest.raises(OSError, match="No space"):
            runner.export_run(export.pk)
        export.refresh_from_db()
        waited += (export.retry_at - began) if export.retry_at else dt.timedelta()
    assert export.state == Export.State.FAILED
    assert dt.timedelta(hours=23) < waited < dt.timedelta(hours=28)
    assert "full" in export.error
    assert not folder_store.folder(export).exists()
    on_a_disk(monkeypatch, None)
    again = service.export_again(manager, export)
    assert (again.format, again.metrics, again.state) == ("csv", ["steps"], Export.State.WAITING)
    runner.export_run(again.pk)
    again.refresh_from_db()
    assert again.state == Export.State.DONE
    with pytest.raises(ValueError, match="files are there"):
        service.export_again(manager, again)


def test_a_disk_that_refuses_us_fails_at_once(trial: Trial, manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    export = service.create(manager, export_request.check(manager, trial))
    on_a_disk(monkeypatch, PermissionError(errno.EACCES, "Permission denied"))
    with pytest.raises(PermissionError):
        runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.FAILED


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_partial_file_on_a_full_disk_leaves_nothing_behind(trial: Trial, manager: User) -> None:
    export = service.create(manager, export_request.check(manager, trial))
    store.begin(export)
    file: Any = store.partial_file(export, "a.csv")
    file._file.close()
    file._file = Path("/dev/full").open("wb")  # noqa: SIM115  closing it is what is tried
    file.write(b"buffered, and not taken when the file is closed")
    file.close()
    assert list(folder_store.folder(export).iterdir()) == []


def test_the_command_on_a_full_disk_says_so_and_leaves_nothing_to_a_worker(
    trial: Trial, manager: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_a_disk(monkeypatch, full())
    with pytest.raises(CommandError, match="disk for exports is full"):
        call_command("export_data", "STRIDE-2", user=manager.email, out=tmp_path / "out")
    assert Export.objects.get().state == Export.State.CANCELLED
    assert runner.due(timezone.now() + dt.timedelta(days=2)) == []


def test_asking_is_in_the_audit_trail(trial: Trial, manager: User) -> None:
    export = service.create(manager, export_request.check(manager, trial))
    entry = AuditEntry.objects.get(action="export.ask")
    assert entry.thing == f"export:{export.uuid}"


def test_the_estimate_is_what_comes_of_it(trial: Trial, manager: User) -> None:
    wanted = export_request.check(manager, trial, metrics=["steps"])
    assert export_request.estimate(wanted) == exported(manager, trial, metrics=["steps"]).rows_done


def test_one_user_has_only_so_many_at_work(trial: Trial, manager: User) -> None:
    for _ in range(service.AT_ONCE):
        service.create(manager, export_request.check(manager, trial))
    with pytest.raises(ValidationError):
        service.create(manager, export_request.check(manager, trial))


def test_the_command_writes_the_same_files(trial: Trial, manager: User, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call_command("export_data", "STRIDE-2", user=manager.email, out=out, format="csv", plain=True)
    assert (out / "manifest.json").exists()
    assert (out / "heart_rate" / "2026-10.csv").read_text().startswith("study_id,metric,")
