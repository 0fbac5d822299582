"""Files that do not say what clock they are on are decided with their siblings, and read on one clock or not at all."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
import zoneinfo
from typing import Any

import pytest

from ingestion.models import ImportFile
from ingestion.providers.base.files import Clock, ClockSign, FileJob
from ingestion.providers.takeout.clocks import sign_of_clock
from metrics.models import Measurement
from participants.models import Participant, Trial
from tests.factories import ParticipantFactory
from tests.ingestion.conftest import Export, Import, utc

SYDNEY = "Australia/Sydney"
Minutes = list[dict[str, Any]]


def minutes(first: str, last: str, *, step: int = 60, value: str = "1.19") -> Minutes:
    """Records from one stamp to another, both included, `step` minutes apart and the last one beside."""
    begins, ends = (dt.datetime.strptime(stamp, "%m/%d/%y %H:%M:%S") for stamp in (first, last))  # noqa: DTZ007
    stamps = [begins + dt.timedelta(minutes=n) for n in range(0, int((ends - begins).total_seconds()) // 60, step)]
    return [{"dateTime": f"{at:%m/%d/%y %H:%M:%S}", "value": value} for at in (*stamps, ends)]


def beats(first: str, last: str, *, step: int = 20) -> Minutes:
    return [
        {"dateTime": one["dateTime"], "value": {"bpm": 60, "confidence": 2}} for one in minutes(first, last, step=step)
    ]


@pytest.fixture
def owner(trial: Trial) -> Participant:
    person: Participant = ParticipantFactory.create(trial=trial, study_id="P-1", time_zone=SYDNEY)
    return person


# June 2020 in Sydney, UTC+10.
WHOLE_LOCAL = ("calories-2020-06-07.json", minutes("06/07/20 00:00:00", "07/06/20 23:59:00"))
PART_LOCAL = ("calories-2020-07-07.json", minutes("07/07/20 00:00:00", "07/08/20 14:01:00"))
UNCLEAR = ("steps-2020-07-07.json", minutes("07/07/20 14:04:00", "07/07/20 14:08:00", step=1, value="12"))
UNCLEAR_CALORIES = ("calories-2020-08-07.json", UNCLEAR[1])
STEPS_LOCAL = ("steps-2020-06-07.json", WHOLE_LOCAL[1])
STEPS_UTC = ("steps-2020-06-07.json", minutes("06/06/20 14:00:00", "07/06/20 13:59:00"))
WHOLE_UTC = ("calories-2020-06-07.json", minutes("06/06/20 14:00:00", "07/06/20 13:59:00"))
PART_UTC = ("calories-2020-07-07.json", minutes("07/06/20 14:00:00", "07/08/20 04:01:00"))
DAY_LOCAL = ("heart_rate-2020-07-07.json", beats("07/07/20 00:00:07", "07/07/20 23:59:50"))
DAY_UTC = ("heart_rate-2020-07-07.json", beats("07/06/20 14:00:07", "07/07/20 13:59:50"))


def offer(export: Export, import_data: Import, *files: tuple[str, Minutes], **options: Any) -> Any:
    for name, content in files:
        export.file(f"Takeout/{name}", content)
    return import_data(export.trial, export.folder, participant="P-1", **options)


# --- what a file alone tells -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "file", "expected"),
    [
        (SYDNEY, WHOLE_LOCAL, ClockSign(Clock.LOCAL)),
        (SYDNEY, PART_LOCAL, ClockSign(Clock.LOCAL, sure=False)),
        (SYDNEY, WHOLE_UTC, ClockSign(Clock.UTC)),
        (SYDNEY, PART_UTC, ClockSign(Clock.UTC, sure=False)),
        (SYDNEY, UNCLEAR, None),
        ("Europe/London", WHOLE_LOCAL, ClockSign(Clock.LOCAL)),  # an hour from UTC in summer
        ("UTC", WHOLE_LOCAL, None),
        ("Africa/Monrovia", WHOLE_LOCAL, None),
        (
            "America/Los_Angeles",
            ("steps-2020-06-07.json", minutes("06/07/20 07:00:00", "07/07/20 06:59:00")),
            Clock.UTC,
        ),
        # Ends with the last minute of a date, begins when the device came.
        (SYDNEY, ("steps-2020-06-07.json", minutes("06/07/20 09:13:00", "07/06/20 23:59:00")), Clock.LOCAL),
        (SYDNEY, ("steps-2020-06-07.json", []), None),
    ],
)
def test_a_month_s_file_tells_its_clock_by_where_it_is_cut(
    zone: str, file: tuple[str, Minutes], expected: ClockSign | Clock | None
) -> None:
    found = sign_of_clock(job(file[1], zone), one_day=False)
    assert (found and found.clock) == (expected.clock if isinstance(expected, ClockSign) else expected)
    if isinstance(expected, ClockSign):
        assert found == expected


@pytest.mark.parametrize(
    ("zone", "records", "expected"),
    [
        (SYDNEY, DAY_LOCAL[1], Clock.LOCAL),
        (SYDNEY, DAY_UTC[1], Clock.UTC),
        ("UTC", DAY_LOCAL[1], None),
        (SYDNEY, beats("07/07/20 02:00:00", "07/07/20 13:30:00"), None),  # as UTC all of it lies in one local date
        (SYDNEY, beats("07/07/20 13:29:00", "07/07/20 14:30:00", step=1), Clock.LOCAL),  # half an hour on either side
        (SYDNEY, beats("07/07/20 13:30:00", "07/07/20 14:30:00", step=1), None),  # a minute less before midnight
        (SYDNEY, beats("07/07/20 13:29:00", "07/07/20 14:29:00", step=1), None),  # a minute less after it
        (SYDNEY, beats("07/07/20 13:59:00", "07/07/20 23:30:00"), None),
    ],
)
def test_a_day_s_file_tells_its_clock_by_the_dates_it_reaches_into(
    zone: str, records: Minutes, expected: Clock | None
) -> None:
    found = sign_of_clock(job(records, zone), one_day=True)
    assert (found and found.clock) == expected


def job(records: Minutes, zone: str) -> FileJob:
    data = json.dumps(records).encode()
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return FileJob("x.json", lambda: io.BytesIO(data), lambda label: zoneinfo.ZoneInfo(zone), now)


# --- what they tell together -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files",
    [(WHOLE_LOCAL, PART_LOCAL, UNCLEAR_CALORIES), (PART_LOCAL, UNCLEAR_CALORIES), (DAY_LOCAL, UNCLEAR), (PART_LOCAL,)],
    ids=["month and parts", "parts alone", "a day", "one part alone"],
)
def test_siblings_of_a_file_that_seems_local_are_not_read_until_its_clock_is_given(
    export: Export, import_data: Import, files: tuple[tuple[str, Minutes], ...]
) -> None:
    outcome = offer(export, import_data, *files)
    assert outcome.failure == f"{len(files)} of {len(files)} file{'s' * (len(files) > 1)} failed."
    kind = files[0][0].partition("-")[0]
    assert f"--takeout-clock {kind}=local or {kind}=utc" in outcome.text
    assert not Measurement.objects.exists()


def test_siblings_are_found_in_an_archive_too(export: Export, import_data: Import, trial: Trial) -> None:
    path = export.folder / "takeout-001.zip"
    export.file("calories.json", PART_LOCAL[1])
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(export.folder / "calories.json", "Takeout/Fitbit/" + PART_LOCAL[0])
        archive.writestr("Takeout/Fitbit/" + UNCLEAR_CALORIES[0], '[{"dateTime": "07/07/20 14:04:00", "value": "12"}]')
    assert import_data(trial, path, participant="P-1").failure == "2 of 2 files failed."


def test_once_said_all_are_read_on_that_clock(export: Export, import_data: Import) -> None:
    assert offer(export, import_data, PART_LOCAL, UNCLEAR, takeout_clock="local").failure == ""
    assert utc("P-1", "steps")[0] == ("2020-07-07T04:04:00", 12.0)
    assert utc("P-1", "energy")[0][0] == "2020-07-06T14:00:00"
    said = {file.assumptions["clock of dateTime"] for file in ImportFile.objects.all()}
    assert said == {"local time, given with the import"}


def test_calories_on_the_local_clock_say_nothing_of_heart_rate_and_steps(export: Export, import_data: Import) -> None:
    outcome = offer(export, import_data, WHOLE_LOCAL, PART_LOCAL, DAY_UTC, UNCLEAR)
    assert outcome.failure == "2 of 4 files failed."
    assert utc("P-1", "steps")[0] == ("2020-07-07T14:04:00", 12.0)
    assert utc("P-1", "heart_rate")[0][0] == "2020-07-06T14:00:07"
    assert utc("P-1", "energy") == []


def test_a_clock_said_of_one_kind_is_said_of_that_kind_alone(export: Export, import_data: Import) -> None:
    assert offer(export, import_data, PART_LOCAL, UNCLEAR, takeout_clock="calories=local").failure == ""
    assert utc("P-1", "energy")[0][0] == "2020-07-06T14:00:00"
    assert utc("P-1", "steps")[0] == ("2020-07-07T14:04:00", 12.0)


def test_a_clock_said_of_all_does_not_move_files_that_are_surely_on_the_other(
    export: Export, import_data: Import
) -> None:
    outcome = offer(export, import_data, WHOLE_LOCAL, STEPS_UTC, takeout_clock="local")
    assert outcome.failure == "1 of 2 files failed."
    assert "steps-2020-06-07.json look like UTC, not local time; say which with --takeout-clock" in outcome.text
    assert utc("P-1", "energy")[0][0] == "2020-06-06T14:00:00"
    assert utc("P-1", "steps") == []


def test_a_clock_said_of_their_kind_overrules_what_files_look_like(export: Export, import_data: Import) -> None:
    assert offer(export, import_data, STEPS_UTC, takeout_clock="utc,steps=local").failure == ""
    assert utc("P-1", "steps")[0][0] == "2020-06-06T04:00:00"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("noon", "'noon' names no clock: say local or utc"),
        ("calories=", "names no clock"),
        ("sleep=local", "'sleep' is no kind of file that leaves its clock unsaid: calories, distance, exercise, heart"),
        ("=local", "'' is no kind of file"),
        ("steps=local,heart_rate=utc", "heart_rate, steps and distance files are on one clock, and two are given"),
        ("local,utc", "all files are on one clock, and two are given"),
    ],
)
def test_a_clock_that_cannot_be_understood_is_refused(
    export: Export, import_data: Import, said: str, message: str
) -> None:
    assert message in offer(export, import_data, UNCLEAR, takeout_clock=said).failure
    assert not Measurement.objects.exists()


def test_a_utc_export_is_read_as_ever(export: Export, import_data: Import) -> None:
    assert offer(export, import_data, WHOLE_UTC, PART_UTC, UNCLEAR, DAY_UTC).failure == ""
    assert utc("P-1", "steps")[0] == ("2020-07-07T14:04:00", 12.0)
    assert utc("P-1", "energy")[0][0] == "2020-06-06T14:00:00"


def test_a_chance_stamp_at_midnight_does_not_speak_against_whole_months(export: Export, import_data: Import) -> None:
    chance = ("steps-2020-07-07.json", minutes("07/07/20 00:00:00", "07/07/20 14:08:00", value="12"))
    assert offer(export, import_data, STEPS_UTC, chance).failure == ""
    assert utc("P-1", "steps")[-1][0] == "2020-07-07T14:08:00"
    assert ("2020-07-07T00:00:00", 12.0) in utc("P-1", "steps")
    assert utc("P-1", "steps")[0][0] == "2020-06-06T14:00:00"


def test_files_that_contradict_each_other_are_refused_and_named(export: Export, import_data: Import) -> None:
    outcome = offer(export, import_data, STEPS_LOCAL, DAY_UTC)
    assert outcome.failure == "2 of 2 files failed."
    assert "steps-2020-06-07.json look like local time, heart_rate-2020-07-07.json like UTC" in outcome.text
    assert not Measurement.objects.exists()


def test_files_of_another_kind_are_read_all_the_same(export: Export, import_data: Import) -> None:
    rest = [{"dateTime": "06/10/20 00:00:00", "value": {"date": "06/10/20", "value": 57.5, "error": 6.8}}]
    outcome = offer(export, import_data, PART_LOCAL, ("resting_heart_rate-2020-06-10.json", rest))
    assert outcome.failure == "1 of 2 files failed."
    assert len(utc("P-1", "resting_heart_rate")) == 1


# --- what was imported earlier has a say -------------------------------------------------------------------------


def test_an_unclear_file_after_siblings_on_local_time_is_refused(export: Export) -> None:
    export.take(*DAY_LOCAL, takeout_clock="local")
    outcome = export.take(*UNCLEAR)
    assert outcome.failure == "1 of 1 file failed."
    assert "heart_rate-2020-07-07.json was imported on local time on" in outcome.text
    assert utc("P-1", "steps") == []


def test_what_was_imported_as_utc_is_named_when_a_sibling_seems_local(export: Export) -> None:
    assert export.take(*UNCLEAR).failure == ""
    outcome = export.take(*STEPS_LOCAL)
    assert "steps-2020-07-07.json of P-1 were imported earlier as UTC" in outcome.text
    assert "offer them again with --takeout-clock heart_rate=local" in outcome.text


def test_what_was_imported_on_the_other_clock_is_named_when_one_is_said(export: Export) -> None:
    export.take(*UNCLEAR)
    assert "were imported earlier as UTC" in export.take(*DAY_LOCAL, takeout_clock="local").text


def test_imports_of_another_participant_have_no_say(export: Export, import_data: Import, trial: Trial) -> None:
    export.take(*DAY_LOCAL, takeout_clock="local")
    ParticipantFactory(trial=trial, study_id="P-2", time_zone=SYDNEY)
    assert import_data(trial, export.file(*UNCLEAR), participant="P-2").failure == ""
