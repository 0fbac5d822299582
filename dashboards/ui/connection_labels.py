"""Labels, shapes and tones for connections: their states, why they ended, what went wrong with a pull."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ingestion.models import Connection, Invitation, SyncWindow
from participants.team_texts import gettext

Status = Connection.Status


@dataclass(frozen=True, slots=True)
class Badge:
    """A status as it is shown everywhere: label, shape (of the sprite) and tone (of the stylesheet)."""

    label: str
    shape: str
    tone: str


CONNECTED = Badge(gettext("Connected"), "s-active", "s-ok")
RECONNECT = Badge(gettext("Reconnect"), "s-reconnect", "s-conn")
UNCONNECTED = Badge(gettext("Unconnected"), "s-invited", "s-conn")
WAITING = Badge(gettext("Technical delay"), "s-waiting", "s-mute")
DISCONNECTED = Badge(gettext("Disconnected"), "s-withdrawn", "s-mute")

REASONS = {
    "connected": gettext("the participant gave consent"),
    "expired_grant": gettext("access at the vendor has ended: it ran out, or was withdrawn there"),
    "reauthentication_required": gettext("their organisation wants them to sign in at the vendor again"),
    "permission_denied": gettext("the vendor refuses access to their data"),
    "account_not_linked": gettext("their account there has no device any more"),
    "participant": gettext("they stopped sharing"),
    "manager": gettext("the study team ended it"),
    "withdrawn": gettext("they withdrew from the trial"),
    "left": gettext("they left the trial"),
    "completed": gettext("their part is done"),
    "trial_closed": gettext("the trial was closed"),
    "over": gettext("nothing more is collected of them"),
}

ERRORS = {
    "timeout": gettext("no answer in time"),
    "connection_failed": gettext("no connection to the vendor"),
    "not_json": gettext("an incomplete or invalid answer"),
    "error_in_body": gettext("an error in place of data"),
    "unexpected_shape": gettext("an answer in an unknown format"),
    "unreadable": gettext("most of what came could not be read"),
    "endless_pages": gettext("pages without an end"),
    "rate_limit": gettext("the vendor asked us to wait"),
}


def reason(code: str) -> str:
    """Why a connection is as it is, as the second half of a sentence."""
    return REASONS.get(code, code.replace("_", " "))


def error(code: str) -> str:
    """Label of what went wrong with a window. Codes of HTTP keep their number."""
    if code.startswith("http_"):
        return gettext("the vendor answered with error {code}").format(code=code.removeprefix("http_"))
    return ERRORS.get(code, code.replace("_", " "))


def badge(connection: Connection | None, missing: bool, now: dt.datetime) -> Badge:
    """The status of a connection. `missing`: a part only was allowed."""
    if connection is None or connection.status == Status.INVITED:
        return UNCONNECTED
    if connection.status == Status.RECONNECT or (connection.status == Status.ACTIVE and missing):
        return RECONNECT
    if connection.status == Status.ACTIVE:
        return WAITING if connection.busy_until and connection.busy_until > now else CONNECTED
    return DISCONNECTED


def invitation(made: Invitation, now: dt.datetime) -> str:
    """Label of what became of an invitation."""
    if made.used_at:
        return "used"
    if made.cancelled_at:
        return "replaced"
    if made.expires_at <= now:
        return "expired"
    return gettext("opened, not used yet") if made.opened_at else gettext("not opened yet")


STATES = {
    SyncWindow.State.DUE: "waiting",
    SyncWindow.State.CLAIMED: gettext("being fetched"),
    SyncWindow.State.DONE: "received",
    SyncWindow.State.FAILED: "failed",
}
