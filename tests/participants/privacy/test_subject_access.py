"""The right of access: everything about one participant, of nobody else, without keys, readable."""

from __future__ import annotations

import csv
import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from dashboards.models import Note
from ingestion.models import Connection, ImportFile, Invitation, RejectedRow
from metrics.models import Export
from participants import hooks
from participants.models import AuditEntry, Contact, Participant, User
from participants.privacy import encryption, subject_access_sections
from participants.privacy.data_map import STAYS, data_inventory
from participants.privacy.subject_access import (
    README,
    FolderTaken,
    Section,
    rows_of,
    sections,
    subject_archive,
    subject_export,
)
from tests.dashboards.measured import NOON, heart_rate, store
from tests.factories import ParticipantFactory, UserFactory
from tests.participants.privacy.test_erasure import fill

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _key(settings: Any) -> None:
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]


@pytest.fixture
def person() -> Participant:
    """Somebody with a row in as many tables as possible, and a neighbour with the same."""
    somebody = ParticipantFactory.create(study_id="ZEBRA-77", status="active")
    neighbour = ParticipantFactory.create(study_id="LION-5", trial=somebody.trial, status="active")
    fill(somebody, "google-user-777")
    fill(neighbour, "google-user-5")
    return somebody  # type: ignore[no-any-return]


def text_of(folder: Path) -> str:
    return "\n".join(path.read_text("utf-8-sig") for path in sorted(folder.rglob("*")) if path.is_file())


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / f"{name}.json").read_text())
    return found


def test_every_table_with_a_path_to_them_is_in_a_section(person: Participant) -> None:
    """A new model fails here until a room tells of it: see participants.hooks.subject_access_sections."""
    told = {model for section in sections(person) for model in section.models}
    about = {entry.model for entry in data_inventory()} | set(STAYS) | {Participant}
    assert not {model._meta.label for model in about - told}


def test_every_section_has_a_name_of_its_own_and_a_text_for_lay_people(person: Participant) -> None:
    found = list(sections(person))
    assert len({section.name for section in found}) == len(found)
    assert all(section.about.endswith(".") and section.title for section in found)


def test_what_was_measured_written_and_done_is_all_there(person: Participant, tmp_path: Path) -> None:
    folder = subject_export(person, tmp_path).folder
    heart = list(csv.DictReader((folder / "measurements" / "heart_rate.csv").open(encoding="utf-8-sig")))
    assert len(heart) == 180
    assert heart[0] == {"time": "2026-11-18T12:00:00+01:00", "value in /min": "71", "seconds": "", "plausible": "yes"}
    contact = rows(folder, "contact")[0]
    assert (contact["name"], contact["email"], contact["phone"]) == ("Zelda Z", "zelda@example.org", "+31655577777")
    assert rows(folder, "team/notes")[0]["text"] == "ZEBRA-77 called"
    assert rows(folder, "pauses")[0]["reason"] == "holiday of Zelda"
    assert len(rows(folder, "measurements/replaced-values")) == 180
    assert len(rows(folder, "connection/notices")) == 1
    assert rows(folder, "days")


def test_nothing_of_anybody_else_is_in_it(person: Participant, tmp_path: Path) -> None:
    text = text_of(subject_export(person, tmp_path).folder)
    assert "ZEBRA-77" in text
    assert "LION-5" not in text
    assert "google-user-5" not in text


def test_no_key_is_in_it(person: Participant, tmp_path: Path) -> None:
    encrypted = encryption.encrypt("a-token")
    Connection.objects.filter(participant=person).update(encrypted_tokens=encrypted)
    invitation = Invitation.objects.create(participant=person, expires_at=timezone.now())
    text = text_of(subject_export(person, tmp_path).folder)
    assert encrypted not in text
    assert "a-token" not in text
    assert invitation.nonce not in text
    assert "encrypted_" not in text


def test_who_viewed_it_is_in_it_and_that_this_was_written(person: Participant, tmp_path: Path) -> None:
    folder = subject_export(person, tmp_path, reason="their letter of 1 November").folder
    trail = rows(folder, "who-looked-and-what-was-changed")
    assert {"participant.view", "contact.store"} <= {row["what"] for row in trail}
    assert (trail[-1]["what"], trail[-1]["reason"]) == ("subject.export", "their letter of 1 November")
    assert AuditEntry.objects.filter(participant=person, action="subject.export").count() == 1


def test_their_imported_files_are_named_with_their_rejected_rows(person: Participant, tmp_path: Path) -> None:
    file = ImportFile.objects.create(
        trial=person.trial, sha256="e" * 64, name="theirs.csv", size=1, format="x", whose="ZEBRA-77", started_at=NOON
    )
    RejectedRow.objects.create(import_file=file, line=3, reason="no number")
    folder = subject_export(person, tmp_path).folder
    assert rows(folder, "imports/files")[0]["name"] == "theirs.csv"
    assert rows(folder, "imports/rows-not-taken")[0]["reason"] == "no number"


def test_files_made_of_their_data_are_told_of(person: Participant, tmp_path: Path) -> None:
    export = Export.objects.create(trial=person.trial, user=UserFactory.create(), format="csv", asked_at=timezone.now())
    export.people.add(person)
    folder = subject_export(person, tmp_path).folder
    assert rows(folder, "exports")[0]["asked_by"] == export.user.email


