"""Nights over a change of clocks in each kind of file that brings nights. All values invented."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from metrics.models import SleepSession
from participants.models import Trial
from tests.ingestion.conftest import Export, Import

HOUR = 3600


def _span(night: SleepSession) -> tuple[str, str]:
    return night.starts_at.isoformat()[:16], night.ends_at.isoformat()[:16]


def _log(start: str, end: str, hours: float, stages: list[tuple[str, str, int]]) -> dict[str, Any]:
    data = [{"dateTime": at, "level": level, "seconds": seconds} for at, level, seconds in stages]
    head = {"logId": 2002, "startTime": start, "endTime": end, "duration": int(hours * 3_600_000), "mainSleep": True}
    return head | {"type": "stages", "levels": {"data": data, "summary": {}}}


@pytest.mark.parametrize(
    ("end", "second", "third"),
    [("2024-10-27T08:00:00.000", "03", "05"), ("2024-10-27T07:00:00.000", "02", "04")],
    ids=["on the start's clock", "on the wall"],
)
def test_a_log_of_the_autumn_night_is_as_long_as_its_duration_and_stages(
    export: Export, end: str, second: str, third: str
) -> None:
    stages = [
        ("2024-10-26T23:00:00.000", "light", 4 * HOUR),
        (f"2024-10-27T{second}:00:00.000", "deep", 2 * HOUR),
        (f"2024-10-27T{third}:00:00.000", "rem", 3 * HOUR),
    ]
    export.take("sleep-2024-10-26.json", [_log("2024-10-26T23:00:00.000", end, 9, stages)])
    night = SleepSession.objects.get()
    assert _span(night) == ("2024-10-26T21:00", "2024-10-27T06:00")
    assert night.asleep_minutes == 540
    assert [stage[0] for stage in night.stages] == [0, 4 * HOUR, 6 * HOUR]


def test_short_wakes_lie_on_the_clock_of_their_night(export: Export) -> None:
    log = _log("2024-10-26T23:00:00", "2024-10-27T08:00:00", 9, [("2024-10-26T23:00:00", "light", 9 * HOUR)])
    log["levels"]["shortData"] = [{"dateTime": "2024-10-27T05:00:00", "level": "wake", "seconds": 60}]
    export.take("sleep-2024-10-26.json", [log])
    night = SleepSession.objects.get()
    assert night.stages == [[0, 6 * HOUR, "light"], [6 * HOUR, 60, "awake"], [6 * HOUR + 60, 3 * HOUR - 60, "light"]]


@pytest.mark.parametrize("date", ["2024-06-01", "2024-10-26"], ids=["no change", "over a change"])
def test_a_log_with_an_hour_missing_is_not_moved(export: Export, date: str) -> None:
    morning = dt.date.fromisoformat(date) + dt.timedelta(days=1)
    stages = [(f"{date}T23:00:00", "light", HOUR), (f"{morning}T01:00:00", "deep", HOUR)]
    hours = 5 if date == "2024-06-01" else 6
    export.take(f"sleep-{date}.json", [_log(f"{date}T23:00:00", f"{morning}T04:00:00", hours, stages)])
    night = SleepSession.objects.get()
    assert night.ends_at - night.starts_at == dt.timedelta(hours=hours)
    assert [stage[0] for stage in night.stages] == [0, 2 * HOUR]


def _rows(*stamps: tuple[dt.datetime, int]) -> str:
    """Minutes of classic sleep from each stamp on, so many."""
    minutes = [start + dt.timedelta(minutes=n) for start, count in stamps for n in range(count)]
    return "".join(f"P-1,{at:%-m/%-d/%Y %-I:%M:%S %p},1,77\n" for at in minutes)


@pytest.mark.parametrize(
    ("stamps", "starts", "ends", "stages"),
    [
        # Autumn, the repeated hour twice; and the start's clock throughout.
        ([("2024-10-26T23:00", 240), ("2024-10-27T02:00", 300)], "2024-10-26T21:00", "2024-10-27T06:00", 1),
        ([("2024-10-26T23:00", 540)], "2024-10-26T21:00", "2024-10-27T06:00", 1),
        # Autumn with an hour missing, on either clock.
        (
            [("2024-10-26T23:00", 60), ("2024-10-27T01:00", 120), ("2024-10-27T02:00", 300)],
            "2024-10-26T21:00",
            "2024-10-27T06:00",
            2,
        ),
        ([("2024-10-26T23:00", 300), ("2024-10-27T05:00", 180)], "2024-10-26T21:00", "2024-10-27T06:00", 2),
        # Spring: the clock on the wall skips an hour, that of the start does not.
        ([("2024-03-30T23:00", 180), ("2024-03-31T03:00", 240)], "2024-03-30T22:00", "2024-03-31T05:00", 1),
        ([("2024-03-30T23:00", 420)], "2024-03-30T22:00", "2024-03-31T05:00", 1),
    ],
)
def test_minutes_of_a_night_follow_the_clock_they_were_written_by(
    trial: Trial,
    tmp_path: Path,
    import_data: Import,
    stamps: list[tuple[str, int]],
    starts: str,
    ends: str,
    stages: int,
) -> None:
    path = tmp_path / "minuteSleep_merged.csv"
    path.write_text("Id,date,value,logId\n" + _rows(*((dt.datetime.fromisoformat(at), count) for at, count in stamps)))
    assert import_data(trial, path).failure == ""
    night = SleepSession.objects.get()
    assert _span(night) == (starts, ends)
    assert night.asleep_minutes == sum(count for _, count in stamps)
    assert len(night.stages) == stages


NIGHTS = "sleep_id,sleep_type,minutes_in_sleep_period,start_utc_offset,sleep_start,end_utc_offset,sleep_end\n"
STAGES = "sleep_id,sleep_stage_id,sleep_stage_type,start_utc_offset,sleep_stage_start,end_utc_offset,sleep_stage_end\n"


@pytest.mark.parametrize(
    ("end_offset", "end", "second"),
    [
        ("+01:00", "06:00", "04:00"),  # as it was
        ("+02:00", "05:00", "03:00"),  # all stamps of the wall's clock taken for the start's offset
        ("+01:00", "07:00", "05:00"),  # the start's clock taken for the wall's
    ],
)
def test_a_night_that_came_to_utc_by_a_wrong_offset_is_put_right(
    export: Export, import_data: Import, end_offset: str, end: str, second: str
) -> None:
    folder = "Takeout/Fitbit/Health Fitness Data_GoogleData"
    row = f"9,STAGES,540,+02:00,2024-10-26T21:00:00Z,{end_offset},2024-10-27T{end}:00Z\n"
    first = "9,1,LIGHT,+02:00,2024-10-26T21:00:00Z,+02:00,2024-10-27T00:00:00Z\n"
    hour = int(second[:2])
    last = f"9,2,DEEP,{end_offset},2024-10-27T{second}:00Z,{end_offset},2024-10-27T{hour + 2:02}:00:00Z\n"
    export.file(f"{folder}/UserSleepStages_2024-10-26.csv", STAGES + first + last)
    export.file(f"{folder}/UserSleeps_2024-10-26.csv", NIGHTS + row)
    assert import_data(export.trial, export.folder, participant="P-1").failure == ""
    night = SleepSession.objects.get()
    assert _span(night) == ("2024-10-26T21:00", "2024-10-27T06:00")
    assert night.stages == [[0, 3 * HOUR, "light"], [7 * HOUR, 2 * HOUR, "deep"]]


def test_a_night_spent_abroad_keeps_its_instants(export: Export, import_data: Import) -> None:
    folder = "Takeout/Fitbit/Health Fitness Data_GoogleData"
    row = "9,STAGES,300,-04:00,2024-10-26T21:00:00Z,-04:00,2024-10-27T06:00:00Z\n"
    export.file(f"{folder}/UserSleeps_2024-10-26.csv", NIGHTS + row)
    assert import_data(export.trial, export.folder, participant="P-1").failure == ""
    assert _span(SleepSession.objects.get()) == ("2024-10-26T21:00", "2024-10-27T06:00")
