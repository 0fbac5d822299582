"""Addresses of the pages. Trials and participants go by their code and study id, never by a row's number."""

from django.urls import path

from dashboards import views

app_name = "dashboards"

urlpatterns = [
    path("", views.trial_list, name="trial-list"),
    path("trials/<str:code>/", views.trial_detail, name="trial"),
    path("trials/<str:code>/participants/<str:study_id>/", views.participant_detail, name="participant"),
    path("trials/<str:code>/participants/<str:study_id>/series.json", views.participant_series, name="series"),
]
