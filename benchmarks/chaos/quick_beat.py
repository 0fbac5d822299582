"""The product's Celery application, with what is due each minute due each five seconds."""

from __future__ import annotations

from config.celery import app

SECONDS = 5.0
for entry in app.conf.beat_schedule.values():
    if entry["schedule"] == 60.0:
        entry |= {"schedule": SECONDS, "options": {"expires": SECONDS}}
