"""Addresses of the pages. Trials and participants go by their code and study id, never by a row's number."""

from django.urls import path

from dashboards.accounts import team_views, token_views
from dashboards.accounts import views as accounts_views
from dashboards.alerts import digest_views
from dashboards.alerts import views as alerts_views
from dashboards.connections import sync_views
from dashboards.connections import views as connections_views
from dashboards.exports import views as exports_views
from dashboards.heatmap import day_detail
from dashboards.heatmap import views as heatmap_views
from dashboards.messaging import demo_mailbox, log_views, unsubscribe
from dashboards.messaging import views as messaging_views
from dashboards.participant_detail import (
    consent_views,
    corrections_views,
    notes,
)
from dashboards.participant_detail import (
    views as participant_detail_views,
)
from dashboards.protocols import recompute_views
from dashboards.protocols import views as protocols_views
from dashboards.trial_overview import (
    adherence_report,
    background_jobs,
    trial_list,
)
from dashboards.trial_overview import (
    views as trial_overview_views,
)

app_name = "dashboards"

urlpatterns = [
    path("", trial_list.trial_list, name="trial-list"),
    path("account/", accounts_views.account, name="account"),
    path("account/sign-ins/", accounts_views.sign_ins, name="sign-ins"),
    path("account/sign-out-everywhere/", accounts_views.sign_out_everywhere, name="sign-out-everywhere"),
    path("account/session/", accounts_views.session, name="session"),
    path("account/session/stay/", accounts_views.session_stay, name="session-stay"),
    path("account/join/<str:code>/", team_views.join, name="join"),
    path("account/tokens/", token_views.tokens, name="tokens"),
    path("account/tokens/<int:pk>/revoke/", token_views.token_end, name="token-end"),
    path("trials/<str:code>/service-accounts/", token_views.service, name="service-accounts"),
    path("trials/<str:code>/service-accounts/<int:pk>/end/", token_views.service_end, name="service-account-end"),
    path("trials/<str:code>/team/", team_views.team, name="team"),
    path("trials/<str:code>/team/<int:pk>/again/", team_views.again, name="team-again"),
    path("trials/<str:code>/team/<int:pk>/revoke/", team_views.revoke, name="team-revoke"),
    path("digests/", digest_views.digests, name="digests"),
    path("trials/<str:code>/", trial_overview_views.trial_detail, name="trial"),
    path("trials/<str:code>/progress/", background_jobs.progress, name="progress"),
    path("trials/<str:code>/heatmap/", heatmap_views.heatmap, name="heatmap"),
    path("trials/<str:code>/heatmap/<str:study_id>/<str:date>/", day_detail.heatmap_day, name="heatmap-day"),
    path(
        "trials/<str:code>/participants/<str:study_id>/",
        participant_detail_views.participant_detail,
        name="participant",
    ),
    path(
        "trials/<str:code>/participants/<str:study_id>/series.json",
        participant_detail_views.participant_series,
        name="series",
    ),
    path("trials/<str:code>/participants/<str:study_id>/notes/", notes.note_add, name="note-add"),
    path(
        "trials/<str:code>/participants/<str:study_id>/corrections/", corrections_views.corrections, name="corrections"
    ),
    path(
        "trials/<str:code>/participants/<str:study_id>/corrections/<slug:verb>/",
        corrections_views.corrections_act,
        name="corrections-act",
    ),
    path("trials/<str:code>/participants/<str:study_id>/consent/", consent_views.consent, name="consent"),
    path(
        "trials/<str:code>/participants/<str:study_id>/consent/<slug:verb>/",
        consent_views.consent_act,
        name="consent-act",
    ),
    path("trials/<str:code>/participants/<str:study_id>/pulse/", connections_views.pulse, name="pulse"),
    path("trials/<str:code>/participants/<str:study_id>/invite/", connections_views.invite, name="invite"),
    path(
        "trials/<str:code>/participants/<str:study_id>/invitations/<int:pk>/",
        connections_views.invitation,
        name="invitation",
    ),
    path(
        "trials/<str:code>/participants/<str:study_id>/disconnect/<slug:provider>/",
        connections_views.disconnect,
        name="disconnect",
    ),
    path("trials/<str:code>/alerts/", alerts_views.alerts, name="alerts"),
    path("trials/<str:code>/alerts/<int:pk>/<slug:verb>/", alerts_views.alert_act, name="alert-act"),
    path("trials/<str:code>/alerts/several/<slug:verb>/", alerts_views.alerts_act, name="alerts-act"),
    path("trials/<str:code>/contact/", messaging_views.contact, name="contact"),
    path("trials/<str:code>/contacts/", log_views.contacts, name="contacts"),
    path("trials/<str:code>/calls/", messaging_views.call_list, name="call-list"),
    path("trials/<str:code>/participants/<str:study_id>/call/", messaging_views.call_log, name="call-log"),
    path("opt-out/<str:code>/", unsubscribe.opt_out, name="opt-out"),
    path("demo/mailbox/", demo_mailbox.mailbox, name="mailbox"),
    path("trials/<str:code>/exports/", exports_views.exports_list, name="exports"),
    path("trials/<str:code>/exports/estimate/", exports_views.export_estimate, name="export-estimate"),
    path("trials/<str:code>/exports/<uuid:uuid>/", exports_views.export, name="export"),
    path("trials/<str:code>/exports/<uuid:uuid>/cancel/", exports_views.export_cancel, name="export-cancel"),
    path("trials/<str:code>/exports/<uuid:uuid>/again/", exports_views.export_again, name="export-again"),
    path("trials/<str:code>/exports/<uuid:uuid>/download/", exports_views.export_download, name="export-download"),
    path("trials/<str:code>/exports/<uuid:uuid>/files/<path:path>", exports_views.export_download, name="export-file"),
    path("trials/<str:code>/adherence/", adherence_report.adherence, name="adherence"),
    path("trials/<str:code>/protocol/", protocols_views.protocol, name="protocol"),
    path("trials/<str:code>/protocol/new/", protocols_views.protocol_new, name="protocol-new"),
    path("trials/<str:code>/recomputes/", recompute_views.recompute_start, name="recompute-ask"),
    path("trials/<str:code>/recomputes/<int:pk>/", recompute_views.recompute, name="recompute"),
    path("trials/<str:code>/sync/", sync_views.sync, name="sync"),
    path("trials/<str:code>/sync/<str:study_id>/<slug:provider>/", sync_views.sync_detail, name="sync-detail"),
    path("trials/<str:code>/sync/<str:study_id>/<slug:provider>/now/", sync_views.sync_now, name="sync-now"),
    path("trials/<str:code>/sync/<str:study_id>/<slug:provider>/backfill/", sync_views.backfill, name="backfill"),
    path("trials/<str:code>/sync/<str:study_id>/<slug:provider>/requeue/", sync_views.requeue, name="requeue"),
]
