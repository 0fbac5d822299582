"""Addresses of what was measured, under /api/v1/."""

from typing import Any

from django.urls import path

from metrics.api.catalogue import MetricSet, SourceSet
from metrics.api.days import DayStatusHistorySet, GapSet, ParticipantDaySet, StatusSummarySet
from metrics.api.series import SeriesView
from metrics.api.sessions import ExerciseSessionSet, SleepSessionSet

LIST: dict[str, Any] = {"get": "list"}

urlpatterns = [
    path("series", SeriesView.as_view(), name="series"),
    path("metrics", MetricSet.as_view(LIST), name="metrics"),
    path("sources", SourceSet.as_view(LIST), name="sources"),
    path("trials/<str:code>/participant-days", ParticipantDaySet.as_view(LIST), name="participant-days"),
    path("trials/<str:code>/day-verdicts", DayStatusHistorySet.as_view(LIST), name="day-verdicts"),
    path("trials/<str:code>/gaps", GapSet.as_view(LIST), name="gaps"),
    path("trials/<str:code>/sleep-sessions", SleepSessionSet.as_view(LIST), name="sleep-sessions"),
    path("trials/<str:code>/exercise-sessions", ExerciseSessionSet.as_view(LIST), name="exercise-sessions"),
    path("trials/<str:code>/standings", StatusSummarySet.as_view(LIST), name="standings"),
]
