"""From a real file to the page: the daily means under the chart are those of the file."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import re
from collections import defaultdict

import pytest
from django.core.management import call_command
from django.test import Client

from participants.models import Trial
from tests.paths import SHARED

FILE = SHARED / "data/fitabase/heartrate_seconds_merged.3.12.16-4.11.16.csv.gz"


def means_of_the_file() -> dict[str, dict[dt.date, str]]:
    """By participant and local date, as the page writes them. A repeated row counts once."""
    values: dict[str, dict[str, float]] = defaultdict(dict)
    with gzip.open(FILE, "rt") as lines:
        for person, time, text in list(csv.reader(lines))[1:]:
            values[person][time] = float(text)
    means: dict[str, dict[dt.date, str]] = defaultdict(dict)
    for person, by_time in values.items():
        by_date: dict[dt.date, list[float]] = defaultdict(list)
        for time, value in by_time.items():
            month, day, year = map(int, time.split()[0].split("/"))
            by_date[dt.date(year, month, day)].append(value)
        means[person] = {date: f"{sum(day) / len(day):.0f}" for date, day in by_date.items()}
    return means


@pytest.mark.skipif(not FILE.is_file(), reason=f"the Fitabase data are not at {FILE.parent}")
def test_daily_means_on_the_page_are_those_of_the_file(manager: Client, trial: Trial) -> None:
    call_command("import_data", trial.code, str(FILE), timezone="America/New_York", verbosity=0)
    expected = means_of_the_file()
    assert expected
    for person, means in expected.items():
        query = {"metric": "heart_rate", "from": min(means).isoformat(), "to": max(means).isoformat()}
        page = manager.get(f"/trials/{trial.code}/participants/{person}/", query).content.decode()
        shown = re.findall(r'<th scope="row">\w+ (\d+ \w+ \d+)</th><td class="num">(\d+)</td>', page)
        assert dict(shown) == {f"{date.day} {date:%b %Y}": mean for date, mean in means.items()}
