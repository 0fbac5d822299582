"""Addresses of the API's resources that have a list: whose each is stands before it."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from dashboards.api.alerts import AlertSet
from dashboards.api.contacts import MessageTemplateSet, OutreachSet
from dashboards.api.notes import NoteSet
from ingestion.api.connections import ConnectionSet, TrialConnectionSet
from ingestion.api.imports import ImportSet
from ingestion.api.invitations import InvitationSet
from ingestion.api.windows import SyncWindowSet
from participants.api.trials import TrialSet

OF_TRIAL = "trials/(?P<code>[^/]+)"
OF_PARTICIPANT = f"{OF_TRIAL}/participants/(?P<study_id>[^/]+)"

# No slash at the end, and none is added by a redirect: a redirected POST would lose its body.
router = SimpleRouter(trailing_slash=False)
router.register("trials", TrialSet, basename="trial")
router.register(f"{OF_TRIAL}/connections", TrialConnectionSet, basename="trial-connection")
router.register(f"{OF_TRIAL}/sync-windows", SyncWindowSet, basename="sync-window")
router.register(f"{OF_TRIAL}/imports", ImportSet, basename="import")
router.register(f"{OF_TRIAL}/alerts", AlertSet, basename="alert")
router.register(f"{OF_TRIAL}/contacts", OutreachSet, basename="contact")
router.register(f"{OF_TRIAL}/message-templates", MessageTemplateSet, basename="message-template")
router.register(f"{OF_PARTICIPANT}/notes", NoteSet, basename="note")
router.register(f"{OF_PARTICIPANT}/invitations", InvitationSet, basename="invitation")
router.register(f"{OF_PARTICIPANT}/connections", ConnectionSet, basename="connection")
