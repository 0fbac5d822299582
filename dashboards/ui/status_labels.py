"""Labels, shapes and tones for the status of participants, why data are missing, and what is done about it.

One vocabulary for every page, e-mail and export: a status has a label, a shape and a tone, never a colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dashboards.ui.connection_labels import Badge
from dashboards.ui.formatting import NO_BREAK
from metrics.models import Cause, DayStatus, Exclusion
from metrics.monitoring.status import AttentionStatus
from participants.team_texts import gettext

BADGES: dict[AttentionStatus, Badge] = {
    AttentionStatus.CRITICAL: Badge(gettext("Critical"), "s-crit", "s-crit"),
    AttentionStatus.RECONNECT: Badge(gettext("Reconnect"), "s-reconnect", "s-conn"),
    AttentionStatus.UNCONNECTED: Badge(gettext("Unconnected"), "s-invited", "s-conn"),
    AttentionStatus.SILENT: Badge(gettext("No data"), "s-silent", "s-warn"),
    AttentionStatus.LOW_WEAR: Badge(gettext("Low wear"), "s-wear", "s-warn"),
    AttentionStatus.LOW_SLEEP: Badge(gettext("Low sleep"), "s-night", "s-night"),
    AttentionStatus.WAITING: Badge(gettext("Technical delay"), "s-waiting", "s-mute"),
    AttentionStatus.PAUSED: Badge(gettext("Paused"), "s-paused", "s-mute"),
    AttentionStatus.WELL: Badge(gettext("Well"), "s-active", "s-ok"),
    AttentionStatus.COMPLETED: Badge(gettext("Completed"), "s-completed", "s-mute"),
    AttentionStatus.WITHDRAWN: Badge(gettext("Withdrawn"), "s-withdrawn", "s-mute"),
}


def attention_badge(attention_status: AttentionStatus, warn_hours: int) -> Badge:
    """Badge of an attention status. `warn_hours`: hours without data from which on the protocol warns."""
    badge = BADGES[attention_status]
    if attention_status is AttentionStatus.SILENT:
        return replace(badge, label=f"{badge.label} {warn_hours}{NO_BREAK}h")
    return badge


# As a sentence begins with them. The class draws the gap's pattern on the timelines.
CAUSES: dict[Cause, tuple[str, str]] = {
    Cause.PAUSED: (gettext("Paused"), "cause-excl"),
    Cause.WITHDRAWN: (gettext("Withdrawn"), "cause-excl"),
    Cause.NEVER_CONNECTED: (gettext("Never connected"), "cause-conn"),
    Cause.TOKEN_DEAD: (gettext("Access ended"), "cause-conn"),
    Cause.CONSENT_PARTIAL: (gettext("Consent partial"), "cause-conn"),
    Cause.PLATFORM: (gettext("Technical problem"), "cause-vendor"),
    Cause.NOT_SYNCED: (gettext("Not yet synced"), "cause-unsynced"),
    Cause.BATTERY_FLAT: (gettext("Battery flat"), "cause-flat"),
    Cause.OFF_WRIST: (gettext("Off the wrist"), "cause-off"),
    Cause.UNKNOWN: (gettext("Unknown"), "cause-unknown"),
}

DAY_STATUS: dict[DayStatus, tuple[str, str]] = {
    DayStatus.VALID: (gettext("Valid"), "m-valid"),
    DayStatus.INVALID: (gettext("Invalid"), "m-invalid"),
    DayStatus.PENDING: (gettext("Pending"), "m-pending"),
    DayStatus.LOST: (gettext("Lost"), "m-lost"),
    DayStatus.EXCLUDED: (gettext("Excluded"), "m-excluded"),
}

EXCLUSIONS: dict[Exclusion, str] = {
    Exclusion.BEFORE_START: gettext("before monitoring began"),
    Exclusion.AFTER_END: gettext("after monitoring ended"),
    Exclusion.PAUSED: "paused",
    Exclusion.WITHDRAWN: "withdrawn",
    Exclusion.PLATFORM: gettext("technical problem (ours or the vendor’s): not counted"),
    Exclusion.SHORT_DAY: gettext("the local day was shorter than a valid day"),
}


@dataclass(frozen=True, slots=True)
class Action:
    """The next step for a participant: one a row. `kind` is call, relink, email or open."""

    kind: str
    label: str
    icon: str


CALL = Action("call", gettext("Call list"), "i-phone")
RELINK = Action("relink", gettext("Reconnect link"), "i-relink")
EMAIL = Action("email", gettext("Write e-mail"), "i-mail")
OPEN = Action("open", gettext("Open"), "")


def action(attention_status: AttentionStatus, out_of_reach: bool) -> Action:
    """Next step for a participant. Critical, or the target out of reach: a call. Nothing to do: look."""
    if attention_status in (
        AttentionStatus.WAITING,
        AttentionStatus.PAUSED,
        AttentionStatus.WELL,
        AttentionStatus.COMPLETED,
        AttentionStatus.WITHDRAWN,
    ):
        return OPEN
    if attention_status is AttentionStatus.RECONNECT:
        return RELINK
    if attention_status is AttentionStatus.CRITICAL or (attention_status is AttentionStatus.LOW_WEAR and out_of_reach):
        return CALL
    return EMAIL
