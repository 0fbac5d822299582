"""Real exports of four people, imported as an operator would: exact numbers, and nothing at the second time."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import shutil
import zoneinfo
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from django.db.models import Count, Sum

from ingestion.models import ImportFile
from metrics.models import DayRollup, Measurement, Revision, SleepSession
from metrics.reading.queries import series
from participants.models import Participant, Trial
from tests.factories import TrialFactory
from tests.ingestion.conftest import Import, stored

ZONE = "America/New_York"
HEART_RATES = ("heartrate_seconds_merged.csv.gz", "heartrate_seconds_merged.3.12.16-4.11.16.csv.gz")


@pytest.fixture
def trial(db: None) -> Trial:
    return TrialFactory(code="REAL", time_zone=ZONE)


def test_all_heart_rates_arrive_once_and_a_second_import_changes_nothing(
    trial: Trial, fitabase: Path, import_data: Import
) -> None:
    files = [fitabase / name for name in HEART_RATES]
    outcome = import_data(trial, *files)
    assert outcome.failure == ""
    heart_rates = Measurement.objects.filter(metric__code="heart_rate")
    assert heart_rates.count() == 1_202_562
    counts = [record.counts for record in ImportFile.objects.order_by("started_at")]
    assert sum(c["rows"] for c in counts) == 1_212_228
    assert sum(c["unchanged"] + c["repeated"] for c in counts) == 9_666
    assert sum(c["changed"] for c in counts) == 0
    assert not Revision.objects.exists()

    assert "nothing to do" in import_data(trial, *files).text
    ImportFile.objects.all().delete()  # forget that they were read: read them again
    import_data(trial, *files)
    again = [record.counts for record in ImportFile.objects.all()]
    assert sum(c["new"] + c["changed"] for c in again) == 0
    assert heart_rates.count() == 1_202_562
    assert not Revision.objects.exists()

    _daily_means_equal_the_file(fitabase / HEART_RATES[0])


def _daily_means_equal_the_file(path: Path) -> None:
    """Days that only this file has, straight from its text."""
    total: Counter[str] = Counter()
    count: Counter[str] = Counter()
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            if row["Id"] == "4020332650":
                day = row["Time"].split(" ")[0]
                total[day] += int(row["Value"])
                count[day] += 1
    rollups = {
        f"{row.date.month}/{row.date.day}/{row.date.year}": (row.total, row.n)
        for row in DayRollup.objects.filter(participant__study_id="4020332650", metric__code="heart_rate")
    }
    days = [day for day in count if day != "4/12/2016"]  # the other file has a part of that day
    assert {day: rollups[day] for day in days} == {day: (total[day], count[day]) for day in days}


def test_wide_and_narrow_minutes_are_the_same_samples(trial: Trial, fitabase: Path, import_data: Import) -> None:
    import_data(trial, fitabase / "minuteStepsNarrow_merged.csv.gz")
    assert import_data(trial, fitabase / "minuteStepsWide_merged.csv.gz").failure == ""
    assert Measurement.objects.filter(metric__code="steps", seconds=60).count() == 148_860
    wide = ImportFile.objects.get(format="fitabase.minuteStepsWide")
    assert (wide.counts["rows"], wide.counts["new"], wide.counts["unchanged"]) == (2_481, 0, 148_860)


def test_minutes_of_sleep_become_nights(trial: Trial, fitabase: Path, import_data: Import) -> None:
    assert import_data(trial, fitabase / "minuteSleep_merged.csv.gz").failure == ""
    with gzip.open(fitabase / "minuteSleep_merged.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    nights = {night.external_id: night for night in SleepSession.objects.all()}
    minutes = Counter(row["logId"] for row in rows)
    assert set(nights) == set(minutes)
    in_stages = {log_id: sum(seconds for _, seconds, _ in night.stages) // 60 for log_id, night in nights.items()}
    assert in_stages == minutes
    asleep = Counter(row["logId"] for row in rows if row["value"] == "1")
    assert {log_id: night.asleep_minutes for log_id, night in nights.items()} == {i: asleep[i] for i in minutes}
    first = nights["11385457746"]
    assert first.starts_at.isoformat() == "2016-04-13T02:05:00+00:00"  # 4/12 10:05 PM in New York


def test_a_folder_imports_what_it_knows_and_says_what_it_leaves_out(
    trial: Trial, fitabase: Path, import_data: Import, tmp_path: Path
) -> None:
    for path in fitabase.iterdir():
        if not path.name.startswith(("heartrate", "minute")):
            shutil.copy(path, tmp_path)
    outcome = import_data(trial, tmp_path)
    assert outcome.failure == ""
    assert "sleepDay_merged.csv" in outcome.text
    assert "ENROLLED 4 new participants" in outcome.text
    formats = set(ImportFile.objects.values_list("format", flat=True))
    assert formats == {"fitabase.dailyActivity", "fitabase.hourlySteps"}
    assert Participant.objects.filter(trial=trial, status="active", time_zone=ZONE).count() == 4


def test_a_day_s_totals_lie_at_its_first_instant(trial: Trial, fitabase: Path, import_data: Import) -> None:
    import_data(trial, fitabase / "dailyActivity_merged.csv")
    times, values = stored("2022484408", "steps_24h")
    assert str(np.datetime64(int(times[0]), "us"))[:16] == "2016-04-12T04:00"
    assert values[0] == 11_875
    assert stored("2022484408", "distance_24h")[1][0] == pytest.approx(8340.0, abs=0.01)
    totals = Measurement.objects.filter(metric__code="steps_24h").aggregate(n=Count("value"), total=Sum("seconds"))
    assert totals == {"n": 108, "total": 108 * 86_400}


@pytest.mark.parametrize("order", [["hourly", "minutes"], ["minutes", "hourly"]])
def test_a_day_s_steps_are_of_the_finest_file_and_never_added(
    trial: Trial, fitabase: Path, import_data: Import, order: list[str]
) -> None:
    files = {"hourly": "hourlySteps_merged.csv", "minutes": "minuteStepsWide_merged.csv.gz"}
    for name in order:
        assert import_data(trial, fitabase / files[name]).failure == ""
    person = Participant.objects.get(study_id="2347167796")
    assert DayRollup.objects.filter(participant=person, metric__code="steps").values("source").distinct().count() == 2
    by_hour, by_minute = _steps(fitabase / files["hourly"]), _steps(fitabase / files["minutes"])
    dates = [dt.date(2016, 4, 12) + dt.timedelta(days=n) for n in range(17)]
    start, end = (
        dt.datetime.combine(day, dt.time(), zoneinfo.ZoneInfo(ZONE)) for day in (dates[0], dt.date(2016, 4, 29))
    )
    (found,) = series([person.pk], ["steps"], start, end, resolution="1d")
    assert found.total.tolist() == [by_minute.get(date, by_hour[date]) for date in dates]
    assert dt.date(2016, 4, 12) not in by_minute  # the minutes begin a day later: that day is of the hours


def _steps(path: Path) -> Counter[dt.date]:
    """Steps by local day, straight from a file's text."""
    found: Counter[dt.date] = Counter()
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["Id"] == "2347167796":
                month, day, year = map(int, row["ActivityHour"].split(" ")[0].split("/"))
                found[dt.date(year, month, day)] += sum(
                    int(value) for name, value in row.items() if name.startswith("Step")
                )
    return found