def test_the_read_me_names_every_topic_and_says_where_nothing_is_kept(person: Participant, tmp_path: Path) -> None:
    folder = subject_export(person, tmp_path).folder
    words = (folder / README).read_text()
    assert all(section.title in words for section in sections(person))
    assert "Exercise (nothing is kept)" in words
    assert not (folder / "exercise.json").exists()


def test_the_read_me_is_in_their_language_and_the_data_are_as_they_are_stored(tmp_path: Path) -> None:
    person = ParticipantFactory.create(study_id="ZEBRA-77")
    store(person, heart_rate(NOON, 200))
    Note.objects.create(participant=person, text="rang", by=UserFactory.create())
    english = subject_export(person, tmp_path / "en").folder
    Contact.objects.create(participant=person, language="de")
    german = subject_export(Participant.objects.get(pk=person.pk), tmp_path / "de").folder
    assert "(1,200 rows)" in (english / README).read_text()
    words = (german / README).read_text()
    for part in ("Messwerte: Puls (1.200 Zeilen)", "Sport (nichts gespeichert)", "Notizen (1 Zeile)", "team/notes"):
        assert part in words
    assert "nothing is kept" not in words
    for name in ("measurements/heart_rate.csv", "team/notes.csv", "team/notes.json"):
        assert (german / name).read_text() == (english / name).read_text()


def test_text_that_a_spreadsheet_would_run_is_made_text(person: Participant, tmp_path: Path) -> None:
    Note.objects.create(participant=person, text="=HYPERLINK(1)", by=UserFactory.create())
    folder = subject_export(person, tmp_path).folder
    assert "'=HYPERLINK(1)" in (folder / "team" / "notes.csv").read_text("utf-8-sig")
    assert rows(folder, "team/notes")[0]["text"] == "=HYPERLINK(1)"


def test_only_its_owner_can_read_it_and_nothing_is_overwritten(person: Participant, tmp_path: Path) -> None:
    folder = subject_export(person, tmp_path).folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(FolderTaken):
        subject_export(person, tmp_path)


def test_a_failure_leaves_nothing_behind(person: Participant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks.subject_access_sections, "functions", [subject_access_sections.sections, broken])
    with pytest.raises(RuntimeError):
        subject_export(person, tmp_path)
    assert list(tmp_path.iterdir()) == []


def broken(participant: Participant) -> Iterator[Section]:
    yield Section("x", "X", "x.", (User,), rows=_fails())


def _fails() -> Iterator[dict[str, Any]]:
    yield {"a": 1}
    raise RuntimeError("the database went away")


def test_one_file_in_place_of_a_folder(person: Participant, tmp_path: Path) -> None:
    path = subject_archive(person, tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    with zipfile.ZipFile(path) as archive:
        assert f"{person.trial.code} ZEBRA-77/{README}" in archive.namelist()


def test_a_participant_of_whom_nothing_was_measured_gets_their_files_too(tmp_path: Path) -> None:
    written = subject_export(ParticipantFactory.create(study_id="NEW-1"), tmp_path)
    assert written.rows["measurements/none"] == 0
    assert written.rows["participant"] == 1


def test_values_that_do_not_count_are_in_it_and_marked(person: Participant, tmp_path: Path) -> None:
    folder = subject_export(person, tmp_path).folder
    walked = list(csv.DictReader((folder / "measurements" / "steps.csv").open(encoding="utf-8-sig")))
    assert [(row["value in {steps}"], row["plausible"]) for row in walked] == [("1", "yes"), ("2", "yes"), ("-7", "no")]
    (day,) = rows(folder, "measurements/implausible-by-day")
    assert (day["date"], day["n"]) == ("2026-11-19", 1)


def test_who_has_impossible_values_alone_gets_them(tmp_path: Path) -> None:
    somebody = ParticipantFactory.create(study_id="ZERO-1")
    store(somebody, heart_rate(NOON, 2, value=0.0))
    folder = subject_export(somebody, tmp_path).folder
    heart = list(csv.DictReader((folder / "measurements" / "heart_rate.csv").open(encoding="utf-8-sig")))
    assert {(row["value in /min"], row["plausible"]) for row in heart} == {("0", "no")}
    assert len(heart) == 12


def test_measurements_of_two_devices_are_two_files(person: Participant, tmp_path: Path) -> None:
    other = heart_rate(NOON, 5)
    other.source = type(other.source)("fitbit", "", "Sense 2")
    store(person, other)
    folder = subject_export(person, tmp_path).folder
    assert len(list((folder / "measurements").glob("heart_rate-*.csv"))) == 2


def test_the_command_writes_it(person: Participant, tmp_path: Path) -> None:
    call_command("subject_export", person.trial.code, "ZEBRA-77", out=tmp_path)
    assert (tmp_path / f"{person.trial.code} ZEBRA-77" / README).is_file()
    with pytest.raises(CommandError, match="no participant"):
        call_command("subject_export", person.trial.code, "ZEBRA-78", out=tmp_path)


def test_rows_read_as_people_say_it(person: Participant) -> None:
    (row,) = rows_of(Connection.objects.filter(participant=person))
    assert row["status"] == "disconnected"
    assert row["trial"] == person.trial.code
    assert "participant" not in row
