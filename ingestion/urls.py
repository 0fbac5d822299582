"""Addresses without a login: a participant's link and what follows from it, and vendors' notices."""

from django.urls import path

from ingestion import views, webhooks

app_name = "ingestion"

urlpatterns = [
    path("connect/callback/<slug:provider>/", views.callback, name="callback"),
    path("connect/<str:code>/", views.connect, name="connect"),
    path("connect/<str:code>/to/<slug:provider>/", views.start, name="start"),
    path("connect/<str:code>/stop/<slug:provider>/", views.stop, name="stop"),
    path("webhooks/<slug:provider>/", webhooks.webhook, name="webhook"),
]
