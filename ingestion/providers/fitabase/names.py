"""What the names of Fitabase's files tell: whose they are, and which of them are not for us."""

from __future__ import annotations

import re

LEFT_OUT = (
    (r"heartrate_(1|5|15)min", "averages of the heart rate by seconds"),
    (r"hourly(Steps|Calories|Intensities)", "hourly totals: sums of the minutes"),
    (r"minute(Calories|Intensities|METs)(Narrow|Wide)", "not among the metrics we keep"),
    (
        r"(sleepDay|sleepStagesDay|sleepLogInfo|sleepStageLogInfo|30secondSleepStages)",
        "summaries of sleep, or stages apart from it",
    ),
    (r"daily(Steps|Calories|Intensities)", "also in dailyActivity"),
    (r"(weightLogInfo|syncEvents|battery|activitylogs)", "not among the metrics we keep"),
)
_KINDS = [(re.compile(rf"(^|_){kind}(_|\.|$)", re.IGNORECASE), reason) for kind, reason in LEFT_OUT]
_DATED = re.compile(r"^(?P<stem>.+)_\d{8}_\d{8}\.csv(\.gz)?$", re.IGNORECASE)
_TWO_WORDS = "_heartrate_seconds"  # the one file type whose name has an underscore


def base(name: str) -> str:
    """The last part of a path, within an archive or not."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def left_out(name: str) -> str | None:
    """Why a file of this name is left out on purpose; None if it is not."""
    if not re.search(r"\.csv(\.gz)?$", name, re.IGNORECASE):
        return None
    return next((reason for kind, reason in _KINDS if kind.search(base(name))), None)


def label_of(name: str) -> str | None:
    """The participant in the name of a file of one person: <participant>_<file type>_<first day>_<last day>.csv.

    Split from the right: a participant's name may hold an underscore itself. None where the name is no such.
    """
    found = _DATED.match(base(name))
    if not found:
        return None
    stem = found["stem"]
    label = stem[: -len(_TWO_WORDS)] if stem.lower().endswith(_TWO_WORDS) else stem.rpartition("_")[0]
    return label or None
