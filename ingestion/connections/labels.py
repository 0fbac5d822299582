"""Labels of a provider's data types: a few lines, for participants and for the trial's team."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext, gettext_noop

from ingestion import live_providers
from ingestion.models import Connection
from ingestion.providers.base.live import DataType, LiveProvider
from metrics.batch import Sessions
from metrics.registry import BY_CODE

SESSIONS = {
    Sessions.SLEEP: gettext_noop("Sleep: when, how long, which stages"),
    Sessions.EXERCISE: gettext_noop("Walks, runs and other exercise"),
}
DEVICES = gettext_noop("Device model, battery and last sync")
# A line and the metrics that it stands for, in the order in which they are read.
LABELS: tuple[tuple[str, frozenset[str]], ...] = (
    (gettext_noop("Heart rate, day and night"), frozenset({"heart_rate", "resting_heart_rate"})),
    (
        gettext_noop("Steps and activity"),
        frozenset({"steps", "steps_24h", "distance", "distance_24h", "energy", "energy_24h", "active_zone_minutes"}),
    ),
    (
        gettext_noop("Oxygen, breathing and heart rate variability"),
        frozenset({"spo2", "spo2_24h", "respiratory_rate", "hrv_rmssd", "hrv_sdnn", "hrv_rmssd_24h"}),
    ),
    (gettext_noop("Skin temperature at night"), frozenset({"skin_temperature", "skin_temperature_deviation"})),
    (gettext_noop("Weight, if you use a connected scale"), frozenset({"weight", "body_fat"})),
    (gettext_noop("Fitness, as your watch estimates it (VO₂ max)"), frozenset({"vo2_max"})),
    (gettext_noop("Glucose"), frozenset({"glucose"})),
)


@dataclass(frozen=True, slots=True)
class Permission:
    """Label of what is shared, and whether the participant allowed all of it."""

    label: str
    allowed: bool


def data_label(data_type: DataType) -> str:
    """Label of a data type, in English; its metrics' names where it has none of its own."""
    if data_type.sessions:
        return SESSIONS[data_type.sessions]
    known = (label for label, metrics in LABELS if metrics.intersection(data_type.metrics))
    return next(known, ", ".join(BY_CODE[code].name for code in data_type.metrics))


def permissions(provider: LiveProvider, scopes: Iterable[str]) -> list[Permission]:
    """Permissions of a provider, by label, beside the scopes that were granted; in the language in force."""
    granted = set(scopes)
    needed: dict[str, set[str]] = {}
    for data_type in provider.data_types.values():
        needed.setdefault(data_label(data_type), set()).add(data_type.scope)
    for_data = {data_type.scope for data_type in provider.data_types.values()}
    if beyond := set(provider.scopes) - for_data:
        needed[DEVICES] = beyond
    order = [label for label, _ in LABELS]
    lines = sorted(needed, key=lambda label: order.index(label) if label in order else len(order))
    return [Permission(gettext(label), needed[label] <= granted) for label in lines]


@dataclass(frozen=True, slots=True)
class Described:
    """Provider and permissions of a connection as texts. No permissions where the provider is not set up any more."""

    provider: str
    permissions: list[Permission]

    @property
    def allowed(self) -> int:
        return sum(permission.allowed for permission in self.permissions)

    @property
    def missing(self) -> list[str]:
        return [permission.label for permission in self.permissions if not permission.allowed]


def described(connection: Connection) -> Described:
    """Texts of a connection."""
    try:
        provider = live_providers.provider(connection.provider)
    except KeyError:
        return Described(connection.provider.replace("_", " ").capitalize(), [])
    return Described(provider.name, permissions(provider, connection.scopes))
