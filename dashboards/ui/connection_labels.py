"""Labels, shapes and tones for connections: their states, why they ended, what went wrong with a pull."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ingestion.models import Connection, Invitation, SyncWindow

Status = Connection.Status


@dataclass(frozen=True, slots=True)
class Badge:
    """A status as it is shown everywhere: label, shape (of the sprite) and tone (of the stylesheet)."""

    label: str
    shape: str
    tone: str


CONNECTED = Badge("Connected", "s-active", "s-ok")
RECONNECT = Badge("Reconnect", "s-reconnect", "s-conn")
UNCONNECTED = Badge("Unconnected", "s-invited", "s-conn")
WAITING = Badge("Technical delay", "s-waiting", "s-mute")
DISCONNECTED = Badge("Disconnected", "s-withdrawn", "s-mute")

REASONS = {
    "connected": "the participant gave consent",
    "expired_grant": "access at the vendor has ended: it ran out, or was withdrawn there",
    "reauthentication_required": "their organisation wants them to sign in at the vendor again",
    "permission_denied": "the vendor refuses access to their data",
    "account_not_linked": "their account there has no device any more",
    "participant": "they stopped sharing",
    "manager": "the study team ended it",
    "withdrawn": "they withdrew from the trial",
    "left": "they left the trial",
    "completed": "their part is done",
    "trial_closed": "the trial was closed",
    "over": "nothing more is collected of them",
}

ERRORS = {
    "timeout": "no answer in time",
    "connection_failed": "no connection to the vendor",
    "not_json": "an incomplete or invalid answer",
    "error_in_body": "an error in place of data",
    "unexpected_shape": "an answer in an unknown format",
    "unreadable": "most of what came could not be read",
    "endless_pages": "pages without an end",
    "rate_limit": "the vendor asked us to wait",
}


def reason(code: str) -> str:
    """Why a connection is as it is, as the second half of a sentence."""
    return REASONS.get(code, code.replace("_", " "))


def error(code: str) -> str:
    """Label of what went wrong with a window. Codes of HTTP keep their number."""
    if code.startswith("http_"):
        return f"the vendor answered with error {code.removeprefix('http_')}"
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
    return "opened, not used yet" if made.opened_at else "not opened yet"


STATES = {
    SyncWindow.State.DUE: "waiting",
    SyncWindow.State.CLAIMED: "being fetched",
    SyncWindow.State.DONE: "received",
    SyncWindow.State.FAILED: "failed",
}
