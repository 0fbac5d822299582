"""The API's operations, with their rules."""

from __future__ import annotations

from tests.access import rules as r
from tests.access.addresses import METHODS
from tests.access.rules import Own, Rule

T = "api/v1/trials/{code}"
P = f"{T}/participants/{{study_id}}"
C = f"{P}/connections"
API: dict[str, dict[str, Rule | Own]] = {
    "api/schema": {"GET": r.API_PUBLIC},
    "api/docs": {"GET": r.PUBLIC},
    "api/{rest}": dict.fromkeys(METHODS, r.NOWHERE),
    "data/{study_id}/{metric}": {"GET": r.API_PARTICIPANT},
    "data/{trial}/{study_id}/{metric}": {"GET": r.API_PARTICIPANT},
    "api/v1/series": {"GET": r.API_PARTICIPANT},
    "api/v1/metrics": {"GET": r.API_OWN},
    "api/v1/sources": {"GET": r.API_OWN},
    "api/v1/trials": {"GET": r.API_OWN},
    T: {"GET": r.API_TRIAL, "PATCH": r.API_RULES},
    "api/v1/me": {"GET": r.API_OWN},
    "api/v1/audit-entries": {"GET": r.API_STAFF},
    f"{T}/audit-entries": {"GET": r.API_LED},
    f"{T}/sites": {"GET": r.API_TRIAL, "POST": r.API_RULES},
    f"{T}/sites/{{site}}": {"GET": r.API_PARTICIPANT, "PATCH": r.API_RULES},
    f"{T}/members": {"GET": r.API_LED, "POST": r.API_RULES},
    f"{T}/members/{{id}}": {"GET": r.API_LED, "PATCH": r.API_RULES},
    f"{T}/members/{{id}}/end": {"POST": r.API_RULES},
    f"{T}/participants": {"GET": r.API_TRIAL, "POST": r.API_TRIAL_ACT},
    P: {"GET": r.API_PARTICIPANT, "PATCH": r.API_ACT},
    **{f"{P}/{verb}": {"POST": r.API_ACT} for verb in ("complete", "pause", "resume", "withdraw")},
    f"{P}/contact": {"GET": r.API_CONTACT, "PUT": r.API_ACT},
    f"{T}/protocols": {"GET": r.API_TRIAL, "POST": r.API_RULES},
    f"{T}/protocols/{{version}}": {"GET": r.API_TRIAL},
    f"{T}/recomputes": {"GET": r.API_TRIAL, "POST": r.API_RULES},
    f"{T}/recomputes/{{id}}": {"GET": r.API_TRIAL},
    f"{T}/exports": {"GET": r.API_TRIAL, "POST": r.API_EXPORT},
    f"{T}/exports/{{export}}": {"GET": r.API_OTHERS},
    f"{T}/exports/{{export}}/archive": {"GET": r.API_OTHERS},
    f"{T}/exports/{{export}}/cancel": {"POST": r.API_OTHERS_ACT},
    f"{T}/exports/{{export}}/files/{{path}}": {"GET": r.API_OTHERS},
    f"{T}/alerts": {"GET": r.API_TRIAL},
    f"{T}/alerts/{{id}}": {"GET": r.API_PARTICIPANT},
    **{
        f"{T}/alerts/{{id}}/{verb}": {"POST": r.API_ACT}
        for verb in ("acknowledge", "assign", "snooze", "unacknowledge", "unsnooze")
    },
    **{
        f"{T}/{kind}": {"GET": r.API_TRIAL}
        for kind in ("day-verdicts", "exercise-sessions", "gaps", "participant-days", "sleep-sessions", "standings")
    },
    f"{T}/connections": {"GET": r.API_TRIAL},
    f"{T}/sync-windows": {"GET": r.API_TRIAL},
    f"{T}/contacts": {"GET": r.API_TRIAL, "POST": r.API_ACT},
    f"{T}/contacts/{{id}}": {"GET": r.API_PARTICIPANT},
    f"{T}/imports": {"GET": r.API_TRIAL},
    f"{T}/imports/{{id}}": {"GET": r.API_PARTICIPANT},
    f"{T}/imports/{{id}}/rejected-rows": {"GET": r.API_PARTICIPANT},
    f"{T}/message-templates": {"GET": r.API_TRIAL},
    C: {"GET": r.API_PARTICIPANT},
    f"{C}/{{provider}}": {"GET": r.API_PARTICIPANT},
    **{f"{C}/{{provider}}/{verb}": {"POST": r.API_ACT} for verb in ("backfill", "disconnect", "requeue", "sync-now")},
    f"{P}/invitations": {"GET": r.API_PARTICIPANT, "POST": r.API_ACT},
    f"{P}/invitations/{{id}}": {"GET": r.API_PARTICIPANT},
    f"{P}/invitations/{{id}}/cancel": {"POST": r.API_ACT},
    f"{P}/notes": {"GET": r.API_PARTICIPANT, "POST": r.API_ACT},
}
