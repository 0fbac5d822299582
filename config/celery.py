"""Celery application. Tasks live in each app's `tasks.py`; beat's schedule is here because it is wiring."""

import os

from celery import Celery
from celery.schedules import crontab

from config.observability import multiprocess

if multiprocess.is_worker():
    multiprocess.begin()  # before anything counts

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("wearable_trials")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.beat_schedule = {
    "tick": {"task": "ingestion.tick", "schedule": 60.0, "options": {"expires": 55}},
    "watch": {"task": "dashboards.watch", "schedule": 60.0, "options": {"expires": 55}},
    "send-digests": {"task": "dashboards.send_digests", "schedule": 300.0, "options": {"expires": 290}},
    "send-due": {"task": "dashboards.send_due", "schedule": 60.0, "options": {"expires": 55}},
    "close-loop": {"task": "dashboards.close_loop", "schedule": 60.0, "options": {"expires": 55}},
    "evaluate-pending": {"task": "metrics.evaluate_pending", "schedule": 5.0, "options": {"expires": 5}},
    "judge-new": {"task": "metrics.judge_new", "schedule": 60.0, "options": {"expires": 55}},
    "seal-audit": {"task": "participants.seal_audit", "schedule": 60.0, "options": {"expires": 55}},
    "resume-invitations": {"task": "participants.resume_invitations", "schedule": 300.0, "options": {"expires": 290}},
    "clear-sessions": {
        "task": "participants.clear_sessions",
        "schedule": crontab(minute="37"),
        "options": {"expires": 55 * 60},
    },
    "resume-erasures": {"task": "participants.resume_erasures", "schedule": 600.0, "options": {"expires": 590}},
    "resume-removals": {"task": "metrics.resume_removals", "schedule": 600.0, "options": {"expires": 590}},
    "resume-undoings": {"task": "ingestion.resume_undoings", "schedule": 600.0, "options": {"expires": 590}},
    "resume-recomputes": {"task": "metrics.resume_recomputes", "schedule": 60.0, "options": {"expires": 55}},
    "resume-deletions": {"task": "metrics.resume_deletions", "schedule": 60.0, "options": {"expires": 55}},
    "resume-moves": {"task": "metrics.resume_moves", "schedule": 60.0, "options": {"expires": 55}},
    "judge-days": {"task": "metrics.judge_days", "schedule": crontab(minute="7"), "options": {"expires": 55 * 60}},
    "resume-exports": {"task": "metrics.resume_exports", "schedule": 60.0, "options": {"expires": 55}},
    "expire-exports": {
        "task": "metrics.expire_exports",
        "schedule": crontab(minute="23"),
        "options": {"expires": 55 * 60},
    },
    # A message that waited longer than its interval is dropped: the next one does the same.
    "extend-demo": {
        "task": "ingestion.extend_demo",
        "schedule": crontab(minute="*/15"),
        "options": {"expires": 14 * 60},
    },
    "check_data": {
        "task": "metrics.check_data",
        "schedule": crontab(hour="4", minute="17"),
        "options": {"expires": 6 * 3600},
    },
    "end-over": {
        "task": "ingestion.end_over",
        "schedule": crontab(hour="3", minute="31"),
        "options": {"expires": 6 * 3600},
    },
    "care": {"task": "metrics.care", "schedule": crontab(hour="2", minute="41"), "options": {"expires": 6 * 3600}},
    "pull-synthetic-days": {
        "task": "ingestion.pull_synthetic_days",
        "schedule": crontab(hour="6", minute="0"),
        "options": {"expires": 6 * 3600},
    },
}
