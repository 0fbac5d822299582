"""Schedule page of the administration: what Celery beat starts by itself and how often, from the program's own
schedule."""

from __future__ import annotations

from typing import Any

from celery import current_app
from celery.schedules import crontab
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path


def every(schedule: Any) -> str:
    """Interval of a schedule entry as text; times of day are UTC."""
    if isinstance(schedule, crontab):
        return f"minute {schedule._orig_minute}, hour {schedule._orig_hour} (UTC)"
    seconds = int(getattr(schedule, "seconds", schedule))
    return f"every {seconds // 60} min" if seconds >= 60 else f"every {seconds} s"


def schedules() -> list[dict[str, str]]:
    """Entries of the schedule, each with its task and the task's description."""
    entries = []
    for name, entry in sorted(current_app.conf.beat_schedule.items()):
        task = current_app.tasks.get(entry["task"])
        says = (task.run.__doc__ or "").strip().splitlines()[:1] if task else []
        entries.append({"name": name, "task": entry["task"], "every": every(entry["schedule"]), "says": "".join(says)})
    return entries


class SchedulePage:
    """Mixin that adds the page to an administration whose `has_operate_permission` says who may see it."""

    def get_urls(self) -> list[Any]:
        wrap = admin.site.admin_view
        return [path("schedule/", wrap(self.schedule_view), name="ingestion_schedule"), *super().get_urls()]  # type: ignore[misc]

    def schedule_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_operate_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        context = {**admin.site.each_context(request), "title": "Schedule", "schedules": schedules()}
        return TemplateResponse(request, "admin/schedule.html", context)
