"""Addresses of the pages. Trials and participants go by their code and study id, never by a row's number."""

from django.urls import path

from dashboards import (
    adherence_page,
    alerts_page,
    connections,
    contact_log,
    contacting,
    digest_page,
    heat_day,
    heatmap,
    mailbox,
    notes,
    opting_out,
    progress,
    protocol_page,
    recompute_page,
    sync_page,
    trial_page,
    views,
)

app_name = "dashboards"

urlpatterns = [
    path("", views.trial_list, name="trial-list"),
    path("digests/", digest_page.digests, name="digests"),
    path("trials/<str:code>/", trial_page.trial_detail, name="trial"),
    path("trials/<str:code>/progress/", progress.progress, name="progress"),
    path("trials/<str:code>/heatmap/", heatmap.heatmap, name="heatmap"),
    path("trials/<str:code>/heatmap/<str:study_id>/<str:date>/", heat_day.heatmap_day, name="heatmap-day"),
    path("trials/<str:code>/participants/<str:study_id>/", views.participant_detail, name="participant"),
    path("trials/<str:code>/participants/<str:study_id>/series.json", views.participant_series, name="series"),
    path("trials/<str:code>/participants/<str:study_id>/notes/", notes.note_add, name="note-add"),
    path("trials/<str:code>/participants/<str:study_id>/pulse/", connections.pulse, name="pulse"),
    path("trials/<str:code>/participants/<str:study_id>/invite/", connections.invite, name="invite"),
    path(
        "trials/<str:code>/participants/<str:study_id>/invitations/<int:pk>/",
        connections.invitation,
        name="invitation",
    ),
    path(
        "trials/<str:code>/participants/<str:study_id>/disconnect/<slug:provider>/",
        connections.disconnect,
        name="disconnect",
    ),
    path("trials/<str:code>/alerts/", alerts_page.alerts, name="alerts"),
    path("trials/<str:code>/alerts/<int:pk>/<slug:verb>/", alerts_page.alert_act, name="alert-act"),
    path("trials/<str:code>/alerts/several/<slug:verb>/", alerts_page.alerts_act, name="alerts-act"),
    path("trials/<str:code>/contact/", contacting.contact, name="contact"),
    path("trials/<str:code>/contacts/", contact_log.contacts, name="contacts"),
    path("trials/<str:code>/calls/", contacting.call_list, name="call-list"),
    path("trials/<str:code>/participants/<str:study_id>/call/", contacting.call_log, name="call-log"),
    path("opt-out/<str:code>/", opting_out.opt_out, name="opt-out"),
    path("demo/mailbox/", mailbox.mailbox, name="mailbox"),
    path("trials/<str:code>/adherence/", adherence_page.adherence, name="adherence"),
    path("trials/<str:code>/protocol/", protocol_page.protocol, name="protocol"),
    path("trials/<str:code>/protocol/new/", protocol_page.protocol_new, name="protocol-new"),
    path("trials/<str:code>/recomputes/", recompute_page.recompute_ask, name="recompute-ask"),
    path("trials/<str:code>/recomputes/<int:pk>/", recompute_page.recompute, name="recompute"),
    path("trials/<str:code>/sync/", sync_page.sync, name="sync"),
    path("trials/<str:code>/sync/<str:study_id>/<slug:provider>/", sync_page.sync_detail, name="sync-detail"),
    path("trials/<str:code>/sync/<str:study_id>/<slug:provider>/now/", sync_page.sync_now, name="sync-now"),
    path("trials/<str:code>/sync/<str:study_id>/<slug:provider>/backfill/", sync_page.backfill, name="backfill"),
    path("trials/<str:code>/sync/<str:study_id>/<slug:provider>/requeue/", sync_page.requeue, name="requeue"),
]
