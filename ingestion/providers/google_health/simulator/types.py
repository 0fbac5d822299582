"""Data types of the vendor: three spellings, kind, scope, which actions they allow and how far a rollup reaches."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    SAMPLE = "sample"
    INTERVAL = "interval"
    DAILY = "daily"
    SESSION = "session"
    SLEEP = "sleep"


SCOPE_PREFIX = "https://www.googleapis.com/auth/googlehealth."
SCOPES = {
    "A": SCOPE_PREFIX + "activity_and_fitness.readonly",
    "H": SCOPE_PREFIX + "health_metrics_and_measurements.readonly",
    "S": SCOPE_PREFIX + "sleep.readonly",
    "N": SCOPE_PREFIX + "nutrition.readonly",
    "P": SCOPE_PREFIX + "profile.readonly",
    "T": SCOPE_PREFIX + "settings.readonly",
}
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"

# L list, R reconcile, U rollUp, D dailyRollUp, G get (those have ids); y: announced by webhooks.
_TABLE = """
heart-rate                         heartRate                        sample   H LRUD  y
heart-rate-variability             heartRateVariability             sample   H LR    y
oxygen-saturation                  oxygenSaturation                 sample   H LR    n
respiratory-rate-sleep-summary     respiratoryRateSleepSummary      sample   H LR    y
daily-resting-heart-rate           dailyRestingHeartRate            daily    H LR    y
daily-heart-rate-variability       dailyHeartRateVariability        daily    H LR    y
daily-heart-rate-zones             dailyHeartRateZones              daily    H LR    y
daily-oxygen-saturation            dailyOxygenSaturation            daily    H LR    y
daily-respiratory-rate             dailyRespiratoryRate             daily    H LR    y
daily-sleep-temperature-derivations dailySleepTemperatureDerivations daily   H LR    y
core-body-temperature              coreBodyTemperature              sample   H LGRUD n
blood-glucose                      bloodGlucose                     sample   H LGRUD y
weight                             weight                           sample   H LGRUD y
body-fat                           bodyFat                          sample   H LGRUD y
height                             height                           sample   H LGR   y
steps                              steps                            interval A LRUD  y
distance                           distance                         interval A LRUD  y
floors                             floors                           interval A RUD   y
altitude                           altitude                         interval A LRUD  y
active-energy-burned               activeEnergyBurned               interval A LRUD  n
total-calories                     totalCalories                    interval A UD    y
calories-in-heart-rate-zone        caloriesInHeartRateZone          interval A UD    y
active-minutes                     activeMinutes                    interval A LRUD  y
active-zone-minutes                activeZoneMinutes                interval A LRUD  y
activity-level                     activityLevel                    interval A LR    y
sedentary-period                   sedentaryPeriod                  interval A LRUD  y
time-in-heart-rate-zone            timeInHeartRateZone              interval A LRUD  y
swim-lengths-data                  swimLengthsData                  interval A LRUD  n
vo2-max                            vo2Max                           sample   A LR    n
run-vo2-max                        runVo2Max                        sample   A LRUD  y
daily-vo2-max                      dailyVo2Max                      daily    A LR    n
exercise                           exercise                         session  A LGR   y
sleep                              sleep                            sleep    S LGR   y
hydration-log                      hydrationLog                     session  N LGRUD y
"""
ACTIONS = {"L": "list", "R": "reconcile", "U": "rollup", "D": "dailyRollup", "G": "get"}
SHORT_ROLLUPS = {"heart-rate", "total-calories", "active-minutes", "calories-in-heart-rate-zone"}


@dataclass(frozen=True, slots=True)
class DataType:
    """Data type. `id` stands in paths, `snake` in filters, `key` in responses. `actions` are letters of ACTIONS."""

    id: str
    key: str
    kind: Kind
    scope: str
    actions: str
    announced: bool

    @property
    def snake(self) -> str:
        return self.id.replace("-", "_")

    @property
    def identifiable(self) -> bool:
        return "G" in self.actions

    @property
    def rollup_days(self) -> int:
        """Longest range of a rollup, in days."""
        return 14 if self.id in SHORT_ROLLUPS else 90

    @property
    def page_sizes(self) -> tuple[int, int]:
        """Number of points a page: (default, largest)."""
        return (25, 25) if self.id in ("sleep", "exercise") else (1440, 10_000)


def _rows() -> dict[str, DataType]:
    rows = (line.split() for line in _TABLE.strip().splitlines())
    return {r[0]: DataType(r[0], r[1], Kind(r[2]), r[3], r[4], r[5] == "y") for r in rows}


TYPES = _rows()
BY_SNAKE = {t.snake: t for t in TYPES.values()}
