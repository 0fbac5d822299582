"""Which files of an account export are opened at all.

An export holds names, addresses, friends, places and journals. A list says what is opened; the rest is left alone,
and nothing but its name is looked at.
"""

from __future__ import annotations

import re

_DATE = r"\d{4}-\d{2}(-\d{2}|-\(\d+\))?"
_LISTED = re.compile(
    rf"""^(
      (heart_rate|steps|calories|distance|resting_heart_rate|demographic_vo2_max|sleep|weight
        |very_active_minutes|moderately_active_minutes|lightly_active_minutes|sedentary_minutes)-.*\.json
    | (heart_rate|steps|distance|calories|oxygen_saturation|heart_rate_variability|daily_heart_rate_variability
        |daily_resting_heart_rate|daily_respiratory_rate|daily_oxygen_saturation|active_zone_minutes
        |weight|body_fat|body_temperature)([_ ]{_DATE})?\.csv
    | Minute\ SpO2\ -\ .*\.csv | Heart\ Rate\ Variability\ Details\ -\ .*\.csv
    | Daily\ Respiratory\ Rate\ Summary\ -\ .*\.csv | Active\ Zone\ Minutes\ -\ .*\.csv
    | Computed\ Temperature\ -\ .*\.csv | UserSleeps_.*\.csv
    )(\.gz)?$""",
    re.VERBOSE | re.IGNORECASE,
)
_LEFT_OUT = (
    (
        r"^(Profile|Your Profile|account|badges?|friends?|journal|menstrual\w*|messages?|groups?|user_?settings)"
        r"([ -].*)?\.(csv|json)$",
        "personal",
    ),
    (r"^(gps_location|live_pace).*", "places: never imported"),
    (r".*\.tcx$", "places: never imported"),
    (r"^(UserActivityProbabilities|UserSensorCompressionToken).*", "no health data"),
    (r"^UserSleepStages_.*\.csv$", "read together with UserSleeps"),
    (r"^estimated_oxygen_variation-.*", "a signal ratio, not oxygen saturation"),
    (r"^time_in_heart_rate_zones-.*", "follows from the heart rate"),
    (r"^(altitude|exercise|swim_lengths_data)-.*\.json$", "not among the metrics we keep"),
    (
        r"^(Daily SpO2|Daily Heart Rate Variability Summary|Respiratory Rate Summary|Heart Rate Variability Histogram"
        r"|Device Temperature|Snore Details|Daily Readiness|Stress Score|sleep_score|UserExercises|UserSleepScores"
        r"|respiratory_rate_sleep_summary|active_minutes|sedentary_period|calories_in_heart_rate_zone"
        r"|daily_heart_rate_zones).*\.csv$",
        "not among the metrics we keep",
    ),
    (r"^(\._.*|\.DS_Store)$", "no data file"),
)
_REASONS = [(re.compile(pattern, re.IGNORECASE), reason) for pattern, reason in _LEFT_OUT]
_TREE = re.compile(
    r"(^|/)(Takeout|Google Health|Fitbit|MyFitbitData|Global Export Data|user-site-export"
    r"|Physical Activity(_GoogleData)?|Health Fitness Data_GoogleData|Personal & Account)/",
    re.IGNORECASE,
)


def base(path: str) -> str:
    """The last part of a path, within an archive or not."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def left_out(path: str) -> str | None:
    """Why a file of this path is never read; None if it may be."""
    return next((reason for pattern, reason in _REASONS if pattern.match(base(path))), None)


def unlisted(path: str) -> str | None:
    """Why a file found in a folder or archive is not opened: JSON and account exports only by the list."""
    path = path.replace("\\", "/")
    exported = _TREE.search(path) is not None or re.search(r"\.json(\.gz)?$", path, re.IGNORECASE) is not None
    return "not on the list of files that are opened" if exported and not _LISTED.match(base(path)) else None
