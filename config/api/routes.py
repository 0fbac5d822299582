"""Routes of the API's resources that have a list: the parent's path stands before each."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from dashboards.api.alerts import AlertSet
from dashboards.api.contacts import MessageTemplateSet, OutreachSet
from dashboards.api.notes import NoteSet
from dashboards.api.participants import ParticipantSet
from dashboards.api.protocols import ProtocolSet
from ingestion.api.connections import ConnectionSet, TrialConnectionSet
from ingestion.api.imports import ImportSet
from ingestion.api.invitations import InvitationSet
from ingestion.api.windows import SyncWindowSet
from metrics.api.exports import ExportSet
from metrics.api.recomputes import RecomputeSet
from participants.api.audit import AuditSet, TrialAuditSet
from participants.api.members import MemberSet
from participants.api.sites import SiteSet
from participants.api.trials import TrialSet

OF_TRIAL = "trials/(?P<code>[^/]+)"
OF_PARTICIPANT = f"{OF_TRIAL}/participants/(?P<study_id>[^/]+)"

# No slash at the end, and none is added by a redirect: a redirected POST would lose its body.
router = SimpleRouter(trailing_slash=False)
router.register("trials", TrialSet, basename="trial")
router.register("audit-entries", AuditSet, basename="audit-entry")
router.register(f"{OF_TRIAL}/sites", SiteSet, basename="site")
router.register(f"{OF_TRIAL}/members", MemberSet, basename="member")
router.register(f"{OF_TRIAL}/participants", ParticipantSet, basename="participant")
router.register(f"{OF_TRIAL}/protocols", ProtocolSet, basename="protocol")
router.register(f"{OF_TRIAL}/recomputes", RecomputeSet, basename="recompute")
router.register(f"{OF_TRIAL}/exports", ExportSet, basename="export")
router.register(f"{OF_TRIAL}/audit-entries", TrialAuditSet, basename="trial-audit-entry")
router.register(f"{OF_TRIAL}/connections", TrialConnectionSet, basename="trial-connection")
router.register(f"{OF_TRIAL}/sync-windows", SyncWindowSet, basename="sync-window")
router.register(f"{OF_TRIAL}/imports", ImportSet, basename="import")
router.register(f"{OF_TRIAL}/alerts", AlertSet, basename="alert")
router.register(f"{OF_TRIAL}/contacts", OutreachSet, basename="contact")
router.register(f"{OF_TRIAL}/message-templates", MessageTemplateSet, basename="message-template")
router.register(f"{OF_PARTICIPANT}/notes", NoteSet, basename="note")
router.register(f"{OF_PARTICIPANT}/invitations", InvitationSet, basename="invitation")
router.register(f"{OF_PARTICIPANT}/connections", ConnectionSet, basename="connection")
