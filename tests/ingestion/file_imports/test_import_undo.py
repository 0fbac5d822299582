"""Undoing an import: what it stored goes, what it changed comes back, and whatever else holds a row keeps it."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion import erasure as ingestion_erasure
from ingestion import tasks
from ingestion.file_imports.part_storage import pack_samples, unpack_samples
from ingestion.file_imports.services import Import as Run
from ingestion.file_imports.undo import CannotUndo, stored_by, undo_begin, undo_run, undo_step
from ingestion.models import ImportedPart, ImportFile
from metrics.batch import Payload, SampleBatch, SourceKey, microseconds
from metrics.models import (
    DayRollup,
    ExerciseSession,
    HourRollup,
    Measurement,
    MinuteRollup,
    OffsetPeriod,
    ParticipantDay,
    Revision,
    SleepSession,
)
from metrics.registry import BY_CODE
from metrics.writing.rollups import SeriesKey
from metrics.writing.row_changes import SampleTrace
from metrics.writing.writer import store
from participants.models import AuditEntry, Participant, Trial
from tests.factories import ParticipantFactory, TrialFactory, UserFactory
from tests.ingestion.conftest import Export, Import, utc

HEADER = "Id,Time,Value"
NAME = "heartrate_seconds_merged.csv"
SCHEMA = (
    (Measurement, "time", "value", "seconds"),
    (MinuteRollup, "bucket", "n", "total", "low", "high"),
    (HourRollup, "bucket", "n", "total", "low", "high"),
    (DayRollup, "date", "n", "total", "low", "high", "minutes"),
)


def picture() -> dict[str, list[Any]]:
    """All that is stored, to compare."""
    found: dict[str, list[Any]] = {
        model.__name__: sorted(model._default_manager.values_list("participant", "metric", "source", *columns))
        for model, *columns in SCHEMA
    }
    nights = ("participant", "external_id", "starts_at", "ends_at", "date", "is_main", "stages", "asleep_minutes")
    found["nights"] = sorted(map(str, SleepSession.objects.values_list(*nights)))
    found["exercise"] = sorted(map(str, ExerciseSession.objects.values_list("participant", "external_id", "starts_at")))
    found["offsets"] = sorted(map(str, OffsetPeriod.objects.values_list("participant", "starts_at", "utc_offset")))
    found["days"] = sorted(
        ParticipantDay.objects.filter(worn_minutes__gt=0).values_list("participant", "date", "worn_minutes")
    )
    found["revisions"] = sorted(Revision.objects.values_list("participant", "metric", "time", "old_value"))
    return found


def write(folder: Path, name: str, *rows: str, header: str = HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def beats(*values: int, who: str = "P-1", hour: int = 8) -> list[str]:
    return [f"{who},5/1/2024 {hour}:00:{second:02} AM,{value}" for second, value in enumerate(values)]


def undo(record: ImportFile, reason: str = "the wrong file") -> None:
    undo_run(undo_begin(record, reason=reason).pk)


@pytest.fixture
def participant(trial: Trial) -> Participant:
    person: Participant = ParticipantFactory.create(trial=trial, study_id="P-1", time_zone="Europe/Amsterdam")
    return person


# --- samples -----------------------------------------------------------------------------------------------------


def test_what_it_stored_goes_with_all_that_was_made_of_it(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61)))
    before = picture()
    import_data(trial, write(tmp_path, "b.csv", *beats(70, 71, hour=9), *beats(80, who="P-2")))
    assert picture() != before
    record = ImportFile.objects.get(name__endswith="b.csv")
    undo(record)
    assert picture() == before
    record.refresh_from_db()
    assert record.status == "undone"
    assert record.counts["undone"] == {"removed": 3, "restored": 0, "left": 0}
    assert not record.parts.exists()


def test_values_that_it_changed_come_back(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61, 62)))
    before = picture()
    import_data(trial, write(tmp_path, "b.csv", *beats(60, 99, 62, 63)))
    assert [value for _, value in utc("P-1", "heart_rate")] == [60, 99, 62, 63]
    undo(ImportFile.objects.get(name__endswith="b.csv"))
    assert picture() == before


def test_rows_that_another_import_holds_stay_whichever_is_undone(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61)))
    import_data(trial, write(tmp_path, "b.csv", *beats(60, 61, 62)))
    undo(ImportFile.objects.get(name__endswith="a.csv"))
    assert [value for _, value in utc("P-1", "heart_rate")] == [60, 61, 62]
    undo(ImportFile.objects.get(name__endswith="b.csv"))
    assert utc("P-1", "heart_rate") == []


def test_rows_that_were_there_before_any_import_stay(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    at = microseconds(dt.datetime(2024, 5, 1, 6, 0, tzinfo=dt.UTC))
    batch = SampleBatch(
        "heart_rate", SourceKey("fitabase", "fitbit"), np.array([at, at + 1_000_000]), np.array([60.0, 50.0])
    )
    store(participant, Payload(samples=[batch]))
    before = picture()
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61, 62)))
    undo(ImportFile.objects.get())
    assert picture() == before


def test_rows_that_something_else_has_changed_since_stay_as_they_are(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61)))
    at = microseconds(dt.datetime(2024, 5, 1, 6, 0, tzinfo=dt.UTC))
    batch = SampleBatch("heart_rate", SourceKey("fitabase", "fitbit"), np.array([at]), np.array([55.0]))
    store(participant, Payload(samples=[batch]))
    undo(ImportFile.objects.get())
    assert utc("P-1", "heart_rate") == [("2024-05-01T06:00:00", 55.0)]
    assert ImportFile.objects.get().counts["undone"] == {"removed": 1, "restored": 0, "left": 1}


def test_without_what_stood_between_an_equal_value_is_no_change(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    for name, value in (("a.csv", 60), ("b.csv", 62), ("c.csv", 60), ("d.csv", 62)):
        row = f"P-1,5/1/2024 8:00:00 AM,{value},1"
        import_data(trial, write(tmp_path, name, row, header=f"{HEADER},{name[0]}"))  # bytes of its own
    undo(ImportFile.objects.get(name__endswith="c.csv"))
    assert list(Revision.objects.values_list("old_value", flat=True)) == [60]
    assert utc("P-1", "heart_rate") == [("2024-05-01T06:00:00", 62.0)]


def test_lengths_come_back_with_their_values(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    at = microseconds(dt.datetime(2024, 5, 1, 6, 0, tzinfo=dt.UTC))
    source = SourceKey("fitabase", "fitbit")
    store(participant, Payload(samples=[SampleBatch("steps", source, np.array([at]), np.array([7.0]))]))
    before = picture()
    header = "Id,ActivityMinute,Steps"
    rows = ("P-1,5/1/2024 8:00:00 AM,7", "P-1,5/1/2024 8:01:00 AM,8")
    import_data(trial, write(tmp_path, "minuteStepsNarrow_merged.csv", *rows, header=header))
    assert set(Measurement.objects.values_list("seconds", flat=True)) == {60}
    undo(ImportFile.objects.get())
    assert picture() == before


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(
        st.dictionaries(st.integers(0, 5), st.integers(60, 63), min_size=1, max_size=6), min_size=1, max_size=5
    ),
    order=st.randoms(use_true_random=False),
)
def test_undone_in_any_order_the_rest_is_as_if_the_undone_had_never_been(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import, files: list[dict[int, int]], order: Any
) -> None:
    with transaction.atomic():
        records = []
        for number, content in enumerate(files):
            rows = [f"P-1,5/1/2024 8:00:{second:02} AM,{value},1" for second, value in sorted(content.items())]
            import_data(
                trial, write(tmp_path, f"{number}.csv", *rows, header=f"{HEADER},n{number}")
            )  # bytes of its own
            records.append(ImportFile.objects.latest("pk"))
        left = dict(enumerate(files))
        for number in order.sample(range(len(files)), len(files)):
            undo(records[number])
            del left[number]
            expected: dict[int, int] = {}
            for one in sorted(left):
                expected |= left[one]
            assert [(int(at[-2:]), value) for at, value in utc("P-1", "heart_rate")] == sorted(expected.items())
            replaced = {value for content in left.values() for value in content.values()}
            assert set(Revision.objects.values_list("old_value", flat=True)) <= replaced
        assert not Revision.objects.exists()
        assert not ImportedPart.objects.exists()
        transaction.set_rollback(True)


def test_what_is_kept_of_samples_is_all_of_it() -> None:
    n = 1000
    time = np.cumsum(np.arange(1, n + 1)) * 1_000_000
    value = np.linspace(40, 180, n)
    before, seconds = value.copy(), np.full(n, -1, dtype=np.int32)
    before[::3], before[1::3] = np.nan, before[1::3] + 0.1
    lengths = seconds.copy()
    lengths[1::6] = 60
    rows = SampleTrace(SeriesKey(1, BY_CODE["heart_rate"], 1), time, value, seconds, before, lengths)
    found = unpack_samples(rows.series, pack_samples(rows))
    for name in ("time", "value", "seconds", "before", "seconds_before"):
        np.testing.assert_array_equal(getattr(found, name), getattr(rows, name))
        assert getattr(found, name).dtype == getattr(rows, name).dtype


# --- nights, exercise, the device's clock ------------------------------------------------------------------------


def night(log_id: int, start: str, end: str, **more: Any) -> dict[str, Any]:
    stage = {"dateTime": start, "level": "light", "seconds": 3600}
    return {"logId": log_id, "startTime": start, "endTime": end, "levels": {"data": [stage]}, **more}


def test_nights_go_and_changed_ones_come_back(export: Export) -> None:
    first = night(1, "2024-05-01T23:00:00.000", "2024-05-02T06:00:00.000")
    export.take("sleep-2024-05-01.json", [first])
    before = picture()
    longer = night(1, "2024-05-01T23:00:00.000", "2024-05-02T07:00:00.000")
    other = night(2, "2024-05-02T23:00:00.000", "2024-05-03T07:00:00.000")
    export.take("sleep-2024-05-02.json", [longer, other])
    assert SleepSession.objects.count() == 2
    undo(ImportFile.objects.latest("pk"))
    assert picture() == before
    undo(ImportFile.objects.earliest("pk"))
    assert not SleepSession.objects.exists()


def test_a_night_that_another_file_holds_too_stays(export: Export) -> None:
    one = night(1, "2024-05-01T23:00:00.000", "2024-05-02T06:00:00.000")
    export.take("sleep-2024-05-01.json", [one])
    export.take("sleep-2024-05-02.json", [one, night(2, "2024-05-02T23:00:00.000", "2024-05-03T07:00:00.000")])
    undo(ImportFile.objects.earliest("pk"))
    assert SleepSession.objects.count() == 2
    undo(ImportFile.objects.latest("pk"))
    assert not SleepSession.objects.exists()


def test_changes_of_the_device_s_clock_go_and_days_are_cut_as_before(export: Export) -> None:
    export.take(
        "heart_rate-2024-05-02.json", [{"dateTime": "05/02/24 23:00:12", "value": {"bpm": 60, "confidence": 2}}]
    )
    before = picture()
    header = "sleep_id,sleep_type,minutes_in_sleep_period,start_utc_offset,sleep_start,end_utc_offset,sleep_end\n"
    row = "7,STAGES,420,-04:00,2024-05-02T04:00:00Z,-04:00,2024-05-02T11:00:00Z\n"
    assert export.take("UserSleeps_2024-05.csv", header + row).failure == ""
    assert OffsetPeriod.objects.exists()
    undo(ImportFile.objects.latest("pk"))
    assert picture() == before


# --- how it is done ----------------------------------------------------------------------------------------------


def test_a_killed_undoing_is_gone_on_with(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60), *beats(61, who="P-2"), *beats(62, who="P-3")))
    record = undo_begin(ImportFile.objects.get(), reason="the wrong file")
    undo_step(record.pk)
    assert Measurement.objects.count() == 2
    assert "is being undone" in import_data(trial, tmp_path / "a.csv").text
    undo_run(undo_begin(record, reason="again").pk)
    assert not Measurement.objects.exists()
    record.refresh_from_db()
    assert (record.status, record.counts["undone"]["removed"]) == ("undone", 3)


def test_a_run_that_reads_the_file_at_that_moment_stops(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "a.csv", *beats(60), *beats(61, who="P-2"))
    put = Run._store

    def undo_before_the_second(run: Run, *arguments: Any) -> Any:
        if Measurement.objects.exists():
            undo(ImportFile.objects.get())
        return put(run, *arguments)

    monkeypatch.setattr(Run, "_store", undo_before_the_second)
    import_data(trial, path)
    assert not Measurement.objects.exists()
    assert ImportFile.objects.get().status == "undone"


def test_it_is_audited_with_its_reason(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60)))
    record = ImportFile.objects.get()
    undo(record, reason="the wrong participant's")
    asked = AuditEntry.objects.get(action="import.undo")
    assert (asked.thing, asked.detail.reason) == (f"import:{record.pk}", "the wrong participant's")
    assert asked.detail.new["rows"] == 1
    assert AuditEntry.objects.get(action="import.undone").detail.new["removed"] == 1


def test_an_undone_file_can_be_imported_again(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    path = write(tmp_path, "a.csv", *beats(60, 61))
    import_data(trial, path)
    before = picture()
    undo(ImportFile.objects.get())
    assert import_data(trial, path).failure == ""
    assert picture() == before
    assert sorted(ImportFile.objects.values_list("status", flat=True)) == ["done", "undone"]


def test_a_file_that_failed_half_way_can_be_undone(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60)))
    ImportFile.objects.update(status="failed")
    undo(ImportFile.objects.get())
    assert not Measurement.objects.exists()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"traced": False}, "cannot be undone exactly"),
        ({"status": "undone"}, "undone already"),
        ({"status": "failed", "format": "", "traced": False, "parts": 0}, "stored nothing"),
        ({"parts": 0}, "stored nothing"),
    ],
)
def test_what_cannot_be_undone_is_said(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import, fields: dict[str, Any], says: str
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60)))
    if "parts" in fields:
        ImportedPart.objects.all().delete()
    ImportFile.objects.update(**{name: value for name, value in fields.items() if name != "parts"})
    with pytest.raises(CannotUndo, match=says):
        undo_begin(ImportFile.objects.get(), reason="x")
    assert Measurement.objects.exists()


def test_a_reason_is_needed(trial: Trial, participant: Participant, tmp_path: Path, import_data: Import) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60)))
    with pytest.raises(CannotUndo, match="reason"):
        undo_begin(ImportFile.objects.get(), reason=" ")


def test_what_would_go_is_told_by_participant_and_metric(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61)))
    import_data(trial, write(tmp_path, "b.csv", *beats(60, 99, 62), *beats(70, who="P-2")))
    told = {one.participant.study_id: one for one in stored_by(ImportFile.objects.latest("pk"))}
    mine = told["P-1"]
    assert (mine.what, mine.rows, mine.added, mine.changed) == ("Heart rate", 3, 1, 1)
    assert mine.first_at == dt.datetime(2024, 5, 1, 6, 0, tzinfo=dt.UTC)
    assert mine.last_at == dt.datetime(2024, 5, 1, 6, 0, 2, tzinfo=dt.UTC)
    assert told["P-2"].added == 1


# --- by the command and in the administration --------------------------------------------------------------------


def run(*arguments: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command("undo_import", *map(str, arguments), stdout=out, **options)
    return out.getvalue()


def test_the_command_says_what_would_go_and_does_it_only_when_told(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    outcome = import_data(trial, write(tmp_path, "a.csv", *beats(60, 61)))
    record = ImportFile.objects.get()
    assert f"Import numbers, to undo them by: {record.pk}\n" in outcome.text
    assert f"{record.pk:>8}" in run("WALK")
    told = run("WALK", record.pk)
    assert "P-1: Heart rate of fitabase · fitbit, 2024-05-01 08:00 to 2024-05-01 08:00: 2 new, 0 changed" in told
    assert "Nothing was changed" in told
    assert Measurement.objects.count() == 2
    assert "2 rows removed" in run("WALK", record.pk, confirm=True, reason="the wrong file")
    assert not Measurement.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (["NONE"], {}, "There is no trial"),
        (["WALK", "999999"], {}, "There is no import 999999"),
        (["WALK", "999999"], {"confirm": True}, "--reason"),
    ],
)
def test_the_command_refuses_in_one_line(
    trial: Trial, arguments: list[str], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(CommandError, match=says):
        run(*arguments, **options)


def test_an_import_of_another_trial_is_not_undone(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60)))
    other = TrialFactory(code="OTHER")
    with pytest.raises(CommandError, match="There is no import"):
        run(other.code, ImportFile.objects.get().pk, confirm=True, reason="x")


def test_staff_who_may_undo_an_import_on_its_list_after_seeing_what_goes(
    trial: Trial,
    participant: Participant,
    tmp_path: Path,
    import_data: Import,
    client: Client,
    tasks_run_at_once: None,
    django_capture_on_commit_callbacks: Any,
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60, 61)))
    record = ImportFile.objects.get()
    staff = UserFactory(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_importfile", "undo_importfile"]))
    client.force_login(staff)
    address = reverse("admin:ingestion_importfile_changelist")
    chosen = {"action": "undo", "_selected_action": [record.pk], "index": 0}
    page = client.post(address, chosen).content.decode()
    assert "P-1: Heart rate of fitabase" in page
    assert Measurement.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(address, {**chosen, "confirmed": "yes", "reason": "the wrong file"})
    record.refresh_from_db()
    assert record.status == "undone"
    assert not Measurement.objects.exists()
    assert AuditEntry.objects.get(action="import.undo").actor_name == staff.email


def test_staff_who_only_see_imports_are_not_offered_it(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import, client: Client
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60)))
    staff = UserFactory(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_importfile"))
    client.force_login(staff)
    address = reverse("admin:ingestion_importfile_changelist")
    chosen = {"action": "undo", "_selected_action": [ImportFile.objects.get().pk], "index": 0}
    client.post(address, {**chosen, "confirmed": "yes", "reason": "x"})
    assert ImportFile.objects.get().status == "done"


def test_an_undoing_that_was_left_is_gone_on_with(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import, tasks_run_at_once: None
) -> None:
    import_data(trial, write(tmp_path, "a.csv", *beats(60)))
    undo_begin(ImportFile.objects.get(), reason="the wrong file")
    tasks.resume_undoings()
    assert ImportFile.objects.get().status == "undone"


def test_an_erased_participant_is_in_nothing_that_is_told_of_files(
    trial: Trial, participant: Participant, tmp_path: Path, import_data: Import
) -> None:
    Participant.objects.filter(pk=participant.pk).update(status="withdrawn")
    path = write(tmp_path, "p-1.csv", *beats(60), *beats(70, who="P-2"), *beats(71, who="P-10"))
    import_data(trial, path)
    ingestion_erasure.erase(participant)
    record = ImportFile.objects.get()
    told = json.dumps([record.name, record.error, record.assumptions, record.counts]).upper()
    assert "P-10" in told
    assert re.search(r"P-1(?!0)", told) is None
    for entry in AuditEntry.objects.filter(action__startswith="import."):
        assert "P-1" not in json.dumps(entry.detail.new)
