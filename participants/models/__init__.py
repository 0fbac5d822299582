"""Who takes part in what, and who did what: people and their trials, the audit trail, tokens."""

from participants.models.accounts import ColleagueInvitation, EnrolmentDraft, SignIn
from participants.models.audit import (
    ApiToken,
    AuditDetail,
    AuditEntry,
    AuditHead,
    AuditSeal,
    IdempotencyKey,
    Via,
)
from participants.models.consent import Consent, ConsentDocument, Erasure, Reinstatement
from participants.models.participants import Contact, Participant, Pause
from participants.models.trials import (
    CODE,
    Protocol,
    Site,
    Trial,
    alert_rules,
    day_variants,
    expected_metrics,
    time_zones,
    validate_time_zone,
)
from participants.models.users import SERVICE_DOMAIN, Membership, User

__all__ = [
    "CODE",
    "SERVICE_DOMAIN",
    "ApiToken",
    "AuditDetail",
    "AuditEntry",
    "AuditHead",
    "AuditSeal",
    "ColleagueInvitation",
    "Consent",
    "ConsentDocument",
    "Contact",
    "EnrolmentDraft",
    "Erasure",
    "IdempotencyKey",
    "Membership",
    "Participant",
    "Pause",
    "Protocol",
    "Reinstatement",
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
