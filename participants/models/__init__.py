"""Models of trials, participants, users and their roles, the audit trail and tokens."""

from participants.models.accounts import ColleagueInvitation, EnrolmentPreview, SignIn
from participants.models.audit import (
    ApiToken,
    AuditCheckpoint,
    AuditDetail,
    AuditEntry,
    AuditHead,
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
    "AuditCheckpoint",
    "AuditDetail",
    "AuditEntry",
    "AuditHead",
    "ColleagueInvitation",
    "Consent",
    "ConsentDocument",
    "Contact",
    "EnrolmentPreview",
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
