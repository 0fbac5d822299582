"""Names of an account export's files: which of them are opened at all.

An export holds names, addresses, friends, places and journals. A list says what is opened; the rest is left alone,
and nothing but its name is looked at.
"""

from __future__ import annotations

import re

from ingestion.providers.base.files import NotRead

ZONES = "time and energy in heart-rate zones are not among the metrics we keep: they follow from the heart rate"
LEVELS = "levels of activity are kept by the day: they are in lightly_active_minutes and the like"
BREATHING = "breathing by stage of sleep is not kept: the night's value is in Daily Respiratory Rate Summary"
_DATE = r"\d{4}-\d{2}(-\d{2}|-\(\d+\))?"
_LISTED = re.compile(
    rf"""^(
      (heart_rate|steps|calories|distance|resting_heart_rate|demographic_vo2_max|sleep|weight|exercise
        |very_active_minutes|moderately_active_minutes|lightly_active_minutes|sedentary_minutes)-.*\.json
    | (heart_rate|steps|distance|calories|oxygen_saturation|heart_rate_variability|daily_heart_rate_variability
        |daily_resting_heart_rate|daily_respiratory_rate|daily_oxygen_saturation|active_zone_minutes
        |weight|body_fat|body_temperature|daily_vo2_max|demographic_vo2_?max|daily_sleep_temperature_derivations
        )([_ ]{_DATE})?\.csv
    | (Minute|Daily)\ SpO2\ -\ .*\.csv | Heart\ Rate\ Variability\ Details\ -\ .*\.csv
    | Daily\ (Respiratory\ Rate|Heart\ Rate\ Variability)\ Summary\ -\ .*\.csv
    | Active\ Zone\ Minutes\ -\ .*\.csv | Computed\ Temperature\ -\ .*\.csv | (UserSleeps|UserExercises)_.*\.csv
    )(\.gz)?$""",
    re.VERBOSE | re.IGNORECASE,
)
_LEFT_OUT = (
    (
        r"^(Profile|Your Profile|account|badges?|friends?|journal|menstrual\w*|messages?|groups?|user_?settings)"
        r"([ -].*)?\.(csv|json)$",
        "personal",
    ),
    (r"^(gps_location|live_pace|coarse_physical_location).*", "places: never imported"),
    (r".*\.tcx$", "places: never imported"),
    (r"^(UserActivityProbabilities|UserSensorCompressionToken).*", "no health data"),
    (r"^UserSleepStages_.*\.csv$", "read together with UserSleeps"),
    (r"^UserSleepScores_.*|^sleep_score\.csv$", "sleep scores are not among the metrics we keep"),
    (r"^estimated_oxygen_variation-.*", "a signal ratio, not oxygen saturation"),
    (r"^(time_in_heart_rate_zones?|calories_in_heart_rate_zone|daily_heart_rate_zones)[-_.].*", ZONES),
    (r"^(altitude-.*\.json|altitude_.*\.csv|floors_.*\.csv)$", "climbs by minute are not kept: only floors a day are"),
    (r"^swim_lengths_data[-_].*", "lengths that were swum are not among the metrics we keep"),
    (r"^height[-_.].*", "height is not among the metrics we keep"),
    (r"^(active_minutes|activity_level)_.*\.csv$", LEVELS),
    (r"^sedentary_period.*\.csv$", LEVELS),
    (r"^active_energy_burned.*\.csv$", "the energy of activity alone is not kept: calories hold it"),
    (r"^(Respiratory Rate Summary|respiratory_rate_sleep_summary).*\.csv$", BREATHING),
    (r"^Heart Rate Variability Histogram.*\.csv$", "a histogram: the nights' values are in the summaries beside it"),
    (
        r"^(Device|Wrist) Temperature.*\.csv$",
        "raw values against a baseline that is not told: the nights' temperatures are in Computed Temperature",
    ),
    (r"^run_vo2_?max.*\.(csv|json)$", "VO2 max by run is not kept: the day's estimate is"),
    (r"^Snore Details.*\.csv$", "snoring and noise are not among the metrics we keep"),
    (r"^Daily Readiness.*\.csv$", "readiness is not among the metrics we keep"),
    (r"^Stress Score.*\.csv$", "the stress management score is not kept: ours is the stress level by the minute"),
    (r"^cardio_load.*\.csv$", "cardio load is not among the metrics we keep"),
    (r"^(\._.*|\.DS_Store)$", "no data file"),
)
_REASONS = [(re.compile(pattern, re.IGNORECASE), reason) for pattern, reason in _LEFT_OUT]
_TREE = re.compile(
    r"(^|/)(Takeout|Google Health|Fitbit|MyFitbitData|Global Export Data|user-site-export"
    r"|[^/]+_GoogleData|Physical Activity|Personal & Account|Your Profile|Paired Devices|Stress (Journal|Score)"
    r"|Menstrual Health|Sleep Score|Daily Readiness|Oxygen Saturation \(SpO2\)|Active Zone Minutes \(AZM\)"
    r"|Heart Rate Variability|Snore and Noise Detect|Atrial Fibrillation (PPG|ECG))/",
    re.IGNORECASE,
)


def base(path: str) -> str:
    """Last part of a path, within an archive or not."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def left_out(path: str) -> NotRead | None:
    """Reason why a file of this path is never read; None if it may be."""
    name = base(path)
    reason = next((reason for pattern, reason in _REASONS if pattern.match(name)), None)
    return NotRead(_kind(name), reason) if reason else None


def _kind(name: str) -> str:
    """Name of a file without its dates and ending."""
    return re.sub(r"[-_ ]+(\d.*|\(.*)$", "", name.removesuffix(".gz").rsplit(".", 1)[0]).strip(" -") or name


def exported(path: str) -> bool:
    """Whether a file of this path shows that it was found in an account export."""
    return _TREE.search(path.replace("\\", "/")) is not None or listed(path)


def listed(path: str) -> bool:
    """Whether a file of this path, found in a folder or archive, is on the list of those that are opened."""
    return _LISTED.match(base(path)) is not None
