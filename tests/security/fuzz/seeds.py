"""Valid files of every format that is imported, small: what is spoilt must first be right."""

from __future__ import annotations

import json
from typing import Any

from ingestion.providers.fitabase import FORMATS as FITABASE
from ingestion.providers.takeout.csv_formats import CSV_FORMATS

STAMPS = ("5/1/2024 8:00:00 AM", "5/1/2024 8:01:00 AM", "5/1/2024 9:00:00 AM")
NIGHT = {
    "logId": 42,
    "startTime": "2024-05-01T23:00:00.000",
    "endTime": "2024-05-02T06:00:00.000",
    "mainSleep": True,
    "levels": {"data": [{"dateTime": "2024-05-01T23:00:00.000", "level": "light", "seconds": 25_200}]},
}


# Fitabase's files in which not every cell but the first two is a number, or the date has its time.
OF_WORDS = {
    "minuteActiveZoneMinutes": (
        "Id,ActivityMinute,FatBurnActiveZoneMinutes,CardioActiveZoneMinutes,PeakActiveZoneMinutes\n"
        "P-1,5/1/2024 8:00:00 AM,1,0,0\nP-1,5/1/2024 8:01:00 AM,0,2,0\n"
    ),
    "weightLogInfo": "Id,Date,WeightKg,Fat\nP-1,5/1/2024 8:00:00 AM,70.5,20\nP-1,5/2/2024 8:00:00 AM,70.1,\n",
    "30secondSleepStages": (
        "Id,LogId,Time,SleepStage\nP-1,1,5/1/2024 2:00:00 AM,light\nP-1,1,5/1/2024 2:00:30 AM,deep\n"
    ),
    "sleepStageLogInfo": (
        "Id,LogId,StartTime,Duration,SleepDataType\nP-1,1,5/1/2024 1:00:00 AM,25200000,stages\n"
        "P-1,2,5/2/2024 1:00:00 AM,25200000,stages\n"
    ),
    "sleepLogInfo": (
        "Id,LogId,StartTime,Duration,IsMainSleep\nP-1,1,5/1/2024 1:00:00 AM,25200000,True\n"
        "P-1,2,5/2/2024 1:00:00 AM,25200000,True\n"
    ),
    "activitylogs": (
        "Id,Date,StartTime,Duration,Activity,Steps\nP-1,5/1/2024,8:00:00 AM,1800000,Walk,2000\n"
        "P-1,5/2/2024,8:00:00 AM,1800000,Run,4000\n"
    ),
    "syncEvents": (
        "Id,DateTime,SyncDateUTC\nP-1,5/1/2024 8:00:00 AM,5/1/2024 6:00:00 AM\n"
        "P-1,5/1/2024 9:00:00 AM,5/1/2024 7:00:00 AM\n"
    ),
}


def _fitabase() -> dict[str, bytes]:
    found = {}
    for one in FITABASE:
        stamp, *values = one.columns  # type: ignore[attr-defined]  # each of them is a table
        rows = [",".join(["P-1", at.split()[0] if "Date" in stamp else at, *("1" for _ in values)]) for at in STAMPS]
        text = "\n".join([f"Id,{stamp},{','.join(values)}", *rows, ""])
        name = one.code.split(".")[1]
        found[f"{name}_merged.csv"] = OF_WORDS.get(name, text).encode()
    return found


def _csv() -> dict[str, bytes]:
    found = {}
    for one in CSV_FORMATS:
        values = [*one.values, *filter(None, [one.minus])]
        columns = [one.stamp, *values, *one.also, "data source"]
        rows = [
            ",".join([f"2024-05-01T0{hour}:00:00Z", *("60" for _ in values), *("1" for _ in one.also), "Inspire 3"])
            for hour in range(3)
        ]
        name = one.named or one.code.split(".")[1].removesuffix("_csv")
        found[f"{name}_2024-05-01.csv"] = "\n".join([",".join(columns), *rows, ""]).encode()
    return found


def _json() -> dict[str, bytes]:
    at = "05/01/24 22:00:00"
    plain = [{"dateTime": at, "value": "12"}]
    made: dict[str, Any] = {
        "heart_rate": [{"dateTime": at, "value": {"bpm": 60, "confidence": 2}}] * 2,
        "steps": plain,
        "calories": plain,
        "distance": plain,
        "sedentary_minutes": plain,
        "resting_heart_rate": [{"dateTime": at, "value": {"date": "05/01/24", "value": 58.1}}],
        "demographic_vo2_max": [{"dateTime": at, "value": {"demographicVO2Max": 41.0}}],
        "sleep": [NIGHT],
        "weight": [{"logId": 1, "weight": 180.0, "date": "05/01/24", "time": "07:00:00", "fat": 20.0}],
    }
    return {f"{name}-2024-05-01.json": json.dumps(body).encode() for name, body in made.items()}


def _sleeps() -> dict[str, bytes]:
    header = "sleep_id,start_utc_offset,sleep_start,sleep_end,data_source"
    row = "7,+02:00,2024-05-01T21:00:00Z,2024-05-02T05:00:00Z,Inspire 3"
    return {"UserSleeps_2024-05-01.csv": f"{header}\n{row}\n".encode()}


FILES: dict[str, bytes] = {**_fitabase(), **_csv(), **_json(), **_sleeps()}
