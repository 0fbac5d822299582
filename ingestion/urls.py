"""Addresses without a login: a participant's link and what follows from it, and vendors' notices."""

from django.urls import path

from ingestion.connections import views as connections_views
from ingestion.sync import webhook_view

app_name = "ingestion"

urlpatterns = [
    path("connect/callback/<slug:provider>/", connections_views.callback, name="callback"),
    path("connect/<str:code>/", connections_views.connect, name="connect"),
    path("connect/<str:code>/to/<slug:provider>/", connections_views.start, name="start"),
    path("connect/<str:code>/stop/<slug:provider>/", connections_views.stop, name="stop"),
    path("webhooks/<slug:provider>/", webhook_view.webhook, name="webhook"),
]
