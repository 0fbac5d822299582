"""OpenAPI settings of drf-spectacular, as plain values. docs/openapi.yaml is written from them."""

from __future__ import annotations

from typing import Any

# The document's own version. The major number is the one in the addresses; docs/api.md says what may change when.
VERSION = "1.0.0"
DESCRIPTION = """\
Whatever a member of a trial can see, their programs can read here, with the same permissions; what the member may
change, a token that may write can change.

* **Who asks**: `Authorization: Bearer wt_...`. Make a token under *Account, API tokens*. A browser's session works too.
* **Names**: trials go by their code, participants by their study id. What is not yours to see answers 404.
* **Times** are ISO 8601 with an offset, in UTC unless asked otherwise; a missing value is null, never 0.
* **Lists** come in pages: follow `next` until it is null.
* **Errors** are problem details (RFC 9457, `application/problem+json`); a 400 names each parameter that is wrong.
* **Limits** are for each token: `RateLimit-Limit`, `-Remaining` and `-Reset`; a 429 says when to come back.
* **Writes** take an `Idempotency-Key`: sent again with the same key, nothing is done twice.
* **Unchanged** answers cost nothing: send the `ETag` back as `If-None-Match`.

A guide with examples is in `docs/api.md`.
"""
TAGS = (
    ("trials", "What is studied, where, and who takes part."),
    ("participants", "People in a trial, by study id: enrol, update, pause, withdraw."),
    ("connections", "Their devices' connections: invitations, state, synchronisation and its windows."),
    ("series", "Measurements over time, from raw samples to local days."),
    ("days", "Participant-days with their status, gaps with their causes, nights."),
    ("monitoring", "Alerts and contacts with participants."),
    ("exports", "Downloads of any size."),
    ("trust", "The audit trail and consent."),
)


def openapi() -> dict[str, Any]:
    """SPECTACULAR_SETTINGS."""
    return {
        "OAS_VERSION": "3.1.1",
        "TITLE": "Wearable Trials",
        "DESCRIPTION": DESCRIPTION,
        "VERSION": VERSION,
        "LICENSE": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        "CONTACT": {"name": "The operator of this installation"},
        "TAGS": [{"name": name, "description": text} for name, text in TAGS],
        "SCHEMA_PATH_PREFIX": r"/api/v[0-9]+",
        "SERVE_INCLUDE_SCHEMA": False,
        "COMPONENT_SPLIT_REQUEST": True,
        "ENUM_NAME_OVERRIDES": {
            "TrialStatusEnum": "participants.models.trials.Trial.Status",
            "ParticipantStatusEnum": "participants.models.participants.Participant.Status",
            "ExclusionEnum": "metrics.api.days.EXCLUSIONS",
            "DayStatusEnum": "metrics.api.days.STATUS_CHOICES",
            "RoleEnum": "participants.models.users.Membership.Role",
            "ExportStateEnum": "metrics.models.Export.State",
            "ExportFormatEnum": "metrics.models.Export.Format",
            "ViaEnum": "participants.models.audit.Via",
            "ConditionEnum": "dashboards.api.participant_serializers.CONDITION_CHOICES",
            "FirstStatusEnum": "dashboards.api.participant_serializers.AT_FIRST",
            "MetricEnum": "dashboards.api.protocols.CODES",
            "ConnectionStatusEnum": "ingestion.models.connections.Connection.Status",
            "ImportStatusEnum": "ingestion.models.files.ImportFile.Status",
            "SyncWindowStateEnum": "ingestion.models.sync.SyncWindow.State",
            "SyncWindowKindEnum": "ingestion.models.sync.SyncWindow.Kind",
            "SyncWindowReasonEnum": "ingestion.models.sync.SyncWindow.Reason",
            "AlertRuleEnum": "dashboards.models.Alert.Rule",
            "AlertResolutionEnum": "dashboards.models.Alert.Resolution",
            "AlertLevelEnum": "dashboards.api.alerts.LEVELS",
            "AlertStateEnum": "dashboards.api.alerts.STATES",
            "AlertEventEnum": "dashboards.models.AlertEvent.What",
            "ContactKindEnum": "dashboards.models.Outreach.Kind",
            "ContactStateEnum": "dashboards.models.Outreach.State",
            "InvitationStateEnum": "ingestion.api.invitations.STATES",
        },
        "POSTPROCESSING_HOOKS": [
            "drf_spectacular.hooks.postprocess_schema_enums",
            "participants.api.base.schema.complete",
        ],
    }
