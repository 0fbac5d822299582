"""Downloads: the archive, byte ranges of it, and taking a broken one up again."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from django.test import RequestFactory

from metrics.exports import archive, downloads, runner, service, store
from metrics.models import Export, ExportFile
from participants.models import AuditEntry, Participant, Trial, User
from tests.metrics.exports.scene import exported


def body(answer: object) -> bytes:
    parts = getattr(answer, "streaming_content", None)
    return b"".join(parts) if parts is not None else b""


@pytest.mark.django_db(transaction=True)
def test_the_archive_opens_and_holds_every_file(trial: Trial, manager: User) -> None:
    export = exported(manager, trial)
    answer = downloads.archive_response(RequestFactory().get("/"), export)
    content = body(answer)
    assert int(answer["Content-Length"]) == len(content)
    opened = zipfile.ZipFile(io.BytesIO(content))
    assert opened.testzip() is None
    sums = {info.filename.split("/", 1)[1]: opened.read(info) for info in opened.infolist()}
    for file in export.files.all():
        assert hashlib.sha256(sums.pop(file.path)).hexdigest() == file.sha256
    assert not sums
    assert AuditEntry.objects.filter(action="export.download").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_broken_download_goes_on_byte_for_byte(trial: Trial, manager: User) -> None:
    export, factory = exported(manager, trial), RequestFactory()
    whole = downloads.archive_response(factory.get("/"), export)
    content, etag = body(whole), whole["ETag"]
    for cut in (1, 31, 200, len(content) // 2, len(content) - 5):
        rest = downloads.archive_response(
            factory.get("/", headers={"Range": f"bytes={cut}-", "If-Range": etag}), export
        )
        assert rest.status_code == 206
        assert rest["Content-Range"] == f"bytes {cut}-{len(content) - 1}/{len(content)}"
        assert content[:cut] + body(rest) == content


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("headers", "byte_range"),
    [
        ({}, ""),
        ({"Range": "bytes=0-"}, ""),
        ({"Range": "bytes=1-"}, "1-{last}/{size}"),
        ({"Range": "bytes=-1"}, "{last}-{last}/{size}"),
        ({"Range": "bytes=0-0"}, "0-0/{size}"),
        ({"Range": "bytes=3-9"}, "3-9/{size}"),
        ({"Range": "bytes=1-2,4-5"}, ""),
        ({"Range": "bytes=1-", "If-Range": '"old"'}, ""),
    ],
)
def test_no_byte_leaves_without_an_entry_that_says_which(
    trial: Trial, manager: User, headers: dict[str, str], byte_range: str
) -> None:
    export = exported(manager, trial)
    for path in ("", "manifest.json"):
        request = RequestFactory().get("/", headers=headers)
        answer = downloads.file_response(request, export, path) if path else downloads.archive_response(request, export)
        size = int(answer["Content-Length"]) if not byte_range else int(answer["Content-Range"].rpartition("/")[2])
        assert len(body(answer)) == int(answer["Content-Length"])
        entry = AuditEntry.objects.filter(action="export.download").first()
        assert entry is not None
        expected = {"file": path or "the whole"}
        if byte_range:
            expected["bytes"] = byte_range.format(last=size - 1, size=size)
        assert entry.detail.new == expected
    assert AuditEntry.objects.filter(action="export.download").count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_answer_without_content_leaves_no_entry(trial: Trial, manager: User) -> None:
    export, factory = exported(manager, trial), RequestFactory()
    downloads.archive_response(factory.head("/", headers={"Range": "bytes=5-"}), export)
    assert (
        downloads.archive_response(factory.get("/", headers={"Range": f"bytes={'9' * 30}-"}), export).status_code == 416
    )
    assert not AuditEntry.objects.filter(action="export.download").exists()


@pytest.mark.django_db(transaction=True)
def test_taking_away_everything_about_a_participant_is_noted_as_theirs(trial: Trial, manager: User) -> None:
    participant = Participant.objects.get(study_id="AX-1")
    export = service.subject_export_create(manager, participant)
    runner.export_run(export.pk)
    export.refresh_from_db()
    body(downloads.archive_response(RequestFactory().get("/", headers={"Range": "bytes=1-"}), export))
    entry = AuditEntry.objects.get(action="export.download")
    assert (entry.participant_id, entry.trial_id) == (participant.pk, trial.pk)


@pytest.mark.django_db(transaction=True)
def test_a_file_that_has_changed_is_sent_whole_and_one_beyond_the_end_is_refused(trial: Trial, manager: User) -> None:
    export, factory = exported(manager, trial), RequestFactory()
    path = export.files.filter(rows__gt=0).first().path  # type: ignore[union-attr]
    content = store.open_file(export, path).read()
    old = downloads.file_response(factory.get("/", headers={"Range": "bytes=5-", "If-Range": '"other"'}), export, path)
    assert (old.status_code, body(old)) == (200, content)
    tail = downloads.file_response(factory.get("/", headers={"Range": "bytes=-7"}), export, path)
    assert body(tail) == content[-7:]
    beyond = downloads.file_response(factory.get("/", headers={"Range": f"bytes={len(content)}-"}), export, path)
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{len(content)}")
    head = downloads.file_response(factory.head("/"), export, path)
    assert int(head["Content-Length"]) == len(content)
    with pytest.raises(ExportFile.DoesNotExist):
        downloads.file_response(factory.get("/"), export, "../../secret_key")


@pytest.mark.parametrize(
    ("given", "byte_range"),
    [("", (0, 100)), ("bytes=0-9", (0, 10)), ("bytes=90-500", (90, 100)), ("bytes=9-2", (0, 100)),
     ("bytes=0-1,5-6", (0, 100)), ("lines=1-2", (0, 100)), ("bytes=-500", (0, 100)),
     ("bytes=0-" + "9" * 5000, (0, 100)), ("bytes=-" + "9" * 5000, (0, 100)), ("bytes=" + "0" * 5000 + "7-", (7, 100)),
     ("bytes=٣-", (0, 100)), ("bytes=99-99", (99, 100))],
)  # fmt: skip
def test_ranges_are_read_as_the_standard_has_them(given: str, byte_range: tuple[int, int]) -> None:
    assert downloads.requested_range(given, "", '"a"', 100) == byte_range


@pytest.mark.parametrize("given", ["bytes=100-", "bytes=-0", "bytes=" + "9" * 5000 + "-", "bytes=100-200"])
def test_a_byte_range_beyond_the_end_is_refused(given: str) -> None:
    with pytest.raises(downloads.Unsatisfiable):
        downloads.requested_range(given, "", '"a"', 100)


def test_sizes_beyond_four_gigabytes_are_written_wide(tmp_path: Path) -> None:
    when = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    export = Export(format="csv", finished_at=when, trial=Trial(code="BIG"))
    files = [ExportFile(path=f"{n}.csv", size=3 << 30, crc32=1, sha256="") for n in range(3)]
    files.append(ExportFile(path="huge.csv", size=5 << 30, crc32=1, sha256=""))
    made = archive.archive(export, files)
    assert made.size > (14 << 30)
    sparse = tmp_path / "sparse.zip"  # a hole where the files would be
    with sparse.open("wb") as file:
        file.truncate(made.size - made.pieces[-1].size)
        file.seek(0, 2)
        file.write(made.pieces[-1].text)
    with zipfile.ZipFile(sparse) as opened:
        found = {info.filename.split("/")[1]: (info.file_size, info.header_offset) for info in opened.infolist()}
    assert found["huge.csv"][0] == 5 << 30
    assert found["2.csv"][1] > 6 << 30
