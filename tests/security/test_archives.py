"""Hostile archives and folders: nothing is unpacked that should not be, and no name leads anywhere else."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from ingestion.file_imports import archives
from ingestion.file_imports.archives import Inbox, Refused, scan

GOOD = b"Id,Time,Value\nP-1,5/1/2024 8:00:00 AM,61\n"


def troubles(*paths: Path) -> list[str]:
    with Inbox(list(paths)) as inbox:
        return [file.trouble for file in inbox.files()]


def zipped(path: Path, *members: tuple[str, bytes], links: bool = False) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if links:
                info.external_attr = 0o120777 << 16
            archive.writestr(info, data)
    return path


@pytest.mark.parametrize(
    "name", ["/etc/a.csv", "../a.csv", "a/../../b.csv", "..\\a.csv", "C:\\a.csv", "\\\\host\\a.csv"]
)
def test_a_name_that_leads_out_of_the_archive_is_refused(name: str, tmp_path: Path) -> None:
    assert troubles(zipped(tmp_path / "a.zip", (name, GOOD))) == ["its name leads out of the archive"]


def test_a_name_within_is_not(tmp_path: Path) -> None:
    assert troubles(zipped(tmp_path / "a.zip", ("Takeout/Fitbit/..a.csv", GOOD), ("b:c/d.csv", GOOD))) == ["", ""]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_of_one_name_the_second_is_refused(tmp_path: Path) -> None:
    found = troubles(zipped(tmp_path / "a.zip", ("a.csv", GOOD), ("a.csv", GOOD + GOOD)))
    assert found == ["", "the archive has another file of this name"]


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    assert troubles(zipped(tmp_path / "a.zip", ("a.csv", b"/etc/passwd"), links=True)) == [
        "a link, which no export has"
    ]


def test_a_link_out_of_a_folder_is_refused_and_one_within_is_not(tmp_path: Path) -> None:
    inbox, outside = tmp_path / "inbox", tmp_path / "outside.csv"
    inbox.mkdir()
    outside.write_bytes(GOOD)
    (inbox / "a.csv").write_bytes(GOOD)
    (inbox / "b.csv").symlink_to("a.csv")
    (inbox / "c.csv").symlink_to(outside)
    assert troubles(inbox) == ["", "", "a link that leads out of the folder"]


def test_many_small_bombs_are_one_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_RATIO_FROM", 1_000)
    members = [(f"{n}.csv", b"0" * 900_000) for n in range(3)]
    found = troubles(zipped(tmp_path / "a.zip", *members))
    assert len(found) == 1
    assert "suspiciously many" in found[0]


def test_what_is_packed_twice_counts_by_what_lies_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gzip within zip: each layer alone would be within the limit."""
    monkeypatch.setattr(archives, "MOST_RATIO_FROM", 1_000)
    monkeypatch.setattr(archives, "MOST_RATIO", 50)
    inner = gzip.compress(b"0,0\n" * 500_000)
    path = zipped(tmp_path / "a.zip", ("a.csv.gz", inner))
    with Inbox([path]) as inbox:
        (file,) = inbox.files()
        with pytest.raises(Refused, match="suspiciously many"):
            scan(file)
