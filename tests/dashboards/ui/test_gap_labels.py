"""The second line: what a nurse reads under a cause."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboards.ui.gap_labels import sentence, since
from metrics.models import Cause

ZONE = ZoneInfo("Europe/Amsterdam")
# Tuesday, 24 November 2026, 09:00 in Amsterdam.
NOW = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
SIX = "2026-11-24T05:02:00+00:00"  # 06:02 today, local


def said(cause: Cause, **evidence: Any) -> str:
    return sentence(cause, evidence, zone=ZONE, now=NOW).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("cause", "evidence", "text"),
    [
        (Cause.PAUSED, {"reason": "Hospital stay", "from": "2026-11-18", "to": "2026-12-02"},
         "Hospital stay, 18 Nov to 2 Dec"),
        (Cause.PAUSED, {}, "Paused by the study team, no end set"),
        (Cause.WITHDRAWN, {"on": "2026-11-20"}, "Withdrawn on 20 Nov; what came before is kept"),
        (Cause.NEVER_CONNECTED, {"invited_at": SIX}, "Invited 06:02; the link has not been opened"),
        (Cause.NEVER_CONNECTED, {"opened_at": SIX}, "Link opened 06:02, but the device was not connected"),
        (Cause.TOKEN_DEAD, {"code": "permission_denied"}, "The vendor refuses access to their data"),
        (Cause.CONSENT_PARTIAL, {"missing": ["heart_rate"]}, "Heart rate was not allowed; the rest arrives"),
        (Cause.PLATFORM, {"code": "http_503", "next_at": "2026-11-24T08:30:00+00:00"},
         "The vendor answered with error 503; we try again at 09:30. Not counted"),
        (Cause.NOT_SYNCED, {"battery_percent": 34}, "No upload and no error; last seen with battery 34 %"),
        (Cause.NOT_SYNCED, {}, "No upload and no error; the phone app may be closed"),
        (Cause.BATTERY_FLAT, {"battery_percent": 2, "falling_per_day": 9}, "Last reading 2 %, falling 9 % a day"),
        (Cause.BATTERY_FLAT, {"battery_percent": 2}, "Last reading 2 %, then nothing"),
        (Cause.OFF_WRIST, {"synced_at": SIX}, "Device synced at 06:02; neither heart rate nor steps"),
        (Cause.OFF_WRIST, {"zero_step_minutes": 480}, "480 min of zero steps, no heart rate"),
        (Cause.UNKNOWN, {"steps": 1234}, "Uploads go on without heart rate; 1,234 steps are present"),
    ],
)  # fmt: skip
def test_each_cause_reads_as_one_line(cause: Cause, evidence: dict[str, Any], text: str) -> None:
    assert said(cause, **evidence) == text


def test_every_cause_has_a_line_without_any_fact() -> None:
    assert all(said(cause) for cause in Cause)
    assert sentence("", {}, zone=ZONE, now=NOW) == ""


def test_since_names_the_day_within_a_week_and_the_date_before() -> None:
    at = dt.datetime(2026, 11, 22, 20, 40, tzinfo=dt.UTC)
    assert since(at, zone=ZONE, now=NOW) == "since Sun 21:40"
    assert since(at - dt.timedelta(days=8), zone=ZONE, now=NOW) == "since 14 Nov"
    assert since(dt.datetime.fromisoformat(SIX), zone=ZONE, now=NOW) == "since 06:02"
