"""Files as they come: good, damaged, foreign, packed, half wrong. What is kept, what is refused, what is said."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from ingestion.file_imports import archives, label_mapping
from ingestion.file_imports import services as file_imports_services
from ingestion.models import ImportFile, RejectedRow
from metrics.models import Measurement
from metrics.writing.collection_filter import OUTSIDE
from metrics.writing.writer import store
from participants.models import Participant, Trial
from participants.services import participant_enrol, participant_update, trial_update
from tests.factories import ParticipantFactory, UserFactory
from tests.ingestion.conftest import Import, utc

HEADER = "Id,Time,Value"
GOOD = ("P-1,5/1/2024 8:00:00 AM,61", "P-1,5/1/2024 8:00:05 AM,62", "P-1,5/1/2024 8:00:10 AM,63")
NAME = "heartrate_seconds_merged.csv"


def _csv(*rows: str, header: str = HEADER, end: str = "\n") -> bytes:
    return (end.join([header, *rows]) + end).encode()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(_csv(*GOOD))
    return path


def _values() -> list[float]:
    return list(Measurement.objects.order_by("participant_id", "time").values_list("value", flat=True))


# --- good files, however they are written or packed --------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        _csv(*GOOD),
        b"\xef\xbb\xbf" + _csv(*GOOD, end="\r\n"),
        _csv(*GOOD).rstrip(b"\n"),
        gzip.compress(_csv(*GOOD)),
    ],
    ids=["plain", "byte-order mark and CRLF", "no last line end", "gzip"],
)
def test_a_good_file_is_imported(trial: Trial, tmp_path: Path, import_data: Import, data: bytes) -> None:
    path = tmp_path / "export.csv"  # neither name nor suffix help: the content tells
    path.write_bytes(data)
    assert import_data(trial, path).failure == ""
    assert utc("P-1", "heart_rate") == [
        ("2024-05-01T06:00:00", 61.0),
        ("2024-05-01T06:00:05", 62.0),
        ("2024-05-01T06:00:10", 63.0),
    ]


def test_quoted_cells_are_read(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = tmp_path / NAME
    path.write_bytes(b'"Id","Time","Value"\n"P-1","5/1/2024 8:00:00 AM",61\n')
    import_data(trial, path)
    assert _values() == [61.0]


def test_a_name_that_is_no_text_does_not_matter(trial: Trial, good: Path, import_data: Import) -> None:
    good.rename(os.fsdecode(os.fsencode(good.parent) + b"/caf\xe9.csv"))
    assert import_data(trial, good.parent).failure == ""
    assert ImportFile.objects.get().name.endswith("caf?.csv")


def test_a_file_without_ids_is_its_name_s_participant_s(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = tmp_path / "ward_3_bed_7_heartrate_seconds_20240501_20240502.csv"
    path.write_bytes(_csv("5/1/2024 8:00:00 AM,61", header="Time,Value"))
    assert import_data(trial, path).failure == ""
    assert Participant.objects.get(trial=trial).study_id == "ward_3_bed_7"


def test_a_file_that_names_nobody_needs_to_be_told(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(_csv("5/1/2024 8:00:00 AM,61", header="Time,Value"))
    assert "--participant" in import_data(trial, path).text
    assert not Measurement.objects.exists()
    assert import_data(trial, path, participant="P-9").failure == ""
    assert utc("P-9", "heart_rate") == [("2024-05-01T06:00:00", 61.0)]


def test_members_of_an_archive_are_streamed(
    trial: Trial, tmp_path: Path, import_data: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"a/{NAME}", _csv(*GOOD))
        archive.writestr("deep/er/" + NAME, gzip.compress(_csv("P-2,5/1/2024 8:00:00 AM,70")))
        archive.writestr("a/minuteMETsNarrow_merged.csv", "Id,ActivityMinute,METs\n")
        archive.writestr("a/other.csv", "colour\nred\n")
        archive.writestr("a/README.md", "hello")
    before = sorted(tmp_path.rglob("*"))
    outcome = import_data(trial, path)
    assert outcome.failure == ""
    assert sorted(_values()) == [61.0, 62.0, 63.0, 70.0]
    assert "other.csv" in outcome.text
    assert "not recognised" in outcome.text
    assert sorted(tmp_path.rglob("*")) == before


# --- known files -------------------------------------------------------------------------------------------------


def test_the_same_content_again_is_known_under_any_name(trial: Trial, good: Path, import_data: Import) -> None:
    import_data(trial, good)
    copy = good.with_name("copy.csv")
    copy.write_bytes(good.read_bytes())
    outcome = import_data(trial, copy)
    assert "already imported on" in outcome.text
    assert outcome.failure == ""
    assert ImportFile.objects.count() == 1


def test_the_same_bytes_under_another_person_s_name_are_that_persons_data(
    trial: Trial, tmp_path: Path, import_data: Import
) -> None:
    for person in ("P-1", "P-2", "P-2"):
        path = tmp_path / f"{person}_heartrate_seconds_20240501_20240502.csv"
        path.write_bytes(_csv("5/1/2024 8:00:00 AM,61", header="Time,Value"))
        outcome = import_data(trial, path)
    assert len(utc("P-1", "heart_rate")) == len(utc("P-2", "heart_rate")) == 1
    assert "already imported" in outcome.text


def test_another_trial_does_not_know_the_file(trial: Trial, good: Path, import_data: Import) -> None:
    import_data(trial, good)
    other = Trial.objects.create(code="OTHER", title="Other", time_zone="UTC")
    import_data(other, good)
    assert Measurement.objects.count() == 6


def test_a_crash_half_way_is_made_good_by_running_again(
    trial: Trial, tmp_path: Path, import_data: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / NAME
    path.write_bytes(_csv(*GOOD, "P-2,5/1/2024 8:00:00 AM,70"))

    def crash(participant: Participant, payload: Any, **named: Any) -> Any:
        if participant.study_id == "P-2":
            raise MemoryError
        return store(participant, payload, **named)

    with monkeypatch.context() as patch:
        patch.setattr(file_imports_services, "write", crash)
        with pytest.raises(MemoryError):
            import_data(trial, path)
    assert ImportFile.objects.get().status == "running"
    assert len(_values()) == 3
    assert import_data(trial, path).failure == ""
    record = ImportFile.objects.get()
    assert record.status == "done"
    assert (record.counts["new"], record.counts["unchanged"]) == (1, 3)


# --- files that are refused whole --------------------------------------------------------------------------------


def _zipped(data: bytes, name: str = NAME) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def _bent(data: bytes) -> bytes:
    """The same bytes, one of those in the middle changed."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


