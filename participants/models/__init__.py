"""Who takes part in what, and who did what: people and their trials, the audit trail, tokens."""

from participants.models.accounts import ColleagueInvitation, SignIn
from participants.models.consent import Consent, ConsentDocument, Erasure
from participants.models.people import (
    CODE,
    Contact,
    Membership,
    Participant,
    Pause,
    Protocol,
    Site,
    Trial,
    User,
    alert_rules,
    day_variants,
    expected_metrics,
    time_zones,
    validate_time_zone,
)
from participants.models.trust import (
    ApiToken,
    AuditDetail,
    AuditEntry,
    AuditHead,
    AuditSeal,
    IdempotencyKey,
    Via,
)

__all__ = [
    "CODE",
    "ApiToken",
    "AuditDetail",
    "AuditEntry",
    "AuditHead",
    "AuditSeal",
    "ColleagueInvitation",
    "Consent",
    "ConsentDocument",
    "Contact",
    "Erasure",
    "IdempotencyKey",
    "Membership",
    "Participant",
    "Pause",
    "Protocol",
    "SignIn",
    "Site",
    "Trial",
    "User",
    "Via",
    "alert_rules",
    "day_variants",
    "expected_metrics",
    "time_zones",
    "validate_time_zone",
]
