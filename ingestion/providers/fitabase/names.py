"""Names of Fitabase's files: which kind they are, whose, and which of them we do not keep.

The list is Fitabase's data dictionary. A kind that is read stands in formats.py; one that is not stands here, with what
it holds and why that is not kept.
"""

from __future__ import annotations

import re

from ingestion.providers.base.files import NotRead

LEVELS_OF_ACTIVITY = (
    "levels of activity by {} are not among the metrics we keep: their daily minutes are, in dailyActivity"
)
# File type: why it is not read. Names of Fitabase's, which stand whole within a file's name.
NOT_KEPT = {
    r"minuteIntensities(Narrow|Wide)": LEVELS_OF_ACTIVITY.format("minute"),
    r"hourlyIntensities": LEVELS_OF_ACTIVITY.format("hour"),
    r"minuteMETs(Narrow|Wide)": "metabolic equivalents (METs) are not among the metrics we keep",
    r"heartRateZones": "time in heart-rate zones is not among the metrics we keep: it follows from the heart rate",
    r"fitbitWearTimeViaHR": "wear time is not taken over: it follows from the heart rate",
    r"sleepDay|sleepStagesDay": (
        "sleep minutes by day are not among the metrics we keep: nights are, with their times, from minuteSleep, "
        "30secondSleepStages, sleepLogInfo and sleepStageLogInfo"
    ),
    r"battery": "battery levels are not kept from files: they belong to a device that is connected",
    r"(daily)?[Ff]ood(Logs?)?|dailyFoodLogs|water(Logs?)?": "food and water are not among the metrics we keep",
}
_NOT_KEPT = [(re.compile(rf"(^|_)({kind})(_|\.|$)", re.IGNORECASE), reason) for kind, reason in NOT_KEPT.items()]
_DATED = re.compile(r"^(?P<stem>.+)_\d{8}_\d{8}\.csv(\.gz)?$", re.IGNORECASE)
_CSV = re.compile(r"\.csv(\.gz)?$", re.IGNORECASE)
# The file types whose names have an underscore.
_TWO_WORDS = re.compile(r"_heartrate_(seconds|\d+min)$", re.IGNORECASE)


def base(name: str) -> str:
    """Last part of a path, within an archive or not."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def left_out(name: str) -> NotRead | None:
    """Reason why a file of this name is left out on purpose; None if it is not."""
    if not _CSV.search(name):
        return None
    for kind, reason in _NOT_KEPT:
        if match := kind.search(base(name)):
            return NotRead(f"fitabase.{match[2]}", reason)
    return None


def label_of(name: str) -> str | None:
    """Participant label in the name of a file of one participant: <participant>_<file type>_<first day>_<last day>.csv.

    Split from the right: a participant's name may hold an underscore itself. None where the name is no such.
    """
    match = _DATED.match(base(name))
    if not match:
        return None
    stem = match["stem"]
    two = _TWO_WORDS.search(stem)
    label = stem[: two.start()] if two else stem.rpartition("_")[0]
    return label or None


def beside(name: str, file_type: str, other: str) -> str:
    """Name of the file of another type that belongs to this one; the same name where it does not tell."""
    return re.sub(re.escape(file_type), other, base(name), count=1, flags=re.IGNORECASE)