MANY = _csv(*(f"P-1,5/1/2024 8:{n // 60:02}:{n % 60:02} AM,{60 + n % 40}" for n in range(3600)))


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.csv.gz", gzip.compress(MANY)[:-200], "truncated"),
        ("a.csv.gz", _bent(gzip.compress(MANY)), "damaged"),
        ("a.zip", _bent(_zipped(MANY)), "damaged"),
        ("a.zip", _zipped(MANY)[:-10], "damaged"),
        ("a.zip", _zipped(_zipped(MANY), "inner.zip"), "archive within an archive"),
        (NAME, MANY + b"P-1,5/1/2024 9:00:00 AM,\xff\n", "not UTF-8"),
        (NAME, MANY.decode().encode("utf-16"), "not text|not UTF-8"),
        (NAME, b"", "empty"),
        (NAME, _csv("P-1,5/1/2024 8:00:00 AM", header="Id,Time"), "lacks: Value"),
        ("notes.csv", b"colour,size\nred,1\n", "not recognised"),
        ("notes.txt", b"hello\n", "not recognised"),
        ("minuteMETsNarrow_merged.csv", b"Id,ActivityMinute,METs\n", "(METs) are not among the metrics we keep"),
        (NAME, _csv("1,P-1,5/1/2024 8:00:00 AM,61", header="Id,Id,Time,Value"), "twice"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_before_anything_is_stored(
    trial: Trial, tmp_path: Path, import_data: Import, name: str, data: bytes, why: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    outcome = import_data(trial, path)
    assert "failed" in outcome.failure
    assert any(part in outcome.text for part in why.split("|")), outcome.text
    assert not Measurement.objects.exists()
    assert not Participant.objects.exists()


def test_a_refused_file_is_kept_as_evidence(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(MANY)[:-200])
    import_data(trial, tmp_path / "a.csv.gz")
    record = ImportFile.objects.get()
    assert record.status == "failed"
    assert "truncated" in record.error


def test_a_failed_file_does_not_stop_the_others(trial: Trial, good: Path, import_data: Import) -> None:
    bad = good.with_name("a.csv.gz")
    bad.write_bytes(gzip.compress(MANY)[:-200])
    assert import_data(trial, good.parent).failure == "1 of 2 files failed."
    assert len(_values()) == 3


@pytest.mark.parametrize("packing", ["zip", "gz"])
def test_a_bomb_is_not_unpacked(
    trial: Trial, tmp_path: Path, import_data: Import, monkeypatch: pytest.MonkeyPatch, packing: str
) -> None:
    monkeypatch.setattr(archives, "MOST_RATIO_FROM", 2**20)
    data = f"{HEADER}\n".encode() + b"\n" * (8 * 2**20)
    path = tmp_path / f"a.csv.{packing}"
    path.write_bytes(gzip.compress(data) if packing == "gz" else _zipped(data))
    assert "suspiciously many" in import_data(trial, path).text


@pytest.mark.parametrize(
    ("arguments", "says"), [(("WALK", "/no/such/file"), "no such file"), (("NONE", "."), "no trial")]
)
def test_wrong_arguments_give_one_clear_line(
    trial: Trial, import_data: Import, arguments: tuple[str, str], says: str
) -> None:
    outcome = import_data(*arguments)
    assert says in (outcome.text + outcome.failure).lower()
    assert outcome.failure


def test_a_file_that_may_not_be_read_gives_one_clear_line(
    trial: Trial, good: Path, import_data: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in import_data(trial, good).text


# --- bad rows in good files --------------------------------------------------------------------------------------


def test_bad_rows_are_rejected_by_line_and_the_rest_kept(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    rows = [
        *GOOD,
        "P-1,2024-05-01 08:00:15,64",
        "P-1,5/1/2024 8:00:20 AM,n/a",
        "P-1,5/1/2024 8:00:25 AM",
        "P-1,1/1/2099 8:00:00 AM,66",
        "P-1,1/1/1970 12:00:00 AM,66",
        "P-1,5/1/2024 8:00:40 AM,inf",
        "not valid!,5/1/2024 8:00:40 AM,60",
        ",5/1/2024 8:00:40 AM,60",
        "P-1,5/1/2024 8:00:45 AM,67",
    ]
    path = tmp_path / NAME
    path.write_bytes(_csv(*rows))
    outcome = import_data(trial, path)
    assert outcome.failure.startswith("8 rows were turned away, 7 of them for good.")
    assert _values() == [61.0, 62.0, 63.0, 67.0]
    found = {row.line: row.reason for row in RejectedRow.objects.all()}
    assert sorted(found) == [5, 6, 7, 8, 9, 10, 11, 12]
    assert "ISO" not in found[5]
    assert "date and time like 4/12/2016" in found[5]
    assert "not a number" in found[6]
    assert "not 3 cells" in found[7]
    assert "future" in found[8]
    assert "before 2005" in found[9]
    assert "not a number" in found[10]
    assert "no valid study id" in found[11]
    record = ImportFile.objects.get()
    assert record.counts["rows"] == len(rows) == record.counts["new"] + sum(record.counts["rejected"].values())


def test_only_the_first_bad_rows_are_kept_one_by_one(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = tmp_path / NAME
    path.write_bytes(_csv(*GOOD, *("P-1,never,60" for _ in range(3000))))
    import_data(trial, path)
    assert RejectedRow.objects.count() == 1000
    assert sum(ImportFile.objects.get().counts["rejected"].values()) == 3000


def test_an_implausible_value_is_kept_and_flagged(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = tmp_path / NAME
    path.write_bytes(_csv(*GOOD, "P-1,5/1/2024 9:00:00 AM,300"))
    import_data(trial, path)
    assert ImportFile.objects.get().counts["flagged"] == 1
    assert _values()[-1] == 300


# --- whose rows, in which zone -----------------------------------------------------------------------------------


def test_unknown_people_are_enrolled_loudly(trial: Trial, good: Path, import_data: Import) -> None:
    assert "ENROLLED 1 new participants: P-1" in import_data(trial, good).text
    person = Participant.objects.get(trial=trial)
    assert (person.study_id, person.status, person.time_zone) == ("P-1", "active", "Europe/Amsterdam")


def test_without_enrolment_rows_of_unknown_people_are_rejected(
    trial: Trial, tmp_path: Path, import_data: Import
) -> None:
    ParticipantFactory(trial=trial, study_id="P-2")
    path = tmp_path / NAME
    path.write_bytes(_csv(*GOOD, "P-2,5/1/2024 8:00:00 AM,70"))
    outcome = import_data(trial, path, no_enrol=True)
    assert "'P-1' were rejected: the participant is not enrolled" in outcome.text
    assert _values() == [70.0]
    assert list(RejectedRow.objects.values_list("line", flat=True)) == [2, 3, 4]


def test_rows_of_an_erased_participant_are_rejected(trial: Trial, good: Path, import_data: Import) -> None:
    ParticipantFactory(trial=trial, study_id="P-1", status="erased")
    assert "was erased" in import_data(trial, good).text
    assert _values() == []


def test_a_participant_enrolled_meanwhile_is_found(
    trial: Trial, good: Path, import_data: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enrol_first(**fields: Any) -> Participant:
        ParticipantFactory(trial=trial, study_id="P-1")
        return participant_enrol(**fields)

    monkeypatch.setattr(label_mapping, "participant_enrol", enrol_first)
    assert import_data(trial, good).failure == ""
    assert len(_values()) == 3


def test_a_closed_trial_enrols_nobody(trial: Trial, good: Path, import_data: Import) -> None:
    Trial.objects.update(status="closed")
    assert "closed" in import_data(trial, good).text
    assert not Participant.objects.exists()


@pytest.mark.parametrize(
    ("own", "given", "instant", "basis"),
    [
        ("America/New_York", None, "2024-05-01T12:00:00", "the participant's own"),
        ("America/New_York", "Asia/Tokyo", "2024-04-30T23:00:00", "given with the import"),
        (None, "Asia/Tokyo", "2024-04-30T23:00:00", "given with the import"),
        (None, None, "2024-05-01T06:00:00", "the trial's"),
    ],
)
def test_the_zone_given_wins_over_the_participant_s_and_that_over_the_trial_s(
    trial: Trial, good: Path, import_data: Import, own: str | None, given: str | None, instant: str, basis: str
) -> None:
    if own:
        ParticipantFactory(trial=trial, study_id="P-1", time_zone=own)
    import_data(trial, good, timezone=given)
    assert utc("P-1", "heart_rate")[0][0] == instant
    (zone,) = ImportFile.objects.get().assumptions["time zones"]
    assert basis in zone


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Europe/Amsterdam", "10/29/2023 2:59:00 AM", "10/29/2023 2:01:00 AM"),
        ("America/New_York", "11/5/2023 1:59:00 AM", "11/5/2023 1:01:00 AM"),
    ],
)
def test_the_autumn_hour_keeps_both_its_passes(
    trial: Trial, tmp_path: Path, import_data: Import, zone: str, before: str, after: str
) -> None:
    path = tmp_path / "minuteStepsNarrow_merged.csv"
    path.write_bytes(_csv(f"P-1,{before},10", f"P-1,{after},20", header="Id,ActivityMinute,Steps"))
    import_data(trial, path, timezone=zone)
    first, second = (row.time for row in Measurement.objects.order_by("time"))
    assert (second - first).total_seconds() == 120
    assert ImportFile.objects.get().counts["noted"] == {"in the repeated autumn hour": 2}


def test_an_hour_given_twice_in_the_wide_file_is_both_passes(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    header = "Id,ActivityHour," + ",".join(f"Steps{minute:02}" for minute in range(60))
    rows = [f"P-1,10/29/2023 2:00:00 AM,{','.join([steps] * 60)}" for steps in ("1", "2")]
    path = tmp_path / "minuteStepsWide_merged.csv"
    path.write_bytes(_csv(*rows, header=header))
    import_data(trial, path)
    assert _values() == [1.0] * 60 + [2.0] * 60


# --- the command -------------------------------------------------------------------------------------------------


def test_a_dry_run_counts_and_stores_nothing(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    path = tmp_path / NAME
    path.write_bytes(_csv(*GOOD, "P-1,never,60"))
    outcome = import_data(trial, path, dry_run=True)
    assert "Would enrol 1 new participants: P-1" in outcome.text
    assert "rejected 1" in outcome.text
    for model in (Measurement, Participant, ImportFile, RejectedRow):
        assert not model.objects.exists()


def test_an_unknown_zone_is_refused(trial: Trial, good: Path, import_data: Import) -> None:
    assert "not an IANA time zone" in import_data(trial, good, timezone="CET+1").failure


def test_an_empty_folder_is_a_failure(trial: Trial, tmp_path: Path, import_data: Import) -> None:
    assert import_data(trial, tmp_path).failure == "No files found there."


def test_a_log_gets_a_line_a_file(trial: Trial, good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_data", trial.code, str(good), stdout=io.StringIO())
    assert capsys.readouterr().err == f"[1/1] {good}: imported, 3 rows\n"


@pytest.fixture
def staff(client: Any, db: None) -> Any:
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def test_staff_see_imports_and_their_rejected_rows(
    trial: Trial, tmp_path: Path, import_data: Import, staff: Any
) -> None:
    path = tmp_path / NAME
    path.write_bytes(_csv(*GOOD, "P-1,never,60"))
    import_data(trial, path)
    record = ImportFile.objects.get()
    assert NAME in staff.get(reverse("admin:ingestion_importfile_changelist"), {"q": NAME}).content.decode()
    page = staff.get(reverse("admin:ingestion_importfile_change", args=[record.pk])).content.decode()
    assert "Time is not a date and time" in page
    assert staff.post(reverse("admin:ingestion_importfile_delete", args=[record.pk])).status_code == 403


# --- outside the collection interval -----------------------------------------------------------------------------

DAYS = tuple(f"P-1,5/{day}/2024 8:00:00 AM,6{day}" for day in (1, 2, 3, 4))


@pytest.fixture
def four_days(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(_csv(*DAYS))
    return path


@pytest.mark.parametrize("dry", [True, False])
def test_rows_of_days_outside_are_turned_away_and_counted(
    trial: Trial, four_days: Path, import_data: Import, dry: bool
) -> None:
    ParticipantFactory(
        trial=trial, study_id="P-1", monitoring_starts_on=dt.date(2024, 5, 2), monitoring_ends_on=dt.date(2024, 5, 3)
    )
    outcome = import_data(trial, four_days, dry_run=dry)
    assert f"rejected 2: {OUTSIDE} (" in " ".join(outcome.text.split())
    assert _values() == ([] if dry else [62.0, 63.0])
    assert [file.counts["rejected"] for file in ImportFile.objects.all()] == ([] if dry else [{OUTSIDE: 2}])


def test_nothing_is_imported_into_a_closed_trial(trial: Trial, four_days: Path, import_data: Import) -> None:
    ParticipantFactory(trial=trial, study_id="P-1")
    trial_update(trial, status=Trial.Status.CLOSED)
    outcome = import_data(trial, four_days)
    assert "rejected 4: Trial WALK is closed: nothing is stored any more." in " ".join(outcome.text.split())
    assert _values() == []


def test_rows_of_days_outside_are_taken_once_the_dates_were_corrected(
    trial: Trial, four_days: Path, import_data: Import
) -> None:
    person = ParticipantFactory(trial=trial, study_id="P-1", monitoring_starts_on=dt.date(2024, 5, 3))
    import_data(trial, four_days)
    participant_update(person, monitoring_starts_on=dt.date(2024, 5, 2))
    import_data(trial, four_days)
    assert _values() == [62.0, 63.0, 64.0]
