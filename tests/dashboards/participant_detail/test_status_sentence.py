"""The head of a participant's page as text: the status, the salvage clock, the adherence, where they are in time."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboards.participant_detail import header_text
from metrics.models import ParticipantStatusSummary
from metrics.monitoring.status import AttentionStatus
from participants.models import Participant

ZONE = ZoneInfo("Europe/Amsterdam")
NOW = dt.datetime(2026, 11, 23, 8, 12, tzinfo=dt.UTC)  # Monday, 09:12
HOUR = dt.timedelta(hours=1)


def summary(**changes: Any) -> ParticipantStatusSummary:
    return ParticipantStatusSummary(
        **{
            "updated_at": NOW,
            "adherence": 0.66,
            "best_adherence": 0.82,
            "valid_days": 57,
            "counted_days": 86,
            "last_sample_at": NOW - 3 * HOUR,
            **changes,
        }
    )


def said(attention_status: AttentionStatus, **changes: Any) -> str:
    return header_text.sentence(summary(**changes), attention_status, NOW, ZONE).replace("\u00a0", " ")


def test_the_cause_comes_first_then_the_upload_then_what_can_be_reached() -> None:
    since = NOW - dt.timedelta(hours=11, minutes=32)
    told = said(AttentionStatus.LOW_WEAR, cause="off_wrist", cause_since=since, low_wear=True)
    assert told == "Off the wrist since Sun 21:40; last upload 3 h ago; best still possible 82 %."


def test_a_cause_of_today_names_the_clock_time() -> None:
    told = said(AttentionStatus.SILENT, cause="not_synced", cause_since=NOW - 2 * HOUR)
    assert told.startswith("Not yet synced since 07:12 today;")


def test_a_target_no_longer_reachable_says_the_best_still_possible() -> None:
    told = said(AttentionStatus.LOW_WEAR, low_wear=True, out_of_reach=True, best_adherence=0.64)
    assert told.endswith("target of 70 % no longer reachable, best still possible 64 %.")


@pytest.mark.parametrize(
    ("attention_status", "changes", "begins"),
    [
        (AttentionStatus.WELL, {}, "Wearing it; last upload 3 h ago."),
        (AttentionStatus.LOW_SLEEP, {"nights_recorded": 3}, "Only 3 of the last 7 nights recorded;"),
        (AttentionStatus.LOW_WEAR, {"low_wear": True}, "Adherence 66 %, below the target of 70 %;"),
        (AttentionStatus.UNCONNECTED, {"last_sample_at": None}, "Never connected."),
        (AttentionStatus.CRITICAL, {"last_sample_at": NOW - 130 * HOUR}, "No upload; last upload 5 d 10 h ago."),
        (AttentionStatus.WAITING, {}, "Technical delay (ours or the vendor’s): nothing for the participant to do;"),
        (
            AttentionStatus.PAUSED,
            {"excused": "paused", "excused_since": dt.date(2026, 11, 14), "excused_until": dt.date(2026, 11, 28)},
            "Paused since 14 Nov, until 28 Nov: these days do not count.",
        ),
        (
            AttentionStatus.WITHDRAWN,
            {"excused": "withdrawn", "excused_since": dt.date(2026, 11, 2), "low_wear": True},
            "Withdrawn on 2 Nov: no more data are expected.",
        ),
    ],
)
def test_each_attention_status_has_its_sentence(
    attention_status: AttentionStatus, changes: dict[str, Any], begins: str
) -> None:
    assert said(attention_status, **changes).startswith(begins)


def test_without_a_status_summary_the_page_says_that_nothing_was_assessed() -> None:
    assert header_text.sentence(None, AttentionStatus.WAITING, NOW, ZONE).startswith("Not assessed yet")


@pytest.mark.parametrize(
    ("left", "words", "tone"),
    [
        (dt.timedelta(days=6, hours=21), "6 d 21 h", "mute"),
        (dt.timedelta(days=4, hours=2), "4 d 2 h", "warn"),
        (dt.timedelta(hours=30), "1 d 6 h", "crit"),
        (dt.timedelta(minutes=40), "40 min", "crit"),
        (dt.timedelta(0), "Losing data now", "crit"),
    ],
)
def test_the_time_until_data_are_lost_counts_down(left: dt.timedelta, words: str, tone: str) -> None:
    clock = header_text.salvage(summary(overwritten_at=NOW + left), NOW, 168)
    assert clock is not None
    assert (clock.text.replace("\u00a0", " "), clock.tone) == (words, tone)


def test_nothing_runs_out_for_a_participant_who_is_excused() -> None:
    assert header_text.salvage(summary(overwritten_at=NOW, excused="paused"), NOW, 168) is None


def test_adherence_is_rounded_down_so_that_the_target_is_not_claimed_early() -> None:
    told = header_text.adherence(summary(adherence=0.6999, low_wear=True))
    assert told is not None
    assert (told.now, told.tone) == ("69\u00a0%", "is-low")


def test_no_adherence_before_a_day_counts() -> None:
    assert header_text.adherence(summary(adherence=None)) is None


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (dt.date(2026, 11, 23), dt.date(2026, 11, 30), "day 1 of 8"),
        (dt.date(2026, 11, 1), None, "day 23"),
        (dt.date(2026, 11, 1), dt.date(2026, 11, 10), "day 10 of 10"),
        (dt.date(2026, 12, 1), None, ""),
        (None, None, ""),
    ],
)
def test_the_day_of_their_monitoring(start: dt.date | None, end: dt.date | None, words: str) -> None:
    person = Participant(monitoring_starts_on=start, monitoring_ends_on=end)
    assert header_text.trial_day_text(person, dt.date(2026, 11, 23)) == words
