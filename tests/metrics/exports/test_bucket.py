"""Exports in a bucket, against a server that speaks S3 over HTTP: written in parts, served in byte ranges, deleted."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from django.test import Client, RequestFactory
from django.utils import timezone
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from metrics.exports import deletion, downloads, export_request, runner, service, store
from metrics.models import Export
from participants import s3 as participants_s3
from participants.models import Participant, Trial, User
from tests.metrics.exports.scene import exported, killed_half_way
from tests.metrics.exports.test_serving import body

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def service_address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def s3(service_address: str, settings: Settings) -> Iterator[Any]:
    """An empty bucket, and the settings that lead there."""
    settings.S3_ENDPOINT_URL, settings.S3_REGION = service_address, "us-east-1"
    settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = "key", "secret"
    settings.EXPORT_STORE = "s3://trials/exports"
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", endpoint_url=service_address, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="trials")
    yield client
    for version in client.list_object_versions(Bucket="trials").get("Versions", ()):
        client.delete_object(Bucket="trials", Key=version["Key"], VersionId=version["VersionId"])
    for marker in client.list_object_versions(Bucket="trials").get("DeleteMarkers", ()):
        client.delete_object(Bucket="trials", Key=marker["Key"], VersionId=marker["VersionId"])
    client.delete_bucket(Bucket="trials")


def keys(s3: Any) -> set[str]:
    return {one["Key"] for one in s3.list_objects_v2(Bucket="trials").get("Contents", ())}


def uploads(s3: Any) -> list[Any]:
    return list(s3.list_multipart_uploads(Bucket="trials").get("Uploads", ()))


def test_all_files_are_in_the_bucket_and_nothing_is_on_the_disk(
    trial: Trial, manager: User, s3: Any, settings: Settings
) -> None:
    export = exported(manager, trial, format="csv")
    assert keys(s3) == {f"exports/{export.uuid}/{file.path}" for file in export.files.all()}
    assert not Path(settings.EXPORT_FOLDER).exists()
    for file in export.files.all():
        assert hashlib.sha256(store.open_file(export, file.path).read()).hexdigest() == file.sha256


def test_a_large_file_goes_up_in_parts_and_comes_down_in_byte_ranges(
    trial: Trial, manager: User, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(participants_s3, "PART", 5 << 20)
    file = store.partial_file(export := exported(manager, trial), "large.bin")
    content = os.urandom(12 << 20)
    for start in range(0, len(content), 1 << 20):
        file.write(content[start : start + (1 << 20)])
    assert len(uploads(s3)) == 1
    assert f"exports/{export.uuid}/large.bin" not in keys(s3), "it appears when it is whole"
    stored = file.publish()
    assert (stored.size, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert s3.head_object(Bucket="trials", Key=f"exports/{export.uuid}/large.bin")["ETag"].endswith('-3"')
    with store.open_file(export, "large.bin", 6_000_000, 6_000_100) as byte_range:
        assert byte_range.read() == content[6_000_000:6_000_100]


def test_a_partial_file_that_is_closed_unfinished_leaves_nothing(
    trial: Trial, manager: User, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(participants_s3, "PART", 5 << 20)
    export = exported(manager, trial)
    with store.partial_file(export, "half.bin") as file:
        file.write(bytes(6 << 20))
    assert not uploads(s3)
    assert f"exports/{export.uuid}/half.bin" not in keys(s3)


def test_a_broken_download_goes_on_byte_for_byte(trial: Trial, manager: User) -> None:
    export, factory = exported(manager, trial), RequestFactory()
    content = body(downloads.archive_response(factory.get("/"), export))
    for cut in (31, len(content) // 2, len(content) - 5):
        rest = downloads.archive_response(factory.get("/", headers={"Range": f"bytes={cut}-"}), export)
        assert (rest.status_code, content[:cut] + body(rest)) == (206, content)


def test_a_killed_workers_export_goes_on_at_another_host(
    trial: Trial, manager: User, s3: Any, settings: Settings, tmp_path: Path
) -> None:
    export = service.create(manager, export_request.check(manager, trial))
    names = ("EXPORT_STORE", "S3_ENDPOINT_URL", "S3_REGION", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
    told = {name: str(getattr(settings, name)) for name in names}
    killed_half_way(export, {**told, "EXPORT_FOLDER": str(tmp_path / "other")})
    written = {one["Key"]: one["LastModified"] for one in s3.list_objects_v2(Bucket="trials")["Contents"]}
    half = s3.create_multipart_upload(Bucket="trials", Key=f"exports/{export.uuid}/left")["UploadId"]
    s3.upload_part(Bucket="trials", Key=f"exports/{export.uuid}/left", UploadId=half, PartNumber=1, Body=b"half")
    Export.objects.update(heard_at=timezone.now() - dt.timedelta(minutes=5))
    runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.DONE
    after = {one["Key"]: one["LastModified"] for one in s3.list_objects_v2(Bucket="trials")["Contents"]}
    assert len(written) >= 2
    assert written.items() <= after.items(), "finished files are not written again"
    assert not uploads(s3)


def test_an_erasure_takes_the_files_and_their_former_versions(trial: Trial, manager: User, s3: Any) -> None:
    s3.put_bucket_versioning(Bucket="trials", VersioningConfiguration={"Status": "Enabled"})
    holding, without = exported(manager, trial), exported(manager, trial, participants=["AX-2"])
    deletion.exports_forget(Participant.objects.get(study_id="AX-1"))
    left = s3.list_object_versions(Bucket="trials")
    assert {one["Key"].split("/")[1] for one in left["Versions"]} == {str(without.uuid)}
    assert not left.get("DeleteMarkers")
    holding.refresh_from_db()
    assert holding.state == Export.State.EXPIRED


def test_time_being_over_deletes_files_and_what_was_half_uploaded(trial: Trial, manager: User, s3: Any) -> None:
    export = exported(manager, trial)
    gone = "6a8c1e0e-1111-4222-8333-944455556666"
    s3.create_multipart_upload(Bucket="trials", Key=f"exports/{gone}/left")
    s3.put_object(Bucket="trials", Key="exports/README", Body=b"not ours")
    assert export.expires_at is not None
    assert deletion.expire(export.expires_at) == 1
    assert keys(s3) == {"exports/README"}
    assert not uploads(s3)


def test_what_was_written_into_a_folder_is_served_and_deleted_after_the_move_to_a_bucket(
    trial: Trial, manager: User, settings: Settings, s3: Any
) -> None:
    settings.EXPORT_STORE = ""
    export = exported(manager, trial)
    settings.EXPORT_STORE = "s3://trials/exports"
    assert downloads.archive_response(RequestFactory().get("/"), export).status_code == 200
    deletion.exports_forget(Participant.objects.get(study_id="AX-1"))
    assert not list(Path(settings.EXPORT_FOLDER).glob("*/**/*"))


def test_encryption_at_rest_is_asked_for(trial: Trial, manager: User, s3: Any, settings: Settings) -> None:
    settings.S3_ENCRYPTION = "aws:kms:alias/trials"
    export = exported(manager, trial, format="daily")
    told = s3.head_object(Bucket="trials", Key=f"exports/{export.uuid}/daily.csv")
    assert (told["ServerSideEncryption"], told["SSEKMSKeyId"]) == ("aws:kms", "alias/trials")


def test_a_bucket_that_is_not_there_fails_the_export_and_the_log_says_so(
    trial: Trial, manager: User, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EXPORT_STORE = "s3://nowhere/exports"
    export = service.create(manager, export_request.check(manager, trial))
    with pytest.raises(participants_s3.StoreFault):
        runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == Export.State.FAILED
    assert "The bucket nowhere refuses: there is no such bucket" in caplog.text


def test_a_service_that_is_away_is_told_on_the_page_and_in_the_api(
    client: Client, trial: Trial, manager: User, settings: Settings
) -> None:
    export = exported(manager, trial, format="daily")
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:9"
    client.force_login(manager)
    page = client.get(f"/trials/STRIDE-2/exports/{export.uuid}/download/")
    assert (page.status_code, "cannot be reached" in page.content.decode()) == (503, True)
    told = client.get(f"/api/v1/trials/STRIDE-2/exports/{export.uuid}/archive")
    assert (told.status_code, told["Content-Type"]) == (503, "application/problem+json")


@pytest.mark.parametrize(
    ("code", "status", "passing"),
    [("XMinioStorageFull", 507, True), ("SlowDown", 503, True), ("QuotaExceeded", 403, True), ("TooMany", 429, True),
     ("AccessDenied", 403, False), ("NoSuchBucket", 404, False)],
)  # fmt: skip
def test_a_store_that_is_full_or_busy_is_tried_again_later(
    trial: Trial, manager: User, monkeypatch: pytest.MonkeyPatch, code: str, status: int, passing: bool
) -> None:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def refuse(*_: Any, **__: Any) -> None:
        raise ClientError(answer, "PutObject")

    export = service.create(manager, export_request.check(manager, trial, format="daily"))
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("botocore.client.BaseClient._make_api_call", refuse)
        with pytest.raises(participants_s3.StoreFault):
            runner.export_run(export.pk)
    export.refresh_from_db()
    assert export.state == (Export.State.WAITING if passing else Export.State.FAILED)
    if passing:
        runner.export_run(export.pk)
        export.refresh_from_db()
        assert export.state == Export.State.DONE
